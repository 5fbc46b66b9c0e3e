-- Tenants, connections and links as people manage them.

-- tenant_create
insert into tenants (id, name, created) values ($1, $2, $3) on conflict do nothing

-- tenant_exists
select 1 from tenants where id = $1

-- tenants_list
select * from tenants where id > $1 order by id limit $2

-- connection_create
insert into connections (id, tenant, name, connector, settings, sealed, identity, created, own_mark)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (tenant, name) do nothing

-- connection_info
select * from connections where id = $1 or tenant = $2 and name = $1 order by id = $1 desc limit 1

-- connections_list
select *
from connections
where ($1 = '' or tenant = $1) and (tenant, name) > ($2, $3)
order by tenant, name
limit $4

-- connection_lock
select * from connections where id = $1 for update

-- connection_update
update connections set settings = $2, sealed = $3, own_mark = coalesce($4, own_mark), rev = rev + 1 where id = $1

-- connection_mark
update connections set own_mark = $2 where id = $1

-- connection_health
update connections set health = $2 where id = $1

-- connection_delete
with gone_webhook as (delete from webhooks where connection = $1),
    gone_calls as (delete from webhook_calls where connection = $1)
delete from connections where id = $1

-- link_create
insert into links (id, tenant, name, a_connection, b_connection, blueprint, settings, facts, wish, host, created)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
on conflict (tenant, name) do nothing

-- link_info
select * from links where id = $1 or tenant = $2 and name = $1 order by id = $1 desc limit 1

-- links_list
select *
from links
where ($1 = '' or tenant = $1 or partner = $1) and (tenant, name) > ($2, $3)
order by tenant, name
limit $4

-- links_using
select name from links where a_connection = $1 or b_connection = $1 order by name limit 5

-- link_wish
-- Whoever has a link go on says that its recovery is over.
update links
set wish = $2, rev = rev + 1, next_due = 0, facts = case when $2 = 'run' then facts - 'recovering' else facts end
where id = $1

-- link_poke
update links set next_due = 0 where id = $1

-- link_lock
select id from links where id = $1 for update

-- link_delete
with n as (select $1::text as link),
    gone_counters as (delete from run_counters where run in (select id from runs where link = (select link from n))),
    gone_runs as (delete from runs where link = (select link from n)),
    gone_cursors as (delete from cursors where link = (select link from n)),
    gone_bindings as (
        delete from bindings where stream_id in (select id from streams where link = (select link from n))
    ),
    gone_streams as (delete from streams where link = (select link from n)),
    gone_inbox as (delete from inbox where link = (select link from n)),
    gone_actions as (delete from actions where link = (select link from n)),
    gone_plans as (delete from plans where link = (select link from n)),
    gone_parked as (delete from parked where link = (select link from n)),
    gone_versions as (delete from link_versions where link = (select link from n)),
    gone_budget as (delete from budget_use where link = (select link from n))
delete from links where id = (select link from n)

-- bindings_new
-- Who is to be made on the other side, counted no further than anybody wants to know.
select streams.name as stream, case when a_id is null then 'a' else 'b' end as side, count(*) as count
from (
    select stream_id, a_id
    from bindings
    where stream_id = any (array(select id from streams where link = $1)) and state = 'new'
    limit $2
) as counted
join streams on streams.id = counted.stream_id
group by 1, 2
order by 1, 2

-- bindings_settled
select count(*) from bindings where stream_id in {streams} and state = 'settled' and a_id is not null and b_id is not null
