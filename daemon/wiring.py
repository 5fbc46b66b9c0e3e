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

from actors.core.blueprint import BlueprintError
from actors.core.errors import Kind, Scope, TandemError
from actors.core.policy import LinkSpec
from actors.ports import ConnectionRow, Connector
from clients.connectors.catalog import open_connector
from daemon import blueprints_yaml

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
    """Compiles blueprints, each text once (the least recently used of many is forgotten)."""

    def __init__(self) -> None:
        self._compiled: OrderedDict[str, LinkSpec] = OrderedDict()

    def load(self, text: str) -> LinkSpec:
        """The compiled blueprint; `BlueprintError` with every fault."""
        spec = self._compiled.get(text) or blueprints_yaml.load(text)
        self._compiled[text] = spec
        self._compiled.move_to_end(text)
        if len(self._compiled) > BLUEPRINTS_MAX:
            self._compiled.popitem(last=False)
        return spec

    def for_engine(self, text: str, settings: Mapping[str, Any]) -> LinkSpec:
        """The port's form: a blueprint that a newer version refuses is a CONFIG error of its link."""
        del settings  # blueprints have no settings yet; the port has room for them
        try:
            return self.load(text)
        except BlueprintError as error:
            raise TandemError(
                Kind.CONFIG,
                f"the blueprint can't be used: {error.faults[0]}",
                scope=Scope.LINK,
                hint="tandemctl blueprints check lists every fault; mend it with tandemctl settings change",
            ) from error


async def connect(row: ConnectionRow) -> Connector:
    """The port's form: an open connector of a stored connection."""
    return await open_connector(row.connector, row.settings)
