"""One test per row of docs/SPEC.md: a real daemon, real CSV folders and real PostgreSQL databases on the other side."""
