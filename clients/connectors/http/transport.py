"""One HTTP request out and its answer in, over aiohttp: the only place that knows the library.

What can go wrong is told apart by one question: may the system have had the request? Then a write is UNKNOWN; else, and
for every read, it is TRANSIENT. Bodies are read up to a bound. Nothing is repeated, followed or remembered here.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import anyio

from actors.core.errors import Kind, Scope
from clients.connectors.http.proxy import proxy_for
from clients.connectors.http.wire import Answer, HttpError, Request

SIZE_MAX: Final = 32 * 1024 * 1024  # bytes of one answer
KEEP_ALIVE_S: Final = 10.0  # shorter than most servers', so that a line is rarely cut as a request leaves
USER_AGENT: Final = "tandemd"
PROXY_REFUSES: Final = (401, 403, 405, 407)


class Transport:
    """The lines to one account. `name` is the connector's, for messages; `clean` takes secrets out of them. `authorities`: a
    file with further certificate authorities, or "" for those of the machine."""

    def __init__(
        self,
        name: str,
        *,
        clean: Callable[[str], str],
        concurrency: int,
        size_max: int = SIZE_MAX,
        authorities: str = "",
    ) -> None:
        self._name = name
        self._clean = clean
        self._size_max = size_max
        self._concurrency = concurrency
        self._authorities = authorities
        self._session: aiohttp.ClientSession | None = None
        self._proxies: dict[
            tuple[str, str], str | None
        ] = {}  # scheme and host -> as the environment said then

    async def send(
        self, request: Request, url: str, headers: Mapping[str, str], body: bytes | None, deadline_s: float
    ) -> Answer:
        """The answer, whatever its status. Raises `HttpError`: TRANSIENT, UNKNOWN or CONFIG."""
        told = SimpleNamespace(may_have_arrived=False)
        try:
            with anyio.move_on_after(deadline_s):
                return await self._exchange(request, url, headers, body, told)
        except _TooLarge as error:
            raise self._lost(
                request,
                told,
                f"sent an answer of more than {self._size_max} bytes",
                hint="ask for less at once",
                scope=request.scope,
            ) from error
        except aiohttp.ClientPayloadError as error:
            raise self._lost(request, told, "sent an answer that breaks off", scope=request.scope) from error
        except aiohttp.ClientConnectorCertificateError as error:
            raise self._misconfigured(request, "shows a certificate that is not trusted", error) from error
        except aiohttp.ClientConnectorDNSError as error:
            raise self._unnamed(request, error) from error
        except aiohttp.ClientHttpProxyError as error:
            # It never came to a line to the system.
            raise HttpError(
                Kind.CONFIG if error.status in PROXY_REFUSES else Kind.TRANSIENT,
                f"can't {request.doing}: the proxy lets nobody through to {self._name} ({error.status})",
                status=error.status,
                hint="check HTTPS_PROXY in the daemon's environment, and what the proxy allows",
            ) from error
        except aiohttp.ClientProxyConnectionError as error:
            raise HttpError(
                Kind.TRANSIENT,
                f"can't {request.doing}: the proxy on the way to {self._name} can't be reached",
                hint="check HTTP_PROXY and HTTPS_PROXY in the daemon's environment",
            ) from error
        except aiohttp.InvalidURL as error:
            raise self._misconfigured(request, "has an address that is none", error) from error
        except ValueError as error:
            # Of what is sent only a key or a token can hold that: it was pasted with the end of its line.
            raise self._misconfigured(
                request, "can't be sent what the settings say", error, "look for line ends in tokens and keys"
            ) from error
        except (aiohttp.ClientError, OSError, ssl.SSLError) as error:
            words = self._clean(str(error)) or type(error).__name__
            raise self._lost(request, told, f"can't be reached or broke off: {words}") from error
        raise self._lost(request, told, f"did not answer within {deadline_s:g} s")

    async def aclose(self) -> None:
        """Cut all lines; safe to call twice."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _exchange(
        self,
        request: Request,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        told: SimpleNamespace,
    ) -> Answer:
        # Without a body nothing says so: some servers refuse a length of 0 with a GET.
        async with self._opened().request(
            request.method,
            url,
            headers=headers,
            data=body,
            allow_redirects=False,
            trace_request_ctx=told,
            proxy=self._proxy_for(url),
        ) as response:
            return Answer(
                status=response.status,
                headers={name.lower(): value for name, value in response.headers.items()},
                body=await self._body(response),
                cookies={name: morsel.value for name, morsel in response.cookies.items()}
                if "Set-Cookie" in response.headers
                else {},
            )

    def _proxy_for(self, url: str) -> str | None:
        origin = urlsplit(url)[:2]
        if origin not in self._proxies:
            self._proxies[origin] = proxy_for(url)
        return self._proxies[origin]

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        size_told = response.content_length
        if (
            size_told is not None
            and size_told <= self._size_max
            and "Content-Encoding" not in response.headers
        ):
            return await response.read()
        parts, size = [], 0
        async for part in response.content.iter_chunked(64 * 1024):
            size += len(part)
            if size > self._size_max:
                response.close()
                raise _TooLarge
            parts.append(part)
        return b"".join(parts)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            trace = aiohttp.TraceConfig()
            # From here on the request may leave at any moment.
            trace.on_connection_create_end.append(_may_have_arrived)
            trace.on_connection_reuseconn.append(_may_have_arrived)
            context = self._trust()
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=self._concurrency, keepalive_timeout=KEEP_ALIVE_S, ssl=context
                ),
                cookie_jar=aiohttp.DummyCookieJar(),  # a cookie is a token: whoever wants one says so (auth)
                timeout=aiohttp.ClientTimeout(total=None),
                trace_configs=[trace],
                headers={"User-Agent": USER_AGENT},
                skip_auto_headers=("Content-Type",),
                trust_env=False,
            )
            # The library repeats PUT and DELETE by itself when a kept line turns out to be cut. Nothing is repeated blind.
            self._session._retry_connection = False
        return self._session

    def _trust(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self._authorities:
            try:
                context.load_verify_locations(self._authorities)
            except (OSError, ssl.SSLError) as error:
                raise HttpError(
                    Kind.CONFIG,
                    f"{self._name}: the certificates in {self._authorities} can't be read: {error}",
                    hint="a file of PEM certificates is needed",
                ) from error
        return context

    def _lost(
        self,
        request: Request,
        told: SimpleNamespace,
        words: str,
        *,
        hint: str = "",
        scope: Scope = Scope.CONNECTION,
    ) -> HttpError:
        kind = Kind.UNKNOWN if request.is_write and told.may_have_arrived else Kind.TRANSIENT
        return HttpError(kind, f"can't {request.doing}: {self._name} {words}", scope=scope, hint=hint)

    def _unnamed(self, request: Request, error: aiohttp.ClientConnectorDNSError) -> HttpError:
        """No address for the host's name: it is wrong, unless the name server itself does not answer."""
        cause = error.os_error
        passing = isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_AGAIN
        kind = Kind.TRANSIENT if passing else Kind.CONFIG
        return HttpError(
            kind,
            f"can't {request.doing}: {self._name}: there is no host {error.host}",
            hint="check the address in the settings",
        )

    def _misconfigured(
        self, request: Request, words: str, error: Exception, hint: str = "check the address in the settings"
    ) -> HttpError:
        return HttpError(
            Kind.CONFIG, f"can't {request.doing}: {self._name} {words}: {self._clean(str(error))}", hint=hint
        )


class _TooLarge(Exception):
    """More than an answer may have."""


async def _may_have_arrived(session: aiohttp.ClientSession, context: SimpleNamespace, params: object) -> None:
    context.trace_request_ctx.may_have_arrived = True
