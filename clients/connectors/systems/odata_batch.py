"""`$batch` written and read in its two forms: JSON (4.01) and multipart/mixed (4.0). Pure: bytes and data, no I/O.

Every part stands for itself: no part is in a group with another, so one that fails undoes no other. In the multipart form a
write has a change set of its own, because many services take writes nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from clients.connectors.http.wire import Answer, Unreadable, dumps, loads

JSON_TYPE: Final = "application/json;IEEE754Compatible=true"
_BOUNDARY: Final = "tandem-batch"
_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3})[^\r\n]*")
_BLANK_LINE: Final = re.compile(rb"\r?\n\r?\n")
_NAMED: Final = re.compile(r"boundary=(?:\"([^\"]+)\"|([^;\s]+))", re.IGNORECASE)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One request of a batch. `path`: below the service root, escaped. `json` UNSET: no body."""

    path: str
    method: str = "GET"
    headers: Mapping[str, str] = {}
    json: Any = msgspec.UNSET

    @property
    def is_write(self) -> bool:
        """Whether it may change something."""
        return self.method != "GET"

    @property
    def all_headers(self) -> dict[str, str]:
        """Its headers with those of every part."""
        typed = {} if self.json is msgspec.UNSET else {"Content-Type": JSON_TYPE}
        return {"Accept": JSON_TYPE, **typed, **self.headers}


# --------------------------------------------------------------------------------------------------- JSON


def json_batch(parts: Sequence[Part]) -> dict[str, Any]:
    """The body of a JSON batch."""
    return {"requests": [_json_part(number, part) for number, part in enumerate(parts)]}


def _json_part(number: int, part: Part) -> dict[str, Any]:
    request: dict[str, Any] = {
        "id": str(number),
        "method": part.method,
        "url": part.path,
        "headers": {name.lower(): value for name, value in part.all_headers.items()},
    }
    if part.json is not msgspec.UNSET:
        request["body"] = part.json
    return request


def json_replies(body: Any, count: int) -> list[Answer | None]:
    """The answers of a JSON batch by place; None where one is missing. Raises `Unreadable`."""
    if not isinstance(body, Mapping) or not isinstance(body.get("responses"), list):
        raise Unreadable("no answer to a batch")
    answers: list[Answer | None] = [None] * count
    for response in body["responses"]:
        if not isinstance(response, Mapping):
            raise Unreadable("an answer of the batch that is none")
        number, status = str(response.get("id", "")), response.get("status")
        if not number.isdecimal() or int(number) >= count or not isinstance(status, int):
            raise Unreadable("an answer to something else than was asked")
        headers = response.get("headers") or {}
        content = response.get("body")
        answers[int(number)] = Answer(
            status=status,
            headers={str(name).lower(): str(value) for name, value in headers.items()},
            body=b"" if content is None else dumps(content),
        )
    return answers


# ---------------------------------------------------------------------------------------------- multipart


def multipart_type() -> str:
    """The content type of `multipart_batch`."""
    return f"multipart/mixed; boundary={_BOUNDARY}"


def multipart_batch(parts: Sequence[Part]) -> bytes:
    """The body of a multipart batch."""
    lines = []
    for number, part in enumerate(parts):
        lines.append(f"--{_BOUNDARY}\r\n".encode())
        if part.is_write:
            inner = f"tandem-change-{number}"
            lines.append(f"Content-Type: multipart/mixed; boundary={inner}\r\n\r\n".encode())
            lines.append(
                f"--{inner}\r\n".encode() + _embedded(part, number) + f"\r\n--{inner}--\r\n".encode()
            )
        else:
            lines.append(_embedded(part, number) + b"\r\n")
    return b"".join([*lines, f"--{_BOUNDARY}--\r\n".encode()])


def _embedded(part: Part, number: int) -> bytes:
    body = b"" if part.json is msgspec.UNSET else dumps(part.json)
    headers = part.all_headers
    if body:
        headers["Content-Length"] = str(len(body))
    head = [
        "Content-Type: application/http",
        "Content-Transfer-Encoding: binary",
        f"Content-ID: {number}",
        "",
        f"{part.method} {part.path} HTTP/1.1",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*head, "", ""]).encode() + body


def multipart_replies(body: bytes, content_type: str, count: int) -> list[Answer | None]:
    """The answers of a multipart batch by place; None where one is missing. Raises `Unreadable`."""
    sections = _sections(body, content_type)
    if len(sections) > count:
        raise Unreadable("more answers than questions")
    answers: list[Answer | None] = [_reply(section) for section in sections]
    return [*answers, *[None] * (count - len(answers))]


def _sections(body: bytes, content_type: str) -> list[bytes]:
    found = _NAMED.search(content_type)
    if found is None or not content_type.lower().startswith("multipart/"):
        raise Unreadable("no answer to a batch in parts")
    mark = b"--" + (found.group(1) or found.group(2)).encode()
    # A boundary stands at the start of a line: the same marks within a text are content.
    pieces = re.split(rb"(?:\A|\r?\n)" + re.escape(mark) + rb"(?=\r?\n|--)", body)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise Unreadable("an answer to a batch that breaks off")
    return pieces[1:-1]


def _reply(section: bytes) -> Answer:
    headers, content = _headed(section.lstrip(b"\r\n"))
    kind = headers.get("content-type", "")
    if kind.lower().startswith("multipart/"):
        (inner,) = _sections(content, kind) or [b""]
        return _reply(inner)
    status, _, rest = content.lstrip(b"\r\n").partition(b"\n")
    found = _STATUS.match(status)
    if found is None:
        raise Unreadable("an answer of the batch that is none")
    inner_headers, inner_body = _headed(rest)
    length = inner_headers.get("content-length", "")
    if length.isdecimal():
        inner_body = inner_body[: int(length)]
    return Answer(status=int(found.group(1)), headers=inner_headers, body=inner_body.strip(b"\r\n"))


def _headed(text: bytes) -> tuple[dict[str, str], bytes]:
    """Headers by lower-case name, and what follows them."""
    if text.startswith((b"\r\n", b"\n")):
        return {}, text.lstrip(b"\r\n")
    found = _BLANK_LINE.search(text)
    head, content = (text[: found.start()], text[found.end() :]) if found else (text, b"")
    headers = {}
    for line in head.decode("latin-1").splitlines():
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return headers, content


def error_words(body: bytes) -> str:
    """The words of an OData error: `error.message`, the fields it names, and its details; "" where there is none."""
    try:
        found = loads(body) if body.strip() else None
    except Unreadable:
        return ""
    error = found.get("error") if isinstance(found, Mapping) else None
    if not isinstance(error, Mapping):
        return ""
    details = error.get("details")
    inner = (
        [_said(one) for one in details[:5] if isinstance(one, Mapping)] if isinstance(details, list) else []
    )
    return "; ".join(filter(None, (_said(error), *inner)))


def _said(error: Mapping[str, Any]) -> str:
    message = error.get("message")
    if isinstance(message, Mapping):  # as of version 2 and 3
        message = message.get("value")
    target = error.get("target")
    named = f"{target}: " if isinstance(target, str) and target and target not in str(message) else ""
    return f"{named}{message}" if message else ""
