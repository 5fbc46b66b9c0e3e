-- Streams of a link as people look at them, and have them read again.

-- streams_rooms
select stream, room, count(*) as count, min(since) as oldest
from parked
where link = $1
group by stream, room
order by stream, room

-- stream_lease
-- Whoever has the link at work knows what was settled and how far it was looked: the lease is taken away, and nothing
-- more is committed by that.
update links
set rev = rev + 1, next_due = 0, owner = '', lease_until = 'epoch', epoch = epoch + 1
where id = $1

-- stream_unsettle
-- What is bound stays bound; what is gone, a tombstone, or has no partner stays what it is.
update bindings
set state = 'matched', base = '{}', a_dev = null, b_dev = null, contests = null, rev = rev + 1
where stream_id = {stream} and state = 'settled' and a_id is not null and b_id is not null

-- stream_undecide
-- Decisions were made on what counts for nothing now.
update parked set decision = null, decided_on = null, decided_by = null, decided = null
where link = $1 and stream = $2 and decision is not null

-- stream_unread
update cursors set position = '', began = 0, token = '', completed = 0 where link = $1 and stream = $2

-- stream_cursor
select cursor from cursors where link = $1 and stream = $2 and side = $3

-- stream_cursor_put
insert into cursors (link, stream, side, cursor, position, generation, began, token, completed, looked)
values ($1, $2, $3, $4, '', 0, 0, '', 0, 0)
on conflict (link, stream, side) do update set cursor = excluded.cursor
