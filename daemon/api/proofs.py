"""Showing that somebody can log in to an account: opened with what was given, checked, asked who it is, closed.

Nothing of what was given is stored, logged or repeated. Must not: know what the proof is for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio

from clients.connectors.catalog import CATALOG
from clients.connectors.definition import checked_settings
from daemon.api.desk import Desk
from daemon.api.errors import Violation, invalid, not_found

CLOSE_TIMEOUT_S = 5.0


async def proved(desk: Desk, connector: str, settings: Mapping[str, Any]) -> str:
    """The identity of the account to which these settings lead. Wrong ones are refused in the system's own words."""
    if connector not in CATALOG:
        raise not_found("connector", connector, CATALOG)
    if not settings:
        raise invalid(
            [Violation("other", "is required: what leads to the other account, with its credentials")]
        )
    checked_settings(CATALOG[connector].declaration, settings)
    return await logged_in(desk, connector, settings)


async def logged_in(desk: Desk, connector: str, settings: Mapping[str, Any]) -> str:
    """The identity of the account behind sound settings; raises AUTH, CONFIG or TRANSIENT."""
    opened = await desk.open(connector, settings, None)
    try:
        await opened.check()
        return await opened.identity()
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(CLOSE_TIMEOUT_S):
            await opened.aclose()
