"""A link's life as independent facts; the state that is shown is computed from them. Pure.

How it stands (establishment) moves by the table `TRANSITIONS` alone; a pause is a wish and survives every other event;
health is a set of reasons, each raised and cleared by its name. Permissions stand beside it (permissions.py).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from actors.core.errors import Kind
from actors.core.types import Outcome


class Wish(enum.StrEnum):
    """What people want of the link."""

    RUN = "run"
    PAUSED = "paused"


class Establishment(enum.StrEnum):
    """How far a link has come. Until it is confirmed it is a proposal, and no link yet."""

    REQUESTED = "requested"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    CONFIRMED = "confirmed"  # both agree; what it needs is not complete: "being set up"
    ESTABLISHED = "established"
    OFF = "off"


class Step(enum.StrEnum):
    """What somebody does, or time."""

    CONFIRM = "confirm"
    DECLINE = "decline"
    WITHDRAW = "withdraw"
    EXPIRE = "expire"
    ACTIVATE = "activate"
    DEACTIVATE = "deactivate"


# Every step that leads anywhere; docs/LINKS.md shows it, and a test compares. What is not here is refused.
TRANSITIONS: Final[Mapping[tuple[Establishment, Step], Establishment]] = {
    (Establishment.REQUESTED, Step.CONFIRM): Establishment.CONFIRMED,
    (Establishment.REQUESTED, Step.DECLINE): Establishment.DECLINED,
    (Establishment.REQUESTED, Step.WITHDRAW): Establishment.WITHDRAWN,
    (Establishment.REQUESTED, Step.EXPIRE): Establishment.EXPIRED,
    (Establishment.CONFIRMED, Step.ACTIVATE): Establishment.ESTABLISHED,
    (Establishment.ESTABLISHED, Step.DEACTIVATE): Establishment.OFF,
    (Establishment.OFF, Step.ACTIVATE): Establishment.ESTABLISHED,
    # Replays: the answer was lost, and the step is said again.
    (Establishment.CONFIRMED, Step.CONFIRM): Establishment.CONFIRMED,
    (Establishment.ESTABLISHED, Step.CONFIRM): Establishment.ESTABLISHED,
    (Establishment.OFF, Step.CONFIRM): Establishment.OFF,
    (Establishment.DECLINED, Step.DECLINE): Establishment.DECLINED,
    (Establishment.WITHDRAWN, Step.WITHDRAW): Establishment.WITHDRAWN,
    (Establishment.ESTABLISHED, Step.ACTIVATE): Establishment.ESTABLISHED,
    (Establishment.OFF, Step.DEACTIVATE): Establishment.OFF,
}


class NoStep(ValueError):
    """The step leads nowhere from here; the text says why."""


def stepped(now: Establishment, step: Step, *, irreversible: bool = False) -> Establishment:
    """Where the step leads. `irreversible`: the rules of this link say that it can't be undone (W8)."""
    if irreversible and step is Step.DEACTIVATE and now is Establishment.ESTABLISHED:
        raise NoStep("it is established, and its rules say that this can't be undone")
    found = TRANSITIONS.get((now, step))
    if found is None:
        raise NoStep(f"it is {now.value}: there is nothing to {step.value}")
    return found


class Reason(msgspec.Struct, frozen=True):
    """Why a link is not healthy. `kind`: an error kind; `text`: for people, names the thing and the way out."""

    kind: str
    text: str


class Facts(msgspec.Struct, frozen=True):
    """The facts of a link. `loaded`: streams whose initial load is complete. `failures`: failed runs in a row.
    `recovering`: an older state was put back; the link waits, paused, until a person has it go on."""

    wish: Wish = Wish.RUN
    establishment: Establishment = Establishment.ESTABLISHED
    loaded: tuple[str, ...] = ()
    recovering: bool = False
    reasons: Mapping[str, Reason] = {}
    failures: int = 0


class Shown(enum.StrEnum):
    """The state as shown."""

    OFF = "off"
    BEING_SET_UP = "being_set_up"
    PAUSED = "paused"
    RECOVERING = "recovering"
    MISCONFIGURED = "misconfigured"
    DEGRADED = "degraded"
    RUNNING = "running"
    LOADING = "loading"
    IN_STEP = "in_step"


def shown(facts: Facts, streams: tuple[str, ...], running: bool) -> Shown:
    """The state to show: what only a person can end first, then what is wrong, then what is going on."""
    if facts.establishment is Establishment.OFF:
        return Shown.OFF
    if facts.establishment is not Establishment.ESTABLISHED:
        return Shown.BEING_SET_UP
    if facts.recovering:
        return Shown.RECOVERING
    if facts.wish is Wish.PAUSED:
        return Shown.PAUSED
    if any(r.kind in (Kind.CONFIG, Kind.AUTH) for r in facts.reasons.values()):
        return Shown.MISCONFIGURED
    if facts.reasons:
        return Shown.DEGRADED
    if not set(streams) <= set(facts.loaded):
        return Shown.LOADING
    return Shown.RUNNING if running else Shown.IN_STEP


def works(facts: Facts) -> bool:
    """Whether runs may look and write."""
    return facts.wish is Wish.RUN and facts.establishment is Establishment.ESTABLISHED


def plans(facts: Facts) -> bool:
    """Whether a plan may be made, which only looks: to be read before the link goes on, or before it is active."""
    return facts.establishment in (Establishment.ESTABLISHED, Establishment.CONFIRMED)


def wish(facts: Facts, value: Wish) -> Facts:
    """Pause or resume. To resume is to say that the recovery is over."""
    return msgspec.structs.replace(facts, wish=value, recovering=facts.recovering and value is Wish.PAUSED)


def raised(facts: Facts, name: str, reason: Reason) -> Facts:
    """Add (or replace) a reason."""
    return msgspec.structs.replace(facts, reasons={**facts.reasons, name: reason})


def cleared(facts: Facts, name: str) -> Facts:
    """Take a reason away."""
    return msgspec.structs.replace(facts, reasons={n: r for n, r in facts.reasons.items() if n != name})


def loaded(facts: Facts, stream: str) -> Facts:
    """The initial load of a stream is complete."""
    if stream in facts.loaded:
        return facts
    return msgspec.structs.replace(facts, loaded=(*facts.loaded, stream))


def ended(facts: Facts, outcome: Outcome) -> Facts:
    """A run has ended."""
    return msgspec.structs.replace(facts, failures=facts.failures + 1 if outcome is Outcome.FAILED else 0)


def backoff_s(failures: int, jitter: float) -> float:
    """How long to wait after so many failed runs in a row, seconds: doubling from 2 s to 1 min, +-25 %."""
    if failures <= 0:
        return 0.0
    return min(60.0, 2.0 * 2.0 ** min(failures - 1, 10)) * (0.75 + 0.5 * jitter)


def load(data: Mapping[str, Any]) -> Facts:
    """Facts from what the store keeps."""
    return msgspec.convert(dict(data), Facts, strict=False)


def dump(facts: Facts) -> dict[str, Any]:
    """Facts as plain data for the store."""
    out: dict[str, Any] = msgspec.to_builtins(facts)
    return out


def outcome(
    *, confirmed: int, failed: int, waiting: int, held: bool, cut_short: bool, cancelled: bool
) -> Outcome:
    """How a run ended, from its records (S3, S5): never "succeeded" when a record failed or a look was cut short.

    `confirmed`: writes and adoptions that took effect; `failed`: refused or unknown; `waiting`: newly parked;
    `held`: a plan waits for a yes; `cut_short`: a side could not be looked at, or not to the end.
    """
    if cancelled:
        return Outcome.CANCELLED
    bad = failed + waiting
    if cut_short:
        return Outcome.PARTIAL if confirmed else Outcome.FAILED
    if held:
        return Outcome.AWAITING_APPROVAL
    if bad:
        return Outcome.PARTIAL if confirmed else (Outcome.FAILED if failed else Outcome.PARTIAL)
    return Outcome.SUCCEEDED if confirmed else Outcome.NOTHING_NEW
