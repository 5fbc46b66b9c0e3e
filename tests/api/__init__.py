"""The API: rules, access, errors, and every rpc over real sockets with a real PostgreSQL."""
