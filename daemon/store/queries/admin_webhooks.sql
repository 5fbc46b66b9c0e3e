-- Webhooks: addresses, and what came in.

-- webhook_put
insert into webhooks (connection, hash, sealed, created, rotated)
values ($1, $2, $3, $4, $4)
on conflict (connection) do update
set hash = excluded.hash, sealed = excluded.sealed, rotated = excluded.rotated

-- webhook_get
select * from webhooks where connection = $1

-- webhook_called
select webhooks.sealed, connections.id, connections.tenant, connections.connector
from webhooks
join connections on connections.id = webhooks.connection
where webhooks.hash = $1

-- webhook_delete
with gone as (delete from webhook_calls where connection = $1)
delete from webhooks where connection = $1

-- webhook_calls
select * from webhook_calls where connection = $1 order by object

-- webhook_count
-- Objects that nobody keeps in step are counted together: a stranger can't make rows without end.
insert into webhook_calls (connection, object, accepted, ignored, refused, last_called, last_accepted, last_trouble)
values (
    $1, $2, ($3::text = 'accepted')::integer, ($3 = 'ignored')::integer, ($3 = 'refused')::integer, $4::float8,
    case $3 when 'accepted' then $4 else 0 end, $5
)
on conflict (connection, object) do update
set accepted = webhook_calls.accepted + excluded.accepted, ignored = webhook_calls.ignored + excluded.ignored,
    refused = webhook_calls.refused + excluded.refused, last_called = greatest(webhook_calls.last_called, excluded.last_called),
    last_accepted = greatest(webhook_calls.last_accepted, excluded.last_accepted),
    last_trouble = case when excluded.last_trouble = '' then webhook_calls.last_trouble else excluded.last_trouble end
