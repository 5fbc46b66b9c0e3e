"""Who owns a field of a record, where that depends on the record: "b once it is bound", "a while it is a customer". Pure.

What a condition asks is what was *settled* last, not what a side shows now: an edit made before the rule turned is still
carried under the old rule (G8), and the same pair of looks is judged alike whichever came first. Where a field of the
condition was never settled, the value that was just decided for it counts; where there is none, nobody can say yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from actors.core.conditions import Condition, Test
from actors.core.policy import FieldSpec, FirstContact, Owner, StreamSpec
from actors.core.types import Observation, Side
from actors.core.values import UNKNOWN, Fields, Seen, is_blank, same

__all__ = ["NOTHING", "contact_of", "may_change", "owner_of", "owning_side"]

NOTHING: Mapping[Any, Any] = MappingProxyType({})
_SIDES: Mapping[Owner, Side] = {Owner.A: "a", Owner.B: "b"}


def owner_of(
    spec: FieldSpec,
    settled: Fields,
    *,
    bound: bool,
    decided: Fields = NOTHING,
    shown: Mapping[Side, Mapping[str, Seen]] = NOTHING,
) -> Owner | None:
    """The owner of `spec` for one record; None where a condition asks for a value that is not known.

    `settled`: shared values as agreed on. `bound`: whether the record has its partner. `decided`: values of fields that
    are being settled just now, for what `settled` does not know. `shown`: what each side shows of the field itself: where
    two records meet, "b once it is filled" asks side b.
    """
    for case in spec.owner_cases:
        if case.once_bound and not bound:
            continue
        side = owning_side(case.owner)
        own = shown.get(side, NOTHING) if side is not None else NOTHING
        answers = [_holds(one, (settled, decided, own)) for one in case.when]
        if None in answers:
            return None
        if all(answers):
            return case.owner
    return spec.owner


def contact_of(stream: StreamSpec, shown: Mapping[Side, Observation]) -> tuple[FirstContact, tuple[str, ...]]:
    """What holds where two records meet. Nothing of them is settled yet, so a condition asks what they show: it holds where
    it holds for one of the sides that have the field. With it what may say otherwise and was not delivered:
    "side.field"."""
    for rule, when in stream.contact_cases:
        unsaid: list[str] = []
        for one in when:
            answers = {
                side: _holds(one, (_shown(stream.field(one.field), seen),)) for side, seen in shown.items()
            }
            if any(answers.values()):
                continue
            silent = [
                side
                for side, answer in answers.items()
                if answer is None and stream.field(one.field).side(side)
            ]
            if not silent:
                break
            unsaid.extend(f"{side}.{one.field}" for side in silent)
        else:
            return rule, tuple(unsaid)
    return stream.first_contact, ()


def _shown(spec: FieldSpec, seen: Observation) -> Mapping[str, Seen]:
    """A field as a side shows it; of a local one, as that side itself writes it."""
    place = spec.side(seen.side)
    if spec.name in seen.fields:
        return {spec.name: seen.fields[spec.name]}
    if place is not None and len(place.paths) == 1 and place.paths[0] in seen.native:
        return {spec.name: seen.native[place.paths[0]]}
    return NOTHING


def owning_side(owner: Owner | None) -> Side | None:
    """The one side that may change what this owner owns; None where there is not exactly one."""
    return _SIDES.get(owner) if owner is not None else None


def may_change(spec: FieldSpec, side: Side) -> bool:
    """Whether there is a record of which `side` may change this field: whether it can be written on the other one."""
    owners = {spec.owner, *(case.owner for case in spec.owner_cases)}
    return bool(owners & {Owner.BOTH, Owner(side)})


def _holds(condition: Condition, known: tuple[Mapping[str, Seen], ...]) -> bool | None:
    value: Seen = next((fields[condition.field] for fields in known if condition.field in fields), UNKNOWN)
    if value is UNKNOWN:
        return None
    if condition.test is Test.FILLED:
        return not is_blank(value)
    if condition.test is Test.EMPTY:
        return is_blank(value)
    found = any(same(value, one) for one in condition.values)
    return found if condition.test is Test.IS else not found
