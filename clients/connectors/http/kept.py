"""Tokens that outlive the process. Some vendors give another refresh token at each renewal, and the former one is void: who
keeps it in memory only has lost the account after a restart.

What is drawn is kept *before* it is used, and all who open the account draw from one place, one at a time: of two who
renew at once the second would hold a dead token. What no order of steps can save is an answer of the vendor's that nobody
got: it is noted before that somebody asks, so that the refusal that follows can say why.
Must not: know where tokens are kept, or show one.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import anyio
import msgspec

from actors.core.errors import Kind, TandemError
from clients.connectors.http.wire import HttpError

WAIT_S: Final = 60.0  # for somebody else who renews; whoever died meanwhile has lost his turn by then
PAUSE_S: Final = 0.1
STORE_S: Final = 10.0
DRAWN_MAX: Final = 100
GIVE_NEW: Final = (
    "the answer to a renewal was lost, and such a token is taken once: give the connection new credentials"
)


class Kept(msgspec.Struct, frozen=True):
    """A token, until when it is used (epoch seconds, a little before it ends; None: until it is refused), and what renews
    it."""

    token: str
    until: float | None = None
    refresh: str = ""


class Held(msgspec.Struct, frozen=True):
    """What is kept: the `number` goes up with each token. `asked`: somebody began to renew it, and how that
    ended is not known."""

    kept: Kept | None = None
    number: int = 0
    asked: bool = False


class Keeper(Protocol):
    """Where the tokens of an account are kept. `of`: a fingerprint of the credentials they were drawn with."""

    async def load(self, of: str) -> Held:
        """What is there now."""
        ...

    async def begin(self, of: str, number: int) -> bool:
        """Take the turn to renew the token of this number, and note that it is asked for; False: somebody else has the turn,
        or has renewed it already."""
        ...

    async def store(self, of: str, kept: Kept) -> int:
        """Keep another token, durably, and give back the turn; its number."""
        ...

    async def release(self, of: str) -> None:
        """Give back the turn without a new token."""
        ...


class InMemory:
    """A keeper for accounts that have no place yet. `drawn`: what all of them share, so that a token is there for who tries
    again with the same credentials."""

    def __init__(self, drawn: OrderedDict[str, Kept]) -> None:
        self._drawn = drawn
        self._used: set[str] = set()

    def drawn(self) -> dict[str, Kept]:
        """What was drawn or used here."""
        return {of: self._drawn[of] for of in self._used if of in self._drawn}

    def forget(self) -> None:
        """It has found its place."""
        for of in self._used:
            self._drawn.pop(of, None)

    async def load(self, of: str) -> Held:
        """See `Keeper`."""
        self._used.add(of)
        return Held(self._drawn.get(of), 1 if of in self._drawn else 0)

    async def begin(self, of: str, number: int) -> bool:
        """See `Keeper`; whoever else is there tries the same credentials at the same time, and may be refused."""
        return True

    async def store(self, of: str, kept: Kept) -> int:
        """See `Keeper`."""
        self._drawn[of] = kept
        if len(self._drawn) > DRAWN_MAX:
            self._drawn.popitem(last=False)
        return 1

    async def release(self, of: str) -> None:
        """See `Keeper`."""


class Renewal:
    """One session's way to the kept tokens of its credentials. `draw` gets a new one from a refresh token, "" where there is
    none."""

    def __init__(self, keeper: Keeper, of: str, draw: Callable[[str], Awaitable[Kept]]) -> None:
        self._keeper = keeper
        self._of = of
        self._draw = draw
        self._number = 0
        self._unstored: Kept | None = None

    async def next(self) -> Kept:
        """Another token than the one handed out last. It is not cut off: an answer that nobody waits for is a lost token."""
        try:
            with anyio.CancelScope(shield=True):
                kept = await self._next()
        except HttpError:
            raise
        except TimeoutError as error:
            raise HttpError(Kind.TRANSIENT, "the tokens of the account can't be had in time") from error
        except TandemError as error:
            message = f"the tokens of the account can't be had: {error.message}"
            raise HttpError(error.kind, message, hint=error.hint) from error
        return kept

    async def _next(self) -> Kept:
        if self._unstored is not None:
            return await self._stored(self._unstored)
        with anyio.fail_after(WAIT_S):
            held = await self._my_turn()
        if self._is_new(held) and held.kept is not None:
            self._number = held.number
            return held.kept
        try:
            drawn = await self._draw(held.kept.refresh if held.kept is not None else "")
        except HttpError as error:
            await self._release()
            if held.asked and error.kind is Kind.AUTH:
                raise HttpError(error.kind, error.message, scope=error.scope, hint=GIVE_NEW) from error
            raise
        return await self._stored(drawn)

    async def _my_turn(self) -> Held:
        """What is kept, once it is either new to us or ours to renew."""
        while True:
            held = await self._keeper.load(self._of)
            if self._is_new(held) or await self._keeper.begin(self._of, held.number):
                return held
            await anyio.sleep(PAUSE_S)

    def _is_new(self, held: Held) -> bool:
        if held.kept is None or held.number == self._number:
            return False
        return held.kept.until is None or held.kept.until > time.time()

    async def _stored(self, drawn: Kept) -> Kept:
        """Kept, or else remembered until it can be: there is no other."""
        self._unstored = drawn
        with anyio.fail_after(STORE_S):
            self._number = await self._keeper.store(self._of, drawn)
        self._unstored = None
        return drawn

    async def _release(self) -> None:
        try:
            with anyio.move_on_after(STORE_S):
                await self._keeper.release(self._of)
        except TandemError:
            return  # it ends by itself
