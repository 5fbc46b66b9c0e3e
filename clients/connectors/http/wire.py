"""What crosses: requests and answers as data, JSON read and written with exact numbers, secrets blotted out.

Pure: no I/O. Numbers never pass through a float: JSON numbers with a point become `Decimal`, and are written as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, Literal

import msgspec

from actors.core.errors import Kind, Scope, TandemError

EXCERPT_MAX: Final = 300  # characters of an answer in an error's message
RAW_MAX: Final = 2000  # characters of an answer that are kept with an error
_SECRET_MIN: Final = 4  # shorter ones would blot out half of the text
_BLOT: Final = "***"
_SECRET_NAMES: Final = re.compile(
    r"(?i)(\"?(?:access_?token|refresh_?token|client_?secret|api_?key|authorization|password|passwd|secret|session_?key)\"?"
    r"\s*[:=]\s*\"?)([^\"&\s,;}]{3,})"
)

Meaning = Literal["ok", "gone", "moved_on", "exists", "refused"]


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request. `path` is below the account's base URL, or a whole URL of the same origin (a next link).

    `doing` names it in errors ("read customers"). `record`: it is about one record, so that 404 says that this one is gone;
    else 404 is a wrong path. `writes`: it may change something, so a lost reply is UNKNOWN; None: by its method.
    At most one of `json` (UNSET: none), `form` and `body` is given.
    """

    doing: str
    method: str = "GET"
    path: str = ""
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    json: Any = msgspec.UNSET
    form: Mapping[str, str] | None = None
    body: bytes | None = None
    content_type: str = ""
    record: bool = False
    writes: bool | None = None
    scope: Scope = Scope.STREAM

    @property
    def is_write(self) -> bool:
        """Whether it may change something."""
        return self.method not in ("GET", "HEAD", "OPTIONS") if self.writes is None else self.writes


class Answer(msgspec.Struct, kw_only=True):
    """What came back. Header names are lower case. `meaning` and `words` (the system's own, redacted): what the judge made
    of it; only those of `Meaning` are ever handed out, all else is raised. Its JSON is read once (`parsed`): don't change
    it."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""
    cookies: Mapping[str, str] = {}
    meaning: Meaning = "ok"
    words: str = ""
    parsed: Any = msgspec.UNSET

    @property
    def is_html(self) -> bool:
        """Whether it is a page for people: an error page, a maintenance page, a log-in form."""
        if "html" in self.headers.get("content-type", "").lower():
            return True
        bare = self.body.lstrip(b"\xef\xbb\xbf \r\n\t")
        return bare[:1] == b"<" and bare[:15].lower().startswith((b"<!doctype html", b"<html"))

    def text(self) -> str:
        """The body as text, never failing: for words and excerpts."""
        return self.body.decode(self._charset(), "replace")

    def json(self) -> Any:
        """The body as JSON with exact numbers; None for an empty one. Raises `Unreadable`."""
        if self.parsed is msgspec.UNSET:
            if self.is_html:
                raise Unreadable("HTML in the place of JSON")
            self.parsed = loads(self.body, self._charset()) if self.body.strip() else None
        return self.parsed

    def _charset(self) -> str:
        return _charset_in(self.headers.get("content-type", ""))


@lru_cache(maxsize=64)
def _charset_in(content_type: str) -> str:
    found = re.search(r"charset=\"?([\w.:-]+)", content_type, re.IGNORECASE)
    name = found.group(1) if found else "utf-8"
    try:
        "".encode(name)
    except LookupError:
        return "utf-8"
    return name


class Unreadable(ValueError):
    """An answer that can't be read; the text says why."""


class HttpError(TandemError):
    """A call that failed. `status` 0: there was no answer. `raw`: the answer, redacted and bounded."""

    def __init__(
        self,
        kind: Kind,
        message: str,
        *,
        scope: Scope = Scope.CONNECTION,
        hint: str = "",
        retry_after_s: float | None = None,
        status: int = 0,
        raw: str = "",
    ) -> None:
        super().__init__(kind, message, scope=scope, hint=hint, retry_after_s=retry_after_s)
        self.status = status
        self.raw = raw


_DECODER: Final = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


def loads(body: bytes, charset: str = "utf-8") -> Any:
    """JSON with exact numbers. A text that is not UTF-8 is read in the charset that the answer names."""
    bare = body.removeprefix(b"\xef\xbb\xbf")
    try:
        if charset.lower().replace("-", "") not in ("utf8", "usascii", "ascii"):
            bare = bare.decode(charset).encode()
        return _DECODER.decode(bare)
    except UnicodeError as error:
        raise Unreadable(f"text that is not in {charset}") from error
    except (msgspec.MsgspecError, RecursionError, ValueError, ArithmeticError) as error:
        raise Unreadable(f"no JSON ({error})") from error


def dumps(value: Any) -> bytes:
    """JSON with exact numbers; `Decimal` as a number, dates as ISO 8601."""
    return _ENCODER.encode(value)


def at(value: Any, path: str) -> Any:
    """What stands at `a.b.0.c` of a JSON value; UNSET where there is no such place. "" is the value itself.

    A name that holds points is found as it is written ("@odata.nextLink")."""
    if type(value) is dict and path in value:  # nearly always
        return value[path] if path else value
    if not path:
        return value
    if isinstance(value, Mapping):
        if path in value:
            return value[path]
        for head, rest in _splits(path):
            if head in value:
                return at(value[head], rest)
        return msgspec.UNSET
    head, _, rest = path.partition(".")
    if isinstance(value, list) and head.isdecimal() and int(head) < len(value):
        return at(value[int(head)], rest)
    return msgspec.UNSET


@lru_cache(maxsize=4096)
def getter(path: str) -> Callable[[Any], Any]:
    """`at` of one path, as a function: where the path may be cut is worked out once."""
    splits = tuple((head, getter(rest)) for head, rest in _splits(path))

    def get(value: Any) -> Any:
        if type(value) is not dict or not path:
            return at(value, path)
        if path in value:
            return value[path]
        for head, rest in splits:
            if head in value:
                return rest(value[head])
        return msgspec.UNSET

    return get


def _splits(path: str) -> Iterator[tuple[str, str]]:
    parts = path.split(".")
    for size in range(len(parts) - 1, 0, -1):
        yield ".".join(parts[:size]), ".".join(parts[size:])


class Blotter:
    """Takes secrets out of texts: those it was told, and whatever stands behind a name such as `password`."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: frozenset[str] = frozenset()
        self._before: frozenset[str] = frozenset()
        self.renew(secrets)

    def renew(self, secrets: Iterable[str]) -> None:
        """Those that live now. Those before them may still stand in an answer on its way; older ones are let go, or the
        list would grow with every token."""
        now = frozenset(secret for secret in secrets if len(secret) >= _SECRET_MIN)
        if now != self._secrets:
            self._secrets, self._before = now, self._secrets

    def known(self, text: str) -> str:
        """The text without the secrets that it was told: for words of our own."""
        for secret in sorted(self._secrets | self._before, key=len, reverse=True):
            text = text.replace(secret, _BLOT)
        return text

    def clean(self, text: str, size_max: int = RAW_MAX) -> str:
        """The text without secrets, on one line, bounded: for a system's words."""
        if not text:
            return text
        # A secret may stand across the cut: it is taken out before.
        bare = self.known(text[: size_max * 4])
        bare = " ".join(_SECRET_NAMES.sub(rf"\1{_BLOT}", bare).split())
        bare = "".join(mark if mark.isprintable() else "?" for mark in bare)
        return bare if len(bare) <= size_max else bare[:size_max] + "…"
