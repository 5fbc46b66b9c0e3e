"""The small adapters between the engine's ports and what is there: clock, blueprints, connectors.

Must not: keep state beyond a bounded cache of compiled blueprints.
"""

from __future__ import annotations

import random
import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from actors.core import settings as link_settings
from actors.core.blueprint.compiler import BlueprintError
from actors.core.errors import Kind, Scope, TandemError
from actors.core.policy import LinkSpec
from actors.ports import ConnectionRow, Connector, LinkRow, Store, Webhook
from clients.connectors.catalog import CATALOG, open_connector
from daemon import blueprints_yaml
from daemon.store.kept_tokens import KeptTokens
from daemon.store.rows import CalledRow

BLUEPRINTS_MAX: Final = 500


class SystemClock:
    """The Clock port on the machine's clocks."""

    def now(self) -> float:
        """Wall clock, epoch seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def token(self) -> str:
        """A fresh random id of 16 hex digits."""
        return secrets.token_hex(8)

    def jitter(self) -> float:
        """A random number in [0, 1)."""
        return random.random()  # noqa: S311 - spreads retries, guards nothing


class Blueprints:
    """Compiles blueprints, each text once per settings (the least recently used of many is forgotten)."""

    def __init__(self) -> None:
        self._compiled: OrderedDict[tuple[str, bytes], LinkSpec] = OrderedDict()

    def load(self, text: str, settings: Mapping[str, Any] | None = None) -> LinkSpec:
        """The compiled blueprint, with a link's settings as the store keeps them (None: there is no link, it is only
        checked); `BlueprintError` with every fault."""
        key = text, msgspec.json.encode(settings, order="deterministic") if settings is not None else b""
        spec = self._compiled.get(key) or _compiled(text, settings)
        self._compiled[key] = spec
        self._compiled.move_to_end(key)
        if len(self._compiled) > BLUEPRINTS_MAX:
            self._compiled.popitem(last=False)
        return spec

    def of(self, link: LinkRow) -> LinkSpec:
        """The rules that hold for a link."""
        return self.load(link.blueprint, link.settings)

    def for_engine(self, text: str, settings: Mapping[str, Any]) -> LinkSpec:
        """The port's form: a blueprint that a newer version refuses is a CONFIG error of its link."""
        try:
            return self.load(text, settings)
        except BlueprintError as error:
            raise TandemError(
                Kind.CONFIG,
                f"the blueprint can't be used: {error.faults[0]}",
                scope=Scope.LINK,
                hint="tandemctl blueprints check lists every fault; mend it with tandemctl settings change",
            ) from error


def _compiled(text: str, settings: Mapping[str, Any] | None) -> LinkSpec:
    kept = link_settings.load(settings or {})
    chosen = None if settings is None else link_settings.chosen(settings)
    spec = blueprints_yaml.load(text, kept.rules, chosen)
    return link_settings.with_stale(spec, kept.mappings, kept.remapped)


def webhook_of(connector: str, settings: Mapping[str, Any]) -> Webhook | None:
    """How the system of a connection calls; None: never, or it is not known here. Its settings without secrets do."""
    found = CATALOG.get(connector)
    try:
        return found.declared(settings).webhook if found is not None else None
    except TandemError:
        return None  # a declaration that a newer version refuses: the connection itself says so


async def webhook_called(store: Store, who: CalledRow) -> Webhook | None:
    """How the system whose address was called does so."""
    found = CATALOG.get(who.connector)
    if found is None or not found.varies:
        return webhook_of(who.connector, {})
    row = await store.connection(who.connection)
    return None if row is None else webhook_of(row.connector, row.settings)


async def connect(tokens: KeptTokens, row: ConnectionRow) -> Connector:
    """The port's form, once it is known where tokens are kept: an open connector of a stored connection."""
    return await open_connector(row.connector, row.settings, tokens.keeper(row.id))
