"""Both accounts of a link opened for a run, their identity verified, and their feeds drained into the inbox."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from actors.access import Access, Sides
from actors.core.types import Side
from actors.messages import Call, Drained, Opened, OpenedAs, Ports
from actors.ports import Find, LinkRow

AskConnection = Callable[[str, Any], Awaitable[Any]]


def connections(row: LinkRow) -> dict[Side, str]:
    """The connection of each side."""
    return {"a": row.a_connection, "b": row.b_connection}


async def opened(
    row: LinkRow, ports: Ports, ask: AskConnection, time_left_s: Callable[[], float]
) -> tuple[Sides, dict[Side, Callable[[str], Find]]]:
    """Both sides, and how changes of each object there are found."""
    sides: dict[Side, Access] = {}
    finds: dict[Side, Callable[[str], Find]] = {}
    for side, connection in connections(row).items():
        answer: OpenedAs = await ask(connection, Opened())
        finds[side] = answer.find
        calls = _calls(ask, connection)
        sides[side] = Access(side, row.id, answer.declaration, calls, ports.store, ports.clock, time_left_s)
    return sides, finds


async def drain(row: LinkRow, sides: Sides, ask: AskConnection) -> None:
    """What the feeds hold is moved into the inbox."""
    for side, connection in connections(row).items():
        if Find.FEED in sides[side].declaration.find:
            await ask(connection, Drained())


def _calls(ask: AskConnection, connection: str) -> Callable[[Call], Awaitable[Any]]:
    async def call(one: Call) -> Any:
        return await ask(connection, one)

    return call
