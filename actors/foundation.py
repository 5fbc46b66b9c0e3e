"""What the settings of a link rest on, looked at before a run that polls: where it is no longer as a person saw it,
nothing is read or written until somebody has looked again (T1, U16). Must not: know what it is for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from actors.core import preflight
from actors.core.errors import Kind, Scope, TandemError
from actors.core.policy import LinkSpec
from actors.core.types import Side
from actors.messages import Call
from actors.ports import LinkRow, Page


async def stands(
    row: LinkRow, spec: LinkSpec, connections: Mapping[Side, str], ask: Callable[[str, Any], Awaitable[Any]]
) -> None:
    """Raises CONFIG with both values where something moved. `connections`: by side."""
    now: dict[str, str] = {}
    for name, place in spec.setup.rests_on.items():
        if name in row.rests_on:  # what nobody has seen yet can't have moved
            call = Call("scan", (place.object, "", (place.field,), 1), "poll", row.id)
            page: Page = await ask(connections[place.side], call)
            value = page.records[0].native.get(place.field) if page.records else None
            now[name] = preflight.as_text(value)
    moved = preflight.moved({name: row.rests_on[name] for name in now}, now)
    if moved:
        raise TandemError(
            Kind.CONFIG,
            f"the settings rest on what has changed: {'; '.join(moved)}",
            scope=Scope.LINK,
            hint="look at the settings, then: tandemctl links review",
        )
