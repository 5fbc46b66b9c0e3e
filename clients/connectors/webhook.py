"""Calls from systems that say that something changed: whether one is genuine, and what it is about.

Works by the declaration alone (`Webhook` in actors/ports/connector.py). What a call says is never taken for data: it is a
reason to look, at most at some records. Whatever can't be read means "look for changes". Pure: no I/O, no clock.
SPEC U1, U13.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from actors.ports import Webhook

IDS_MAX: Final = 1000  # beyond this many the whole object is looked at for changes
ID_SIZE_MAX: Final = 500
WORDS_SIZE_MAX: Final = 200
# How a signature is made of the secret and the body.
_DIGESTS: Final[Mapping[str, Callable[[bytes, bytes], bytes]]] = {
    "hmac_sha256": lambda secret, body: hmac.digest(secret, body, hashlib.sha256),
    "hmac_sha512": lambda secret, body: hmac.digest(secret, body, hashlib.sha512),
    "sha512": lambda secret, body: hashlib.sha512(body + secret).digest(),
}


class Call(msgspec.Struct, frozen=True):
    """One call. Header names are lower case; `query` as it stood behind the question mark."""

    method: str
    headers: Mapping[str, str]
    query: str
    body: bytes


class Said(msgspec.Struct, frozen=True):
    """What a call is about. `object` "": of any; `ids` empty: not said which; `event` "": not said."""

    object: str = ""
    ids: tuple[str, ...] = ()
    event: str = ""


def is_genuine(webhook: Webhook, secret: str, call: Call) -> bool:
    """Whether whoever called knows the secret. With the scheme `none` the address is all there is to know."""
    if webhook.signature == "none":
        return True
    found = _given(webhook, call)
    if not secret or found is None:
        return False
    given = found.encode("utf-8", "surrogateescape")
    if webhook.signature == "token":
        return hmac.compare_digest(given, secret.encode())
    digest = _DIGESTS[webhook.signature](secret.encode(), call.body)
    return any(hmac.compare_digest(given, wanted) for wanted in _spelled(digest))


def _given(webhook: Webhook, call: Call) -> str | None:
    """The signature or token as the call carries it."""
    if webhook.header:
        found = call.headers.get(webhook.header.lower())
    else:
        found = dict(parse_qsl(call.query)).get(webhook.parameter)
    if found is None or not found.startswith(webhook.prefix):
        return None
    return found.removeprefix(webhook.prefix).strip()


def _spelled(digest: bytes) -> tuple[bytes, ...]:
    """Hexadecimal in either case, or base64: systems don't agree, and neither can be taken for the other."""
    plain = digest.hex()
    return plain.encode(), plain.upper().encode(), base64.b64encode(digest)


def said(webhook: Webhook, call: Call, named: str = "") -> Said:
    """What a genuine call is about. `named`: the object that the address itself names."""
    parts = _Parts(call)
    ids = tuple(dict.fromkeys(_ids(parts.all(webhook.ids))))
    about = named or parts.one(webhook.object)
    if len(ids) > IDS_MAX or about in webhook.of_parts or not all(map(_can_be_id, ids)):
        ids = ()
    return Said(about, ids, parts.one(webhook.event))


def _can_be_id(text: str) -> bool:
    return len(text) <= ID_SIZE_MAX and text.isprintable()


def _ids(values: Iterator[Any]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str) and value:
            yield value
        elif isinstance(value, int) and not isinstance(value, bool):
            yield str(value)


class _Parts:
    """Look-ups in the parts of one call: `json:a.b.*.id`, `form:id`, `query:id`, `header:X-Topic`."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._json: Any = msgspec.UNSET

    def one(self, place: str) -> str:
        """The only text there, else ""."""
        found = list(_ids(self.all(place)))
        return found[0] if len(found) == 1 and len(found[0]) <= WORDS_SIZE_MAX else ""

    def all(self, place: str) -> Iterator[Any]:
        """Every value there; none where there is no such place."""
        part, _, path = place.partition(":")
        if part == "json":
            yield from _below(self._body(), path.split(".")) if path else ()
        elif part == "header":
            yield from (value for name, value in self._call.headers.items() if name == path.lower())
        elif part in ("query", "form"):
            text = self._call.query if part == "query" else self._call.body.decode("utf-8", "replace")
            yield from (value for name, value in parse_qsl(text) if name == path)

    def _body(self) -> Any:
        if self._json is msgspec.UNSET:
            try:
                self._json = msgspec.json.decode(self._call.body)
            except (msgspec.MsgspecError, UnicodeError, RecursionError):
                self._json = None
        return self._json


def _below(value: Any, path: list[str]) -> Iterator[Any]:
    if not path:
        yield value
        return
    head, *rest = path
    if head == "*" and isinstance(value, list):
        for item in value:
            yield from _below(item, rest)
    elif head == "*" and isinstance(value, dict):
        for item in value.values():
            yield from _below(item, rest)
    elif isinstance(value, dict) and head in value:
        yield from _below(value[head], rest)
