-- The inbox. Writers of one link take turns (inbox_lock): its hints then become visible in the order of their seq, and
-- two writers can't wait for each other's rows.

-- inbox_lock
select pg_advisory_xact_lock(7411, hashtext($1))

-- hints_due
select stream, side, id, seq, reason, attempts, not_before
from inbox
where link = $1 and stream = any ($2::text[]) and not_before <= $3
order by seq
limit $4

-- hints_add
insert into inbox (link, stream, side, id, reason, attempts, not_before, since, seq)
select $1, stream, side, id, reason, attempts, not_before, $8, nextval('inbox_seq')
from (
    select *
    from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::integer[], $7::float8[]) with ordinality
        as n (stream, side, id, reason, attempts, not_before, place)
    order by place
) as given
on conflict (link, stream, side, id) do update
set seq = excluded.seq,
    -- "changed" says little: it never takes the place of a decision or a retry; "poked" says the least
    reason = case
        when inbox.reason = 'poked' then excluded.reason
        when excluded.reason in ('changed', 'poked') then inbox.reason
        else excluded.reason
    end,
    attempts = greatest(inbox.attempts, excluded.attempts),
    not_before = least(inbox.not_before, excluded.not_before)

-- hints_ack
delete from inbox
using unnest($2::text[], $3::text[], $4::text[], $5::bigint[]) as n (stream, side, id, seq)
where inbox.link = $1 and inbox.stream = n.stream and inbox.side = n.side and inbox.id = n.id and inbox.seq <= n.seq

-- hints_hurry
update inbox set not_before = 0 where link = $1 and stream = any ($2::text[]) and reason = $3

-- hint_next
select min(not_before) from inbox where link = $1

-- hinted
select id from inbox where link = $1 and stream = $2 and side = $3 and id = any ($4::text[])

-- link_exists
select 1 from links where id = $1
