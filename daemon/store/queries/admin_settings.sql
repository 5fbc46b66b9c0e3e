-- The rules of links as people change them.

-- rules_lock
select * from links where id = $1 for update

-- rules_change
-- Whoever has the link at work does so under the old rules: the lease is taken away, and nothing more is committed by them.
update links
set blueprint = $2, settings = $3, rev = rev + 1, next_due = 0, owner = '', lease_until = 'epoch', epoch = epoch + 1
where id = $1

-- rules_versions_put
insert into link_versions (link, version, blueprint, settings, by, at, note, chosen)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict do nothing

-- rules_versions_had
-- A version from before that was kept holds until it is replaced; then what it had is known still.
update link_versions set chosen = $3 where link = $1 and version = $2 and chosen is null

-- rules_versions
select * from link_versions where link = $1 and version < $2 order by version desc limit $3

-- rules_version
select * from link_versions where link = $1 and version = $2

-- rules_plans
update plans set state = 'superseded' where link = $1 and stream = any ($2::text[]) and state in ('open', 'approved')

-- rules_back
-- Of these streams those that were looked at before: what was told of them meanwhile, nobody noted.
select distinct stream from cursors where link = $1 and stream = any ($2::text[])

-- rules_pending
-- Gone on one side, and nothing done about it yet: it waited in a plan or in a room, and no look finds anything new.
select s.name as stream, case when b.a_presence is null then 'a' else 'b' end as side,
    case when b.a_presence is null then b.a_id else b.b_id end as id
from bindings as b
join streams as s on s.id = b.stream_id
where s.link = $1 and s.name = any ($2::text[]) and b.state = 'settled' and b.a_id is not null and b.b_id is not null
  and (b.a_presence = 'deleted' and b.b_presence is null or b.b_presence = 'deleted' and b.a_presence is null)
order by b.key

-- rules_forget
-- What waits for a stream that is no more would wait for ever; its bindings stay, should it come back.
with gone_hints as (delete from inbox where link = $1 and stream = any ($2::text[]))
delete from parked where link = $1 and stream = any ($2::text[])
