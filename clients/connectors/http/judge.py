"""What an answer means: an answer of the system to what was asked (`Meaning`), or an error with what happens next.

The table for plain HTTP is here; a vendor's own habits (errors inside 2xx, 403 for a dead token, limits told in the body,
400 for what is gone) are a subclass of `Judge` that overrides one of its hooks. Pure.
"""

from __future__ import annotations

import email.utils
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from actors.core.errors import Kind, Scope
from clients.connectors.http.wire import (
    EXCERPT_MAX,
    RAW_MAX,
    Answer,
    Blotter,
    HttpError,
    Meaning,
    Request,
    Unreadable,
    at,
)

RETRY_AFTER_MAX_S: Final = 24 * 3600.0
RATE_LIMIT_S: Final = 30.0  # where a system says "too much" and not for how long
WORD_PLACES: Final = (
    "error.message",
    "error_description",
    "message",
    "Message",
    "error",
    "errors",
    "detail",
    "title",
    "msg",
)


class Verdict(msgspec.Struct, frozen=True):
    """What one answer means: `meaning` where it is the system's answer to what was asked, else the error `kind`.

    `renew`: the credentials were refused; they are drawn anew once, where they can be. `retry_after_s`: as asked for."""

    meaning: Meaning | None = None
    kind: Kind = Kind.TRANSIENT
    scope: Scope = Scope.CONNECTION
    words: str = ""
    hint: str = ""
    renew: bool = False
    retry_after_s: float | None = None


OK: Final = Verdict("ok")


class Judge:
    """Plain HTTP. Subclass it for a vendor; each hook says what it is for. `name`: the connector's, for messages."""

    def __init__(self, name: str) -> None:
        self.name = name

    # ------------------------------------------------------------------------------------------ hooks for vendors

    def inside(self, request: Request, answer: Answer) -> Verdict | None:
        """An error inside a 2xx (`{"success": false}`, a bare text, a limit told in the body); None where there is none."""
        return None

    def words(self, answer: Answer) -> str:
        """The system's own words of a refusal: the usual places of a JSON body, else its beginning."""
        try:
            found = answer.json()
        except Unreadable:
            return _page_words(answer) if answer.is_html else answer.text()
        return said(found) or answer.text()

    def retry_after_s(self, answer: Answer) -> float | None:
        """How long the system asks to wait; from the header Retry-After (seconds or a date)."""
        return after_s(answer.headers.get("retry-after", ""), answer.headers.get("date", ""))

    def special(self, request: Request, answer: Answer) -> Verdict | None:
        """A status that means something else with this vendor; None for the plain table."""
        return None

    # ------------------------------------------------------------------------------------------ the plain table

    def judge(self, request: Request, answer: Answer) -> Verdict:
        """The verdict over one answer. The careful one wherever it is not known."""
        found = self.special(request, answer)
        if found is None and 200 <= answer.status < 300:
            found = self.inside(request, answer) or OK
        return found if found is not None else self._by_status(request, answer)

    def _by_status(self, request: Request, answer: Answer) -> Verdict:
        status, words = answer.status, self.words(answer)
        if status in (401, 403):
            return Verdict(
                None, Kind.AUTH, words=words, hint="check the credentials and their rights", renew=True
            )
        if status in (404, 410):
            return self._missing(request, answer, words)
        if status in (409, 412, 428):
            # Whoever wrote looks again, and decides anew. With a create there is nothing to be stale.
            return Verdict("moved_on" if request.record else "refused", words=words)
        if status in (400, 413, 414, 422):
            return self._refused(request, words)
        if status == 429 or (status == 503 and self.retry_after_s(answer) is not None):
            return Verdict(None, Kind.RATE_LIMITED, words=words, retry_after_s=self._pause_s(answer))
        if status in (402, 405, 406, 415, 501):
            return Verdict(None, Kind.CONFIG, Scope.STREAM, words, "the system does not offer this call here")
        if 300 <= status < 400:
            return self._redirect(request, answer)
        if status >= 500 or status == 408:
            kind = Kind.UNKNOWN if request.is_write else Kind.TRANSIENT
            # One object's list may be broken while the account is well; a gateway's page concerns all of it.
            scope = Scope.CONNECTION if status in (502, 503, 504) else request.scope
            return Verdict(None, kind, scope, words)
        return (
            Verdict("refused", words=words)
            if request.is_write
            else Verdict(None, Kind.CONFIG, Scope.STREAM, words)
        )

    def _missing(self, request: Request, answer: Answer, words: str) -> Verdict:
        if answer.is_html and request.record:
            # A proxy's page says nothing about the record: it is no proof that it is gone.
            return Verdict(None, Kind.TRANSIENT, words=words)
        if request.record:
            return Verdict("gone", words=words)
        return Verdict(None, Kind.CONFIG, Scope.STREAM, words, "check the path in the settings")

    def _refused(self, request: Request, words: str) -> Verdict:
        if request.is_write:
            return Verdict("refused", words=words)
        return Verdict(None, Kind.CONFIG, Scope.STREAM, words, "the system does not understand the question")

    def _redirect(self, request: Request, answer: Answer) -> Verdict:
        place = answer.headers.get("location", "elsewhere")
        words = f"redirects to {place}"
        if request.is_write and answer.status not in (307, 308):
            return Verdict(None, Kind.UNKNOWN, words=words)
        return Verdict(
            None, Kind.CONFIG, words=words, hint="set the address in the settings to where it lives now"
        )

    def _pause_s(self, answer: Answer) -> float:
        told = self.retry_after_s(answer)
        return RATE_LIMIT_S if told is None else min(max(told, 0.0), RETRY_AFTER_MAX_S)


def raised(verdict: Verdict, name: str, request: Request, answer: Answer, blotter: Blotter) -> HttpError:
    """The error that a verdict without a meaning stands for: the system named, its words and the raw answer redacted."""
    words = blotter.clean(verdict.words, EXCERPT_MAX)
    said_so = f": {words}" if words else ""
    return HttpError(
        verdict.kind,
        f"can't {request.doing}: {name} answered {answer.status}{said_so}",
        scope=verdict.scope,
        hint=verdict.hint,
        retry_after_s=verdict.retry_after_s,
        status=answer.status,
        raw=blotter.clean(answer.text(), RAW_MAX),
    )


def unreadable(why: str, name: str, request: Request, answer: Answer, blotter: Blotter) -> HttpError:
    """A good status with a body that is none: for a write nobody knows what took place."""
    kind = Kind.UNKNOWN if request.is_write else Kind.TRANSIENT
    raw = blotter.clean(answer.text(), RAW_MAX)
    return HttpError(
        kind,
        f"can't {request.doing}: {name} answered {answer.status} with {why}: {raw[:EXCERPT_MAX] or 'nothing'}",
        scope=request.scope,
        hint="is the address in the settings that of the interface, and not of a page for people?"
        if answer.is_html
        else "",
        status=answer.status,
        raw=raw,
    )


def said(body: Any, places: tuple[str, ...] = WORD_PLACES) -> str:
    """The words of an error body: the first of `places` that holds any, and what stands about single fields."""
    if isinstance(body, str):
        return body
    if isinstance(body, list):
        return "; ".join(filter(None, (said(item, places) for item in body[:5])))
    if not isinstance(body, Mapping):
        return ""
    head = ""
    for place in places:
        found = at(body, place)
        if found is msgspec.UNSET or found is None or isinstance(found, bool | int):
            continue
        head = said(found, places)
        if head:
            break
    return "; ".join(filter(None, (head, *_field_words(body, places))))


def _field_words(body: Mapping[str, Any], places: tuple[str, ...]) -> list[str]:
    """What stands about single fields: `{"data": {"name": {"message": "..."}}}` and its like."""
    found = []
    for name in ("data", "errors", "fields", "details"):
        inner = body.get(name)
        if isinstance(inner, Mapping):
            for field, words in list(inner.items())[:5]:
                told = said(words, places)
                if told:
                    found.append(f"{field}: {told}")
    return found


def after_s(header: str, now: str = "") -> float | None:
    """Seconds of a Retry-After header; a date is taken against the server's own `Date`. None where it says nothing."""
    text = header.strip()
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        pass
    when, base = _instant(text), _instant(now) or datetime.now(UTC)
    return None if when is None else max(0.0, (when - base).total_seconds())


def _instant(text: str) -> datetime | None:
    try:
        found = email.utils.parsedate_to_datetime(text.strip())
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _page_words(answer: Answer) -> str:
    """The title of a page for people."""
    text = answer.text()
    start = text.lower().find("<title>")
    end = text.lower().find("</title>", start)
    return f"a page titled '{text[start + 7 : end].strip()}'" if 0 <= start < end else "a page for people"
