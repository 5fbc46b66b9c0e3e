-- Tokens that were drawn with the credentials of a connection, where they have to outlive the process.

create table kept_tokens (
    connection text collate "C" not null references connections on delete cascade,
    credentials bytea not null,
    sealed bytea,
    number bigint not null default 0,
    holder text not null default '',
    until timestamptz not null default 'epoch',
    asked boolean not null default false,
    primary key (connection, credentials)
);
