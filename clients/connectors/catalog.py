"""THE list of connectors: one line each. A system's module is imported when it is asked for, and only that one.

Must not: know anything of a system but its name and module; what it promises is in the module's `DECLARATION`, or for given
settings in its `declared`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from importlib import import_module
from inspect import signature
from types import MappingProxyType, ModuleType
from typing import Any, Final
from urllib.parse import urlsplit

from actors.core.errors import Kind, TandemError
from actors.ports import Connector, Declaration
from clients.connectors.definition import checked_settings
from clients.connectors.http.kept import Keeper

Connect = Callable[..., Awaitable[Connector]]


class Entry:
    """One kind of system: its declaration and how to open it, both loaded from its module on first use."""

    def __init__(self, module: str) -> None:
        self._module = module

    @property
    def declaration(self) -> Declaration:
        """What this kind of system promises."""
        declaration: Declaration = self._load().DECLARATION
        return declaration

    @property
    def varies(self) -> bool:
        """Whether what it promises depends on the settings."""
        return hasattr(self._load(), "declared")

    def declared(self, settings: Mapping[str, Any]) -> Declaration:
        """What a connection with these settings promises: where it depends on them, the module says so. Secrets may be
        missing. Raises CONFIG for settings that are wrong."""
        by_settings: Callable[[Mapping[str, Any]], Declaration] | None = getattr(
            self._load(), "declared", None
        )
        return self.declaration if by_settings is None else by_settings(settings)

    def destinations(self, settings: Mapping[str, Any]) -> frozenset[str]:
        """Where the secrets of these checked settings go, as origins (`https://host:port`): every address among the texts
        that are no secret, and what the module itself says (`destinations`) where others hold addresses too."""
        plain = (one.name for one in self.declaration.settings if not one.secret)
        found = {origin for name in plain if (origin := _origin(settings.get(name)))}
        by_module: Callable[[Mapping[str, Any]], Iterable[str]] | None = getattr(
            self._load(), "destinations", None
        )
        more = by_module(settings) if by_module is not None else ()
        return frozenset(found | {origin for text in more if (origin := _origin(text))})

    @property
    def connect(self) -> Connect:
        """Opens an account; takes checked settings, and the keeper where `keeps`."""
        connect: Connect = self._load().connect
        return connect

    @property
    def keeps(self) -> bool:
        """Whether tokens of its accounts have to outlive the process."""
        return "keeper" in signature(self.connect).parameters

    def _load(self) -> ModuleType:
        try:
            return import_module(self._module)
        except ImportError as error:
            raise TandemError(
                Kind.CONFIG,
                f"the connector module {self._module} cannot be loaded: {error}",
                hint="install what it needs, or use another connector",
            ) from error


CATALOG: Final[Mapping[str, Entry]] = MappingProxyType(
    {
        "cloudkasse": Entry("clients.connectors.systems.cloudkasse"),
        "csv": Entry("clients.connectors.systems.csv"),
        "memory": Entry("clients.connectors.systems.memory"),
        "odata": Entry("clients.connectors.systems.odata"),
        "postgres": Entry("clients.connectors.systems.postgres"),
        "rest": Entry("clients.connectors.systems.rest"),
        "sage50fr": Entry("clients.connectors.systems.sage50fr"),
        "sage_sales_management": Entry("clients.connectors.systems.sage_sales_management"),
        "selectline": Entry("clients.connectors.systems.selectline"),
        "tribe": Entry("clients.connectors.systems.tribe"),
        "uniconta": Entry("clients.connectors.systems.uniconta"),
        "webcrm": Entry("clients.connectors.systems.webcrm"),
        "winbooks": Entry("clients.connectors.systems.winbooks"),
        "winestro": Entry("clients.connectors.systems.winestro"),
    }
)


def entry(name: str) -> Entry:
    """The connector called `name`; CONFIG naming the known ones where there is none."""
    found = CATALOG.get(name)
    if found is None:
        known = ", ".join(sorted(CATALOG))
        raise TandemError(Kind.CONFIG, f"there is no connector '{name}'", hint=f"use one of: {known}")
    return found


def _origin(text: Any) -> str:
    """Scheme, host and port of an absolute address; "" where it is none."""
    parts = urlsplit(text) if isinstance(text, str) and "://" in text else None
    if parts is None or not parts.scheme or not parts.hostname:
        return ""
    # What stands behind the last @ is the host; a port that is none makes another address of it.
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}"


async def open_connector(name: str, settings: Mapping[str, Any], keeper: Keeper | None = None) -> Connector:
    """An open connector for one account; CONFIG for an unknown name or wrong settings (all faults at once). `keeper`: where
    its tokens are kept, for connectors that keep some."""
    found = entry(name)
    checked = checked_settings(found.declaration, settings)
    return await (found.connect(checked, keeper) if found.keeps else found.connect(checked))
