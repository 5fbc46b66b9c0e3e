"""Hints on their way past the inbox: from a feed, which keeps them until it is told that they are settled.

A feed is a queue that forgets nothing before it is acknowledged. So what it delivers need not be stored a second time
before it is worked on: it is handed to the link's owner, and acknowledged when the same transaction that settles a
window has settled, parked, or put into the inbox everything that was handed over. Whoever dies in between loses
nothing: the feed delivers it again, and a look that shows nothing new is dropped.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from actors.core.types import Hint
from actors.messages import Handed
from actors.runtime.mailbox import Ask

ROOM_MAX = 4000  # hints; what is beyond goes to the inbox, which has no limit


class Inflow:
    """What was handed over and is still to be answered for."""

    def __init__(self) -> None:
        self._asks: list[tuple[Ask[bool], set[Hint]]] = []  # each with its hints that are not done yet
        self._waiting: dict[Hint, None] = {}

    def __bool__(self) -> bool:
        return bool(self._asks)

    @property
    def waiting(self) -> Sequence[Hint]:
        """What nobody has taken yet, in the order in which it came."""
        return tuple(self._waiting)

    def put(self, ask: Ask[bool]) -> None:
        """Take it in, or say no at once where there is no room."""
        message: Handed = ask.message
        if len(self._waiting) + len(message.hints) > ROOM_MAX:
            ask.answer(False)
            return
        self._asks.append((ask, set(message.hints)))
        self._waiting.update(dict.fromkeys(message.hints))

    def take(self, stream: str, limit: int) -> list[Hint]:
        """What waits of this stream, in the order in which it came."""
        mine = list(itertools.islice((hint for hint in self._waiting if hint.stream == stream), limit))
        for hint in mine:
            del self._waiting[hint]
        return mine

    def done(self, hints: Sequence[Hint]) -> None:
        """These are settled, parked or in the inbox: who has no other open is answered."""
        for _, left in self._asks:
            left.difference_update(hints)
        for ask, left in self._asks:
            if not left:
                ask.answer(True)
        self._asks = [(ask, left) for ask, left in self._asks if left]

    def refuse(self) -> None:
        """Nothing more is worked on this way now: what is open goes to the inbox."""
        for ask, _ in self._asks:
            ask.answer(False)
        self._asks, self._waiting = [], {}
