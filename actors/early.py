"""Looks at what hints name: with what is known of those records at the same time, and ahead of the run where it can be.

Neither look needs the other's answer. Looking ahead (while the store is asked what there is to do) is safe because an
observation counts from when it was asked for, whoever uses it later; and because what was known then is used by the
first window of the run alone, before anything of it could have been settled. Must not plan.
"""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import anyio.abc
import msgspec

from actors.access import Access, Sides
from actors.core.errors import TandemError
from actors.core.policy import LinkSpec, StreamSpec
from actors.core.types import Hint, Observation, Side
from actors.ports import Known, Store
from actors.runtime.together import together

AHEAD_MAX = 100  # records


class Seen(msgspec.Struct, frozen=True):
    """A look by id, and what was known of these records when it was asked for."""

    observations: Sequence[Observation]
    known: Known


async def look_up(access: Access, store: Store, link: str, stream: StreamSpec, ids: Sequence[str]) -> Seen:
    """Look at records and load what is known of them, both at once."""
    found: list[Known] = []

    async def load() -> None:
        found.append(await store.known(link, stream.name, access.side, ids))

    async with together() as tasks:
        tasks.start_soon(load)
        observations = await access.look(stream, ids, "instant")
    return Seen(observations, found[0])


class Early:
    """One look ahead of a run. Where it turns out not to be wanted, nobody waits for it."""

    def __init__(self, spec: LinkSpec, stream: StreamSpec, access: Access, ids: Sequence[str]) -> None:
        self._spec = spec
        self._stream = stream
        self._access = access
        self._ids = ids
        self._done = anyio.Event()
        self._seen: Seen | None = None
        self._error: TandemError | None = None

    @classmethod
    def of(cls, spec: LinkSpec, sides: Sides, hints: Sequence[Hint]) -> Early | None:
        """For hints of one side of one stream, few and named; None for any others."""
        if not hints:
            return None
        places = {(hint.stream, hint.side) for hint in hints}
        stream = next((stream for stream in spec.streams if (stream.name, hints[0].side) in places), None)
        if len(places) > 1 or stream is None or len(hints) > AHEAD_MAX or not all(h.id for h in hints):
            return None
        return cls(spec, stream, sides[hints[0].side], [hint.id for hint in hints])

    async def go(self, store: Store, link: str) -> None:
        """Look. What goes wrong is told to whoever asks."""
        try:
            self._seen = await look_up(self._access, store, link, self._stream, self._ids)
        except TandemError as error:
            self._error = error
        finally:
            self._done.set()

    def fits(self, spec: LinkSpec, stream: StreamSpec, side: Side, ids: Sequence[str]) -> bool:
        """Whether it was a look at just these, under these rules."""
        return (
            spec is self._spec
            and stream is self._stream
            and (side, list(ids)) == (self._access.side, list(self._ids))
        )

    async def seen(self) -> Seen:
        """What it brought, or the error it met."""
        await self._done.wait()
        if self._error is not None:
            raise self._error
        assert self._seen is not None
        return self._seen
