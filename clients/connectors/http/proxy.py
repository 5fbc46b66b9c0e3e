"""Which proxy a request goes through: as the environment says (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`), like most programs.

Addresses of this machine are asked directly. Must not: look at anything else of the environment; the library's own way
would also take passwords out of a file in the home directory.
"""

from __future__ import annotations

import ipaddress
import urllib.request
from typing import Final
from urllib.parse import urlsplit

from actors.core.errors import Kind
from clients.connectors.http.wire import HttpError

_SCHEMES: Final = ("http", "https")


def proxy_for(url: str) -> str | None:
    """The address of the proxy for a request to `url`, with its credentials where it has some; None: directly. CONFIG where
    the environment names something that is no proxy of HTTP."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    found = urllib.request.getproxies_environment()
    address = found.get(parts.scheme) or found.get("all") or ""
    if not address or _is_here(host) or urllib.request.proxy_bypass(parts.netloc, found):
        return None
    whole = address if "://" in address else f"http://{address}"
    try:
        named = urlsplit(whole)
        sound = named.scheme in _SCHEMES and bool(named.hostname) and (named.port is None or named.port > 0)
    except ValueError:
        sound = False
    if not sound:
        raise HttpError(
            Kind.CONFIG,
            f"the proxy that the environment names for {parts.scheme} is none",
            hint=f"{parts.scheme.upper()}_PROXY has the form http://host:port",
        )
    return whole


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
