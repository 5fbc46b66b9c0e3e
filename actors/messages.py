"""Every message that actors ask each other. Frozen. Pokes are plain words and carry nothing."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

import msgspec

from actors.core.policy import LinkSpec
from actors.core.types import Hint
from actors.ports import Clock, ConnectionRow, Connector, Declaration, Find, Store, Telemetry

# Pokes
WORK = "work"  # something may be due: a hint, a request, a wish that changed
CHANGED = "changed"  # a connection says that something may have changed outside
DRAIN = "drain"  # a feed may hold touched keys

Class = Literal["interactive", "instant", "poll", "sweep"]


class Call(msgspec.Struct, frozen=True):
    """A request to a ConnectionActor: `method` of the connector with these arguments.

    `cls` decides who goes first when the account is busy; `link` shares it fairly. `writes`: a time-out means that
    the outcome is not known. `until`: monotonic time after which it must not leave any more, nor be under way.
    """

    method: str
    args: tuple[Any, ...]
    cls: Class = "poll"
    link: str = ""
    writes: bool = False
    until: float = math.inf


class Opened(msgspec.Struct, frozen=True):
    """Ask a ConnectionActor to be open; answered with `OpenedAs`, after the account was verified."""


class OpenedAs(msgspec.Struct, frozen=True):
    """The answer to `Opened`: what the system promises, and how changes of each object are found."""

    declaration: Declaration
    find: Callable[[str], Find]


class Drained(msgspec.Struct, frozen=True):
    """Ask a ConnectionActor to move what its feed holds into the inboxes; answered with how many keys."""


class Handed(msgspec.Struct, frozen=True):
    """Ask a LinkActor to work on these hints at once, though no inbox holds them; answered with whether all of them are
    settled, parked or in the inbox now. "No" is always a legal answer: then they go to the inbox."""

    hints: tuple[Hint, ...]


class Status(msgspec.Struct, frozen=True):
    """Ask any actor how it is; answered at once with plain data."""


class Cancel(msgspec.Struct, frozen=True):
    """Ask a LinkActor to stop its run at the next safe point; answered with whether one was running."""

    run: str = ""


class Rest(msgspec.Struct, frozen=True):
    """Ask a LinkActor to come to rest within `timeout_s`; answered with whether it did."""

    timeout_s: float


class Options(msgspec.Struct, frozen=True):
    """What a host may set. `window`: records per window; `rows_window`: where they cross as lines. `idle_s`: a link at
    rest for so long gives up its actor."""

    owner: str
    lease_ttl_s: float = 15.0
    scan_interval_s: float = 1.0
    window: int = 1000
    rows_window: int = 5000
    idle_s: float = 10.0
    rounds_max: int = 10
    account_wait_s: float = 10.0
    links_max: int = 200


class Ports(msgspec.Struct, frozen=True):
    """Everything the engine needs from outside."""

    store: Store
    connect: Callable[[ConnectionRow], Awaitable[Connector]]
    blueprint: Callable[[str, Mapping[str, Any]], LinkSpec]
    clock: Clock
    telemetry: Telemetry
