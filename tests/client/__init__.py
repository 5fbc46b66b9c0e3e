"""The client library for other services, against a real server."""
