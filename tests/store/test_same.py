"""The simulation's store and the real one, side by side: random operations, and both say the same at every step.

Numbers that a store draws (keys, action ids, seqs, plan ids) differ; they are compared by the order they came in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from actors.core.errors import LeaseLost, TandemError
from actors.core.types import (
    Action,
    ActionState,
    Binding,
    Held,
    Hint,
    Op,
    Parked,
    Presence,
    Room,
    Side,
    State,
)
from actors.ports import Closed, Counters, Cursor, Lease, Settlement
from daemon.store.pool import Pool
from tests.store.conftest import empty
from tests.store.memory_world import MemoryWorld
from tests.store.pgworld import PgWorld
from tests.store.world import TTL_S, World

pytestmark = pytest.mark.anyio

STREAMS = ("customers", "articles")
SIDES_: tuple[Side, Side] = ("a", "b")
few = st.integers(0, 3)
small = st.integers(0, 2)
sides = st.sampled_from(SIDES_)
streams = st.sampled_from(STREAMS)
ids = st.sampled_from(["x", "y", "z", "\u00e9'\\"])


class Piece(msgspec.Struct, frozen=True):
    """Part of a settlement, in terms of the n-th binding, action or hint that there was."""

    what: str
    n: int = 0
    stream: str = "customers"
    side: Side = "a"
    id: str = "x"
    other: str = ""
    state: State = State.NEW
    presence: Presence = Presence.PRESENT
    number: int = 0
    stale: bool = False
    room: Room = Room.CONFLICT
    field: str = ""


pieces = st.builds(
    Piece,
    what=st.sampled_from(
        ["new", "new", "new", "replace", "replace", "drop", "close", "park", "park", "unpark", "hint", "ack", "seen",
         "cursor", "spend", "count", "item"]
    ),
    n=few, stream=streams, side=sides, id=ids, other=st.sampled_from(["", "", "x", "y", "z"]),
    state=st.sampled_from(State), presence=st.sampled_from([Presence.PRESENT, Presence.PRESENT, Presence.DELETED]),
    number=small, stale=st.integers(0, 9).map(lambda n: n == 0), room=st.sampled_from([Room.CONFLICT, Room.WAITING]),
    field=st.sampled_from(["", "f", "*"]),
)  # fmt: skip
steps = st.one_of(
    st.tuples(st.just("settle"), st.lists(pieces, min_size=1, max_size=5)),
    st.tuples(st.just("settle"), st.lists(pieces, min_size=1, max_size=5)),
    st.tuples(st.just("hints"), st.lists(pieces, min_size=1, max_size=3)),
    st.tuples(st.just("intend"), pieces),
    st.tuples(st.just("hold"), st.lists(pieces, min_size=1, max_size=3)),
    st.tuples(st.sampled_from(["approve", "reject", "release", "close plan", "decide"]), pieces),
    st.tuples(st.sampled_from(["take", "expire", "give back", "later"]), pieces),
)


class Player:
    """One world and what it has drawn so far."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.leases: list[Lease] = []
        self.keys: list[int] = []
        self.actions: list[int] = []
        self.plans: list[str] = []
        self.hints: Sequence[Hint] = ()

    async def play(self, step: str, what: Any) -> object:
        """Do it; the outcome, comparable between worlds."""
        try:
            return await getattr(self, step.replace(" ", "_"))(what)
        except LeaseLost:
            return "lease lost"
        except TandemError as error:
            return error.kind

    @property
    def lease(self) -> Lease:
        return self.leases[-1]

    def key(self, n: int) -> int:
        return self.keys[n % len(self.keys)] if self.keys else 10**12

    # -------------------------------------------------------------------------------------------- the steps

    async def take(self, piece: Piece) -> object:
        lease = await self.world.store.take_lease("l1", f"w{piece.number}", TTL_S)
        if lease is not None:
            self.leases.append(lease)
        return lease

    async def expire(self, piece: Piece) -> object:
        await self.world.expire("l1")
        return None

    async def give_back(self, piece: Piece) -> object:
        await self.world.store.release_lease(self.lease)
        return None

    async def later(self, piece: Piece) -> object:
        self.world.clock.advance(1800 * piece.number)
        return None

    async def hints_(self, given: list[Piece]) -> object:
        await self.world.store.add_hints("l1", [hint_of(piece) for piece in given])
        self.hints = await self.world.store.hints("l1", STREAMS, 1e12, 3)
        return None

    async def intend(self, piece: Piece) -> object:
        drawn = await self.world.store.intend(self.lease, "r1", [self.action(piece)])
        self.actions.extend(drawn)
        return len(drawn)

    async def hold(self, given: list[Piece]) -> object:
        stream = given[0].stream
        plan = await self.world.store.hold(
            self.lease, "held", stream, "r", [self.action(piece) for piece in given]
        )
        if plan not in self.plans:
            self.plans.append(plan)
        return self.plans.index(plan)

    async def approve(self, piece: Piece) -> object:
        plan = await self.world.store.held("l1", piece.stream, "held")
        if plan is not None and plan.rev:
            await self.world.approve_plan("l1", plan.id, 1 + piece.number % plan.rev)
        return None

    async def reject(self, piece: Piece) -> object:
        plan = await self.world.store.held("l1", piece.stream, "held")
        if plan is not None:
            await self.world.reject_plan("l1", plan.id)
        return None

    async def release(self, piece: Piece) -> object:
        await self.world.store.release_held(self.lease, piece.stream, "held", [self.key(piece.n)])
        return None

    async def close_plan(self, piece: Piece) -> object:
        plan = self.plans[piece.n % len(self.plans)] if self.plans else "none"
        await self.world.store.close_plan(self.lease, plan, "superseded")
        return None

    async def decide(self, piece: Piece) -> object:
        rows = await self.world.store.parked("l1", self.keys)
        if not rows:
            return None
        row = rows[piece.n % len(rows)]
        fingerprint = "stale" if piece.stale else row.fingerprint
        return await self.world.decide("l1", row.id, fingerprint, {"choose": piece.side})

    async def settle(self, given: list[Piece]) -> object:
        known = {row.key: row for row in await self.world.store.bindings_by_key("l1", self.keys)}
        work: dict[str, list[Any]] = {}
        replaced: set[int] = set()
        for piece in given:
            for name, part in self.part(piece, known, replaced):
                work.setdefault(name, []).append(part)
        spend = {
            (piece.stream, piece.side, "objects", "deletes"): piece.number
            for piece in given
            if piece.what == "spend"
        }
        parts: dict[str, Any] = {name: tuple(found) for name, found in work.items()}
        drawn = await self.world.store.settle(self.lease, Settlement("r1", spend=spend, **parts))
        self.keys.extend(key for key in drawn if key not in self.keys)
        return [self.keys.index(key) for key in drawn]

    def part(self, piece: Piece, known: dict[int, Binding], replaced: set[int]) -> list[tuple[str, Any]]:
        """What the piece adds to which field of the settlement; nothing where there is nothing to refer to."""
        key, stream, side = self.key(piece.n), piece.stream, piece.side
        match piece.what:
            case "new":
                return [("bindings", binding_of(piece))]
            case "replace" if key in known and key not in replaced:
                replaced.add(key)
                old = known[key]
                rev = old.rev + (2 if piece.stale else 1)
                new = msgspec.structs.replace(binding_of(piece), key=key, rev=rev, stream=old.stream)
                return [("bindings", new)]
            case "drop" if key not in replaced:
                replaced.add(key)
                return [("dropped", key)]
            case "close" if self.actions:
                id_ = self.actions[piece.n % len(self.actions)]
                return [("closed", Closed(id_, ActionState.CONFIRMED, piece.other))]
            case "park":
                row = Parked(stream, piece.room, key, "r", piece.field, fingerprint=f"f{piece.number}")
                return [("park", row)]
            case "unpark":
                return [("unpark", (key, piece.room, piece.field))]
            case "hint":
                return [("hints", hint_of(piece))]
            case "ack":
                return [("acks", hint) for hint in self.hints[: piece.n]]
            case "seen":
                return [("seen", (stream, side, piece.number, (piece.id, piece.other)))]
            case "cursor":
                return [("cursors", Cursor(stream, side, piece.id, generation=piece.number))]
            case "count":
                return [("counters", Counters(stream, side, created=piece.number, failed=1))]
            case "item":
                return [("items", self.action(piece))]
        return []

    def action(self, piece: Piece) -> Action:
        state = ActionState.REFUSED
        fingerprint = f"f{piece.number}" if piece.number else ""
        return Action(
            piece.stream, piece.side, Op.UPDATE, self.key(piece.n), fingerprint=fingerprint, state=state
        )

    # ------------------------------------------------------------------------------------------- the picture

    async def picture(self) -> dict[str, object]:
        """Everything the port shows, without drawn numbers."""
        store, now = self.world.store, 1e12
        seen: dict[str, object] = {"link": await store.link("l1"), "cursors": await store.cursors("l1")}
        seen["hints"] = [
            msgspec.structs.replace(hint, seq=0) for hint in await store.hints("l1", STREAMS, now, 99)
        ]
        seen["next"] = await store.next_hint("l1")
        seen["open"] = [self.bare(action) for action in await store.open_actions("l1")]
        seen["parked"] = [
            msgspec.structs.replace(row, id=0, binding=self.keys.index(row.binding))
            for row in await store.parked("l1", self.keys)
        ]
        seen["counters"] = await store.run_counters("r1")
        for stream in STREAMS:
            seen[stream] = await self.picture_of(stream)
        return seen

    async def picture_of(self, stream: str) -> dict[str, object]:
        store = self.world.store
        bindings = await store.bindings_in("l1", stream, list(State), 0, 99)
        plan = await store.held("l1", stream, "held")
        held = await store.held_actions(plan.id, 0, 99) if plan else []
        return {
            "bindings": [msgspec.structs.replace(row, key=self.keys.index(row.key)) for row in bindings],
            "unsettled": len(await store.bindings_in("l1", stream, ["new", "tombstone"], 0, 99)),
            "by id": [
                [self.keys.index(row.key) for row in await store.bindings("l1", stream, side, ["x", "y"])]
                for side in SIDES_
            ],
            "unseen": [
                [self.keys.index(row.key) for row in await store.unseen("l1", stream, side, 2, "", 99)]
                for side in SIDES_
            ],
            "lines": [
                (
                    (
                        between := await store.lines_between(
                            "l1", stream, side, ("x", "z"), 9, block=True, map_ver="m1"
                        )
                    ).block,
                    (
                        named := await store.lines_of(
                            "l1", stream, side, ["z", "y"], block=True, map_ver="m1"
                        )
                    ).block,
                    (between.count, named.count, between.digest == named.digest),
                    await store.count_present("l1", stream, side),
                )
                for side in SIDES_
            ],
            "count": await store.count_bindings("l1", stream, 1_000_000),
            "groups": [
                (
                    level,
                    group.hash,
                    *(
                        [self.keys.index(key) for key in keys]
                        for keys in (group.a, group.b, group.taken, group.kept_out)
                    ),
                )
                for level in (0, 1)
                for group in await store.key_groups("l1", stream, level, None, 99)
            ],
            "plan": msgspec.structs.replace(plan, id=str(self.plans.index(plan.id))) if plan else None,
            "held": [self.bare(action) for action in held],
            "approved": await store.approved("l1", stream, self.keys),
            "spent": await store.spent(
                "l1", stream, self.world.clock.now() - 3000, {"a": ["objects"], "b": ["objects"]}
            ),
        }

    def bare(self, action: Action) -> Action:
        binding = self.keys.index(action.binding) if action.binding in self.keys else -1
        return msgspec.structs.replace(action, id=0, binding=binding)


def hint_of(piece: Piece) -> Hint:
    return Hint(
        piece.stream, piece.side, piece.id, piece.field, attempts=piece.n, not_before=float(piece.number)
    )


def binding_of(piece: Piece) -> Binding:
    """One side, or both where there is an `other`."""
    here = Held(piece.id, piece.presence, seen_gen=piece.number if piece.stale else 0)
    there = Held(piece.other) if piece.other else None
    a, b = (here, there) if piece.side == "a" else (there, here)
    return Binding(piece.stream, state=piece.state, a=a, b=b, keys=(piece.number, piece.n), rev=1)


@settings(
    max_examples=25,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(program=st.lists(steps, min_size=4, max_size=14))
async def test_both_stores_say_the_same(pool: Pool, program: list[tuple[str, Any]]) -> None:
    await empty(pool)
    real = PgWorld(pool)
    await real.fill()
    players = Player(MemoryWorld()), Player(real)
    for step, what in [("take", Piece("")), *program]:
        memory, pg = [await player.play("hints_" if step == "hints" else step, what) for player in players]
        assert memory == pg, step
        memory, pg = [await player.picture() for player in players]
        assert memory == pg, step
