"""Capacity 1 everywhere: every place in the engine that takes many at once takes one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from actors import connection, newcomers
from actors.runtime.mailbox import Mailbox


@contextmanager
def capacity_1() -> Iterator[None]:
    """One ask per mailbox, one touched key per drain, one group of a match key at a time."""
    initialise = Mailbox.__init__

    def one(self: Any, asks_max: int = 1) -> None:
        initialise(self, 1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Mailbox, "__init__", one)
        patch.setattr(connection, "FEED_BATCH", 1)
        patch.setattr(newcomers, "GROUPS", 1)
        yield
