"""One OData service over HTTP: its metadata, single requests, batches in whichever form it takes, CSRF tokens.

Must not know what a look or a write is; says of each part what became of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urljoin

import anyio
import msgspec

from actors.core.errors import Kind, Scope, TandemError
from clients.connectors.http.client import HttpClient
from clients.connectors.http.judge import Judge, Verdict
from clients.connectors.http.wire import Answer, HttpError, Meaning, Request, Unreadable
from clients.connectors.systems.odata_batch import (
    Part,
    error_words,
    json_batch,
    json_replies,
    multipart_batch,
    multipart_replies,
    multipart_type,
)
from clients.connectors.systems.odata_metadata import EntitySet, Model, parse_metadata

VERSIONS: Final = {"OData-Version": "4.0", "OData-MaxVersion": "4.01"}
AT_ONCE: Final = 4  # single requests, where there are no batches
# How batches are sent, in the order in which they are tried.
FORMS: Final = ("json", "multipart", "none")
# A service that answers so does not take this form of batch. 401, 403, 429 and 503 say something else.
_NO_BATCH: Final = frozenset({400, 404, 405, 406, 415, 500, 501})
_CSRF: Final = "x-csrf-token"


class Reply(msgspec.Struct, frozen=True):
    """What became of one part. `error` where it has no meaning. `is_sent` False: surely it was not even begun."""

    answer: Answer
    meaning: Meaning | None = None
    words: str = ""
    error: TandemError | None = None
    is_sent: bool = True

    def body(self) -> Any:
        """Its body as JSON with exact numbers; None for an empty one. Raises `Unreadable`."""
        return self.answer.json()


class ODataJudge(Judge):
    """The plain table, with OData's own words, and a CSRF token that is asked for."""

    def words(self, answer: Answer) -> str:
        """`error.message` with its details."""
        return error_words(answer.body) or super().words(answer)

    def special(self, request: Request, answer: Answer) -> Verdict | None:
        """403 for a missing CSRF token is no matter of credentials: nothing was done, and it is fetched and tried again."""
        if wants_csrf(answer):
            return Verdict("refused", words="a CSRF token is asked for")
        return None


def wants_csrf(answer: Answer) -> bool:
    """Whether the service refused for want of a CSRF token."""
    return answer.status == 403 and answer.headers.get(_CSRF, "").lower() == "required"


class Service:
    """A service root. `form`: `auto`, or one of `FORMS`. `parameters`: go with every request (`sap-client`)."""

    def __init__(self, client: HttpClient, judge: Judge, form: str, parameters: str = "") -> None:
        self._client = client
        self._judge = judge
        self._parameters = parameters
        self._form = "" if form == "auto" else form
        self._model: Model | None = None
        self._csrf: dict[str, str] = {}
        self._lock = anyio.Lock()

    # ------------------------------------------------------------------------------------------------ metadata

    async def model(self, *, fresh: bool = False) -> Model:
        """What the service offers; read once, and again where `fresh`."""
        if self._model is None or fresh:
            request = Request(
                doing="read $metadata",
                path=self._path("$metadata"),
                headers={"Accept": "application/xml", **VERSIONS},
                scope=Scope.CONNECTION,
            )
            try:
                answer = await self._client.ask(request)
            except HttpError as error:
                if error.status == 404:
                    error.hint = "is url the service root, the address below which $metadata stands?"
                raise
            self._model = parse_metadata(answer.body)
        return self._model

    async def entity_set(self, name: str, fields: Sequence[str] = ()) -> EntitySet:
        """An entity set; the metadata is read again before it, or a field of it, is called missing, for it may be new."""
        model = await self.model()
        found = model.sets.get(name)
        if found is None or not all(map(found.has, fields)):
            model = await self.model(fresh=True)
            found = model.sets.get(name)
        if found is None:
            raise TandemError(
                Kind.CONFIG,
                f"the service has no entity set '{name}'",
                scope=Scope.STREAM,
                hint=f"it has {', '.join(model.sets)}",
            )
        for field in fields:
            found.property(field)
        return found

    # ------------------------------------------------------------------------------------------ single requests

    async def get(self, doing: str, path: str, *, prefer: str = "") -> tuple[Any, Answer]:
        """The body of a GET, and its answer; `path` is below the service root, or a whole address (a next link)."""
        request = self._request(doing, Part(path=path, headers={"Prefer": prefer} if prefer else {}))
        answer = await self._client.ask(msgspec.structs.replace(request, record=False))
        return self._client.body_of(request, answer), answer

    def resolved(self, path: str, link: str) -> str:
        """A next or delta link as a whole address: it is relative to what was asked."""
        return urljoin(self._client.url(self._path(path)), link)

    async def one(self, doing: str, part: Part) -> Reply:
        """One request about one record."""
        request = self._request(doing, part)
        try:
            answer = await self._guarded(request)
        except TandemError as error:
            return Reply(Answer(status=getattr(error, "status", 0)), error=error)
        return Reply(answer, answer.meaning, answer.words)

    # -------------------------------------------------------------------------------------------------- batches

    async def many(self, doing: str, parts: Sequence[Part]) -> list[Reply]:
        """Each part with what became of it, in order. Raises where nothing was done, or nothing is known (UNKNOWN)."""
        if len(parts) <= 1:
            return [await self._only(doing, part) for part in parts]
        form = await self._form_for(doing, parts)
        return await (self._singly(doing, parts) if form == "none" else self._batch(form, doing, parts))

    async def _only(self, doing: str, part: Part) -> Reply:
        reply = await self.one(doing, part)
        if (
            reply.error is not None
            and reply.error.kind is not Kind.UNKNOWN
            and reply.error.scope is not Scope.RECORD
        ):
            raise reply.error
        return reply

    async def _form_for(self, doing: str, parts: Sequence[Part]) -> str:
        """The form that the service takes, tried with a harmless look: a write must not be what finds out."""
        async with self._lock:
            for form in FORMS if not self._form else ():
                if form == "none" or await self._takes(form, parts[0]):
                    self._form = form
                    break
        return self._form

    async def _takes(self, form: str, like: Part) -> bool:
        entity_set = like.path.partition("(")[0].partition("?")[0]
        try:
            (reply,) = await self._batch(form, "try a batch", [Part(path=f"{entity_set}?$top=1")])
        except HttpError as error:
            if error.status in _NO_BATCH or 200 <= error.status < 300:
                return False
            raise
        return reply.meaning == "ok"

    async def _batch(self, form: str, doing: str, parts: Sequence[Part]) -> list[Reply]:
        is_json = form == "json"
        request = Request(
            doing=doing,
            method="POST",
            path=self._path("$batch"),
            headers={
                **VERSIONS,
                "Accept": "application/json" if is_json else "multipart/mixed",
                "Prefer": "odata.continue-on-error",
            },
            json=json_batch(parts) if is_json else msgspec.UNSET,
            body=None if is_json else multipart_batch(parts),
            content_type="" if is_json else multipart_type(),
            writes=any(part.is_write for part in parts),
        )
        answer = await self._guarded(request)
        if answer.meaning != "ok":
            raise HttpError(
                Kind.CONFIG,
                f"can't {doing}: {self._client.name} takes no batch: {answer.words}",
                scope=Scope.STREAM,
                hint="set batch to multipart or none",
                status=answer.status,
            )
        try:
            found = (
                json_replies(answer.json(), len(parts))
                if is_json
                else multipart_replies(answer.body, answer.headers.get("content-type", ""), len(parts))
            )
        except Unreadable as error:
            kind = Kind.UNKNOWN if request.is_write else Kind.TRANSIENT
            raise HttpError(
                kind,
                f"can't {doing}: {self._client.name} answered with {error}",
                status=answer.status,
                raw=self._client.clean(answer.text()),
            ) from error
        return self._judged(doing, parts, found)

    def _judged(self, doing: str, parts: Sequence[Part], found: Sequence[Answer | None]) -> list[Reply]:
        replies, failed = [], False
        for part, answer in zip(parts, found, strict=True):
            request = self._request(doing, part)
            if answer is None:
                replies.append(self._unanswered(request, failed))
                continue
            failed = failed or answer.status >= 400
            verdict = self._judge.judge(request, answer)
            words = self._client.clean(verdict.words)
            error = None
            if verdict.meaning is None:
                error = HttpError(
                    verdict.kind,
                    f"can't {doing}: {self._client.name} answered {answer.status}: {words}",
                    scope=verdict.scope,
                    hint=verdict.hint,
                    retry_after_s=verdict.retry_after_s,
                    status=answer.status,
                )
            replies.append(Reply(answer, verdict.meaning, words, error))
        return replies

    def _unanswered(self, request: Request, failed: bool) -> Reply:
        """Who stops at the first failure leaves the rest undone, whatever was asked for; else nobody knows."""
        words = f"can't {request.doing}: {self._client.name} left it out of the answer"
        kind = Kind.UNKNOWN if request.is_write and not failed else Kind.TRANSIENT
        return Reply(Answer(status=0), error=TandemError(kind, words), is_sent=kind is Kind.UNKNOWN)

    async def _singly(self, doing: str, parts: Sequence[Part]) -> list[Reply]:
        if any(part.is_write for part in parts):
            return await self._in_order(doing, parts)
        replies: list[Reply | None] = [None] * len(parts)
        waiting = iter(list(enumerate(parts)))

        async def work() -> None:
            for place, part in waiting:
                replies[place] = await self.one(doing, part)

        async with anyio.create_task_group() as group:
            for _ in range(min(AT_ONCE, len(parts))):
                group.start_soon(work)
        return [reply for reply in replies if reply is not None]

    async def _in_order(self, doing: str, parts: Sequence[Part]) -> list[Reply]:
        """Writes one by one. Trouble with the account ends it: what was not begun is not sent."""
        replies: list[Reply] = []
        for part in parts:
            reply = await self.one(doing, part)
            replies.append(reply)
            if reply.error is not None and reply.error.scope is Scope.CONNECTION:
                if len(replies) == 1 and reply.error.kind is not Kind.UNKNOWN:
                    raise reply.error
                break
        rest = TandemError(Kind.TRANSIENT, f"can't {doing}: the one before it found no way through")
        unsent = Reply(Answer(status=0), error=rest, is_sent=False)
        return [*replies, *[unsent] * (len(parts) - len(replies))]

    # ------------------------------------------------------------------------------------------- requests, CSRF

    def _request(self, doing: str, part: Part) -> Request:
        headers = {**part.all_headers, **VERSIONS}
        return Request(
            doing=doing,
            method=part.method,
            path=self._path(part.path),
            headers=headers,
            json=part.json,
            record=True,
        )

    def _path(self, path: str) -> str:
        if not self._parameters or self._parameters in path:  # a next link may hold them already
            return path
        return f"{path}{'&' if '?' in path else '?'}{self._parameters}"

    async def _guarded(self, request: Request) -> Answer:
        """A request with the CSRF token, where the service ever asked for one; once more with a new one where it asks."""
        answer = await self._client.call(self._marked(request))
        if not wants_csrf(answer):
            return answer
        await self._fetch_csrf()
        answer = await self._client.call(self._marked(request))
        if wants_csrf(answer):
            raise HttpError(
                Kind.AUTH,
                f"can't {request.doing}: {self._client.name} does not take the CSRF token that it gave",
                status=answer.status,
            )
        return answer

    def _marked(self, request: Request) -> Request:
        if not self._csrf or request.method == "GET":
            return request
        return msgspec.structs.replace(request, headers={**request.headers, **self._csrf})

    async def _fetch_csrf(self) -> None:
        request = Request(
            doing="fetch a CSRF token for writing",
            path=self._path(""),
            headers={"Accept": "application/json", **VERSIONS, _CSRF: "Fetch"},
            scope=Scope.CONNECTION,
        )
        answer = await self._client.ask(request)
        cookies = "; ".join(f"{name}={value}" for name, value in answer.cookies.items())
        self._csrf = {_CSRF: answer.headers.get(_CSRF, "")} | ({"Cookie": cookies} if cookies else {})
