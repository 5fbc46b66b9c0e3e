-- The ledger says which object of which side was written to, so that what all links of an account do there counts together.

alter table budget_use
    add column side text collate "C" not null default '',  -- '': noted before sides were
    add column object text collate "C" not null default '';
alter table budget_use drop constraint budget_use_pkey;
alter table budget_use add primary key (link, stream, side, object, kind, hour);
