-- The whole schema as the chain of migrations leaves it (tests/store/test_migrations.py compares). Documentation and
-- first set-up; a change goes here and into a new migration. Times are epoch seconds by the daemon's clock, except
-- lease_until: leases go by the database's.
-- Ids and names compare bytewise (COLLATE "C"): cheaper, and the same on every machine.
-- What a window writes in bulk has no foreign keys: every such transaction holds its link's row, and deleting a link
-- deletes its rows explicitly.

create table tenants (
    id text collate "C" primary key,
    name text not null unique,
    created double precision not null
);

create table connections (
    id text collate "C" primary key,
    tenant text collate "C" not null references tenants,
    name text not null,
    connector text not null,
    settings jsonb not null default '{}',  -- without secrets
    sealed bytea,  -- the secret settings, daemon/secrets.py
    identity text not null default '',
    health jsonb not null default '{}',
    rev integer not null default 0,
    created double precision not null,
    unique (tenant, name)
);

create table links (
    id text collate "C" primary key,
    tenant text collate "C" not null references tenants,
    name text not null,
    a_connection text collate "C" not null references connections,
    b_connection text collate "C" not null references connections,
    blueprint text not null,
    settings jsonb not null default '{}',
    facts jsonb not null default '{}',
    wish text not null default 'run' check (wish in ('run', 'paused')),
    rev integer not null default 0,
    owner text not null default '',
    lease_until timestamptz not null default 'epoch',
    epoch bigint not null default 0,
    next_due double precision not null default 0,
    host text not null default 'local',
    created double precision not null,
    partner text collate "C" references tenants,  -- whose the other side is, where it is another tenant's
    establishment text collate "C" not null default 'established'
        check (establishment in ('confirmed', 'established', 'off')),
    kind text not null default '',  -- the kind of sync by which roles are counted
    a_role text collate "C" not null default 'peer' check (a_role in ('peer', 'primary', 'secondary')),
    b_role text collate "C" not null default 'peer' check (b_role in ('peer', 'primary', 'secondary')),
    rests_on jsonb not null default '{}',  -- what its settings rest on, as it was when a person looked
    unique (tenant, name),
    check (a_connection <> b_connection)
);
create index links_due on links (next_due, id) where wish = 'run';
create index links_a_connection on links (a_connection);
create index links_b_connection on links (b_connection);
create index links_partner on links (partner) where partner is not null;

create table cursors (
    link text collate "C" not null,
    stream text collate "C" not null,
    side text collate "C" not null,
    cursor text not null,
    position text not null,
    generation integer not null,
    began double precision not null,
    token text not null,
    completed double precision not null,
    looked double precision not null,
    primary key (link, stream, side)
);

create sequence binding_key;
-- What is empty for most records is null, which costs nothing: presence (null = present), version, dev, note, contests.
create table bindings (
    link text collate "C" not null,
    key bigint not null default nextval('binding_key'),
    stream text collate "C" not null,
    state text collate "C" not null,
    rev integer not null,
    a_id text collate "C",
    b_id text collate "C",
    a_presence text,
    b_presence text,
    a_gen integer not null default 0,
    b_gen integer not null default 0,
    a_version text,
    b_version text,
    a_dev text,
    b_dev text,
    base text not null,  -- actors.core.values.encode
    keys bigint[] not null,
    map_ver text not null,
    note text,
    contests text,
    primary key (link, key)
) with (fillfactor = 90);  -- room for seen marks to stay on their page
alter sequence binding_key owned by bindings.key;
create unique index bindings_a on bindings (link, stream, a_id) where a_id is not null;
create unique index bindings_b on bindings (link, stream, b_id) where b_id is not null;
create index bindings_unsettled on bindings (link, stream, key) where state <> 'settled';

-- Matching by key. A look-up starts from the few NEW half bindings (one small index per level, in order of hash, so
-- that a page is a range) and probes all bindings that carry the same hash (one index per level). Plain b-trees on
-- the element, not GIN on the array: they keep the order, the planner can estimate and merge-join them when a million
-- records are matched at once, and rows without a key at that level (0, or a shorter array) cost no entry. Blueprints
-- with more than four match keys work, but scan the stream for the fifth.
create index bindings_new_1 on bindings (link, stream, (keys[1])) where state = 'new' and keys[1] <> 0;
create index bindings_new_2 on bindings (link, stream, (keys[2])) where state = 'new' and keys[2] <> 0;
create index bindings_new_3 on bindings (link, stream, (keys[3])) where state = 'new' and keys[3] <> 0;
create index bindings_new_4 on bindings (link, stream, (keys[4])) where state = 'new' and keys[4] <> 0;
create index bindings_key_1 on bindings (link, stream, (keys[1])) where keys[1] <> 0;
create index bindings_key_2 on bindings (link, stream, (keys[2])) where keys[2] <> 0;
create index bindings_key_3 on bindings (link, stream, (keys[3])) where keys[3] <> 0;
create index bindings_key_4 on bindings (link, stream, (keys[4])) where keys[4] <> 0;

create sequence inbox_seq;
create table inbox (
    link text collate "C" not null,
    stream text collate "C" not null,
    side text collate "C" not null,
    id text collate "C" not null,
    seq bigint not null,
    reason text not null,
    attempts integer not null,
    not_before double precision not null,
    since double precision not null,  -- when the first of the coalesced hints came
    primary key (link, stream, side, id)
);
create index inbox_seq_order on inbox (link, seq);
create index inbox_due on inbox (link, not_before);

create table actions (
    id bigint generated by default as identity primary key,
    link text collate "C" not null,
    run text collate "C" not null,
    stream text collate "C" not null,
    side text collate "C" not null,
    op text not null,
    binding bigint not null,
    state text collate "C" not null,
    rule text not null,
    reason text not null,
    target text not null,
    origin text not null,
    fingerprint text not null,
    deadline double precision not null,
    error text not null,
    created double precision not null,
    closed double precision,
    data text not null  -- fields, native, before, seen_native, version, tag, decisions, kinds
);
create index actions_open on actions (link, id) where state in ('sent', 'unconfirmed');
create index actions_unknown on actions (link, id) where state = 'unknown';
create index actions_run on actions (run, id);
create index actions_binding on actions (binding, id);

create table runs (
    id text collate "C" primary key,
    number bigint generated by default as identity,
    link text collate "C" not null,
    mode text not null,
    scope text[] not null,
    cause text not null,
    outcome text not null,
    asked double precision not null,
    started double precision not null,
    ended double precision not null,
    phase text not null,
    error text not null,
    waiting integer not null,
    cancel boolean not null default false
);
create index runs_link on runs (link, number);
create index runs_running on runs (link, number) where outcome = 'running';

create table run_counters (
    run text collate "C" not null,
    stream text collate "C" not null,
    side text collate "C" not null,
    created bigint not null,
    updated bigint not null,
    deleted bigint not null,
    marked bigint not null,
    unchanged bigint not null,
    skipped bigint not null,
    failed bigint not null,
    waiting bigint not null,
    primary key (run, stream, side)
);

create table plans (
    id text collate "C" primary key,
    number bigint generated by default as identity,
    link text collate "C" not null,
    stream text collate "C" not null,
    kind text collate "C" not null,
    rev integer not null default 0,
    state text not null default 'open',
    reason text not null,
    created double precision not null,
    actions integer not null default 0,
    approved_rev integer not null default 0
);
create unique index plans_live on plans (link, stream, kind) where state in ('open', 'approved');
create index plans_link on plans (link, number);

-- Held actions have a table of their own: they are replaced and taken out as plans are recomputed, while `actions` is
-- a protocol that only grows. `rev`: the plan's revision in which this action appeared as it is.
create table plan_actions (
    id bigint generated by default as identity,
    plan text collate "C" not null references plans on delete cascade,
    binding bigint not null,
    side text collate "C" not null,
    op text collate "C" not null,
    rev integer not null,
    stream text collate "C" not null,
    rule text not null,
    reason text not null,
    target text not null,
    origin text not null,
    fingerprint text not null,
    deadline double precision not null,
    error text not null,
    data text not null,
    primary key (plan, binding, side, op)
);
create unique index plan_actions_order on plan_actions (plan, id);

create table parked (
    id bigint generated by default as identity primary key,
    link text collate "C" not null,
    stream text collate "C" not null,
    room text collate "C" not null,
    binding bigint not null,
    field text collate "C" not null,
    side text collate "C",
    record text not null,
    reason text not null,
    hint text not null,
    detail text not null,
    fingerprint text not null,
    since double precision not null,
    decision text,
    decided_on text,  -- the fingerprint that the decision was made on
    decided_by text,
    decided double precision,
    unique (binding, room, field)
);
create index parked_room on parked (link, room, id);

create table budget_use (
    link text collate "C" not null,
    stream text collate "C" not null,
    kind text collate "C" not null,
    hour bigint not null,  -- epoch seconds / 3600
    used bigint not null,
    primary key (link, stream, kind, hour)
);

create table tokens (
    id text collate "C" primary key,
    tenant text collate "C" references tenants,  -- null: all tenants
    name text not null,
    role text not null,
    hash bytea not null unique,  -- SHA-256 of the token; the token itself is never stored
    created double precision not null,
    expires double precision not null default 0,  -- 0: never
    last_used double precision not null default 0,
    revoked double precision not null default 0
);

create table audit (
    id bigint generated by default as identity primary key,
    at double precision not null,
    tenant text collate "C" not null,
    actor text not null,
    action text not null,
    target text not null,
    detail jsonb not null default '{}'
);
create index audit_tenant on audit (tenant, id);

-- Two accounts of which each has shown that it can log in to the other.
create table accesses (
    id text collate "C" primary key,
    a_connection text collate "C" not null references connections,
    b_connection text collate "C" not null references connections,
    chooser text collate "C" not null,  -- which of the two chose the mode
    mode integer not null check (mode between 1 and 5),
    both_edit boolean not null default false,
    created double precision not null,
    unique (a_connection, b_connection),
    check (a_connection < b_connection),
    check (chooser in (a_connection, b_connection))
);
create index accesses_b_connection on accesses (b_connection);

-- Signed grants that were given; what is signed can't be changed here, only taken back.
create table grants (
    id text collate "C" primary key,
    access text collate "C" not null,
    origin text collate "C" not null,
    target text collate "C" not null,
    token text not null,  -- of whoever asked
    issued double precision not null,
    expires double precision not null
);
create index grants_access on grants (access, id);

create table proposals (
    id text collate "C" primary key,
    number bigint generated by default as identity,
    name text not null,
    kind text not null,
    side text collate "C" not null check (side in ('a', 'b')),  -- the proposer's
    proposer text collate "C" not null references connections,
    addressee text collate "C" not null references connections,
    blueprint text not null,
    settings jsonb not null default '{}',
    state text collate "C" not null default 'requested'
        check (state in ('requested', 'declined', 'withdrawn', 'confirmed')),  -- it expires by itself
    created double precision not null,
    expires double precision not null,
    decided double precision not null default 0,
    override text not null default '',  -- the token of the operator who lets it pass what has to be empty
    link text collate "C" not null default '',
    check (proposer <> addressee)
);
create unique index proposals_number on proposals (number);
create index proposals_proposer on proposals (proposer);
create index proposals_addressee on proposals (addressee);

-- By account as the system itself names it, so that connecting it twice evades nothing.
create table features (
    connector text collate "C" not null,
    identity text collate "C" not null,
    feature text collate "C" not null,
    asked_by text collate "C" not null default '',  -- tenant
    asked double precision not null default 0,
    enabled double precision not null default 0,  -- 0: not
    enabled_by text not null default '',
    primary key (connector, identity, feature)
);

-- One row. A restored older state shows in the counter, which the daemon also keeps in a file.
create table stamp (
    single boolean primary key default true check (single),
    system_identifier text not null,
    timeline integer not null,
    counter bigint not null
);
