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

-- intend
-- The intents of one window, and the run's beginning where this is the first it does ($18). On the disk before anything
-- is sent, whatever the server's default. Columns are folded: where all rows hold the same, it is given once.
with {fence}, durable as materialized (
    select set_config('synchronous_commit', 'on', true) from fence
), interrupted as (
    update runs
    set outcome = 'failed', error = 'interrupted', ended = $5
    where $18 and link = $1 and outcome = 'running' and started <> 0 and id <> $4 and exists (select from fence)
), begun as (
    insert into runs (id, link, mode, scope, cause, outcome, asked, started, ended, phase, error, waiting)
    select $4, $1, $19, $20, $21, 'running', $5, $22, 0, '', '', 0 from fence where $18
    on conflict (id) do update
    set mode = excluded.mode, scope = excluded.scope, cause = excluded.cause, outcome = excluded.outcome,
        started = excluded.started, ended = excluded.ended, phase = excluded.phase, error = excluded.error,
        waiting = excluded.waiting
), n as materialized (
    select nextval(pg_get_serial_sequence('actions', 'id')) as id, given.*
    from (
        select u.*
        from durable, unnest($6::text[], $7::text[], $8::text[], $9::bigint[], $10::text[], $11::text[], $12::text[],
            $13::text[], $14::text[], $15::text[], $16::float8[], $17::text[]) with ordinality
            as u (stream, side, op, binding, rule, reason, target, origin, fingerprint, error, deadline, data, place)
        order by place
    ) as given
), inserted as (
    insert into actions (id, link, run, created, stream, side, op, binding, state, rule, reason, target, origin,
        fingerprint, deadline, error, data)
    select id, $1, $4, $5, coalesce(stream, ($6::text[])[1]), coalesce(side, ($7::text[])[1]),
        coalesce(op, ($8::text[])[1]), binding, 'sent', coalesce(rule, ($10::text[])[1]),
        coalesce(reason, ($11::text[])[1]), target, origin, fingerprint, coalesce(deadline, ($16::float8[])[1]),
        coalesce(error, ($15::text[])[1]), data
    from n
)
select id from n order by place

-- actions_close
update actions
set state = n.state, error = n.error, closed = $2,
    target = case when n.target <> '' then n.target else actions.target end
from unnest($3::bigint[], $4::text[], $5::text[], $6::text[]) as n (id, state, target, error)
where actions.id = n.id and case when actions.link = $1 then true else false end

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

-- settle_plainly
-- Divides by zero, which undoes all of it, unless every binding stood at the revision planned, with these ids, and every
-- action is one of this link. Columns of actions are folded: where all rows hold the same, it is given once.
with {fence}, replaced as (
    update bindings
    set state = n.state, rev = n.rev,
        a_presence = n.a_presence, a_version = n.a_version, a_dev = n.a_dev, a_gen = greatest(n.a_gen, bindings.a_gen),
        b_presence = n.b_presence, b_version = n.b_version, b_dev = n.b_dev, b_gen = greatest(n.b_gen, bindings.b_gen),
        base = n.base, keys = n.keys::bigint[], map_ver = n.map_ver, note = n.note, contests = n.contests
    from unnest($7::bigint[], $8::text[], $9::text[], $10::integer[],
        $11::text[], $12::text[], $13::integer[], $14::text[], $15::text[],
        $16::text[], $17::text[], $18::integer[], $19::text[], $20::text[],
        $21::text[], $22::text[], $23::text[], $24::text[], $25::text[])
        as n (key, stream, state, rev, a_id, a_presence, a_gen, a_version, a_dev,
            b_id, b_presence, b_gen, b_version, b_dev, base, keys, map_ver, note, contests)
    where bindings.stream_id in {streams} and bindings.key = n.key and bindings.rev = n.rev - 1
      and bindings.a_id is not distinct from n.a_id and bindings.b_id is not distinct from n.b_id
      and exists (select from fence)
    returning 1
), rebased as (
    update bindings
    set rev = n.rev, base = n.base, contests = n.contests
    from unnest($53::bigint[], $54::integer[], $55::text[], $56::text[]) as n (key, rev, base, contests)
    where bindings.stream_id in {streams} and bindings.key = n.key and bindings.rev = n.rev - 1 and exists (select from fence)
    returning 1
), closed as (
    update actions
    set state = coalesce(n.state, ($27::text[])[1]), error = coalesce(n.error, ($29::text[])[1]), closed = $5,
        target = coalesce(nullif(coalesce(n.target, ($28::text[])[1]), ''), actions.target)
    from unnest($26::bigint[], $27::text[], $28::text[], $29::text[]) as n (id, state, target, error)
    -- A case, so that the planner goes by the id: of a table that has no statistics yet it takes few rows to be this
    -- link's, and would compare each of them with every action to be closed.
    where actions.id = n.id and case when actions.link = $1 then true else false end and exists (select from fence)
    returning 1
), spent as (
    insert into budget_use (link, stream, kind, hour, used, side, object)
    select $1, n.stream, n.kind, $6, n.used, n.side, n.object
    from fence, unnest($30::text[], $31::text[], $32::bigint[], $58::text[], $59::text[])
        as n (stream, kind, used, side, object)
    on conflict (link, stream, side, object, kind, hour) do update
    set used = budget_use.used + excluded.used
), counted as (
    insert into run_counters (run, stream, side, created, updated, deleted, marked, unchanged, skipped, failed, waiting)
    select $4, n.*
    from fence, unnest($33::text[], $34::text[], $35::bigint[], $36::bigint[], $37::bigint[], $38::bigint[],
        $39::bigint[], $40::bigint[], $41::bigint[], $42::bigint[]) as n
    on conflict (run, stream, side) do update
    set created = run_counters.created + excluded.created, updated = run_counters.updated + excluded.updated,
        deleted = run_counters.deleted + excluded.deleted, marked = run_counters.marked + excluded.marked,
        unchanged = run_counters.unchanged + excluded.unchanged, skipped = run_counters.skipped + excluded.skipped,
        failed = run_counters.failed + excluded.failed, waiting = run_counters.waiting + excluded.waiting
), moved as (
    insert into cursors (link, stream, side, cursor, position, generation, began, token, completed, looked, delivered,
        backlog)
    select $1, n.*
    from fence, unnest($43::text[], $44::text[], $45::text[], $46::text[], $47::integer[], $48::float8[], $49::text[],
        $50::float8[], $51::float8[], $52::float8[], $57::text[]) as n
    on conflict (link, stream, side) do update
    set cursor = excluded.cursor, position = excluded.position, generation = excluded.generation,
        began = excluded.began, token = excluded.token, completed = excluded.completed, looked = excluded.looked,
        delivered = excluded.delivered, backlog = excluded.backlog
)
select 1 / (
    (select count(*) from replaced) = cardinality($7::bigint[])
    and (select count(*) from rebased) = cardinality($53::bigint[])
    and (select count(*) from closed) = cardinality($26::bigint[])
)::integer
from fence

-- parked_of
select * from parked where link = $1 and binding = any ($2::bigint[]) order by id

-- waiting
select * from parked where link = $1 and room = $2 and stream = $3 and id > $4 order by id limit $5

-- spend
insert into budget_use (link, stream, kind, hour, used, side, object)
select $1, stream, kind, $2, used, side, object
from unnest($3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[]) as n (stream, kind, used, side, object)
on conflict (link, stream, side, object, kind, hour) do update
set used = budget_use.used + excluded.used

-- spent
-- Whole hours: the one that `since` falls into counts in full, which errs on the careful side. $4, $5: the objects of the
-- stream on a and on b. Of the other links that use the account behind a side, however it is called there, what they spent
-- on these objects; a row of theirs has the name of the account and how many links use it. What the link's own open
-- intents would spend counts as spent, as they may all have taken effect; each comes whole (no operator reads a NUL).
with place as (
    select links.id, 'a' as side, $4::text[] as objects, c.connector, c.identity, c.name
    from links
    join connections as c on c.id = links.a_connection
    where links.id = $1
    union all
    select links.id, 'b', $5::text[], c.connector, c.identity, c.name
    from links
    join connections as c on c.id = links.b_connection
    where links.id = $1
),
others as (
    select place.side, place.objects, place.name, o.id as link, case when c.id = o.a_connection then 'a' else 'b' end as theirs
    from place
    join connections as c on c.connector = place.connector and c.identity = place.identity
    join links as o on c.id in (o.a_connection, o.b_connection) and o.id <> place.id
    where place.identity <> ''
)
select '' as hub, 0 as links, side, kind, sum(used)::bigint as used, null as intent
from budget_use
where link = $1 and stream = $2 and (hour + 1) * 3600 > $3::float8
group by side, kind
union all
select others.name, (select count(distinct o.link) + 1 from others as o where o.side = others.side)::integer,
    others.side, u.kind, sum(u.used)::bigint, null
from others
join budget_use as u on u.link = others.link and u.side = others.theirs and u.object = any (others.objects)
where (u.hour + 1) * 3600 > $3::float8
group by others.side, others.name, u.kind
union all
select '', 0, side, '', 1, data from actions where link = $1 and state in ('sent', 'unconfirmed') and stream = $2

-- count
insert into run_counters (run, stream, side, created, updated, deleted, marked, unchanged, skipped, failed, waiting)
select $1, * from unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
    $9::bigint[], $10::bigint[], $11::bigint[])
on conflict (run, stream, side) do update
set created = run_counters.created + excluded.created, updated = run_counters.updated + excluded.updated,
    deleted = run_counters.deleted + excluded.deleted, marked = run_counters.marked + excluded.marked,
    unchanged = run_counters.unchanged + excluded.unchanged, skipped = run_counters.skipped + excluded.skipped,
    failed = run_counters.failed + excluded.failed, waiting = run_counters.waiting + excluded.waiting
