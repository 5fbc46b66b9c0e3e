"""Blueprints as YAML text: read by clients/connectors/yaml_nodes.py into plain data for actors/core/blueprint/compiler.py.

Must not: know what a blueprint means; open files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec
import yaml

from actors.core.blueprint.compiler import BlueprintError, Fault, compile_blueprint
from actors.core.blueprint.nodes import Positions, dotted
from actors.core.policy import LinkSpec
from actors.core.settings import overlaid
from clients.connectors.yaml_nodes import parse

__all__ = ["effective", "load", "parse"]

SETTINGS: Final = "settings"
T = TypeVar("T")


def load(text: str, settings: str = "", chosen: Mapping[str, Any] | None = None) -> LinkSpec:
    """The compiled blueprint, with a link's settings laid over it. `chosen`: what the link has for what the blueprint asks
    for by name; None: it is only checked. Raises `BlueprintError` with every fault and its line."""
    data, positions = parse(text)
    if not settings.strip():
        return compile_blueprint(data, positions, chosen)
    ours, places = _in_settings(lambda: _entries(settings))
    data, changed = overlaid(data, ours)
    positions |= {path: places[path] for path in changed if path in places}
    try:
        return compile_blueprint(data, positions, chosen)
    except BlueprintError as error:
        faults = (_placed(fault, {dotted(path) for path in changed}) for fault in error.faults)
        raise BlueprintError(tuple(sorted(faults))) from None


def effective(text: str, settings: str) -> str:
    """Blueprint and settings as one text: what holds."""
    data, _ = parse(text)
    if settings.strip():
        data, _ = overlaid(data, _in_settings(lambda: _entries(settings))[0])
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120)


def _entries(settings: str) -> tuple[object, Positions]:
    """A link's settings as data. Anything but entries would take the place of the whole blueprint, and be refused as one."""
    data, positions = parse(settings)
    if not isinstance(data, Mapping):
        said = (
            "settings are entries like a blueprint's, as in `streams: {customers: {budgets: {creates: 100}}}`"
        )
        raise BlueprintError((Fault(1, 1, "", said),))
    return data, positions


def _in_settings(read: Callable[[], T]) -> T:
    try:
        return read()
    except BlueprintError as error:
        faults = (msgspec.structs.replace(fault, text=SETTINGS) for fault in error.faults)
        raise BlueprintError(tuple(faults)) from None


def _placed(fault: Fault, changed: set[str]) -> Fault:
    """A fault in what the settings say, or below it, stands in their text."""
    ours = any(fault.path == one or fault.path.startswith((f"{one}.", f"{one}[")) for one in changed)
    return msgspec.structs.replace(fault, text=SETTINGS) if ours else fault
