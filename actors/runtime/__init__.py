"""The actor machinery on anyio: actor, mailbox, supervisor. Knows nothing about sync."""
