"""The acts of the play: loads and a working day under kills, a day with frozen owners; then the questions.

`kills`: one daemon with its own PostgreSQL, killed from the first second of the initial load on. `load`: the same while an
empty side is filled. `takeovers`: two daemons on one database, of which the owner is frozen, replaced and thawed. Each
ends when both systems are in step, and with what the auditor and the witnesses have to say.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import TaskGroup

from tests.chaos.auditor import Evidence, History, Side, audit
from tests.chaos.recovery import times, windows
from tests.chaos.stand import Stand, freeze, thaw
from tests.chaos.systems import MERGED, OWNED, TANDEM, Change
from tests.chaos.witness import Item, born, counts, edits, gone, trespasses
from tests.daemon.process import DaemonProcess, eventually

USERS = 2  # on each side
SHARED = 0.2  # so much of all people stands in both systems from the start
LOADING = 0.2  # so many of the kills never wait, while the initial load is under way
BULK_LEASE_TTL_S = (
    "15"  # a request for hundreds of records needs its time, and must be over before the lease is
)
WRITES_TIMEOUT_S = 15.0
QUIET_TIMEOUT_S = 300.0
TAKEOVER_TIMEOUT_S = 60.0
REST_S = 3.0  # so long nothing may be written once both are in step


@dataclass
class Ending:
    """What is known when an act is over. `found`: everything that is wrong, in words."""

    records: int = 0
    by_people: int = 0
    by_tandem: int = 0
    conflicts: int = 0
    decided: int = 0
    runs_items: int = 0
    outcome_unknown: int = 0
    in_bulk: int = 0  # made by requests that have one line of the protocol for many records
    recovery: list[float] = field(default_factory=list)
    settling_s: float = 0.0
    found: list[str] = field(default_factory=list)


async def kills(stand: Stand, records: int, number: int) -> Ending:
    """One daemon, its own PostgreSQL, `number` kills."""
    done = anyio.Event()
    await _move_in(stand, records)
    await stand.open()
    async with anyio.create_task_group() as tasks:
        _everybody_works(stand, tasks, done)
        await stand.connect()
        for kill in range(number):
            if kill >= number * LOADING and stand.luck.random() < 0.5:
                await stand.writes(
                    WRITES_TIMEOUT_S
                )  # else a slow machine would never come to write between two kills
            await anyio.sleep(stand.luck.uniform(0.05, 2.0))
            await stand.hurt()
        done.set()
    return await ending_of(stand)


async def load(stand: Stand, records: int, number: int) -> Ending:
    """Everybody stands in a, b is empty: the initial load in bulk, with `number` kills as fast as the daemon comes up."""
    done = anyio.Event()
    await stand.people["a"].move_in(records, 0)
    stand.lease_ttl_s = BULK_LEASE_TTL_S
    await stand.open()
    async with anyio.create_task_group() as tasks:
        for people in stand.people.values():
            tasks.start_soon(lambda one: one.work(done, adds=one is stand.people["a"]), people)
        await stand.connect()
        for _ in range(number):
            await anyio.sleep(stand.luck.uniform(0.05, 1.5))
            await stand.hurt()
        done.set()
    return await ending_of(stand)


async def takeovers(stand: Stand, records: int, number: int) -> Ending:
    """Two daemons on one database; the owner of the link is frozen `number` times, and goes on when it is owner no more."""
    done = anyio.Event()
    await _move_in(stand, records)
    await stand.open()
    assert stand.daemon is not None
    daemons = [stand.daemon, await stand.second()]
    async with anyio.create_task_group() as tasks:
        _everybody_works(stand, tasks, done)
        await stand.connect()
        for _ in range(number):
            await anyio.sleep(stand.luck.uniform(0.2, 4.0))
            await _take_over(stand, daemons)
        done.set()
    return await ending_of(stand)


async def _take_over(stand: Stand, daemons: list[DaemonProcess]) -> None:
    """Freeze whoever owns the link until the other one has it, and for a while longer."""

    async def owned() -> tuple[str, int] | None:
        owner, epoch = await stand.owner()
        return (owner, epoch) if owner else None

    owner, epoch = await eventually(owned, TAKEOVER_TIMEOUT_S)
    frozen = next(one for one in daemons if f":{one.process.pid}:" in owner)
    stand.daemon = next(one for one in daemons if one is not frozen)
    freeze(frozen)
    stand.mishaps.at.append(time.time())
    try:

        async def taken() -> bool:
            now, later = await stand.owner()
            return bool(now) and now != owner and later > epoch

        await eventually(taken, TAKEOVER_TIMEOUT_S)
        stand.mishaps.takeovers += 1
        await anyio.sleep(stand.luck.uniform(0.0, 6.0))
    finally:
        thaw(frozen)


async def _move_in(stand: Stand, records: int) -> None:
    shared = int(records * SHARED)
    for people in stand.people.values():
        await people.move_in((records + shared) // 2, shared)


def _everybody_works(stand: Stand, tasks: TaskGroup, done: anyio.Event) -> None:
    for people in stand.people.values():
        for _ in range(USERS):
            tasks.start_soon(people.work, done)
    tasks.start_soon(stand.operator, done)


async def ending_of(stand: Stand) -> Ending:
    """Wait until both are in step, then ask."""
    began = time.monotonic()
    found = [one async for one in _in_step(stand)]
    settling_s = time.monotonic() - began
    before = await _written(stand)
    await anyio.sleep(REST_S)
    if await _written(stand) != before:
        found.append("Tandem wrote after both were in step")
    logs: dict[Side, list[Change]] = {system.side: await system.log() for system in stand.systems}
    shown = {system.side: await system.shown() for system in stand.systems}
    names = {row["id"]: row["name"] for row in shown["a"]}
    conflicts = {(names.get(one.record, one.record), one.field) for one in await stand.conflicts()}
    evidence = Evidence(
        fields=(*MERGED, OWNED),
        owned=(OWNED,),
        shown=shown,
        born=born(logs),
        gone=gone(logs),
        edits=list(edits(logs)),
        conflicts=conflicts,
        decided=stand.decided,
    )
    items, totals = await stand.protocol()
    found += audit(evidence)
    found += trespasses(logs, History(evidence.edits, evidence.decided))
    found += counts(logs, items, totals)
    found += [f"left in a room: {one.room} {one.record} {one.reason}" for one in await stand.parked()]
    found += [f"a plan waits: {plan.reason}" for plan in await stand.plans()]
    if found:
        keep(stand.data_dir.parent, logs, items, evidence, found)
    settled = windows(stand.data_dir.parent.glob("*.log"))
    return Ending(
        records=len(evidence.born),
        by_people=sum(change.who != TANDEM for log in logs.values() for change in log),
        by_tandem=sum(change.who == TANDEM for log in logs.values() for change in log),
        conflicts=len(conflicts),
        decided=len(stand.decided),
        runs_items=len(items),
        outcome_unknown=sum(one.state == "unknown" or one.error == "did not arrive" for one in items),
        in_bulk=sum(totals.get((side, "create"), 0) for side in logs)
        - sum(one.op == "create" and one.state == "confirmed" and bool(one.id) for one in items),
        recovery=times(stand.mishaps.at, settled),
        settling_s=settling_s,
        found=found,
    )


async def _in_step(stand: Stand) -> AsyncIterator[str]:
    """Wait until Tandem says that both are in step; says where that was not so, and waits until it is."""
    try:
        await stand.quiet(QUIET_TIMEOUT_S)
        if number := await stand.open_intents():
            yield f"runs find nothing new and the link is fresh while the outcome of {number} writes is open"

            async def closed() -> bool:
                return not await stand.open_intents()

            await eventually(closed, QUIET_TIMEOUT_S)
            await stand.quiet(QUIET_TIMEOUT_S)
    except (AssertionError, TimeoutError) as error:
        yield f"not in step: {error}"


async def _written(stand: Stand) -> list[int]:
    return [await system.changes_of(TANDEM) for system in stand.systems]


def keep(
    folder: Path, logs: dict[Side, list[Change]], items: list[Item], evidence: Evidence, found: list[str]
) -> None:
    """Put everything down for whoever looks for the cause."""
    told: dict[str, Any] = {
        "found": found,
        "logs": {side: [asdict(one) for one in log] for side, log in logs.items()},
        "items": [asdict(one) for one in items],
        "conflicts": sorted(evidence.conflicts),
        "decided": list(evidence.decided),
    }
    (folder / "evidence.json").write_text(json.dumps(told))
