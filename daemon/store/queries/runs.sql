-- Runs and plans. A run that was asked for and has not begun has the outcome running and started 0.

-- run_insert
insert into runs (id, link, mode, scope, cause, outcome, asked, started, ended, phase, error, waiting, subject)
values ($2, $1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)

-- run_begin
-- Late: should it be lost, so is everything that was done in it; a run that was asked for is then asked for still.
with {fence}, {late}, interrupted as (
    update runs
    set outcome = 'failed', error = 'interrupted', ended = $9
    where link = $1 and outcome = 'running' and started <> 0 and id <> $4 and exists (select from fence)
), begun as (
    insert into runs (id, link, mode, scope, cause, outcome, asked, started, ended, phase, error, waiting, subject)
    select $4, $1, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15 from fence
    on conflict (id) do update
    set mode = excluded.mode, scope = excluded.scope, cause = excluded.cause, outcome = excluded.outcome,
        started = excluded.started, ended = excluded.ended, phase = excluded.phase, error = excluded.error,
        waiting = excluded.waiting
)
select 1 from fence, late

-- runs_interrupt
update runs
set outcome = 'failed', error = 'interrupted', ended = $2
where link = $1 and outcome = 'running' and started <> 0 and id <> $3

-- run_queued
select *
from runs
where link = $1 and outcome = 'running' and started = 0
order by number
limit 1

-- run_update
with {fence}, {late}, updated as (
    update runs set phase = $5 where id = $4 and link = $1 and exists (select from fence) returning cancel
)
select coalesce((select cancel from updated), false) as cancel from fence, late

-- run_end
-- The rules that were rehearsed are of no use any more.
with {fence}, ended as (
    update runs
    set outcome = $5, ended = $6, phase = $7, error = $8, backlog = $9,
        waiting = (select count(*) from parked where parked.link = $1),
        subject = case when mode = 'rehearse' then '' else subject end
    where id = $4 and link = $1 and exists (select from fence)
)
select 1 from fence

-- run_end_late
-- Of a run that nobody asked for: should the end be lost, the run shows as interrupted, and what it did stands.
with {fence}, {late}, ended as (
    update runs
    set outcome = $5, ended = $6, phase = $7, error = $8, backlog = $9,
        waiting = (select count(*) from parked where parked.link = $1)
    where id = $4 and link = $1 and exists (select from fence)
)
select 1 from fence, late

-- run_counters
select stream, side, created, updated, deleted, marked, unchanged, skipped, failed, waiting
from run_counters
where run = $1
order by stream, side

-- run_writes
-- By binding, a page of whole bindings at a time.
select *
from actions
where run = $1 and op <> 'none' and state in ('confirmed', 'unconfirmed', 'sent', 'unknown') and binding in (
    select distinct binding
    from actions
    where run = $1 and op <> 'none' and state in ('confirmed', 'unconfirmed', 'sent', 'unknown') and binding > $2
    order by binding
    limit $3
)
order by binding, id

-- plan_lock
select * from plans where link = $1 and stream = $2 and kind = $3 and state in ('open', 'approved') for update

-- plan_insert
insert into plans (id, link, stream, kind, reason, created) values ($1, $2, $3, $4, $5, $6)

-- plan_actions_put
-- Only what is new, or shows another fingerprint than before, is written, with the revision it appears in.
with put as (
    insert into plan_actions (plan, rev, stream, side, op, binding, rule, reason, target, origin, fingerprint,
        deadline, error, data)
    select $1, $2, stream, side, op, binding, rule, reason, target, origin, fingerprint, deadline, error, data
    from (
        select *
        from unnest($3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[], $9::text[],
            $10::text[], $11::text[], $12::text[], $13::float8[], $14::text[], $15::text[]) with ordinality
            as u (stream, side, op, binding, state, rule, reason, target, origin, fingerprint, deadline, error, data,
                place)
        order by place
    ) as n
    on conflict (plan, binding, side, op) do update
    set id = excluded.id, rev = excluded.rev, stream = excluded.stream, rule = excluded.rule,
        reason = excluded.reason, target = excluded.target, origin = excluded.origin,
        fingerprint = excluded.fingerprint, deadline = excluded.deadline, error = excluded.error, data = excluded.data
    where plan_actions.fingerprint <> excluded.fingerprint or excluded.fingerprint = ''
    returning 1
)
select count(*) from put

-- plan_changed
update plans
set rev = rev + 1, state = 'open', reason = $2, actions = (select count(*) from plan_actions where plan = $1)
where id = $1

-- plan_unchanged
update plans set reason = $2 where id = $1

-- plan_live
select * from plans where link = $1 and stream = $2 and kind = $3 and state in ('open', 'approved')

-- plan_actions
select * from plan_actions where plan = $1 and id > $2 order by id limit $3

-- plan_approved
select distinct held.fingerprint
from plans
join plan_actions as held on held.plan = plans.id
where plans.link = $1 and plans.stream = $2 and plans.state in ('open', 'approved')
  and held.binding = any ($3::bigint[]) and held.rev <= plans.approved_rev

-- plan_close
update plans set state = $3 where id = $1 and link = $2 and state in ('open', 'approved')

-- plan_release
delete from plan_actions where plan = $1 and binding = any ($2::bigint[])

-- plan_released
update plans
set actions = n.left_over, state = case when n.left_over = 0 then 'applied' else state end
from (select count(*) as left_over from plan_actions where plan = $1) as n
where id = $1
