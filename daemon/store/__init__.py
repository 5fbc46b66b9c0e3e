"""Everything that PostgreSQL keeps: the embedded server, migrations, the Store port (pg.py) and the admin queries."""
