"""Tests of daemon/store: against real PostgreSQL servers, files and processes."""
