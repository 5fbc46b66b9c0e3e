-- Look-ups for the API: what bears a name, what is nearby, what is the same account, what is linked already.

-- links_called
select *
from links
where (id = $1 or name = $1) and ($2 = '' or tenant = $2 or partner = $2)
order by id = $1 desc, tenant
limit 50

-- connections_called
select *
from connections
where (id = $1 or name = $1) and ($2 = '' or tenant = $2)
order by id = $1 desc, tenant
limit 50

-- link_names
select name from links where $1 = '' or tenant = $1 or partner = $1 order by name limit $2

-- connection_names
select name from connections where $1 = '' or tenant = $1 order by name limit $2

-- same_account
select *
from connections
where tenant = $1 and connector = $2 and identity = $3 and id <> $4
order by id
limit 1

-- links_between
select links.*
from links
join connections as a on a.id = links.a_connection
join connections as b on b.id = links.b_connection
where (a.connector, a.identity, b.connector, b.identity) in (($1, $2, $3, $4), ($3, $4, $1, $2))
order by links.id

-- all_links
select * from links order by id

-- links_after
select id, tenant, name, created, blueprint, settings from links where (created, id) > ($1, $2) order by created, id limit $3

-- connections_after
select id, tenant, name, created from connections where (created, id) > ($1, $2) order by created, id limit $3

-- plans_waiting
select link, count(*) as count from plans where state = 'open' group by link

-- admin_tokens
select count(*) from tokens where tenant is null and role = 'admin' and revoked = 0 and (expires = 0 or expires > $1)

-- ping
select 1
