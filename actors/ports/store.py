"""The Store port: what the engine asks of what it keeps. A protocol, no code; its data is in stored.py.

Times are wall clock, epoch seconds, unless they say otherwise.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence, Set
from typing import Any, Protocol

from actors.core.changes import Standing
from actors.core.guard import Ledger
from actors.core.types import Action, Binding, Hint, Parked, Room, Side
from actors.ports.stored import (
    ChangeIntents,
    ConnectionRow,
    Counters,
    Cursor,
    KeyGroup,
    Known,
    Lease,
    Lines,
    LinkRow,
    NewRows,
    PlanRow,
    RunRow,
    Settlement,
    Turn,
)


class Store(Protocol):
    """What the engine keeps. Every method is one transaction. Methods that take a `Lease` raise `LeaseLost` when the
    link's row no longer carries that owner and epoch, or the lease ran out by the store's clock, and then do nothing.
    Raises `TandemError` (TRANSIENT, scope LINK) when the store cannot be reached."""

    async def link(self, link: str) -> LinkRow | None: ...
    async def connection(self, connection: str) -> ConnectionRow | None: ...
    async def set_identity(self, connection: str, identity: str) -> None: ...
    async def turn(self, link: str) -> Turn | None:
        """All that a turn of a link begins with, in one question; None where there is no such link."""
        ...

    async def links_of(self, connection: str) -> Sequence[LinkRow]:
        """Every link that uses the connection, on either side, whatever its wish."""
        ...

    async def due_links(self, now: float, limit: int) -> Sequence[str]:
        """Links that are established, whose wish is run and whose next_due has come or that have due hints; or of which a
        plan was asked for (that may be under a pause too, or while it is being set up); not leased."""
        ...

    async def take_lease(self, link: str, owner: str, ttl_s: float) -> Lease | None:
        """Take it only if free or expired (the store's clock); epoch + 1. Taken again by the same owner: epoch + 1 too."""
        ...

    async def renew_lease(self, lease: Lease, ttl_s: float) -> Lease: ...
    async def release_lease(self, lease: Lease) -> None: ...
    async def set_facts(self, lease: Lease, facts: Mapping[str, Any], next_due: float) -> None:
        """Store the facts that the owner keeps (health, loaded, activity) and when the link is due again. The wish
        (run/paused) and the establishment are kept as people set them."""
        ...

    async def claim(
        self, lease: Lease, side: Side, object_name: str, hashes: Sequence[int], hold_s: float
    ) -> Set[int]:
        """Before a new record is made on `side`: claim its match keys in that account, for so long. Returns those that
        another link of the account has claimed: it makes the record, or has just made it. Never waits."""
        ...

    async def cursors(self, link: str) -> Sequence[Cursor]: ...
    async def bindings(self, link: str, stream: str, side: Side, ids: Sequence[str]) -> Sequence[Binding]: ...
    async def known(self, link: str, stream: str, side: Side, ids: Sequence[str]) -> Known:
        """As `bindings`, and which of them stand in a room."""
        ...

    async def standing(
        self, link: str, stream: str, side: Side, ids: Sequence[str], map_ver: str
    ) -> Mapping[str, Standing]:
        """How each of these records of `side` stands, by id, where it is settled, shows no deviation there and is parked
        nowhere. `map_ver`: of the mapping by now."""
        ...

    async def bindings_by_key(self, link: str, keys: Sequence[int]) -> Sequence[Binding]: ...
    async def bindings_covered(
        self, link: str, stream: str, covers: tuple[int, int], after: int, limit: int
    ) -> Sequence[Binding]:
        """Bindings of the stream with keys from first to last, and > after, in key order."""
        ...

    async def bindings_in(
        self, link: str, stream: str, states: Sequence[str], after: int, limit: int
    ) -> Sequence[Binding]:
        """Bindings in one of the states with key > after, in key order."""
        ...

    async def noted(self, link: str, stream: str, notes: Sequence[str]) -> Sequence[Binding]:
        """Half bindings that stand for what is gone or was left (tombstones), with one of these very notes; in key order."""
        ...

    async def unseen(
        self, link: str, stream: str, side: Side, generation: int, after: str, limit: int
    ) -> Sequence[Binding]:
        """Bindings whose `side` is present, was not met by complete read `generation` or a later touch, and has an
        id > after; in order of ids, bytewise."""
        ...

    async def count_bindings(self, link: str, stream: str, up_to: int) -> int:
        """How many full bindings are settled; counted no further than `up_to`."""
        ...

    async def key_groups(
        self, link: str, stream: str, level: int, after: int | None, limit: int
    ) -> Sequence[KeyGroup]:
        """Groups with a NEW half binding and one that has the other side, or is put back there; by hash, hash > after."""
        ...

    async def hints(self, link: str, streams: Sequence[str], now: float, limit: int) -> Sequence[Hint]:
        """Due hints in order of seq; they stay until acknowledged by a settlement."""

    async def add_hints(self, link: str, hints: Sequence[Hint]) -> None:
        """Upsert per (stream, side, id): a new, larger seq each time; not_before becomes the smaller one."""

    async def next_hint(self, link: str) -> float | None:
        """When the earliest hint is due (wall clock), or None."""

    async def hinted(self, link: str, stream: str, side: Side, ids: Sequence[str]) -> Collection[str]:
        """Those of the ids for which a hint waits, due or not."""

    async def hurry(self, link: str, streams: Sequence[str], reason: str) -> None:
        """Make the hints of these streams that wait for this reason due at once."""

    async def open_actions(self, link: str) -> Sequence[Action]: ...
    async def intend(
        self, lease: Lease, run: str, actions: Sequence[Action], begin: RunRow | None = None
    ) -> Sequence[int]:
        """Commit intents (state SENT) durably before anything is sent; returns their ids, in order. `begin`: the run,
        where it has not begun yet (`begin_run` in the same transaction)."""
        ...

    async def intend_changes(
        self,
        lease: Lease,
        run: str,
        intents: ChangeIntents,
        begin: RunRow | None = None,
    ) -> Sequence[int]:
        """As `intend`, of what `actors.core.changes.action_of` makes of each change."""
        ...

    async def settle(self, lease: Lease, settlement: Settlement) -> Sequence[int]:
        """Commit a window; returns the keys of its bindings, in order (drawn for new ones)."""
        ...

    async def load(self, lease: Lease, settlement: Settlement, rows: NewRows, intent: Action) -> Action:
        """Commit a settlement, new bindings, and the one intent that covers the request for their records; returns it
        with its id and what it covers."""
        ...

    async def sharing(
        self, link: str, stream: str, level: int, hashes: Sequence[int], limit: int
    ) -> Sequence[Binding]:
        """The `limit` first bindings, in key order, whose match key at that level has one of these hashes."""
        ...

    async def lines_between(
        self,
        link: str,
        stream: str,
        side: Side,
        ends: tuple[str, str],
        limit: int,
        *,
        block: bool,
        map_ver: str,
    ) -> Lines:
        """The lines of the records of `side` with ids as long as both ends, bytewise from the first to the last; those among
        the `limit` first of whatever length. `block`: whether the lines themselves are wanted, too."""
        ...

    async def lines_of(
        self, link: str, stream: str, side: Side, ids: Sequence[str], *, block: bool, map_ver: str
    ) -> Lines:
        """The same of the records with these ids."""
        ...

    async def count_present(self, link: str, stream: str, side: Side) -> int:
        """How many bindings there are whose `side` is present."""
        ...

    def present(self, link: str, stream: str, side: Side) -> AsyncGenerator[Sequence[str], None]:
        """The ids of all bindings whose `side` is present, in no order, a few thousand at a time."""
        ...

    async def parked(self, link: str, bindings: Sequence[int]) -> Sequence[Parked]: ...
    async def waiting(
        self, link: str, stream: str, after: int, limit: int, room: Room = Room.WAITING
    ) -> Sequence[Parked]:
        """What stands in the room `waiting`, or another one, of one stream, with ids > after and in their order."""
        ...

    async def spent(
        self, link: str, stream: str, since: float, objects: Mapping[Side, Sequence[str]]
    ) -> Ledger:
        """The ledger since `since`: of this stream, and, where other links have spent on the same `objects` of the account
        behind a side, what all of them have there."""
        ...

    async def begin_run(self, lease: Lease, run: RunRow) -> None:
        """Also closes runs of this link that a dead owner left running (outcome FAILED, error "interrupted")."""
        ...

    async def interrupt_runs(self, lease: Lease) -> None:
        """Close runs of this link that stand as running though none is under way: their owner died, or lost the store."""
        ...

    async def queued_run(self, link: str) -> RunRow | None:
        """The oldest run that was asked for (outcome RUNNING, started 0), or None."""
        ...

    async def update_run(self, lease: Lease, run: str, phase: str) -> bool:
        """Note the phase; returns whether a person asked to cancel this run."""
        ...

    async def end_run(self, lease: Lease, run: RunRow) -> None:
        """Note how a run ended, and how many entries stand in the rooms of its link then (`waiting`)."""
        ...

    async def run_counters(self, run: str) -> Sequence[Counters]: ...
    async def hold(self, lease: Lease, kind: str, stream: str, reason: str, actions: Sequence[Action]) -> str:
        """Put actions into the one open plan of (link, stream, kind), replacing actions of the same (binding, side, op);
        rev + 1 if anything changed; returns the plan's id."""
        ...

    async def held(self, link: str, stream: str, kind: str) -> PlanRow | None:
        """The open or approved plan of that kind, if any."""
        ...

    async def held_actions(self, plan: str, after: int, limit: int) -> Sequence[Action]: ...
    async def approved(self, link: str, stream: str, bindings: Sequence[int]) -> frozenset[str]:
        """Fingerprints of held actions of these bindings to which a yes was said, at the revision it was said to."""
        ...

    async def writes_of_run(self, run: str, after: int, limit: int) -> Sequence[Action]:
        """What a run wrote, or tried to, of the next `limit` bindings with keys > after (0: requests that made many records
        at once); by binding, oldest first. `after` -1: from the beginning."""
        ...

    async def close_plan(self, lease: Lease, plan: str, state: str) -> None: ...
    async def release_held(self, lease: Lease, stream: str, kind: str, bindings: Sequence[int]) -> None:
        """Take the actions of these bindings out of the plan (done, or no longer derived); an empty plan is applied."""
        ...
