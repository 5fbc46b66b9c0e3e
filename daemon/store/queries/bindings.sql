-- Bindings: look-ups by id, key, state, generation and match key; what a settlement does to them.
-- A binding names its link and stream by one number: {stream} is that of stream $2 of link $1, {streams} are all of link $1.

-- bindings_by_id
select $2::text as stream, bindings.*
from bindings
where stream_id = {stream} and {side}_id = any ($3::text[])
order by key

-- bindings_known
select $2::text as stream, bindings.*, exists (select from parked where parked.binding = bindings.key) as is_parked
from bindings
where stream_id = {stream} and {side}_id = any ($3::text[])
order by key

-- bindings_known_one
-- The same for one record: planned once, and not each time.
select $2::text as stream, bindings.*, exists (select from parked where parked.binding = bindings.key) as is_parked
from bindings
where stream_id = {stream} and {side}_id = ($3::text[])[1]

-- bindings_by_key
select streams.name as stream, bindings.*
from bindings
join streams on streams.id = bindings.stream_id
where streams.link = $1 and key = any ($2::bigint[])
order by key

-- bindings_sharing
-- Hash by hash: for thousands at once the planner would rather read the whole table, in order of its keys.
select $2::text as stream, found.*
from unnest($3::bigint[]) as wanted(hash)
cross join lateral (
    select bindings.*
    from bindings
    where keys[{level}] <> 0 and keys[{level}] = wanted.hash and stream_id = {stream}
    limit $4
) as found
order by found.key
limit $4

-- bindings_in
select $2::text as stream, bindings.*
from bindings
where stream_id = {stream} and state = any ($3::text[]) and key > $4
order by key
limit $5

-- bindings_in_unsettled
-- The same where settled is not asked for, so that the small index serves.
select $2::text as stream, bindings.*
from bindings
where stream_id = {stream} and state = any ($3::text[]) and key > $4 and state <> 'settled'
order by key
limit $5

-- bindings_noted
-- Half bindings by their note, of those that stand for what is gone or was left: the small index serves.
select $2::text as stream, bindings.*
from bindings
where stream_id = {stream} and state = 'tombstone' and (a_id is null or b_id is null) and note = any ($3::text[])
order by key

-- bindings_unseen
select $2::text as stream, bindings.*
from bindings
where stream_id = {stream} and {side}_id > $4
  and {side}_presence is null and {side}_gen < $3
order by {side}_id
limit $5

-- bindings_count
-- No further than anybody asks: whether a budget is kept needs a few thousand of a million.
select count(*)
from (
    select
    from bindings
    where stream_id = {stream} and state = 'settled' and a_id is not null and b_id is not null
    limit $3
) as counted

-- key_groups
-- Hashes of NEW half bindings in order, each kept when some binding of the same hash has the other side, or is to be put
-- back there (its note has $5); a note that begins with $6 says that a gate keeps it out. While one side of the stream is empty (a first load) nothing can match, which two probes of the
-- unique indexes find out (ordered, or the planner may prefer to read the table).
with groups as materialized (
    select fresh.hash
    from (
        select keys[{level}] as hash, bool_or(a_id is not null) as a, bool_or(b_id is not null) as b
        from bindings
        where stream_id = {stream} and state = 'new' and keys[{level}] <> 0
          and ($3::bigint is null or keys[{level}] > $3)
          and (a_id is null) <> (b_id is null)
          and (
            select a_id from bindings where stream_id = {stream} and a_id is not null order by a_id limit 1
          ) is not null
          and (
            select b_id from bindings where stream_id = {stream} and b_id is not null order by b_id limit 1
          ) is not null
        group by keys[{level}]
        order by keys[{level}]
    ) as fresh
    where (fresh.a and fresh.b)
       or exists (
            select
            from bindings as other
            where other.keys[{level}] <> 0 and other.keys[{level}] = fresh.hash and other.stream_id = {stream}
              and (
                fresh.a and other.b_id is not null or fresh.b and other.a_id is not null
                or strpos(other.note, $5) > 0
              )
        )
    order by fresh.hash
    limit $4
)
select groups.hash, members.a, members.b, members.taken, members.put_back, members.kept_out
from groups
cross join lateral (
    -- Group by group: a join of the sets would read the index from its start for every page.
    select
        coalesce(array_agg(m.key order by m.key) filter (where m.a_id is not null and m.b_id is null), '{}') as a,
        coalesce(array_agg(m.key order by m.key) filter (where m.b_id is not null and m.a_id is null), '{}') as b,
        coalesce(array_agg(m.key order by m.key) filter (where m.a_id is not null and m.b_id is not null), '{}') as taken,
        coalesce(
            array_agg(m.key order by m.key)
                filter (where (m.a_id is null) <> (m.b_id is null) and strpos(m.note, $5) > 0),
            '{}'
        ) as put_back,
        coalesce(
            array_agg(m.key order by m.key)
                filter (where (m.a_id is null) <> (m.b_id is null) and starts_with(m.note, $6)),
            '{}'
        ) as kept_out
    from bindings as m
    where m.keys[{level}] <> 0 and m.keys[{level}] = groups.hash and m.stream_id = {stream}
) as members
order by groups.hash

-- bindings_drop
with gone as (
    delete from bindings
    where stream_id in {streams} and key = any ($2::bigint[]) and (a_id is null or b_id is null)
    returning key
), unparked as (
    delete from parked where link = $1 and binding = any ($2::bigint[])
)
select count(*) from gone

-- bindings_release_ids
-- Ids that are about to change are let go first, so that bindings of one settlement can hand them to each other.
update bindings
set a_id = case when bindings.a_id = n.a_id then bindings.a_id end,
    b_id = case when bindings.b_id = n.b_id then bindings.b_id end
from unnest($2::bigint[], $3::text[], $4::text[]) as n (key, a_id, b_id)
where bindings.stream_id in {streams} and bindings.key = n.key
  and (bindings.a_id is not null and bindings.a_id is distinct from n.a_id
    or bindings.b_id is not null and bindings.b_id is distinct from n.b_id)

-- binding_replace
-- seen_gen never falls; a record that is new on its side was met by the complete read that is running.
update bindings
set state = n.state, rev = n.rev,
    a_id = n.a_id, a_presence = n.a_presence, a_version = n.a_version, a_dev = n.a_dev,
    a_gen = greatest(n.a_gen, case when bindings.a_id = n.a_id then bindings.a_gen else n.a_met end),
    b_id = n.b_id, b_presence = n.b_presence, b_version = n.b_version, b_dev = n.b_dev,
    b_gen = greatest(n.b_gen, case when bindings.b_id = n.b_id then bindings.b_gen else n.b_met end),
    base = n.base, keys = n.keys::bigint[], map_ver = n.map_ver, note = n.note, contests = n.contests
from (
    select u.*, coalesce(ca.generation, 0) as a_met, coalesce(cb.generation, 0) as b_met
    from unnest($2::bigint[], $3::text[], $4::text[], $5::integer[],
        $6::text[], $7::text[], $8::integer[], $9::text[], $10::text[],
        $11::text[], $12::text[], $13::integer[], $14::text[], $15::text[],
        $16::text[], $17::text[], $18::text[], $19::text[], $20::text[])
        as u (key, stream, state, rev, a_id, a_presence, a_gen, a_version, a_dev,
            b_id, b_presence, b_gen, b_version, b_dev, base, keys, map_ver, note, contests)
    left join cursors as ca on ca.link = $1 and ca.stream = u.stream and ca.side = 'a'
    left join cursors as cb on cb.link = $1 and cb.stream = u.stream and cb.side = 'b'
) as n
where bindings.stream_id in {streams} and bindings.key = n.key and bindings.rev = n.rev - 1

-- binding_insert
-- Keys are drawn in the order given and returned in it. Streams met for the first time get their number.
with named as (
    insert into streams (link, name)
    select distinct $1, given.name from unnest($3::text[]) as given (name)
    on conflict (link, name) do nothing
    returning id, name
), numbered as (
    select id, name from named
    union all
    select id, name from streams where link = $1
), n as materialized (
    select nextval('binding_key') as new_key, given.*
    from (
        select u.*, coalesce(ca.generation, 0) as a_met, coalesce(cb.generation, 0) as b_met
        from unnest($2::bigint[], $3::text[], $4::text[], $5::integer[],
            $6::text[], $7::text[], $8::integer[], $9::text[], $10::text[],
            $11::text[], $12::text[], $13::integer[], $14::text[], $15::text[],
            $16::text[], $17::text[], $18::text[], $19::text[], $20::text[]) with ordinality
            as u (key, stream, state, rev, a_id, a_presence, a_gen, a_version, a_dev,
                b_id, b_presence, b_gen, b_version, b_dev, base, keys, map_ver, note, contests, place)
        left join cursors as ca on ca.link = $1 and ca.stream = u.stream and ca.side = 'a'
        left join cursors as cb on cb.link = $1 and cb.stream = u.stream and cb.side = 'b'
        order by u.place
    ) as given
), inserted as (
    insert into bindings (stream_id, key, state, rev, a_id, a_presence, a_gen, a_version, a_dev,
        b_id, b_presence, b_gen, b_version, b_dev, base, keys, map_ver, note, contests)
    select numbered.id, new_key, state, rev,
        a_id, a_presence, case when a_id is null then 0 else greatest(a_gen, a_met) end, a_version, a_dev,
        b_id, b_presence, case when b_id is null then 0 else greatest(b_gen, b_met) end, b_version, b_dev,
        base, keys::bigint[], map_ver, note, contests
    from n
    join numbered on numbered.name = n.stream
)
select new_key from n order by place

-- bindings_mark_seen
update bindings
set {side}_gen = $3
where stream_id = {stream} and {side}_id = any ($4::text[]) and {side}_gen < $3

-- bindings_covered
select $2::text as stream, bindings.*
from bindings
where stream_id = {stream} and key between $3 and $4 and key > $5
order by key
limit $6

-- bindings_lines_between
-- What a look must read as if nothing has changed: "id, base" of what is settled under this mapping and shows no deviation on
-- this side. Between
-- two numbers stand, bytewise, shorter and longer ones: they are passed over, but no more than a few. The digest is made
-- here, so that lines which were compared before need not travel.
select lines.count, hashtextextended(lines.block, 1) || ' ' || hashtextextended(lines.block, 2) as digest,
    case when $6::boolean then lines.block else '' end as block
from (
    select count(*) as count, coalesce(string_agg(found.id || E'\t' || found.base, E'\n'), '') as block
    from (
        select {side}_id as id, {side}_presence as presence, case
            when state = 'settled' and a_id is not null and b_id is not null and {side}_dev is null and map_ver = $7
                and key not in (select binding from parked where link = $1 and stream = $2)
            then base else '' end as base
        from bindings
        where stream_id = {stream} and {side}_id between $3 and $4
        order by {side}_id
        limit $5
    ) as found
    where length(found.id) = length($3) and strpos(found.id, E'\n') = 0 and found.presence is null
) as lines

-- bindings_lines_of
select lines.count, hashtextextended(lines.block, 1) || ' ' || hashtextextended(lines.block, 2) as digest,
    case when $4::boolean then lines.block else '' end as block
from (
    select count(*) as count, coalesce(string_agg(found.line, E'\n'), '') as block
    from (
        select {side}_id || E'\t' || case
            when state = 'settled' and a_id is not null and b_id is not null and {side}_dev is null and map_ver = $5
                and key not in (select binding from parked where link = $1 and stream = $2)
            then base else '' end as line
        from bindings
        where stream_id = {stream} and {side}_id = any ($3::text[]) and {side}_presence is null
          and strpos({side}_id, E'\n') = 0
        order by {side}_id
    ) as found
) as lines

-- bindings_count_present
select count(*) from bindings where stream_id = {stream} and {side}_id is not null and {side}_presence is null

-- bindings_standing
-- What a changed line is planned from: what is settled, shows no deviation on this side and is parked nowhere.
select {side}_id, a_id, b_id, key, rev, base, contests,
    a_presence is null and b_presence is null and a_dev is null and b_dev is null and note is null
    and map_ver = $4 as is_plain
from bindings as b
where stream_id = {stream} and {side}_id = any ($3::text[])
  and state = 'settled' and a_id is not null and b_id is not null and {side}_presence is null and {side}_dev is null
  and not exists (select from parked where parked.binding = b.key)

-- bindings_rebase
update bindings
set rev = n.rev, base = n.base, contests = n.contests
from unnest($2::bigint[], $3::integer[], $4::text[], $5::text[]) as n (key, rev, base, contests)
where bindings.stream_id in {streams} and bindings.key = n.key and bindings.rev = n.rev - 1

-- bindings_present
select {side}_id from bindings where stream_id = {stream} and {side}_id is not null and {side}_presence is null

-- loading_begins
-- On the disk before anything is sent, whatever the server's default. A stream gets its number on first use; only the
-- owner of a link writes, so nobody else gives it one at the same time.
with new as (
    insert into streams (link, name) values ($1, $2) on conflict (link, name) do nothing
    returning id
)
select coalesce((select id from new), {stream}) as stream_id,
    coalesce((select generation from cursors where link = $1 and stream = $2 and side = 'a'), 0) as a_gen,
    coalesce((select generation from cursors where link = $1 and stream = $2 and side = 'b'), 0) as b_gen,
    nextval('binding_key') as key,
    set_config('synchronous_commit', 'on', true)

-- binding_key_last
select currval('binding_key')
