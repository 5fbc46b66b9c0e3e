"""What fields owe each other through their rules: the conditions of owners, required fields, values to begin with, what
may be active on one side alone.

Each check notes all it finds. Must not: read entries; by now everything is compiled.
"""

from __future__ import annotations

from actors.core.blueprint.nodes import Node, guess
from actors.core.conditions import Condition, Test
from actors.core.policy import FieldSpec, Owner, StreamSpec
from actors.core.stream_rules import Reactivation
from actors.core.types import SIDES


def check_conditions(stream: StreamSpec, at: Node) -> None:
    """What an owner depends on has to be settled for every record, by rules that depend on nothing themselves."""
    fields = {field.name: field for field in stream.fields}
    for field in stream.fields:
        for index, case in enumerate(field.owner_cases):
            for condition in case.when:
                fault = _fault(field, condition, fields)
                if fault:
                    at.fault(fault, "fields", field.name, "owner", index, "when", condition.field)
            if Owner.LOCAL in (case.owner, field.owner):
                at.fault("a field is local for all records or for none", "fields", field.name, "owner")
        if field.owner_cases and (field.a is None or field.b is None):
            at.fault("an owner under conditions needs both sides", "fields", field.name, "owner")

    for index, (_, when) in enumerate(stream.contact_cases):
        for condition in when:
            fault = _contact_fault(condition, fields)
            if fault:
                at.fault(fault, "first_contact", index, "when", condition.field)


def _contact_fault(condition: Condition, fields: dict[str, FieldSpec]) -> str:
    asked = fields.get(condition.field)
    if asked is None:
        return f'"{condition.field}" is not a field of this stream{guess(condition.field, fields)}'
    joined = asked.owner is Owner.LOCAL and any(
        len(at.paths) != 1 for at in (asked.a, asked.b) if at is not None
    )
    if asked.reference or asked.as_set or asked.lines is not None or joined:
        return f"{asked.name} is no plain value"
    return ""


def _fault(field: FieldSpec, condition: Condition, fields: dict[str, FieldSpec]) -> str:
    asked = fields.get(condition.field)
    if asked is None:
        return f'"{condition.field}" is not a field of this stream{guess(condition.field, fields)}'
    if asked.name == field.name:
        if condition.test in (Test.FILLED, Test.EMPTY):
            return ""
        return "of its own value a field can only ask whether it is filled"
    if asked.owner_cases:
        return f"the owner of {asked.name} depends on a condition itself; only one step is followed"
    if asked.owner is Owner.LOCAL or asked.on_create_only or asked.a is None or asked.b is None:
        return f"{asked.name} is not kept in step, so nobody knows its value for every record"
    if asked.reference or asked.as_set:
        return f"{asked.name} is {'a reference' if asked.reference else 'a list'}; ask for a plain value"
    return ""


def check_values(stream: StreamSpec, at: Node) -> None:
    """Required fields that can never be filled, and values to begin with that another field writes."""
    for field in stream.fields:
        where = ("fields", field.name)
        if field.required and field.owner is Owner.LOCAL:
            at.fault("a local field goes nowhere, so nothing waits for it", *where, "required")
        if field.reactivation is Reactivation.IGNORE and not _is_single(field):
            said = "only a single value that both sides may change can be active on one of them alone"
            at.fault(said, *where, "reactivation")
        for side in SIDES:
            for path in field.starts_with.get(side, {}):
                others = (one for one in stream.fields if one.name != field.name)
                again = next((one.name for one in others if path in one.starts_with.get(side, {})), None)
                if again:
                    at.fault(f'"{path}" begins with a value in {again} already', *where, "starts_with")


def _is_single(field: FieldSpec) -> bool:
    """Whether it is one value, decided by itself, that both sides may change."""
    shared = (
        field.owner is Owner.BOTH and not field.owner_cases and field.a is not None and field.b is not None
    )
    several = field.group or field.as_set or field.reference or field.attachment or field.lines is not None
    return shared and not several and not field.on_create_only
