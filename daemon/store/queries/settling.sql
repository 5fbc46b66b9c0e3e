-- Actions, parked rows, ledger, counters: what a settlement writes besides bindings, cursors and the inbox.

-- actions_open
select * from actions where link = $1 and state in ('sent', 'unconfirmed') order by id

-- actions_insert
-- Ids are drawn in the order given and returned in it.
with n as materialized (
    select nextval(pg_get_serial_sequence('actions', 'id')) as id, given.*
    from (
        select *
        from unnest($5::text[], $6::text[], $7::text[], $8::bigint[], $9::text[], $10::text[], $11::text[],
            $12::text[], $13::text[], $14::text[], $15::float8[], $16::text[], $17::text[]) with ordinality
            as u (stream, side, op, binding, state, rule, reason, target, origin, fingerprint, deadline, error, data,
                place)
        order by place
    ) as given
), inserted as (
    insert into actions (id, link, run, created, closed, stream, side, op, binding, state, rule, reason, target,
        origin, fingerprint, deadline, error, data)
    select id, $1, $2, $3, $4, stream, side, op, binding, state, rule, reason, target, origin, fingerprint, deadline,
        error, data
    from n
)
select id from n order by place

-- actions_close
update actions
set state = n.state, error = n.error, closed = $2,
    target = case when n.target <> '' then n.target else actions.target end
from unnest($3::bigint[], $4::text[], $5::text[], $6::text[]) as n (id, state, target, error)
where actions.link = $1 and actions.id = n.id

-- unpark
-- A row that the same settlement parks again stays where it is, so that its age and its decision do.
delete from parked
using unnest($2::bigint[], $3::text[], $4::text[]) as n (binding, room, field)
where parked.link = $1 and parked.binding = n.binding and parked.room = n.room and n.field in (parked.field, '*')
  and not exists (
    select
    from unnest($5::bigint[], $6::text[], $7::text[]) as again (binding, room, field)
    where again.binding = parked.binding and again.room = parked.room and again.field = parked.field
  )

-- park
insert into parked (link, stream, room, binding, field, side, record, reason, hint, detail, fingerprint, since)
select $1, stream, room, binding, field, side, record, reason, hint, detail, fingerprint,
    case when since > 0 then since else $2 end
from (
    select *
    from unnest($3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
        $11::text[], $12::text[], $13::float8[]) with ordinality
        as u (stream, room, binding, field, side, record, reason, hint, detail, fingerprint, since, place)
    order by place
) as n
on conflict (binding, room, field) do update
set stream = excluded.stream, side = excluded.side, record = excluded.record, reason = excluded.reason,
    hint = excluded.hint, detail = excluded.detail, fingerprint = excluded.fingerprint,
    decision = case when parked.decided_on = excluded.fingerprint then parked.decision end,
    decided_on = case when parked.decided_on = excluded.fingerprint then parked.decided_on end

-- parked_of
select * from parked where link = $1 and binding = any ($2::bigint[]) order by id

-- spend
insert into budget_use (link, stream, kind, hour, used)
select $1, stream, kind, $2, used
from unnest($3::text[], $4::text[], $5::bigint[]) as n (stream, kind, used)
on conflict (link, stream, kind, hour) do update
set used = budget_use.used + excluded.used

-- spent
-- Whole hours: the one that `since` falls into counts in full, which errs on the careful side.
select kind, sum(used)::bigint as used
from budget_use
where link = $1 and stream = $2 and (hour + 1) * 3600 > $3::float8
group by kind
order by kind

-- count
insert into run_counters (run, stream, side, created, updated, deleted, marked, unchanged, skipped, failed, waiting)
select $1, * from unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
    $9::bigint[], $10::bigint[], $11::bigint[])
on conflict (run, stream, side) do update
set created = run_counters.created + excluded.created, updated = run_counters.updated + excluded.updated,
    deleted = run_counters.deleted + excluded.deleted, marked = run_counters.marked + excluded.marked,
    unchanged = run_counters.unchanged + excluded.unchanged, skipped = run_counters.skipped + excluded.skipped,
    failed = run_counters.failed + excluded.failed, waiting = run_counters.waiting + excluded.waiting
