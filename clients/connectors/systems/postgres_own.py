"""Which touched keys are nothing but the echo of writes that this connector made and was answered.

A row of the queue carries the number of the transaction that made it. It is an echo if that transaction was one of
ours, wrote this very key, and was answered, and if the key is in the queue only once: a trigger that changed
the row again (after our reply was made) has made a row of its own, and so has anybody else. What is forgotten (a restart,
too many) is looked at once more, no harm done. Must not talk to the database.
"""

from __future__ import annotations

from collections.abc import Iterable

OWN_MAX = 50_000
# Behind the delivered columns of a write's reply, before the id.
TRANSACTION = "pg_current_xact_id()::xid::text"

Key = tuple[str, int, str]  # transaction, relation, key


class OwnWrites:
    """Keys written by this connector, by transaction."""

    def __init__(self) -> None:
        self._keys: dict[Key, None] = {}

    def note(self, transaction: str, relation: int, keys: Iterable[str]) -> None:
        """These were written, and the reply has come."""
        self._keys.update(dict.fromkeys((transaction, relation, key) for key in keys))
        while len(self._keys) > OWN_MAX:
            del self._keys[next(iter(self._keys))]

    def is_echo(self, transaction: str, relation: int, key: str) -> bool:
        """Whether we wrote that."""
        return (transaction, relation, key) in self._keys
