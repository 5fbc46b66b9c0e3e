-- How links come to stand: accesses and grants, proposals, features, establishment. $1 = '' in lists: all tenants.

-- access_create
insert into accesses (id, a_connection, b_connection, chooser, mode, both_edit, created, directions)
values ($1, least($2, $3), greatest($2, $3), $2, $4, $5, $6, $7)
on conflict (a_connection, b_connection) do nothing

-- access_info
select * from accesses where id = $1

-- access_lock
select * from accesses where id = $1 for update

-- access_between
-- By account, so that it does not matter by which connection an account is meant.
select accesses.*
from accesses
join connections as a on a.id = accesses.a_connection
join connections as b on b.id = accesses.b_connection
where (a.connector, a.identity, b.connector, b.identity) in (($1, $2, $3, $4), ($3, $4, $1, $2))
order by accesses.id
limit 1

-- accesses_list
select accesses.*
from accesses
join connections as a on a.id = accesses.a_connection
join connections as b on b.id = accesses.b_connection
where ($1 = '' or $1 in (a.tenant, b.tenant)) and ($2 = '' or $2 in (a.id, b.id)) and accesses.id > $3
order by accesses.id
limit $4

-- access_update
update accesses set chooser = $2, mode = $3, both_edit = $4, directions = $5 where id = $1

-- access_delete
delete from accesses where id = $1

-- grant_add
insert into grants (id, access, origin, target, token, issued, expires) values ($1, $2, $3, $4, $5, $6, $7)

-- grant_get
select * from grants where id = $1

-- grants_drop
-- Of those that have expired nobody need know any more: the audit does.
delete from grants where expires < $1

-- connections_by_id
select * from connections where id = any ($1::text[])

-- accounts_called
-- Connections of any tenant to this account.
select * from connections where connector = $1 and identity = $2 order by created, id limit 50

-- accounts_named
-- The same for many accounts.
select connections.*
from unnest($1::text[], $2::text[]) as named (connector, identity)
join connections using (connector, identity)
order by connections.tenant, connections.name
limit 5000

-- connection_share
-- Held against being deleted while something that rests on it is made.
select * from connections where id = any ($1::text[]) order by id for share

-- roles_lock
-- Whoever makes a link with roles, or takes an access away, waits for the others that do.
select pg_advisory_xact_lock(7410, 2)

-- standings
-- Links that touch either account, with both accounts of each; and, by way of those, the rest of their component.
with recursive reached (connector, identity) as (
    values ($1::text, $2::text), ($3, $4)
    union
    select beyond.connector, beyond.identity
    from reached
    join connections as near on near.connector = reached.connector and near.identity = reached.identity
    join links on near.id in (links.a_connection, links.b_connection)
    join connections as beyond on beyond.id in (links.a_connection, links.b_connection)
)
select links.id, links.name, links.tenant, links.partner, links.kind, links.a_role, links.b_role, links.blueprint, links.settings,
    links.establishment, links.a_connection, links.b_connection,
    a.connector as a_connector, a.identity as a_identity, b.connector as b_connector, b.identity as b_identity
from links
join connections as a on a.id = links.a_connection
join connections as b on b.id = links.b_connection
where (a.connector, a.identity) in (select connector, identity from reached)
order by links.id

-- bound_ids
-- Which of these ids are bound on the side {side} of a stream, to a record that is settled there.
select {side}_id as id
from bindings
where stream_id = {stream} and {side}_id = any ($3::text[]) and a_id is not null and b_id is not null

-- proposal_create
insert into proposals (id, name, kind, side, proposer, addressee, blueprint, settings, created, expires, override)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)

-- proposal_info
select proposals.*, p.tenant as p_tenant, p.connector as p_connector, p.identity as p_identity, p.name as p_name,
    p.own_mark as p_mark, a.tenant as a_tenant, a.connector as a_connector, a.identity as a_identity, a.name as a_name,
    a.own_mark as a_mark
from proposals
join connections as p on p.id = proposals.proposer
join connections as a on a.id = proposals.addressee
where proposals.id = $1

-- proposals_list
select proposals.*, p.tenant as p_tenant, p.connector as p_connector, p.identity as p_identity, p.name as p_name,
    p.own_mark as p_mark, a.tenant as a_tenant, a.connector as a_connector, a.identity as a_identity, a.name as a_name,
    a.own_mark as a_mark
from proposals
join connections as p on p.id = proposals.proposer
join connections as a on a.id = proposals.addressee
where ($1 = '' or $1 in (p.tenant, a.tenant)) and (not $2 or (proposals.state = 'requested' and proposals.expires > $3))
  and proposals.number < $4
order by proposals.number desc
limit $5

-- proposals_alike
select proposals.*, p.tenant as p_tenant, p.connector as p_connector, p.identity as p_identity, p.name as p_name,
    p.own_mark as p_mark, a.tenant as a_tenant, a.connector as a_connector, a.identity as a_identity, a.name as a_name,
    a.own_mark as a_mark
from proposals
join connections as p on p.id = proposals.proposer
join connections as a on a.id = proposals.addressee
where proposals.state = 'requested' and proposals.kind = $1 and p.connector = $2 and p.identity = $3
  and a.connector = $4 and a.identity = $5
order by proposals.number

-- proposal_lock
select state from proposals where id = $1 for update

-- proposal_decide
update proposals set state = $2, decided = $3, link = $4 where id = $1

-- proposals_of
-- Open or not: a connection that a proposal names is not deleted under it.
delete from proposals where $1 in (proposer, addressee) and (state <> 'requested' or expires <= $2)

-- proposals_open
select id from proposals where $1 in (proposer, addressee) limit 5

-- accesses_of
select id from accesses where $1 in (a_connection, b_connection) limit 5

-- link_stand
update links
set partner = $2, establishment = $3, kind = $4, a_role = $5, b_role = $6, rests_on = $7, settings = $8, next_due = 0
where id = $1

-- link_establish
update links
set establishment = $2, rests_on = $3, rev = rev + 1, next_due = 0
where id = $1 and establishment = $4

-- link_reviewed
update links set rests_on = $2, rev = rev + 1, next_due = 0 where id = $1

-- features_ask
insert into features (connector, identity, feature, asked_by, asked)
values ($1, $2, $3, $4, $5)
on conflict (connector, identity, feature) do update
set asked_by = excluded.asked_by, asked = excluded.asked
where features.enabled = 0

-- features_set
insert into features (connector, identity, feature, enabled, enabled_by)
values ($1, $2, $3, $4, $5)
on conflict (connector, identity, feature) do update
set enabled = excluded.enabled, enabled_by = excluded.enabled_by,
    asked = case when excluded.enabled = 0 then 0 else features.asked end

-- features_of
select * from features where connector = $1 and identity = $2 order by feature

-- features_list
select * from features
where ($1 = '' or asked_by = $1 or exists (
    select from connections as c
    where c.tenant = $1 and c.connector = features.connector and c.identity = features.identity
)) and (not $2 or (enabled = 0 and asked > 0)) and (connector, identity, feature) > ($3, $4, $5)
order by connector, identity, feature
limit $6
