"""What the admin queries return, and the refusals they raise. Data only; times are epoch seconds, 0 = never."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import msgspec

from actors.core.errors import Kind, Scope, TandemError
from actors.core.types import Action, Binding, Parked, Side
from actors.ports import LinkRow, PlanRow, RunRow

T = TypeVar("T")


class Missing(TandemError):
    """There is no such thing (gRPC NOT_FOUND)."""

    def __init__(self, what: str, name: object) -> None:
        super().__init__(
            Kind.CONFIG,
            f"there is no {what} {name}",
            scope=Scope.LINK,
            hint=f"list the {what}s to see which there are",
        )


class Taken(TandemError):
    """The name or id is in use (gRPC ALREADY_EXISTS)."""

    def __init__(self, what: str, name: object) -> None:
        super().__init__(
            Kind.CONFIG, f"there is a {what} {name} already", scope=Scope.LINK, hint="choose another name"
        )


class Refused(TandemError):
    """It would break a rule, or what it was meant for has moved on (gRPC FAILED_PRECONDITION)."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(Kind.CONFIG, message, scope=Scope.LINK, hint=hint)


class Listing(msgspec.Struct, Generic[T], frozen=True):
    """A page of a list. `next_page`: the token of the next page, "" at the end."""

    rows: tuple[T, ...]
    next_page: str = ""


class TenantRow(msgspec.Struct, frozen=True):
    """A tenant."""

    id: str
    name: str
    created: float


class ConnectionInfo(msgspec.Struct, frozen=True):
    """A connection without its secrets. `health`: as the daemon last noted it. `own_mark`: how its tenant tells it at a
    glance."""

    id: str
    tenant: str
    name: str
    connector: str
    settings: Mapping[str, Any]
    identity: str
    health: Mapping[str, Any]
    rev: int
    created: float
    own_mark: str = ""


def connection_info(row: Any) -> ConnectionInfo:
    """A row of `connections`."""
    plain = {
        name: row[name] for name in ConnectionInfo.__struct_fields__ if name not in ("settings", "health")
    }
    settings, health = msgspec.json.decode(row["settings"]), msgspec.json.decode(row["health"])
    return ConnectionInfo(**plain, settings=settings, health=health)


class LinkInfo(msgspec.Struct, frozen=True):
    """A link with what the engine's row does not carry."""

    row: LinkRow
    created: float
    host: str


class RunInfo(msgspec.Struct, frozen=True):
    """A run with its counters. `cancel`: a person asked to cancel it. `partner`: as of `LinkRow`."""

    row: RunRow
    tenant: str
    asked: float
    cancel: bool
    partner: str = ""


class PlanInfo(msgspec.Struct, frozen=True):
    """A plan and whose it is."""

    row: PlanRow
    tenant: str
    partner: str = ""


class ItemRow(msgspec.Struct, frozen=True):
    """A line of the protocol. `closed` 0: still open."""

    action: Action
    link: str
    run: str
    created: float
    closed: float


class ParkedInfo(msgspec.Struct, frozen=True):
    """A parked row and whose it is. `by`, `at`: who decided and when ("" and 0: nobody yet)."""

    row: Parked
    link: str
    tenant: str
    by: str = ""
    at: float = 0.0
    partner: str = ""


class BindingInfo(msgspec.Struct, frozen=True):
    """A binding with its parked rows and its last actions, newest first."""

    binding: Binding
    parked: tuple[Parked, ...]
    actions: tuple[ItemRow, ...]


class ErasedInfo(msgspec.Struct, frozen=True):
    """What was erased of a record. `binding`: its number; `actions`: lines of the protocol; `planned`: lines of plans;
    `parked`: lines of rooms."""

    binding: int
    actions: int
    planned: int
    parked: int


class TokenRow(msgspec.Struct, frozen=True):
    """An access token without the token. `tenant` "": all tenants."""

    id: str
    tenant: str
    name: str
    role: str
    created: float
    expires: float = 0.0
    last_used: float = 0.0
    revoked: float = 0.0


class AuditRow(msgspec.Struct, frozen=True):
    """Who did what to which thing."""

    id: int
    at: float
    tenant: str
    actor: str
    action: str
    target: str
    detail: Mapping[str, Any]


class RoomCount(msgspec.Struct, frozen=True):
    """How many rows a room holds and since when the oldest waits."""

    room: str
    count: int
    oldest: float


class Look(msgspec.Struct, frozen=True):
    """When a side of a stream was last looked at, last read completely, and last told all that waited for its schedule."""

    stream: str
    side: Side
    looked: float
    completed: float
    delivered: float = 0.0


class Waiting(msgspec.Struct, frozen=True):
    """How many changes wait for the schedule of the side that they go to, and since when the oldest does."""

    stream: str
    side: Side
    count: int
    oldest: float


class LinkStats(msgspec.Struct, frozen=True):
    """What status and metrics show of a link. `owner` "": nobody holds the lease; `lease_left_s` by the database's clock.

    `inbox_oldest`: when the hint came that waits longest, but for what waits for its schedule; 0 = there is none.
    `open_oldest`: when the oldest write was sent whose outcome is not settled; 0 = there is none.
    """

    link: str
    tenant: str
    wish: str
    owner: str
    lease_left_s: float
    open_actions: int
    unknown_actions: int
    inbox: int
    inbox_oldest: float
    running: str  # id of the run that is under way, or ""
    rooms: tuple[RoomCount, ...]
    looks: tuple[Look, ...]
    open_oldest: float = 0.0
    scheduled: tuple[Waiting, ...] = ()


class VersionRow(msgspec.Struct, frozen=True):
    """One version of the rules of a link. `by`: the id of a token, "" for whoever created the link. `chosen`: what the link
    has for what its blueprint asks for; None: it is from before that was kept."""

    version: int
    blueprint: str
    settings: str
    by: str
    at: float
    note: str
    chosen: Mapping[str, Any] | None = None


class WebhookRow(msgspec.Struct, frozen=True):
    """The webhook of a connection. `path`: the secret part of its address; `secret`: what signs."""

    connection: str
    path: str
    secret: str
    created: float
    rotated: float


class CalledRow(msgspec.Struct, frozen=True):
    """Whose address was called, and the secret that a genuine call knows."""

    connection: str
    tenant: str
    connector: str
    secret: str


class CallsRow(msgspec.Struct, frozen=True):
    """What came in at the address of one object ("": at that for all)."""

    object: str
    accepted: int
    ignored: int
    refused: int
    last_called: float
    last_accepted: float
    last_trouble: str


class Stamp(msgspec.Struct, frozen=True):
    """Which database this is and how far it got. `known_*`: as noted at the last advance ("" and 0: never)."""

    system_identifier: str
    timeline: int
    known_system_identifier: str = ""
    known_timeline: int = 0
    counter: int = 0


def page_token(*place: object) -> str:
    """An opaque token for the place where a page ended."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def page_place(token: str, *first: Any) -> list[Any]:
    """The place of a token, or `first` for the first page; Refused when it is not one of ours."""
    if not token:
        return list(first)
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        return [
            msgspec.convert(part, type(at))
            for part, at in zip(msgspec.json.decode(raw, type=list), first, strict=True)
        ]
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise Refused(
            "the page token is not one of this list", "leave it out to start from the first page"
        ) from None
