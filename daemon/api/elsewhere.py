"""Sealed secrets go nowhere else: whoever changes where a connection leads to has to know its secrets.

Must not: show a secret, or an address that may hold one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.core.errors import TandemError
from clients.connectors.catalog import CATALOG
from clients.connectors.definition import checked_settings
from daemon.api.errors import precondition
from daemon.store.rows import ConnectionInfo


def refuse_elsewhere(
    info: ConnectionInfo, before: Mapping[str, Any], after: Mapping[str, Any], given: Mapping[str, Any]
) -> None:
    """Refuses settings that send a kept secret to a host to which it did not go before. `before`, `after`: all settings,
    secrets opened; `given`: what the caller names himself."""
    secret = [one.name for one in CATALOG[info.connector].declaration.settings if one.secret]
    # Which of them a host gets is the connector's business: any of them counts.
    kept = [name for name in secret if _is_kept(after.get(name), given.get(name))]
    if kept and not _destinations(info.connector, after) <= _destinations(info.connector, before):
        raise precondition(
            "SECRETS_NEEDED",
            f"these settings lead to another host than those of connection {info.name}, and its secrets would go there",
            f"give {', '.join(kept)} again, in the same call",
            connection=info.name,
        )


def _destinations(connector: str, settings: Mapping[str, Any]) -> frozenset[str]:
    entry = CATALOG[connector]
    try:
        return entry.destinations(checked_settings(entry.declaration, settings))
    except TandemError:
        return frozenset()  # former settings that hold no more lead nowhere; the new ones were found sound


def _is_kept(value: Any, given: Any) -> bool:
    """Whether something of a secret was there already; of a map, every entry counts."""
    if value is None:
        return False
    if isinstance(value, Mapping):
        return not isinstance(given, Mapping) or any(name not in given for name in value)
    return given is None
