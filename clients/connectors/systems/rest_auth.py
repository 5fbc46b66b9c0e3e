"""How an account of the connector `rest` proves who it is: the entries of `auth` as a strategy of the HTTP base."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from clients.connectors.http import auth
from clients.connectors.http.auth import Auth, Credentials, TokenPlaces
from clients.connectors.http.wire import Request
from clients.connectors.systems.rest_plan import Ask


def strategy(entries: Mapping[str, Any], secrets: tuple[str, ...]) -> Auth:
    """The strategy of an `auth` entry (its fields were checked by rest_load)."""
    kind = entries["kind"]
    if kind == "bearer":
        return auth.bearer(entries["token"])
    if kind == "basic":
        return auth.basic(entries["user"], entries["password"])
    if kind == "header":
        return auth.header(entries["name"], entries["value"])
    if kind == "query":
        return auth.query(**{entries["name"]: entries["value"]})
    extra = {**entries.get("form", {}), **({"scope": entries["scope"]} if entries.get("scope") else {})}
    if kind == "client_credentials":
        return auth.client_credentials(
            entries["path"],
            entries["client_id"],
            entries["client_secret"],
            extra=extra,
            in_header=entries.get("in_header", False),
        )
    if kind == "refresh_token":
        secret = entries.get("client_secret", "")
        return auth.refreshed(
            entries["path"], entries["client_id"], secret, entries["refresh_token"], extra=extra
        )
    if kind == "log_in":
        return _log_in(entries, secrets)
    return auth.Fixed(secrets=secrets)


def _log_in(entries: Mapping[str, Any], secrets: tuple[str, ...]) -> Auth:
    log_in = Request(
        doing="log in",
        method=entries.get("method", "POST"),
        path=entries["path"],
        headers=entries.get("headers", {}),
        json=entries.get("json", msgspec.UNSET),
        form=entries.get("form"),
        writes=False,
    )
    places = TokenPlaces(
        token=entries.get("token", "access_token"),
        lives=entries.get("lives", "expires_in"),
        cookie=entries.get("cookie", ""),
        lives_s=entries.get("lives_for"),
    )
    out = entries.get("log_out")
    return auth.logged_in(
        log_in,
        places=places,
        place=entries.get("place"),
        secrets=secrets,
        log_out=_log_out(out) if out else None,
    )


def _log_out(entries: Mapping[str, Any]) -> Any:
    ask = Ask(
        path=entries.get("path", ""),
        method=entries.get("method", "POST"),
        headers=entries.get("headers", {}),
        json=entries.get("json", msgspec.UNSET),
    )

    def request(credentials: Credentials) -> Request:
        plain = ask.request("log out", writes=False)
        return msgspec.structs.replace(plain, headers={**credentials.headers, **plain.headers})

    return request
