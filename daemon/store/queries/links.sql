-- Links, connections, leases, cursors. Leases go by the database's clock: clock_timestamp(), since now() stands still
-- within a transaction.

-- fence
-- Shared, so that the owner's own transactions do not wait for each other; whoever takes or moves the lease waits.
select 1
from links
where id = $1 and owner = $2 and epoch = $3 and lease_until > clock_timestamp()
for share

-- link_get
select id, tenant, name, a_connection, b_connection, blueprint, settings, facts, wish, rev, epoch, owner, next_due,
    partner, establishment, kind, a_role, b_role, rests_on
from links
where id = $1

-- link_turn
-- What a turn of a link begins with: one question instead of six.
select id, tenant, name, a_connection, b_connection, blueprint, settings, facts, wish, rev, epoch, owner, next_due,
    partner, establishment, kind, a_role, b_role, rests_on,
    (
        select runs from runs
        where runs.link = links.id and runs.outcome = 'running' and runs.started = 0
        order by runs.number limit 1
    ) as asked,
    (select min(not_before) from inbox where inbox.link = links.id) as hint_at,
    exists (select from actions where actions.link = links.id and actions.state in ('sent', 'unconfirmed')) as is_open,
    array(select cursors from cursors where cursors.link = links.id order by stream, side) as cursors,
    array(
        select array[plans.stream, plans.kind] from plans
        where plans.link = links.id and plans.state in ('open', 'approved')
    ) as plans
from links
where id = $1

-- connection_get
select id, tenant, name, connector, settings, sealed, identity, rev
from connections
where id = $1

-- connection_set_identity
update connections set identity = $2 where id = $1

-- links_of
select id, tenant, name, a_connection, b_connection, blueprint, settings, facts, wish, rev, epoch, owner, next_due,
    partner, establishment, kind, a_role, b_role, rests_on
from links
where a_connection = $1 or b_connection = $1
order by id

-- links_due
select id
from links
where (owner = '' or lease_until <= clock_timestamp())
  and (
    (
        wish = 'run' and establishment = 'established'
        and (next_due <= $1 or exists (select from inbox where inbox.link = links.id and inbox.not_before <= $1))
    )
    -- a plan may be asked for while the link is paused, or being set up
    or establishment <> 'off' and exists (
        select from runs
        where runs.link = links.id and runs.outcome = 'running' and runs.started = 0 and runs.mode not in ('sync', 'apply')
    )
  )
order by next_due, id
limit $2

-- lease_take
-- Waits for whoever holds the link's row, but not for ever.
with patience as materialized (select set_config('lock_timeout', $4 || 'ms', true))
update links
set owner = $2, epoch = epoch + 1, lease_until = clock_timestamp() + $3 * interval '1 second'
from patience
where id = $1 and (owner in ('', $2) or lease_until <= clock_timestamp())
returning epoch

-- lease_free
-- Sessions of an owner whose lease ran out, which are in a transaction and have heard nothing from it for a while (a COPY
-- that is not fed counts as active, and no timeout of PostgreSQL ends it).
select count(pg_terminate_backend(pid)) as ended
from links
join pg_stat_activity on datname = current_database() and application_name = 'tandemd ' || right(owner, 55)
where id = $1 and owner not in ('', $2) and lease_until <= clock_timestamp()
  and xact_start is not null and wait_event_type = 'Client'
  and state_change < clock_timestamp() - $3 * interval '1 millisecond'

-- lease_renew
update links
set lease_until = clock_timestamp() + $4 * interval '1 second'
where id = $1 and owner = $2 and epoch = $3 and lease_until > clock_timestamp()

-- lease_release
update links
set owner = '', lease_until = 'epoch'
where id = $1 and owner = $2 and epoch = $3 and lease_until > clock_timestamp()

-- link_set_facts
update links
set facts = facts || $4, next_due = $5
where id = $1 and owner = $2 and epoch = $3 and lease_until > clock_timestamp()

-- cursors_get
select stream, side, cursor, position, generation, began, token, completed, looked, delivered, backlog
from cursors
where link = $1
order by stream, side

-- cursors_put
insert into cursors (link, stream, side, cursor, position, generation, began, token, completed, looked, delivered,
    backlog)
select $1, * from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::integer[], $7::float8[], $8::text[],
    $9::float8[], $10::float8[], $11::float8[], $12::text[])
on conflict (link, stream, side) do update
set cursor = excluded.cursor, position = excluded.position, generation = excluded.generation, began = excluded.began,
    token = excluded.token, completed = excluded.completed, looked = excluded.looked, delivered = excluded.delivered,
    backlog = excluded.backlog

-- claim
-- $4: object, $5: hashes, $6: seconds. Hashes that another link holds in the account behind this side; the others are ours
-- now. Nothing is written where no other link uses the account.
with {fence},
place as (
    select c.connector, c.identity
    from fence, links
    join connections as c on c.id = links.{side}_connection
    where links.id = $1 and c.identity <> ''
),
shared as (
    select 1
    from place
    join connections as c on c.connector = place.connector and c.identity = place.identity
    join links on links.a_connection = c.id or links.b_connection = c.id
    where links.id <> $1
    limit 1
),
gone as (
    delete from claims where (select true from shared) and expires < clock_timestamp() - interval '1 hour'
),
wanted as (
    select hash from shared, unnest($5::bigint[]) as u (hash)
),
taken as (
    insert into claims (connector, identity, object, hash, link, expires)
    select place.connector, place.identity, $4, wanted.hash, $1, clock_timestamp() + $6 * interval '1 second'
    from place, wanted
    order by wanted.hash
    on conflict (connector, identity, object, hash) do update
    set link = excluded.link, expires = excluded.expires
    where claims.link = excluded.link or claims.expires <= clock_timestamp()
    returning hash
)
select array(select hash from wanted except select hash from taken) as refused
from fence
