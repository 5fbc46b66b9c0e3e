-- Who makes a new record in an account that several links share. By account as the system itself names it.

create table claims (
    connector text collate "C" not null,
    identity text collate "C" not null,
    object text collate "C" not null,
    hash bigint not null,  -- of a match key
    link text collate "C" not null,
    expires timestamptz not null,  -- by the database's clock, as leases do
    primary key (connector, identity, object, hash)
);
create index claims_expires on claims (expires);
