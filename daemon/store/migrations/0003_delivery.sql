-- When all that waited for its schedule was last delivered to a side.
alter table cursors add column delivered double precision not null default 0;
