-- What a system has still to get itself: as it was told at the last look at a side, and in each run.

alter table cursors add column backlog text not null default '';
alter table runs add column backlog text not null default '';
