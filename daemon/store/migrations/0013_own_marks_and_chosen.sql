-- How a tenant tells its account at a glance; and, with each version of a link's rules, what the link has for what its
-- blueprint asks for (null: the version is from before that was kept).

alter table connections add column own_mark text not null default '';
alter table link_versions add column chosen jsonb;
