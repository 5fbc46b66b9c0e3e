-- What a run that was asked for is about, where the link alone does not say it: rules that are rehearsed, a run to undo.

alter table runs add column subject text not null default '';
