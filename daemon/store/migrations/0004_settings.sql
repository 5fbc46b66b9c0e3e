-- Every version of the rules of a link, so that one can go back to an older one.
create table link_versions (
    link text collate "C" not null,
    version integer not null,
    blueprint text not null,
    settings text not null,
    by text not null,
    at double precision not null,
    note text not null,
    primary key (link, version)
);
