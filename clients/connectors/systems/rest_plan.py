"""A declaration of the connector `rest`, compiled: what each request of each object is, ready to be filled in. Pure data."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

import msgspec

from actors.ports import Declaration
from clients.connectors.http.client import segment
from clients.connectors.http.paging import Paging
from clients.connectors.http.shape import Field, Shape
from clients.connectors.http.values import Form
from clients.connectors.http.wire import Request

_PLACE: Final = re.compile(r"\{(id|literal|value|field|ids)\}")


class Literals(msgspec.Struct, frozen=True):
    """How values stand in a filter."""

    quote: str = "'"
    escape: str = "double"

    def of(self, raw: Any) -> str:
        """A raw JSON value as a literal; texts in quotation marks."""
        if raw is None:
            return "null"
        if isinstance(raw, bool):
            return "true" if raw else "false"
        if isinstance(raw, int | Decimal):
            return format(raw, "f") if isinstance(raw, Decimal) else str(raw)
        text, mark = str(raw), self.quote
        if self.escape == "double":
            return f"{mark}{text.replace(mark, mark * 2)}{mark}"
        if self.escape == "backslash":
            text = text.replace("\\", "\\\\")
        return f"{mark}{text.replace(mark, chr(92) + mark)}{mark}"


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One request with places in it: `{id}`, `{literal}`, `{value}`, `{field}`, `{ids}`."""

    path: str
    method: str = "GET"
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    json: Any = msgspec.UNSET
    form: Mapping[str, str] | None = None

    def request(self, doing: str, values: Mapping[str, str] | None = None, **more: Any) -> Request:
        """The request with its places filled in; in the path percent-encoded, and never as an empty segment."""
        given = values or {}
        fill = _filler(given)
        return Request(
            doing=doing,
            method=self.method,
            path=_PLACE.sub(lambda found: _in_path(found[1], given), self.path),
            query={fill(name): fill(text) for name, text in self.query.items()},
            headers=dict(self.headers),
            json=_filled(self.json, fill),
            form=None if self.form is None else {name: fill(text) for name, text in self.form.items()},
            **more,
        )


def _in_path(name: str, values: Mapping[str, str]) -> str:
    return segment(values[name]) if name == "id" else quote(values[name], safe="")


def _filler(values: Mapping[str, str]) -> Callable[[str], str]:
    return lambda text: _PLACE.sub(lambda found: values.get(found[1], found[0]), text)


def _filled(value: Any, fill: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return fill(value)
    if isinstance(value, Mapping):
        return {name: _filled(one, fill) for name, one in value.items()}
    return [_filled(one, fill) for one in value] if isinstance(value, list) else value


class Many(msgspec.Struct, frozen=True):
    """How many records are looked at with one request."""

    ask: Ask
    each: str
    join: str
    most: int


class Modified(msgspec.Struct, frozen=True):
    """How changes are found. `form`: how the time is written in the request."""

    ask: Ask
    field: Field
    form: Form
    sorted: bool
    overlap_s: float


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A create or an update. `at` None: the answer holds no record."""

    ask: Ask
    wrap: str = ""
    extra: Mapping[str, Any] = {}
    at: str | None = ""
    id_at: str = ""
    id_from_location: bool = False
    whole: bool = False
    drop: tuple[str, ...] = ()
    with_key: bool = False
    if_match: bool = False


class Removed(msgspec.Struct, frozen=True):
    """A delete."""

    ask: Ask
    if_match: bool


class ObjectPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One object. `version`: a place in the record, or `ETag`."""

    name: str
    shape: Shape
    list: Ask
    list_at: str
    paging: Paging
    sorted: str
    after: Mapping[str, str] | None
    look: Ask
    look_at: str
    many: Many | None
    find: Ask | None
    find_fields: tuple[str, ...]
    modified: Modified | None
    create: Made | None
    update: Made | None
    delete: Removed | None
    query: Mapping[str, str]
    new_ids: str
    tag: str
    etag: bool

    @property
    def key(self) -> Field:
        """The field that holds the id."""
        return self.shape.fields[self.shape.key]


class AnswerRule(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that means something else than its status says."""

    means: str
    status: int = 0
    at: str = ""
    equals: Any = msgspec.UNSET
    holds: str = ""
    seconds: str = ""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The whole declaration. `auth`: its entries, typed; `secrets`: what must never be shown."""

    declaration: Declaration
    url: str
    objects: Mapping[str, ObjectPlan]
    auth: Mapping[str, Any]
    secrets: tuple[str, ...]
    headers: Mapping[str, str]
    identity: Ask | None
    identity_at: str
    check: Ask | None
    limits: Mapping[str, Any]
    answers: tuple[AnswerRule, ...]
    words: tuple[str, ...]
    literals: Literals
    account: str
    authorities: str = ""
