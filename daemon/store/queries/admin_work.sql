-- Runs, plans, parked rows and single bindings as people see and steer them.

-- run_of_mode
select *
from runs
where link = $1 and mode = $2 and subject = $3 and outcome = 'running'
    and (not $4 or cause = 'command' or (cause = 'approval' and started = 0))
order by started = 0, number
limit 1

-- run_widen
update runs set scope = $2 where id = $1

-- run_info
select runs.*, links.tenant, links.partner from runs join links on links.id = runs.link where runs.id = $1

-- runs_list
select runs.*, links.tenant, links.partner
from runs
join links on links.id = runs.link
where ($1 = '' or runs.link = $1) and ($2 = '' or links.tenant = $2 or links.partner = $2) and runs.number < $3
order by runs.number desc
limit $4

-- run_cancel
update runs
set cancel = true,
    outcome = case when started = 0 then 'cancelled' else outcome end,
    ended = case when started = 0 then $2 else ended end
where id = $1 and outcome = 'running'

-- counters_of_runs
select * from run_counters where run = any ($1::text[]) order by run, stream, side

-- items_list
select * from actions where run = $1 and ($2 = '' or state = $2) and id > $3 order by id limit $4

-- plan_info
select plans.*, links.tenant, links.partner from plans join links on links.id = plans.link where plans.id = $1

-- plans_list
select plans.*, links.tenant, links.partner
from plans
join links on links.id = plans.link
where ($1 = '' or plans.link = $1) and ($2 = '' or links.tenant = $2 or links.partner = $2) and ($3 = '' or plans.state = $3)
  and plans.number < $4
order by plans.number desc
limit $5

-- plan_lock_by_id
select * from plans where id = $1 for update

-- plan_approve
update plans
set approved_rev = greatest(approved_rev, $2), state = case when $2 = rev then 'approved' else state end
where id = $1

-- plan_hints
-- A look at each record of the plan that the yes covers, at the side its action comes from; due at once, whatever clocks say.
insert into inbox (link, stream, side, id, reason, attempts, not_before, since, seq)
select link, stream, side, id, 'approved', 0, 0.0, $3, nextval('inbox_seq')
from (
    select min(held.id) as place, plans.link, streams.name as stream,
        case when (held.side = 'b' or b.b_id is null) and b.a_id is not null then 'a' else 'b' end as side,
        case when (held.side = 'b' or b.b_id is null) and b.a_id is not null then b.a_id else b.b_id end as id
    from plan_actions as held
    join plans on plans.id = held.plan
    join bindings as b on b.key = held.binding
    join streams on streams.id = b.stream_id and streams.link = plans.link
    where held.plan = $1 and held.rev <= $2
    group by 2, 3, 4, 5
    order by 1
) as n
on conflict (link, stream, side, id) do update
set seq = excluded.seq, reason = excluded.reason, not_before = least(inbox.not_before, excluded.not_before)

-- plan_kept
-- No to a delete: that the record is gone on one side, and stays on the other, is remembered.
update bindings as b
set state = 'tombstone', rev = b.rev + 1,
    note = 'deleted on ' || case held.side when 'a' then 'b' else 'a' end || ', kept on ' || held.side || ': a plan was rejected'
from plan_actions as held
where held.plan = $1 and held.op in ('delete', 'mark') and b.key = held.binding and b.state = 'settled'
  and case held.side when 'a' then b.b_presence else b.a_presence end = 'deleted'

-- parked_list
select parked.*, links.tenant, links.partner
from parked
join links on links.id = parked.link
where ($1 = '' or parked.link = $1) and ($2 = '' or links.tenant = $2 or links.partner = $2) and ($3 = '' or parked.room = $3)
  and parked.id > $4
order by parked.id
limit $5

-- parked_info
select parked.*, links.tenant, links.partner from parked join links on links.id = parked.link where parked.id = $1

-- parked_lock
select * from parked where id = $1 for update

-- parked_decide
update parked set decision = $2, decided_on = fingerprint, decided_by = $3, decided = $4 where id = $1

-- writes_of_binding
-- What was written of a record, the last first; a request that made many records at once covers it by its keys.
select *
from actions
where link = $1 and op <> 'none' and state in ('confirmed', 'unconfirmed', 'sent', 'unknown')
  and (
    binding = $2
    or binding = 0 and stream = $3 and op = 'create'
      and $2 between (data::jsonb #>> '{covers,0}')::bigint and (data::jsonb #>> '{covers,1}')::bigint
  )
order by id desc
limit $4

-- staged_import
-- A yes to what each line shows now, and a look at its record; those that are not staged any more are left out.
with chosen as (
    update parked
    set decision = $4, decided_on = fingerprint, decided_by = $5, decided = $6
    where link = $1 and room = 'staged' and ($2 = '' or stream = $2) and ($3::bigint[] = '{}' or id = any ($3))
      and stream <> all ($7::text[])
    returning id, stream, binding, side
), looks as (
    insert into inbox (link, stream, side, id, reason, attempts, not_before, since, seq)
    select $1, stream, side, record, 'decided', 0, $6, $6, nextval('inbox_seq')
    from (
        select chosen.stream, case when b.a_id is not null then 'a' else 'b' end as side, coalesce(b.a_id, b.b_id) as record
        from chosen
        join bindings as b on b.key = chosen.binding
        order by chosen.id
    ) as n
    on conflict (link, stream, side, id) do update
    set seq = excluded.seq, reason = excluded.reason, not_before = least(inbox.not_before, excluded.not_before)
)
select id from chosen

-- actions_of_binding
select * from actions where link = $1 and binding = $2 order by id desc limit $3
