-- Half bindings that stand for what was left in one of several objects, or stands there as well, are asked for by their note.

create index bindings_noted on bindings (stream_id, note) where state = 'tombstone' and (a_id is null or b_id is null);
