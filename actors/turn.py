"""Answers of the store to questions that the engine asks all the time: one round trip instead of several. Data only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from actors.core.types import Binding

if TYPE_CHECKING:
    from actors.ports import Cursor, LinkRow, RunRow


class Turn(msgspec.Struct, frozen=True):
    """What the owner of a link needs to decide what to do next, and begins a run with.

    `asked`: as `queued_run`; `hint_at`: as `next_hint`; `is_open`: some intent is open; `plans`: (stream, kind) of every
    open or approved plan.
    """

    row: LinkRow
    asked: RunRow | None = None
    hint_at: float | None = None
    is_open: bool = True
    cursors: tuple[Cursor, ...] = ()
    plans: frozenset[tuple[str, str]] = frozenset()


class Known(msgspec.Struct, frozen=True):
    """The bindings of some records, and which of them (by key) have anything parked."""

    bindings: Sequence[Binding]
    parked: frozenset[int] = frozenset()
