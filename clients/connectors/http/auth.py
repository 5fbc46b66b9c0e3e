"""How an account proves who it is: fixed credentials, or tokens that are drawn, renewed and drawn again.

One log-in at a time: whoever finds the token dead waits for the one who is renewing it, and uses what that one got. So a
system on which a second log-in ends the first session is never logged in to twice. Tokens live in memory; those that have
to outlive the process also in a `Keeper` (kept.py).
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

import anyio
import msgspec

from actors.core.errors import Kind
from clients.connectors.http.kept import Keeper, Kept, Renewal
from clients.connectors.http.wire import Answer, HttpError, Request, Unreadable, at

EARLY_S: Final = 30.0  # a token is renewed so long before its end, or at nine tenths of a short life

Send = Callable[[Request], Awaitable[Answer]]  # without credentials; raises for everything but "ok"


class Credentials(msgspec.Struct, frozen=True):
    """What goes with each request. `number` tells one drawing of a token from the next."""

    headers: Mapping[str, str] = {}
    query: Mapping[str, str] = {}
    number: int = 0


class Auth(Protocol):
    """How requests are signed. `secrets`: what must never be shown."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown, as of now."""
        ...

    async def credentials(self, send: Send) -> Credentials:
        """For the next request; logs in where that is needed."""
        ...

    async def renew(self, refused: Credentials, send: Send) -> bool:
        """`refused` was not accepted. True: there are others now, and it makes sense to ask once more."""
        ...

    async def leave(self, send: Send) -> None:
        """Log out, where that frees something (a licence, the only session)."""
        ...

    def keep(self, keeper: Keeper, send: Send) -> None:
        """Tokens that have to outlive the process are kept there."""
        ...


class Fixed:
    """The same with every request: bearer token, basic, a header, a query parameter. Nothing can be renewed."""

    def __init__(
        self,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        secrets: tuple[str, ...] = (),
    ) -> None:
        self._credentials = Credentials(dict(headers or {}), dict(query or {}))
        self.secrets = secrets

    async def credentials(self, send: Send) -> Credentials:
        """Always the same."""
        return self._credentials

    async def renew(self, refused: Credentials, send: Send) -> bool:
        """There are no others."""
        return False

    async def leave(self, send: Send) -> None:
        """There is no session."""

    def keep(self, keeper: Keeper, send: Send) -> None:
        """There is nothing to keep."""


def nobody() -> Fixed:
    """No credentials at all."""
    return Fixed()


def bearer(token: str) -> Fixed:
    """`Authorization: Bearer <token>`."""
    return Fixed({"Authorization": f"Bearer {token}"}, secrets=(token,))


def basic(user: str, password: str) -> Fixed:
    """`Authorization: Basic ...` (UTF-8)."""
    packed = base64.b64encode(f"{user}:{password}".encode()).decode()
    return Fixed({"Authorization": f"Basic {packed}"}, secrets=(password, packed))


def header(name: str, value: str) -> Fixed:
    """A header with a key in it."""
    return Fixed({name: value}, secrets=(value,))


def query(**parameters: str) -> Fixed:
    """Credentials as query parameters. They end up in other people's logs; only where there is no other way."""
    return Fixed(query=parameters, secrets=tuple(parameters.values()))


class Token(msgspec.Struct, frozen=True):
    """A token that was drawn. `lives_s` None: not told, it is used until it is refused. `refresh` "": none."""

    value: str
    lives_s: float | None = None
    refresh: str = ""


Draw = Callable[[Send], Awaitable[Token]]
Refresh = Callable[[Send, str], Awaitable[Token]]


class Drawn:
    """Tokens from a log-in. `draw` logs in; `refresh` (where there is one) is tried before it. `place`: the headers in which
    the token goes, with `{token}` in them. `log_out`: a request that ends the session. `of`: a fingerprint of the
    credentials, by which tokens are kept."""

    def __init__(
        self,
        draw: Draw,
        refresh: Refresh | None = None,
        *,
        place: Mapping[str, str] | None = None,
        secrets: tuple[str, ...] = (),
        log_out: Callable[[Credentials], Request] | None = None,
        of: str = "",
    ) -> None:
        self._draw = draw
        self._refresh = refresh
        self._of = of
        self._renewal: Renewal | None = None
        self._place = dict(place or {"Authorization": "Bearer {token}"})
        self._fixed = secrets
        self._log_out = log_out
        self._lock = anyio.Lock()
        self._token: Token | None = None
        self._ends = float("inf")
        self._credentials = Credentials()

    @property
    def secrets(self) -> tuple[str, ...]:
        """Those of the settings, and the tokens that live."""
        token = self._token
        return (*self._fixed, *((token.value, token.refresh) if token else ()))

    async def credentials(self, send: Send) -> Credentials:
        """The token that lives; drawn or renewed by one at a time."""
        if not self._lives():
            async with self._lock:
                if not self._lives():
                    await self._next(send)
        return self._credentials

    async def renew(self, refused: Credentials, send: Send) -> bool:
        """Draw another token, unless somebody else has done so since `refused` was handed out."""
        async with self._lock:
            if refused.number == self._credentials.number:
                self._ends = 0.0
                await self._next(send)
        return True

    async def leave(self, send: Send) -> None:
        """End the session, where the vendor wants that; quietly, for it ends by itself too."""
        if self._log_out is None or self._token is None:
            return
        request, self._token = self._log_out(self._credentials), None
        try:
            await send(request)
        except HttpError:
            return

    def _lives(self) -> bool:
        return self._token is not None and anyio.current_time() < self._ends

    async def _next(self, send: Send) -> None:
        if self._renewal is not None:
            kept = await self._renewal.next()
            self._token = Token(kept.token, refresh=kept.refresh)
            left_s = float("inf") if kept.until is None else kept.until - time.time()
            self._ends = anyio.current_time() + left_s
        else:
            asked = anyio.current_time()
            self._token = await self._drawn(send, self._token.refresh if self._token is not None else "")
            self._ends = asked + _used_for_s(self._token)
        value = self._token.value
        placed = {name: text.replace("{token}", value) for name, text in self._place.items()}
        self._credentials = Credentials(placed, number=self._credentials.number + 1)

    async def _drawn(self, send: Send, refresh: str) -> Token:
        if refresh and self._refresh is not None:
            try:
                renewed = await self._refresh(send, refresh)
            except HttpError as error:
                if error.kind not in (Kind.AUTH, Kind.REJECTED):
                    raise
            else:
                # Many systems rotate it; who sends none back means the old one.
                return renewed if renewed.refresh else msgspec.structs.replace(renewed, refresh=refresh)
        return await self._draw(send)

    def keep(self, keeper: Keeper, send: Send) -> None:
        """From now on, where there is a refresh token at all: else whoever has the credentials draws as he likes."""

        async def draw(refresh: str) -> Kept:
            asked = time.time()
            token = await self._drawn(send, refresh)
            return Kept(
                token.value, None if token.lives_s is None else asked + _used_for_s(token), token.refresh
            )

        if self._refresh is not None:
            self._renewal = Renewal(keeper, self._of, draw)


def _used_for_s(token: Token) -> float:
    """So long after it was asked for a token is used."""
    if token.lives_s is None:
        return float("inf")
    return token.lives_s - min(EARLY_S, token.lives_s / 10)


class TokenPlaces(msgspec.Struct, frozen=True):
    """Where a log-in's answer holds the token, its life in seconds and the refresh token. `cookie`: its name, in the place
    of `token`."""

    token: str = "access_token"  # noqa: S105 - the name of the place
    lives: str = "expires_in"
    refresh: str = "refresh_token"
    cookie: str = ""
    lives_s: float | None = None  # where the answer does not say

    def read(self, answer: Answer) -> Token:
        """The token of an answer; AUTH where there is none (a log-in page, an error inside 200)."""
        if self.cookie:
            return Token(self._required(answer.cookies.get(self.cookie)), self.lives_s)
        try:
            body = answer.json()
        except Unreadable as error:
            raise HttpError(
                Kind.TRANSIENT,
                f"the log-in was answered with {error}",
                hint="is the address that of the interface?",
            ) from error
        if isinstance(body, str) and not self.token:
            return Token(self._required(body), self.lives_s)
        lives = at(body, self.lives) if self.lives else None
        refresh = at(body, self.refresh) if self.refresh else ""
        return Token(
            self._required(at(body, self.token)),
            _seconds(lives, self.lives_s),
            refresh if isinstance(refresh, str) else "",
        )

    def _required(self, found: Any) -> str:
        if isinstance(found, str) and found:
            return found
        place = f"cookie {self.cookie}" if self.cookie else self.token
        raise HttpError(
            Kind.AUTH,
            f"the log-in was answered without a token ({place})",
            hint="check the credentials, and where the token stands in the answer",
        )


def _seconds(found: Any, otherwise: float | None) -> float | None:
    try:
        return float(found)  # WinBooks and others send it as a text
    except (TypeError, ValueError):
        return otherwise


def logged_in(
    log_in: Request,
    refresh: Callable[[str], Request] | None = None,
    *,
    places: TokenPlaces | None = None,
    place: Mapping[str, str] | None = None,
    secrets: tuple[str, ...] = (),
    log_out: Callable[[Credentials], Request] | None = None,
) -> Drawn:
    """A log-in call that yields a token or a session cookie. `refresh` makes the request from the refresh token."""
    found = places or TokenPlaces()

    async def draw(send: Send) -> Token:
        return found.read(await send(log_in))

    async def again(send: Send, token: str) -> Token:
        assert refresh is not None
        return found.read(await send(refresh(token)))

    return Drawn(
        draw,
        again if refresh else None,
        place=place,
        secrets=secrets,
        log_out=log_out,
        of=hashlib.sha256(msgspec.json.encode(log_in, order="sorted")).hexdigest(),
    )


def client_credentials(
    url: str,
    client_id: str,
    client_secret: str,
    *,
    scope: str = "",
    extra: Mapping[str, str] | None = None,
    in_header: bool = False,
) -> Drawn:
    """OAuth 2 client credentials (RFC 6749 4.4); id and secret in the form, or as basic in the header."""
    form = {"grant_type": "client_credentials", **({"scope": scope} if scope else {}), **(extra or {})}
    headers: dict[str, str] = {}
    secrets: tuple[str, ...] = (client_secret,)
    if in_header:
        signed = basic(client_id, client_secret)
        headers, secrets = dict(signed._credentials.headers), signed.secrets
    else:
        form |= {"client_id": client_id, "client_secret": client_secret}
    log_in = Request(doing="log in", method="POST", path=url, form=form, headers=headers, writes=False)
    return logged_in(log_in, secrets=secrets)


def refreshed(
    url: str,
    client_id: str,
    client_secret: str,
    refresh_token: str,
    *,
    extra: Mapping[str, str] | None = None,
) -> Drawn:
    """OAuth 2 with a refresh token that somebody was given (RFC 6749 6); one that takes its place is kept, where there is
    somewhere to keep it."""

    def request(token: str) -> Request:
        form = {
            "grant_type": "refresh_token",
            "refresh_token": token,
            "client_id": client_id,
            **(extra or {}),
        }
        if client_secret:
            form["client_secret"] = client_secret
        return Request(doing="log in", method="POST", path=url, form=form, writes=False)

    return logged_in(request(refresh_token), request, secrets=(client_secret, refresh_token))
