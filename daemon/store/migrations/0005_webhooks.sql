-- Addresses that systems call when something changed there; a call is found by a hash of the address's secret part.
create table webhooks (
    connection text collate "C" primary key,
    hash bytea not null unique,
    sealed bytea not null,  -- the secret part and the secret that signs, daemon/secrets.py
    created double precision not null,
    rotated double precision not null
);

-- What came in, per object that the address named ("": none).
create table webhook_calls (
    connection text collate "C" not null,
    object text collate "C" not null,
    accepted bigint not null default 0,
    ignored bigint not null default 0,
    refused bigint not null default 0,
    last_called double precision not null,
    last_accepted double precision not null default 0,
    last_trouble text not null default '',
    primary key (connection, object)
);
