-- Tokens of connections that have to outlive the process. Turns go by the database's clock.

-- kept_load
select sealed, number, asked from kept_tokens where connection = $1 and credentials = $2

-- kept_begin
-- Noted at the disk before anybody asks the vendor: the other way round nobody would know why a token is void.
with durable as materialized (select set_config('synchronous_commit', 'on', true))
insert into kept_tokens as kept (connection, credentials, holder, until, asked)
select connections.id, $2, $4, clock_timestamp() + make_interval(secs => $5), true
from durable
cross join connections
where connections.id = $1
on conflict (connection, credentials) do update
set holder = excluded.holder, until = excluded.until, asked = true
where kept.number = $3 and (kept.until < clock_timestamp() or kept.holder = excluded.holder)
returning number

-- kept_store
with durable as materialized (select set_config('synchronous_commit', 'on', true))
insert into kept_tokens as kept (connection, credentials, sealed, number)
select connections.id, $2, $3, 1
from durable
cross join connections
where connections.id = $1
on conflict (connection, credentials) do update
set sealed = excluded.sealed, number = kept.number + 1, holder = '', until = 'epoch', asked = false
returning number

-- kept_release
update kept_tokens set holder = '', until = 'epoch' where connection = $1 and credentials = $2 and holder = $3

-- kept_release_all
update kept_tokens set holder = '', until = 'epoch' where holder <> ''

-- kept_forget
delete from kept_tokens where connection = $1 and credentials <> all($2::bytea[])
