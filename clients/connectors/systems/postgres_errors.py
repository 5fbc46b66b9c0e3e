"""PostgreSQL's errors as ours: sorted by what happens next, with the server's words and a way out, without passwords.

Owns the one translation at the connector's edge. Must not decide about retries.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

import asyncpg

from actors.core.errors import Kind, Scope, TandemError
from actors.core.values import BadValue

# What a broken line or a server that goes away raises, beside asyncpg's own classes.
LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    ConnectionError,
    OSError,
)
# Everything that a call of asyncpg may raise; timeouts are OSErrors since Python 3.11.
FAILURES = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    UnicodeError,
    BadValue,
    *LOST,
)
_AUTH = ("28",)
_TRANSIENT = ("08", "53", "57", "58", "40", "55", "25")
_MISSING = ("42P01", "42703", "3F000", "42704", "42883", "42P10")
_HINTS = {
    "3D000": "Check the database's name in the setting url",
    "42501": "GRANT the role what the statement needs: USAGE on the schema; SELECT, INSERT, UPDATE, DELETE on the table; "
    "USAGE on its sequences",
    "53100": "The server's disk is full: free some space",
    "53300": "The server has no connection to spare: raise max_connections, or close others",
    "25006": "The server only reads now (a standby?): point url at the primary",
    "57014": "It took longer than the time-out: is an index on the key or the modified column missing, or a lock held?",
    "57P03": "The server is starting or stopping",
}


def secrets_in(url: str) -> tuple[str, ...]:
    """What must never be shown: the password as written and as meant."""
    try:
        password = urlsplit(url).password or ""
    except ValueError:
        return (url,)
    return tuple(sorted({password, unquote(password)} - {""}, key=len, reverse=True))


def at(error: OSError, url: str) -> OSError:
    """The error of a line that did not come about, naming where to: not every event loop's does."""
    parts = urlsplit(url)
    if parts.hostname is None or parts.hostname in str(error) or not error.strerror:
        return error
    place = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
    return type(error)(error.errno, f"{error.strerror} ({place})")


def words(error: BaseException) -> str:
    """The server's own words in one line: message, detail, constraint."""
    if not isinstance(error, asyncpg.PostgresError):
        return str(error) or type(error).__name__
    detail, constraint = getattr(error, "detail", None), getattr(error, "constraint_name", None)
    said = str(error.args[0]) if error.args else type(error).__name__
    if detail:
        said += f"; {detail}"
    if constraint and constraint not in said:
        said += f" (constraint {constraint})"
    return said


def sqlstate(error: BaseException) -> str:
    """The five-letter code, or "" where the error has none."""
    return str(getattr(error, "sqlstate", None) or "")


def is_lost(error: BaseException) -> bool:
    """Whether the line to the server is gone, so that a read may be asked again on another one."""
    if isinstance(error, asyncpg.PostgresError):
        return isinstance(error, LOST)
    if isinstance(error, asyncpg.InternalClientError):
        # asyncpg's word for a line on which the server's last message arrived between two statements.
        return True
    if isinstance(error, asyncpg.InterfaceError):
        return not isinstance(error, ValueError) and "closed" in str(error)
    return isinstance(error, LOST) and not isinstance(error, TimeoutError)


def is_refusal(error: BaseException) -> bool:
    """Whether this is the server's no to what a record holds, and not a state of server, line or settings."""
    if isinstance(error, asyncpg.PostgresError):
        code = sqlstate(error)
        return not code.startswith((*_AUTH, *_TRANSIENT)) and code not in {*_MISSING, "42501", "3D000"}
    return isinstance(error, BadValue | UnicodeError | ValueError)


def translated(error: BaseException, doing: str, secrets: Iterable[str] = ()) -> TandemError:
    """The error as the engine's own. `doing` names what failed, e.g. `read customers`."""
    if isinstance(error, TandemError):
        return error
    kind, scope, hint = _sorted(error)
    said = words(error)
    for secret in secrets:
        said = said.replace(secret, "***")
    return TandemError(kind, f"can't {doing}: {said}", scope=scope, hint=hint)


def _sorted(error: BaseException) -> tuple[Kind, Scope, str]:
    code = sqlstate(error)
    if code.startswith(_AUTH):
        return (
            Kind.AUTH,
            Scope.CONNECTION,
            "Check user and password in the setting url, and the server's pg_hba.conf",
        )
    if code == "3D000":
        return Kind.CONFIG, Scope.CONNECTION, _HINTS[code]
    if code in _MISSING or code == "42501":
        return Kind.CONFIG, Scope.STREAM, _HINTS.get(code, "Check table and columns in the setting objects")
    if code.startswith(_TRANSIENT):
        return Kind.TRANSIENT, Scope.CONNECTION, _HINTS.get(code, "")
    if isinstance(error, socket.gaierror) and error.errno != socket.EAI_AGAIN:
        return Kind.CONFIG, Scope.CONNECTION, "Check the host in the setting url"
    if is_lost(error) or isinstance(error, OSError):
        return Kind.TRANSIENT, Scope.CONNECTION, "Is the server running, and can it be reached from here?"
    if isinstance(error, asyncpg.ClientConfigurationError):
        return Kind.CONFIG, Scope.CONNECTION, "Check the setting url"
    if isinstance(error, UnicodeError):
        return Kind.CONFIG, Scope.STREAM, "The database holds text that is not in its encoding (SQL_ASCII?)"
    if isinstance(error, asyncpg.PostgresError):
        return Kind.CONFIG, Scope.STREAM, "The server refuses the statement: check the setting objects"
    return Kind.BUG, Scope.STREAM, ""
