"""A play of two people, one on each side, under the rules of a blueprint: on real actors, in-memory systems, virtual time.

The same play runs as it is written, mirrored (A and B exchange their places and the blueprint is mirrored with them), and
with the daemon killed at its first writes (or at those after `arm`): before, while, or after they take place. Must not:
hold tests.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio

from actors.core.blueprint.compiler import compile_blueprint
from actors.core.policy import StreamSpec
from actors.core.types import Action, Parked
from actors.delivery import SCHEDULED
from actors.ports import RunRow
from clients.connectors.systems.memory_system import Faults, ObjectShape
from tests.actors.rig import Rig
from tests.sim import loop

RECORDS = "records"
KILLS = ("before", "during", "after")
_PAIRS = (
    *(("a", "b"), ("lens_a", "lens_b"), ("a_to_b", "b_to_a")),
    *(("newest_else_a", "newest_else_b"), ("filled_else_a", "filled_else_b")),
)
SWAPPED = {one: other for a, b in _PAIRS for one, other in ((a, b), (b, a))}
# What the native fields of plays hold; any other holds texts.
TYPES = {"net": "decimal", "gross": "decimal", "stock": "decimal", "consent": "boolean", "tags": "list"}
_SLOW_S = 4.0

Rules = dict[str, Any]


def mirrored(rules: Any) -> Any:
    """Rules with the sides' names exchanged, keys and values alike (no native path in a play is called a or b)."""
    if isinstance(rules, dict):
        return {SWAPPED.get(key, key): mirrored(value) for key, value in rules.items()}
    if isinstance(rules, list):
        return [mirrored(one) for one in rules]
    return SWAPPED.get(rules, rules) if isinstance(rules, str) else rules


def streams(
    fields: Rules, more: Rules | None = None, settings: Mapping[str, Any] | None = None
) -> tuple[StreamSpec, ...]:
    """The compiled streams of a blueprint with these fields. `more`: entries of the stream, or `streams` beside it."""
    entries = {
        "a": RECORDS,
        "b": RECORDS,
        "complete_read": "1h",
        "match": [["name"]],
        "fields": {"name": {"a": "name", "b": "name"}} | copy.deepcopy(fields),
    }
    more = dict(more or {})
    beside, asked = more.pop("streams", {}), more.pop("settings", None)
    data: Rules = {
        "blueprint": "play",
        "version": 1,
        "a": {"connector": "memory"},
        "b": {"connector": "memory"},
        "streams": {**beside, RECORDS: entries | more},
    }
    return compile_blueprint(data | ({"settings": asked} if asked else {}), None, settings).streams


class Play:
    """What people do and see. `a` and `b`: the systems that play these sides (exchanged in the mirror)."""

    def __init__(self, rig: Rig, mirror: bool) -> None:
        self.rig = rig
        self.system = {"a": "b", "b": "a"} if mirror else {"a": "a", "b": "b"}
        self.killer: _Killer | None = None
        self._runs = 0

    def create(self, side: str, object_name: str = RECORDS, **fields: Any) -> str:
        """A person enters a record; its name where none is said is Ada."""
        named = {"name": "Ada"} | fields
        return self.rig.systems[self.system[side]].create(object_name, named, "person")

    def edit(self, side: str, object_name: str = RECORDS, called: str = "Ada", **fields: Any) -> None:
        """A person edits the record of that name."""
        (id,) = [id for id, row in self.rows(side, object_name).items() if row.get("name") == called]
        self.rig.systems[self.system[side]].edit(object_name, id, fields, "person")

    def delete(self, side: str, object_name: str = RECORDS, called: str = "Ada") -> None:
        """A person deletes the record of that name."""
        (id,) = [id for id, row in self.rows(side, object_name).items() if row.get("name") == called]
        self.rig.systems[self.system[side]].delete(object_name, id, "person")

    def rows(self, side: str, object_name: str = RECORDS) -> dict[str, dict[str, Any]]:
        """What a side holds, by id."""
        return self.rig.rows(self.system[side], object_name)

    def shown(self, side: str, name: str = "Ada", object_name: str = RECORDS) -> dict[str, Any]:
        """What a side holds of the one record of that name, as far as it holds anything; {} where there is none."""
        found = [row for row in self.rows(side, object_name).values() if row.get("name") == name]
        assert len(found) < 2, f"{name} stands {len(found)} times on side {side}"
        return {path: value for path, value in (found[0] if found else {}).items() if value is not None}

    def arm(self) -> None:
        """What comes from here on is what the rule is about: the daemon is killed at that, if at all."""
        if self.killer is not None:
            self.killer.armed = True

    async def approve(self, object_name: str = RECORDS) -> None:
        """Somebody says yes to the plan that waits."""
        plan = await self.rig.store.held("l", object_name, "held")
        assert plan is not None, "no plan waits"
        self.rig.store.approve_plan("l", plan.id, plan.rev)

    async def waits_for_a_yes(self, object_name: str = RECORDS) -> bool:
        """Whether a plan is open."""
        plan = await self.rig.store.held("l", object_name, "held")
        return plan is not None and plan.state == "open"

    def decide(self, choose: str) -> None:
        """A person's word on the one conflict there is."""
        (row,) = self.rig.parked()
        said = {"choose": self.system.get(choose, choose)}
        assert self.rig.store.decide("l", row.id, row.fingerprint, said)

    def tells_apart(self, side: str, same: str = "") -> None:
        """A person's word on whoever is listed as unclear on that side: it is that record, or none of them."""
        (row,) = [row for row in self.rig.parked() if row.side == self.system[side]]
        said = {"choose": "same", "record": same} if same else {"choose": "different"}
        assert self.rig.store.decide("l", row.id, row.fingerprint, said)

    def command(self) -> None:
        """Somebody starts a run."""
        self._runs += 1
        self.rig.store.request_run(RunRow(f"command {self._runs}", "l", cause="command"))

    async def quiet(self) -> None:
        """Until nothing has been written for three polls."""
        at, seen = -1.0, -1
        with anyio.fail_after(7200):
            while True:
                count = sum(len(self.rig.asked(system, "write")) for system in ("a", "b"))
                due = [hint for hint in self.rig.link().inbox.values() if hint.reason != SCHEDULED]
                if count == seen and not due and anyio.current_time() - at > 200:
                    return
                if count != seen:
                    at, seen = anyio.current_time(), count
                await anyio.sleep(10)

    def settings(self, fields: Rules, more: Rules, values: Mapping[str, Any]) -> None:
        """The link's settings are changed."""
        if self.system["a"] == "b":
            fields, more = mirrored(fields), mirrored(more)
        self.rig.change(*streams(fields, more, values))

    def parked(self) -> list[Parked]:
        """Who waits."""
        return self.rig.parked()

    def reasons(self) -> list[str]:
        """Why they wait."""
        return sorted(row.reason for row in self.rig.parked())

    def protocol(self) -> list[Action]:
        """What was done, and why; the mirror's sides are those of the play."""
        return self.rig.actions()

    def rules_said(self) -> list[str]:
        """The rules in the protocol, in the words of the play as it is written."""
        mirror = self.system["a"] == "b"
        said = [line.rule for line in self.protocol()]
        return [_words(rule) for rule in said] if mirror else said


def _words(rule: str) -> str:
    return re.sub(r"\b[ab]\b", lambda side: SWAPPED[side[0]], rule)


Body = Callable[[Play], Awaitable[Any]]


def played(
    body: Body,
    fields: Rules,
    more: Rules | None = None,
    *,
    mirror: bool = False,
    kill: str = "",
    settings: Mapping[str, Any] | None = None,
    armed: bool = True,
) -> Any:
    """Run the play; what it returns. `kill`: when the first write on each side is cut off by the end of the daemon; where it
    is not `armed` from the beginning, the first one after the play's `arm`."""
    more = {"first_contact": "a"} | (more or {})
    if mirror:
        fields, more = mirrored(fields), mirrored(more)

    async def main() -> Any:
        rig = Rig(*streams(fields, more, settings), poll_s=30.0)
        for system in rig.systems.values():
            shapes = {
                name: {path: TYPES.get(path, "text") for path in shape.fields}
                for name, shape in system.objects.items()
            }
            system.objects = {name: ObjectShape(types) for name, types in shapes.items()}
        play = Play(rig, mirror)
        if not kill:
            async with rig.daemon():
                return await body(play)
        return await _killed(rig, play, body, kill, armed)

    return loop.run(main)


class _Dying:
    """A store that lets the daemon die between a write and its settlement."""

    def __init__(self, rig: Rig, killer: _Killer) -> None:
        self._rig, self._killer = rig, killer

    def __getattr__(self, name: str) -> Any:
        inner = getattr(self._rig.store, name)
        if name != "settle":
            return inner

        async def settle(*args: Any, **named: Any) -> Any:
            if self._killer.kind == "after" and self._killer.written and not self._killer.done:
                self._killer.done = True
                self._killer.now.set()
                await anyio.sleep_forever()
            return await inner(*args, **named)

        return settle


class _Killer:
    def __init__(self, rig: Rig, kind: str, armed: bool) -> None:
        self.rig, self.kind, self.armed = rig, kind, armed
        self.now = anyio.Event()
        self.written: set[str] = set()
        self.done = False
        self.deaths = 0

    def at(self, system: str) -> Callable[[], Awaitable[None]]:
        """What happens when a write reaches that system."""

        async def step() -> None:
            if system in self.written or not self.armed:
                return
            self.written.add(system)
            self.done = False
            if self.kind == "before":
                self.now.set()
                await anyio.sleep_forever()
            if self.kind == "during":
                # It takes place after so long, and its answer would be there after as long again.
                self.rig.systems[system].faults = Faults(slow=1.0, slow_s=_SLOW_S)
                self._tasks.start_soon(self._later, system)

        return step

    async def _later(self, system: str) -> None:
        await anyio.sleep(1.5 * _SLOW_S)
        self.now.set()
        self.rig.systems[system].faults = Faults()

    async def run(self) -> None:
        """Daemons, one after the other: each ends where it is killed, the next takes its place."""
        async with anyio.create_task_group() as self._tasks:
            for number in range(10):
                self.now = anyio.Event()
                async with self.rig.daemon(f"d{number}", _Dying(self.rig, self)):
                    await self.now.wait()
                self.deaths += 1


async def _killed(rig: Rig, play: Play, body: Body, kind: str, armed: bool) -> Any:
    killer = play.killer = _Killer(rig, kind, armed)
    for system in ("a", "b"):
        rig.on[system, "write"] = killer.at(system)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(killer.run)
        result = await body(play)
        assert killer.deaths, "nothing was written, so nobody was killed"
        tasks.cancel_scope.cancel()
    return result
