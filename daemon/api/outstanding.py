"""Waiting, within bounds, for what is outstanding between two accounts and on whatever hangs together with them (W24).

A look now at every link, again and again until one round finds nothing new; then what is left is said. Must not: start
what people have stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import anyio

from actors.core import lifecycle
from actors.core.blueprint.compiler import BlueprintError
from actors.core.types import Outcome
from actors.ports import LinkRow
from daemon.api import access
from daemon.api.desk import Desk
from daemon.store.life_rows import StandingRow
from daemon.store.rows import Missing

ASK_EVERY_S: Final = 0.05
WAIT_S: Final = 10.0


async def waited(desk: Desk, links: Sequence[StandingRow], wait_s: float) -> list[str]:
    """What is left after at most `wait_s`, link by link; empty: all has arrived."""
    with anyio.move_on_after(wait_s):
        while await _round(desk, links):
            pass
    return [text for text, _ in await _left(desk, links)]


async def _round(desk: Desk, links: Sequence[StandingRow]) -> bool:
    """One look at every link that works; whether another one is worth its while: something came, or is still to come."""
    runs = []
    for link in links:
        if await _works(desk, link):
            run, _ = await desk.admin.request_run(link.id, "sync", (), "command")
            desk.engine.wake(link.id)
            runs.append(run.row.id)
    outcomes = {await _ended(desk, run) for run in runs}
    moving = bool(outcomes - {Outcome.NOTHING_NEW, Outcome.AWAITING_APPROVAL})
    return moving or any(coming for _, coming in await _left(desk, links))


async def _ended(desk: Desk, run: str) -> Outcome:
    while True:
        try:
            info = await desk.admin.get_run(run)
        except Missing:  # its link was deleted
            return Outcome.CANCELLED
        if info.row.outcome is not Outcome.RUNNING:
            return info.row.outcome
        await desk.news.wait(info.row.link, ASK_EVERY_S)


async def _works(desk: Desk, link: StandingRow) -> bool:
    row = await desk.store.link(link.id)
    return row is not None and lifecycle.works(lifecycle.load(row.facts))


async def _left(desk: Desk, links: Sequence[StandingRow]) -> list[tuple[str, bool]]:
    """What is left of each link, in words, and whether it comes by itself."""
    left = []
    for link in links:
        row = await desk.store.link(link.id)
        if row is None:
            continue
        works = lifecycle.works(lifecycle.load(row.facts))
        coming = await _coming(desk, row)
        stats = next(iter(await desk.admin.stats(link.id)), None)
        waiting = sum(one.count for one in stats.rooms) if stats is not None else 0
        parts = [] if works else ["it does not run"]
        parts += coming
        parts += [f"{waiting} records wait for something else"] if waiting else []
        if parts:
            seen = access.caller().sees(row.tenant, row.partner)
            name = row.name if seen else "a link of another tenant"
            left.append((f"{name}: {', '.join(parts)}", works and bool(coming)))
    return left


async def _coming(desk: Desk, row: LinkRow) -> list[str]:
    try:
        streams = [stream.name for stream in desk.blueprints.load(row.blueprint, row.settings).streams]
    except BlueprintError:
        return []
    loading = [name for name in streams if name not in lifecycle.load(row.facts).loaded]
    parts = [f"the initial load of {', '.join(loading)} goes on"] if loading else []
    stats = next(iter(await desk.admin.stats(row.id)), None)
    if stats is not None and stats.inbox + stats.open_actions:
        parts.append(f"{stats.inbox + stats.open_actions} records are still to be looked at")
    return parts
