"""THE list of emulators: one line each. A system's module is imported when it is asked for, and only that one."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Final

from clients.emulators.emulator import Emulator

CATALOG: Final[Mapping[str, str]] = MappingProxyType(
    {
        "cloudkasse": "clients.emulators.cloudkasse",
        "sage50fr": "clients.emulators.sage50fr",
        "sage_sales_management": "clients.emulators.sage_sales_management",
        "selectline": "clients.emulators.selectline",
        "tribe": "clients.emulators.tribe",
        "uniconta": "clients.emulators.uniconta",
        "webcrm": "clients.emulators.webcrm",
        "winbooks": "clients.emulators.winbooks",
        "winestro": "clients.emulators.winestro",
    }
)


def emulator_class(system: str) -> type[Emulator]:
    """The emulator of that system: the class `System` of its module. KeyError naming those there are."""
    if system not in CATALOG:
        raise KeyError(f"there is no emulator '{system}'; there are: {', '.join(sorted(CATALOG))}")
    found: type[Emulator] = import_module(CATALOG[system]).System
    return found
