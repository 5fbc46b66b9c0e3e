-- Tokens, audit, figures for status and metrics, the stamp.

-- token_create
insert into tokens (id, tenant, name, role, hash, created, expires)
values ($1, nullif($2, ''), $3, $4, $5, $6, $7)
on conflict do nothing

-- tokens_list
select * from tokens where id > $1 order by id limit $2

-- token_verify
select * from tokens where hash = $1 and revoked = 0 and (expires = 0 or expires > $2)

-- token_used
update tokens set last_used = $2 where id = $1 and last_used < $2 - 60

-- token_revoke
update tokens set revoked = $2 where id = $1 and revoked = 0

-- token_get
select * from tokens where id = $1

-- audit_add
insert into audit (at, tenant, actor, action, target, detail) values ($1, $2, $3, $4, $5, $6)

-- audit_list
select * from audit where ($1 = '' or tenant = $1) and id < $2 order by id desc limit $3

-- stats_links
select id, tenant, wish, owner,
    extract(epoch from greatest(lease_until - clock_timestamp(), interval '0'))::float8 as lease_left_s,
    coalesce((select id from runs where link = links.id and outcome = 'running' and started <> 0 limit 1), '') as running,
    (select count(*) from actions where link = links.id and state in ('sent', 'unconfirmed')) as open_actions,
    coalesce((select min(created) from actions where link = links.id and state in ('sent', 'unconfirmed')), 0)
        as open_oldest,
    (select count(*) from actions where link = links.id and state = 'unknown') as unknown_actions
from links
where $1 = '' or id = $1
order by id

-- stats_inbox
-- What waits for its schedule could not be delivered yet: it has figures of its own, and is not late.
select link, count(*) as size, coalesce(min(since) filter (where reason <> 'scheduled' or not_before <= $2), 0) as oldest
from inbox
where $1 = '' or link = $1
group by link

-- stats_scheduled
select link, stream, case side when 'a' then 'b' else 'a' end as side, count(*) as count, min(since) as oldest
from inbox
where ($1 = '' or link = $1) and reason = 'scheduled' and not_before > $2
group by link, stream, side
order by link, stream, side

-- stats_rooms
select link, room, count(*) as count, min(since) as oldest
from parked
where $1 = '' or link = $1
group by link, room
order by link, room

-- stats_looks
select link, stream, side, looked, completed, delivered from cursors where $1 = '' or link = $1 order by link, stream, side

-- stamp_may_ask
-- Some who host databases keep these to themselves.
select has_function_privilege('pg_control_system()', 'execute')
    and has_function_privilege('pg_control_checkpoint()', 'execute')

-- stamp_server
select (select system_identifier from pg_control_system())::text as system_identifier,
    (select timeline_id from pg_control_checkpoint()) as timeline

-- stamp_read
select coalesce(max(system_identifier), '') as known_system_identifier, coalesce(max(timeline), 0) as known_timeline,
    coalesce(max(counter), 0) as counter
from stamp

-- stamp_advance
insert into stamp (system_identifier, timeline, counter)
values ($1, $2, $3::bigint + 1)
on conflict (single) do update
set system_identifier = excluded.system_identifier, timeline = excluded.timeline,
    counter = greatest(stamp.counter, $3) + 1
returning counter

-- recover_links
-- Of what was settled nothing is sure any more: both systems may have moved on together. What is bound stays bound.
update links set wish = 'paused', rev = rev + 1, next_due = 0, facts = facts || '{"recovering": true}'

-- recover_bindings
update bindings
set state = 'matched', base = '{}', a_dev = null, b_dev = null, contests = null, rev = rev + 1
where state = 'settled' and a_id is not null and b_id is not null

-- recover_cursors
-- Both sides are read completely; a feed has let go of what it delivered since.
update cursors set position = '', began = 0, token = '', completed = 0

-- recover_plans
update plans set state = 'superseded' where state in ('open', 'approved')

-- recover_decisions
update parked set decision = null, decided_on = null, decided_by = null, decided = null where decision is not null

-- recover_runs
update runs set outcome = 'failed', error = 'interrupted', ended = $1 where outcome = 'running'

-- leases_free
update links set owner = '', lease_until = 'epoch' where owner <> ''
