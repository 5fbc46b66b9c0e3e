"""The whole product: real daemon processes, real files, real PostgreSQL."""
