"""Documents: what is staged until a person imports it, and what is written once and never again. Pure.

A staged record is a half binding with a line in the room `staged`; the decision to import counts for what the line showed
(a fingerprint), and the record is read again before it is made (SPEC S10, S11, S18, S19; REDTEAM 20). What was made on a
side that is written once is left as it is; where its origin changes later that is listed, never silent (T7).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from actors.core.actions import note_line
from actors.core.policy import StreamSpec
from actors.core.stream_rules import Imports
from actors.core.types import Action, ActionState, Binding, Observation, Parked, Presence, Room, Side, other
from actors.core.values import Value, fingerprint

ONCE = "*once*"
IMPORTED = ("import", "retry")
FAILED = "import failed: "
TRIED = "failed action"
CHANGED = "staged: changed since"
_WORDS: Mapping[Imports, tuple[str, str]] = {
    Imports.ASK: ("to be imported on {}", "import it, now or later"),
    Imports.ALWAYS: ("imported on {} after the run", "it is imported by itself"),
    Imports.NEVER: (
        "never imported on {}",
        "let the link import (imports: ask or always), or enter it there by hand",
    ),
}
NAMED_MAX = 12  # values that a line of the protocol names


def staged(
    stream: StreamSpec,
    half: Binding,
    seen: Observation,
    wanted: Mapping[str, Value],
    parked: Sequence[Parked],
    just_staged: bool,
) -> Parked | None:
    """The line of a record that waits for its import; None where it need not: a person, or the rule, said so for what it
    shows now. `just_staged`: by this very run, which ends with staged documents."""
    target = other(seen.side)
    if target not in stream.stages:
        return None
    before = next((row for row in parked if row.room is Room.STAGED), None)
    tried = before.detail.get(TRIED, 0) if before is not None else 0
    print_ = staged_print(stream, target, wanted, tried)
    as_shown = before is not None and before.fingerprint == print_
    if as_shown and before is not None and decided(stream, before, just_staged=just_staged):
        return None
    words, hint = _WORDS[stream.imports]
    changed = before is not None and (not as_shown or before.reason.startswith(CHANGED))
    reason = f"{CHANGED}, {words.format(target)}" if changed else f"staged: {words.format(target)}"
    if as_shown and before is not None and tried:
        reason, hint = before.reason, before.hint
    return Parked(
        stream=stream.name,
        room=Room.STAGED,
        binding=half.key,
        side=seen.side,
        record=seen.id,
        reason=reason,
        hint=hint,
        detail=detail_of(wanted, tried if as_shown else 0),
        fingerprint=print_ if as_shown else staged_print(stream, target, wanted, 0),
    )


def never_imported(
    stream: StreamSpec, half: Binding, seen: Observation, parked: Sequence[Parked]
) -> tuple[Action, ...]:
    """The line that says: what was staged is gone, or takes part no more, without having been imported, and what it was.
    None where nothing was staged."""
    row = next((row for row in parked if row.room is Room.STAGED), None)
    if row is None:
        return ()
    shown = row.detail.get("fields")
    values = [
        f"{name} {value}"
        for name, value in (shown.items() if isinstance(shown, Mapping) else ())
        if not isinstance(value, Mapping | list | tuple)
    ]
    why = "no longer takes part" if seen.presence is Presence.PRESENT else "gone"
    rule, side = Room.STAGED.value, other(seen.side)
    words = f"{why} on {seen.side} before it was imported on {side}: {', '.join(values[:NAMED_MAX])}"
    return (note_line(stream, half, side, seen.id, rule, words, ActionState.DROPPED),)


def decided(stream: StreamSpec, row: Parked, *, just_staged: bool = False) -> bool:
    """Whether a line says that its record is to be imported: by a person's word, or by the rule, which tries once. Whether
    that counts for what the record shows now is `staged`'s to say."""
    if row.room is not Room.STAGED or stream.imports is Imports.NEVER:
        return False
    by_rule = stream.imports is Imports.ALWAYS and TRIED not in row.detail and not just_staged
    return by_rule or (row.decision or {}).get("choose") in IMPORTED


def detail_of(wanted: Mapping[str, Value], tried: int) -> dict[str, object]:
    """What the line shows. `tried`: number of the action that failed, 0 where none did."""
    return {"fields": dict(wanted), **({TRIED: tried} if tried else {})}


def staged_print(stream: StreamSpec, side: Side, wanted: Mapping[str, Value], tried: int) -> str:
    """What a decision to import counts for: for one attempt, with these values."""
    return fingerprint(["staged", stream.name, side, dict(wanted), tried])


def written_once(
    stream: StreamSpec,
    binding: Binding,
    seen: Observation,
    wanted: Mapping[str, Value],
    before: Mapping[str, Value],
) -> Parked:
    """The line that says: what was made once on this side would have to be changed."""
    names, origin = ", ".join(wanted), other(seen.side)
    return Parked(
        stream=stream.name,
        room=Room.CONFLICT,
        binding=binding.key,
        field=ONCE,
        side=seen.side,
        record=seen.id,
        reason=f"changed on {origin} after it was made on {seen.side}, where it is written once: {names}",
        hint=f"correct it on {seen.side} by hand; or decide {seen.side}: it stays there as it is",
        detail={origin: dict(wanted), seen.side: dict(before)},
        fingerprint=fingerprint([ONCE, seen.side, dict(wanted), dict(before)]),
    )
