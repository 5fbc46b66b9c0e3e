"""One account's way out: credentials, pace, deadline, one renewal, redirects within the origin, and the judge's verdict.

Nothing is repeated but what was surely not done: a request whose credentials were refused, once, after they were drawn
anew. All else is the engine's to decide.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode, urljoin, urlsplit

import anyio
import msgspec

from actors.core.errors import Kind, Scope, TandemError
from clients.connectors.http.auth import Auth, Credentials, nobody
from clients.connectors.http.judge import Judge, Verdict, raised, unreadable
from clients.connectors.http.kept import Keeper
from clients.connectors.http.pace import Pace
from clients.connectors.http.transport import SIZE_MAX, Transport
from clients.connectors.http.wire import EXCERPT_MAX, Answer, Blotter, HttpError, Request, Unreadable, dumps

REDIRECTS_MAX: Final = 3
LOG_OUT_S: Final = 3.0


class HttpClient:
    """One session with one account. `name`: the connector's, named in every error. `deadline_s`: per request, and below
    the declaration's, which counts for a whole call. `size_max`: bytes of one answer. `keeper`: where tokens are
    kept that have to outlive the process."""

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        auth: Auth | None = None,
        judge: Judge | None = None,
        headers: Mapping[str, str] | None = None,
        deadline_s: float = 20.0,
        concurrency: int = 4,
        pace: Pace | None = None,
        size_max: int = SIZE_MAX,
        authorities: str = "",
        keeper: Keeper | None = None,
    ) -> None:
        self.name = name
        self.requests = 0  # so many left; for the counts of requests per record
        self._base = checked_base(name, base_url)
        self._origin = origin(self._base)
        self._auth: Auth = auth or nobody()
        self._judge = judge or Judge(name)
        self._headers = {"Accept": "application/json", **(headers or {})}
        self._deadline_s = deadline_s
        self._pace = pace or Pace(name)
        self._blotter = Blotter(self._auth.secrets)
        self._transport = Transport(
            name,
            clean=self.clean,
            concurrency=concurrency,
            size_max=size_max,
            authorities=authorities,
        )
        if keeper is not None:
            self._auth.keep(keeper, self._bare)

    async def call(self, request: Request) -> Answer:
        """The answer with what it means: `ok`, or (only for what the system may say to that request) `gone`, `moved_on`,
        `exists`, `refused` with the system's own words. Raises `HttpError` for all else."""
        credentials = await self._auth.credentials(self._bare)
        self._learn_secrets()
        answer, verdict = await self._asked(request, credentials)
        if verdict.renew and await self._auth.renew(credentials, self._bare):
            self._learn_secrets()
            answer, verdict = await self._asked(request, await self._auth.credentials(self._bare))
        return self._told(request, answer, verdict)

    async def ask(self, request: Request) -> Answer:
        """As `call`, for requests to which there is one good answer: anything but `ok` is raised (REJECTED; a
        question about no single record: CONFIG)."""
        answer = await self.call(request)
        if answer.meaning != "ok":
            raise HttpError(
                # A question that the system refuses is no record's fault.
                Kind.REJECTED if request.is_write or request.record else Kind.CONFIG,
                f"can't {request.doing}: {self.name} answered {answer.status}: {answer.words or answer.meaning}",
                scope=Scope.RECORD if request.record else request.scope,
                status=answer.status,
                raw=self._blotter.clean(answer.text()),
            )
        return answer

    async def json(self, request: Request) -> Any:
        """The body of `ask` as JSON with exact numbers."""
        return self.body_of(request, await self.ask(request))

    def body_of(self, request: Request, answer: Answer) -> Any:
        """The body of an answer as JSON; what is none is raised with the raw answer (a write: UNKNOWN)."""
        try:
            return answer.json()
        except Unreadable as error:
            raise unreadable(str(error), self.name, request, answer, self._blotter) from error

    async def elsewhere(self, request: Request, hosts: Collection[str]) -> Answer:
        """A link that the system sent and that is its own proof (the signed address of a file store): without credentials,
        at one of `hosts`, below one of them, or at the account's own origin. CONFIG for any other place.

        What is answered is handed out as it is; a server that fails, a proxy's page and a redirect are raised. The address
        is a secret: it gets into no message.
        """
        parts = urlsplit(request.path)
        host = (parts.hostname or "").lower()
        is_known = any(host == one or host.endswith(f".{one}") for one in (name.lower() for name in hosts))
        if origin(request.path) != self._origin and not (parts.scheme == "https" and is_known):
            raise HttpError(
                Kind.CONFIG,
                f"can't {request.doing}: {self.name} points at the host {host[:100] or '(none)'}",
                hint="files are fetched from, and brought to, hosts that the settings name only, by https",
            )
        headers = {"Accept": "*/*", **request.headers}
        body = _body(request, headers)
        self.requests += 1
        answer = await self._transport.send(request, request.path, headers, body, self._deadline_s)
        if (
            answer.is_html
            or answer.status == 429
            or not 200 <= answer.status < 500
            or 300 <= answer.status < 400
        ):
            raise HttpError(
                Kind.UNKNOWN if request.is_write else Kind.TRANSIENT,
                f"can't {request.doing}: {host} answered {answer.status}",
                scope=request.scope,
                status=answer.status,
            )
        return answer

    def clean(self, text: str, size_max: int = EXCERPT_MAX) -> str:
        """A text of the system's without secrets, bounded."""
        return self._blotter.clean(text, size_max)

    def url(self, path: str, query: Mapping[str, str] | None = None, *, anywhere: bool = False) -> str:
        """The whole address of a path, or of a link that the system sent; CONFIG for another origin. `anywhere`: the address
        is from the settings (an OAuth server has a host of its own)."""
        is_whole = bool(urlsplit(path).scheme)
        whole = path if is_whole else self._base + path.lstrip("/") if path else self._base.rstrip("/")
        if is_whole and not anywhere and origin(whole) != self._origin:
            raise HttpError(
                Kind.CONFIG,
                f"{self.name} points at another host ({self._blotter.clean(whole, EXCERPT_MAX)})",
                hint="credentials go to the host of the settings only; change the address there if it moved",
            )
        if not query:
            return whole
        # Blanks as %20: not every system takes a plus for one.
        return whole + ("&" if "?" in whole else "?") + urlencode(query, quote_via=quote)

    async def aclose(self) -> None:
        """Log out where that frees something, and cut all lines; safe to call twice."""
        try:
            with anyio.move_on_after(LOG_OUT_S, shield=True):
                await self._auth.leave(self._bare)
        finally:
            await self._transport.aclose()

    # ------------------------------------------------------------------------------------------------ one request

    async def _asked(self, request: Request, credentials: Credentials) -> tuple[Answer, Verdict]:
        answer = await self._sent(request, credentials)
        verdict = self._judge.judge(request, answer)
        if verdict.kind is Kind.RATE_LIMITED and verdict.meaning is None:
            self._pace.pause(verdict.retry_after_s)
        return answer, verdict

    async def _sent(self, request: Request, credentials: Credentials, *, anywhere: bool = False) -> Answer:
        url = self.url(request.path, {**request.query, **credentials.query}, anywhere=anywhere)
        # The account's headers may hold a key: they are for its own host.
        is_own = not anywhere or origin(url) == self._origin
        own = self._headers if is_own else {"Accept": self._headers["Accept"]}
        headers = {**own, **credentials.headers, **request.headers}
        body = _body(request, headers)
        redirects = 0
        while True:
            await self._pace.take(request)
            self.requests += 1
            answer = await self._transport.send(request, url, headers, body, self._deadline_s)
            onward = self._onward(request, url, answer)
            if onward is None or redirects == REDIRECTS_MAX:
                return answer
            url, redirects = onward, redirects + 1

    def _onward(self, request: Request, url: str, answer: Answer) -> str | None:
        """Where a read goes on: within the origin only. A write is never sent twice."""
        place = answer.headers.get("location", "")
        if (
            answer.status not in (301, 302, 307, 308)
            or request.is_write
            or not place
            or request.method != "GET"
        ):
            return None
        onward = urljoin(url, place)
        return onward if origin(onward) == self._origin else None

    def _told(self, request: Request, answer: Answer, verdict: Verdict) -> Answer:
        if verdict.meaning is None:
            raise raised(verdict, self.name, request, answer, self._blotter)
        if verdict.meaning == "ok":
            return answer  # as it is made
        words = self._blotter.clean(verdict.words, EXCERPT_MAX)
        return msgspec.structs.replace(answer, meaning=verdict.meaning, words=words)

    async def _bare(self, request: Request) -> Answer:
        """A log-in or a log-out: without credentials; a refusal is AUTH, for what was sent are credentials."""
        if request.headers or request.form or request.json is not msgspec.UNSET:
            self._learn_secrets()
        answer = await self._sent(request, Credentials(), anywhere=True)
        verdict = self._judge.judge(request, answer)
        if verdict.meaning == "ok":
            return answer
        if answer.status in (400, 401, 403, 422) or verdict.meaning is not None:
            verdict = Verdict(
                None, Kind.AUTH, words=verdict.words, hint="check the credentials in the settings"
            )
        raise raised(verdict, self.name, request, answer, self._blotter)

    def _learn_secrets(self) -> None:
        self._blotter.renew(self._auth.secrets)


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port; the default port where none is written."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    return parts.scheme, parts.hostname or "", port or {"http": 80, "https": 443}.get(parts.scheme)


def checked_base(name: str, url: str) -> str:
    """The base URL with one slash at its end; CONFIG where it is none, or holds a password."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise TandemError(
            Kind.CONFIG,
            f"the address of {name} is none",
            hint="it has the form https://host/path, without ? and #",
        )
    if parts.username or parts.password:
        raise TandemError(
            Kind.CONFIG,
            f"the address of {name} holds credentials",
            hint="give them in the settings that are sealed",
        )
    return url.rstrip("/") + "/"


def segment(text: str) -> str:
    """An id as one segment of a path, whatever is in it. An empty one is refused: `DELETE /things/` may mean all of them."""
    if not text or text in (".", ".."):
        raise TandemError(Kind.BUG, f"'{text}' can't be a segment of a path", scope=Scope.RECORD)
    return quote(text, safe="")


def _body(request: Request, headers: dict[str, str]) -> bytes | None:
    """The bytes of a request; its content type goes into `headers`."""
    if request.json is not msgspec.UNSET:
        headers.setdefault("Content-Type", "application/json")
        return dumps(request.json)
    if request.form is not None:
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
        return urlencode(request.form).encode()
    if request.body is not None:
        headers.setdefault("Content-Type", request.content_type or "application/octet-stream")
        return request.body
    return None
