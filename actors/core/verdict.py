"""What the planner must know, what it says about a pair, and the small steps that all its parts share. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from actors.core import initial, match
from actors.core.mapping import NO_REFS, Refs
from actors.core.policy import StreamSpec
from actors.core.types import Action, Binding, Observation, Parked, Room, Side, State
from actors.core.values import Fields

UNSEEN_AGAIN_S = 10.0
RESTORE = "deleted on the other side, to be put back"
REPLACED = "its id was given to another record on "  # and the side


class Context(msgspec.Struct, frozen=True):
    """What the planner must know besides the pair: wall clock, breaker, what is parked for this binding, references.

    `concludes`: what is new was compared with what is gone, so that a record that is gone was deleted, not moved.
    `survivor`: the record that has one of the keys of the one that is gone, and the key's name; `referring`: records beside
    the one that is left that refer to it, None where that is not to be known.
    `lacks`: what it requires of other streams and is not in step yet, in words.
    `just_staged`: this very run has staged it.
    `loading`: the stream's initial load is not complete.
    `reused`: sides that may give the id of a record that was deleted to another one.
    `astray`: of what a move of ours left behind, whether the record in the other object is gone; None: not to be seen yet.
    """

    now: float
    breaker: int = 20
    parked: tuple[Parked, ...] = ()
    refs: Refs = NO_REFS
    concludes: bool = True
    survivor: tuple[str, str] | None = None
    referring: tuple[str, ...] | None = None
    lacks: tuple[str, ...] = ()
    just_staged: bool = False
    loading: bool = False
    reused: frozenset[Side] = frozenset()
    astray: bool | None = False


class Verdict(msgspec.Struct, frozen=True):
    """What is to be done about one pair.

    `binding`: with everything adopted that needs no write (`rev` is left as stored: the window counts it up).
    `actions`: writes, at most one per side. `park`: every reason why the record waits now; rooms not named here are
    left. `items`: protocol lines without a write. `drop`: the half binding is of no use any more. `again_s`: look again
    after so long, though nothing may have changed (0: no need), at the record of `again_side` where that matters.
    """

    binding: Binding
    actions: tuple[Action, ...] = ()
    park: tuple[Parked, ...] = ()
    items: tuple[Action, ...] = ()
    drop: bool = False
    again_s: float = 0.0
    again_side: Side | None = None


def adopt_keys(stream: StreamSpec, binding: Binding, *looks: Fields) -> Binding:
    """The binding with its match keys brought up to date: from what is settled, and for what is not from these looks, the
    first of them first."""
    known: Fields = binding.base
    if not stream.key_names <= known.keys():
        known = {name: value for fields in reversed(looks) for name, value in fields.items()}
        known = {**known, **binding.base}
    return msgspec.structs.replace(binding, keys=match.keys(stream, known))


def newcomer_state(stream: StreamSpec, seen: Observation) -> State:
    """NEW, or UNSURE while a match key is not delivered (what can't be read at all is parked when it is planned)."""
    return State.UNSURE if match.undelivered(stream, seen.fields) and not seen.problem else State.NEW


def presence_of(binding: Binding, a: Observation, b: Observation) -> Binding:
    assert binding.a is not None and binding.b is not None
    return msgspec.structs.replace(
        binding,
        a=msgspec.structs.replace(binding.a, presence=a.presence, version=a.version),
        b=msgspec.structs.replace(binding.b, presence=b.presence, version=b.version),
    )


def in_state(binding: Binding, state: State, note: str) -> Binding:
    return msgspec.structs.replace(binding, state=state, note=note)


def tombstone(binding: Binding, note: str) -> Binding:
    return in_state(binding, State.TOMBSTONE, initial.noted(binding, note))


def tried(binding: Binding, actions: tuple[Action, ...], park: tuple[Parked, ...], ctx: Context) -> Verdict:
    """Leave out what a system refused before and nothing has changed since: it stays in quarantine."""
    go: list[Action] = []
    kept: list[Parked] = list(park)
    for action in actions:
        refused = next(
            (p for p in ctx.parked if p.room is Room.QUARANTINE and p.fingerprint == action.fingerprint), None
        )
        if refused is None or (refused.decision or {}).get("choose") == "retry":
            go.append(action)
        else:
            kept.append(refused)
    return Verdict(binding, tuple(go), tuple(kept))


def chosen(parked: Sequence[Parked], field: str, print_: str) -> str | None:
    for p in parked:
        if (
            p.room is Room.CONFLICT
            and p.field == field
            and p.fingerprint == print_
            and p.decision is not None
        ):
            return str(p.decision.get("choose"))
    return None
