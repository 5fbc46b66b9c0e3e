"""Error kinds, sorted by what happens next, each with a scope (DESIGN: error kinds).

"Gone" and "moved on" are no errors but observations that go back to the planner.
"""

from __future__ import annotations

import enum


class Kind(enum.StrEnum):
    """What the engine does next."""

    CONFIG = "config"  # the scope stops as misconfigured, naming the setting
    AUTH = "auth"  # the connection pauses until credentials or a session check pass
    TRANSIENT = "transient"  # surely not done: bounded retry with backoff
    UNKNOWN = "unknown"  # sent, outcome not known: never retried blind
    RATE_LIMITED = "rate_limited"  # the account waits as told
    REJECTED = "rejected"  # the record goes to quarantine with the system's own words
    UNSAFE = "unsafe"  # the guard's veto: the rest waits as a plan
    BUG = "bug"  # ours: the record is parked, or the actor restarts


class Scope(enum.StrEnum):
    """How far an error reaches."""

    RECORD = "record"
    STREAM = "stream"
    LINK = "link"
    CONNECTION = "connection"


class TandemError(Exception):
    """The one exception of the engine and its ports.

    `message` says what happened and names the thing; `hint` is the way out, for a person; `retry_after_s` is what
    the outside asked for, if it did. `raw` is what a system answered, bounded; for the log alone. Never carries credentials.
    """

    raw: str = ""

    def __init__(
        self,
        kind: Kind,
        message: str,
        *,
        scope: Scope = Scope.CONNECTION,
        hint: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.scope = scope
        self.hint = hint
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class LeaseLost(Exception):
    """Another owner holds the link, or the lease ran out: stop at once, write nothing more."""


class RulesChanged(LeaseLost):
    """The lease was taken away with a change of the rules, and given to nobody: whoever comes first begins anew."""
