-- In mode 5: which way staff logins may switch, as the account that chose the mode reads it.

alter table accesses
    add column directions text collate "C" not null default 'both'
        constraint accesses_directions_check check (directions in ('both', 'out', 'in'));
