"""Between the engine's structs and columns: bindings, actions, and mappings of anything as JSON text.

Record fields go through `actors.core.values.encode`, so that equal fields are equal text. Pure; must not know SQL.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import msgspec

from actors.core.actions import decided_by_origin
from actors.core.changes import Change, Standing
from actors.core.types import (
    Action,
    ActionState,
    Binding,
    Deviation,
    FieldDecision,
    Held,
    Op,
    Parked,
    Presence,
    Room,
    Side,
    State,
)
from actors.core.values import Line, Value, decode, encode, encoded, line_of
from actors.ports import ChangeIntents

Row = asyncpg.Record

_JSON = msgspec.json.Encoder(order="sorted")


def clean(text: str) -> str:
    """Text for people as PostgreSQL can hold it: NUL and halves of surrogate pairs are replaced."""
    if text.isascii() and "\x00" not in text:
        return text
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def to_json(value: Any) -> str:
    """For jsonb columns: plain JSON; no value in it is lost but NUL and half surrogate pairs."""
    return _JSON.encode(_cleaned(value)).decode()


def pack(mapping: Mapping[str, Any]) -> str:
    """A mapping of values, plain JSON values, lists and mappings as JSON text; lists come back as tuples."""
    return _JSON.encode({clean(name): _tagged(value) for name, value in mapping.items()}).decode()


def unpack(text: str) -> dict[str, Any]:
    """The inverse of `pack`."""
    return {name: _untagged(value) for name, value in msgspec.json.decode(text).items()}


def columns(rows: Sequence[Sequence[Any]], width: int) -> list[list[Any]]:
    """Rows turned into columns for unnest; `width` many even when there is no row."""
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]


# ------------------------------------------------------------------------------------------------ bindings

BINDING_WIDTH = 19


def binding_columns(bindings: Sequence[Binding]) -> list[list[Any]]:
    """One list per column of `bindings`, in the order of the queries binding_insert and binding_replace."""
    return columns([_binding_row(binding) for binding in bindings], BINDING_WIDTH)


def binding(row: Row) -> Binding:
    """A row of `bindings`."""
    return Binding(
        stream=row["stream"],
        key=row["key"],
        state=State(row["state"]),
        a=_held(row["a_id"], row["a_presence"], row["a_gen"], row["a_version"], row["a_dev"]),
        b=_held(row["b_id"], row["b_presence"], row["b_gen"], row["b_version"], row["b_dev"]),
        base=decode(row["base"]),
        keys=tuple(row["keys"]),
        map_ver=row["map_ver"],
        rev=row["rev"],
        note=row["note"] or "",
        contests=_contests(row["contests"]),
    )


def _binding_row(binding: Binding) -> tuple[Any, ...]:
    return (
        binding.key,
        binding.stream,
        binding.state.value,
        binding.rev,
        *_held_columns(binding.a),
        *_held_columns(binding.b),
        encode(binding.base),
        "{" + ",".join(map(str, binding.keys)) + "}",
        binding.map_ver,
        clean(binding.note) or None,
        contests_text(binding.contests),
    )


def _held_columns(held: Held | None) -> tuple[Any, ...]:
    if held is None:
        return None, None, 0, None, None
    presence = None if held.presence is Presence.PRESENT else held.presence.value
    return held.id, presence, held.seen_gen, held.version, _deviations_text(held.dev) if held.dev else None


def _held(
    id_: str | None, presence: str | None, seen_gen: int, version: str | None, dev: str | None
) -> Held | None:
    if id_ is None:
        return None
    return Held(
        id=id_,
        presence=Presence(presence) if presence else Presence.PRESENT,
        dev=_deviations(dev) if dev else {},
        version=version,
        seen_gen=seen_gen,
    )


def _deviations_text(dev: Mapping[str, Deviation]) -> str:
    values = encode({name: deviation.value for name, deviation in dev.items()})
    reasons = {name: deviation.reason for name, deviation in dev.items()}
    return _JSON.encode({"values": msgspec.Raw(values.encode()), "reasons": reasons}).decode()


class _Deviations(msgspec.Struct):
    values: msgspec.Raw
    reasons: dict[str, str]


def _deviations(text: str) -> dict[str, Deviation]:
    stored = msgspec.json.decode(text, type=_Deviations)
    values = _fields(stored.values)
    return {name: Deviation(values[name], reason) for name, reason in stored.reasons.items()}


def contests_text(contests: Mapping[str, tuple[int, float]]) -> str | None:
    """Null where there are none."""
    return _JSON.encode(dict(contests)).decode() if contests else None


def standing(row: Row, there: Side) -> Standing:
    """A row of the query bindings_standing."""
    return Standing(
        row["key"], row["rev"], row[f"{there}_id"], row["base"], _contests(row["contests"]), row["is_plain"]
    )


def _contests(text: str | None) -> dict[str, tuple[int, float]]:
    return msgspec.json.decode(text, type=dict[str, tuple[int, float]]) if text else {}


# ------------------------------------------------------------------------------------------------- actions

ACTION_WIDTH = 13


class _Decision(msgspec.Struct):
    field: str
    rule: str
    values: msgspec.Raw  # chosen, base, a, b
    unknown: tuple[str, ...] = ()


class _ActionData(msgspec.Struct, omit_defaults=True):
    """What of an action nobody searches for."""

    fields: msgspec.Raw = msgspec.Raw(b"{}")
    native: msgspec.Raw = msgspec.Raw(b"{}")
    before: msgspec.Raw = msgspec.Raw(b"{}")
    seen_native: msgspec.Raw = msgspec.Raw(b"{}")
    version: str | None = None
    tag: str = ""
    decisions: tuple[_Decision, ...] = ()
    kinds: tuple[str, ...] = ()
    covers: tuple[int, int] | None = None


def action_columns(actions: Sequence[Action]) -> list[list[Any]]:
    """One list per column that `actions` and `plan_actions` share, in the order of their insert queries."""
    return columns([_action_row(action) for action in actions], ACTION_WIDTH)


def intent_columns(actions: Sequence[Action]) -> list[list[Any]]:
    """One list per column of the query intend, which gives the state itself."""
    rows = [_action_row(action) for action in actions]
    stream, side, op, binding, _, rule, reason, target, origin, fingerprint, deadline, error, data = columns(
        rows, ACTION_WIDTH
    )
    return [
        *folded(stream, side, op),
        binding,
        *folded(rule, reason),
        target,
        origin,
        fingerprint,
        *folded(error, deadline),
        data,
    ]


def change_columns(intents: ChangeIntents) -> list[list[Any]]:
    """The same columns of changes that cross as lines."""
    changes = intents.changes
    rules = [change.rule for change in changes]
    return [
        [intents.stream],
        [intents.side],
        [Op.UPDATE.value],
        [change.key for change in changes],
        *folded(rules, rules),
        [change.target for change in changes],
        [change.origin for change in changes],
        [change.fingerprint for change in changes],
        [""],
        [intents.deadline],
        [_change_data(change) for change in changes],
    ]


def folded(*columns: list[Any]) -> list[list[Any]]:
    """A column in which all rows hold the same is given once: encoding an array costs by the element."""
    return [one[:1] if one and one.count(one[0]) == len(one) else one for one in columns]


def _change_data(change: Change) -> str:
    """What `_ActionData` is in JSON: the parts are JSON already."""
    decisions = ",".join(
        [
            f'{{"field":{_quoted(field)},"rule":{_quoted(rule)},"values":{values}}}'
            for field, rule, values in change.decisions
        ]
    )
    kinds = ",".join([f'"{kind}"' for kind in change.kinds])
    return (
        f'{{"before":{change.before},"decisions":[{decisions}],"fields":{change.fields},"kinds":[{kinds}],'
        f'"native":{change.native},"seen_native":{change.seen}}}'
    )


@functools.lru_cache(maxsize=1000)
def _quoted(text: str) -> str:
    return _JSON.encode(text).decode()


def rebased_columns(changes: Sequence[Change]) -> list[list[Any]]:
    """What changes make of their bindings: key, revision, base, contests."""
    return [
        [change.key for change in changes],
        [change.rev + 1 for change in changes],
        [change.base for change in changes],
        [contests_text(change.contests) for change in changes],
    ]


def action(row: Row, state: ActionState | None = None) -> Action:
    """A row of `actions`, or of `plan_actions` (which has no state of its own)."""
    data = msgspec.json.decode(row["data"], type=_ActionData)
    stored = Action(
        stream=row["stream"],
        side=row["side"],
        op=Op(row["op"]),
        binding=row["binding"],
        rule=row["rule"],
        reason=row["reason"],
        target=row["target"],
        tag=data.tag,
        fields=_fields(data.fields),
        native=_fields(data.native),
        before=_fields(data.before),
        seen_native=_fields(data.seen_native),
        version=data.version,
        decisions=tuple(map(_decision, data.decisions)),
        fingerprint=row["fingerprint"],
        id=row["id"],
        state=state or ActionState(row["state"]),
        deadline=row["deadline"],
        error=row["error"],
        origin=row["origin"],
        kinds=data.kinds,
        covers=data.covers,
    )
    return stored if data.decisions else msgspec.structs.replace(stored, decisions=decided_by_origin(stored))


class _Kinds(msgspec.Struct):
    kinds: tuple[str, ...] = ()


def kinds_of(data: str) -> tuple[str, ...]:
    """What a stored action spends of the budgets; all else in its column `data` is skipped."""
    return msgspec.json.decode(data, type=_Kinds).kinds


def _action_row(action: Action) -> tuple[Any, ...]:
    data = _ActionData(
        fields=_raw(action.fields),
        native=_raw(action.native),
        before=_raw(action.before),
        seen_native=_raw(action.seen_native),
        version=action.version,
        tag=action.tag,
        decisions=tuple(map(_decision_data, action.decisions)),
        kinds=action.kinds,
        covers=action.covers,
    )
    return (
        action.stream,
        action.side,
        action.op.value,
        action.binding,
        action.state.value,
        clean(action.rule),
        clean(action.reason),
        action.target,
        action.origin,
        action.fingerprint,
        action.deadline,
        clean(action.error),
        _JSON.encode(data).decode(),
    )


def _decision_data(decision: FieldDecision) -> _Decision:
    values = {"chosen": decision.chosen, "base": decision.base, "a": decision.a, "b": decision.b}
    return _Decision(decision.field, decision.rule, _raw(values), decision.unknown)


def _decision(stored: _Decision) -> FieldDecision:
    return FieldDecision(
        field=stored.field, rule=stored.rule, unknown=stored.unknown, **_fields(stored.values)
    )


def _raw(fields: Mapping[str, Value]) -> msgspec.Raw:
    return msgspec.Raw(encoded(fields))


def _fields(raw: msgspec.Raw) -> dict[str, Any]:
    return decode(bytes(raw).decode())


# -------------------------------------------------------------------------------------------------- parked

PARKED_WIDTH = 11


def parked_columns(rows: Iterable[Parked]) -> list[list[Any]]:
    """One list per column of the query park."""
    return columns([_parked_row(row) for row in rows], PARKED_WIDTH)


def parked(row: Row) -> Parked:
    """A row of `parked`; its decision shows only while it stands on what it was made on."""
    return Parked(
        stream=row["stream"],
        room=Room(row["room"]),
        binding=row["binding"],
        reason=row["reason"],
        field=row["field"],
        side=row["side"],
        record=row["record"],
        hint=row["hint"],
        detail=unpack(row["detail"]),
        fingerprint=row["fingerprint"],
        decision=unpack(row["decision"]) if row["decision"] is not None else None,
        id=row["id"],
        since=row["since"],
    )


def _parked_row(row: Parked) -> tuple[Any, ...]:
    return (
        row.stream,
        row.room.value,
        row.binding,
        row.field,
        row.side,
        clean(row.record),
        clean(row.reason),
        clean(row.hint),
        pack(row.detail),
        row.fingerprint,
        row.since,
    )


# ------------------------------------------------------------------------------------------------ anything

# A list is a JSON list; whatever JSON has no form for is an object with one tag; a mapping is tagged itself.


def _tagged(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {"m": {clean(str(name)): _tagged(item) for name, item in value.items()}}
    if isinstance(value, list | tuple | set | frozenset):
        return [_tagged(item) for item in value]
    if isinstance(value, Line):
        return {"l": {clean(name): _tagged(cell) for name, cell in value.cells}}
    if isinstance(value, Decimal):
        return {"n": format(value, "f")}
    if isinstance(value, datetime):
        return {"t": value.isoformat()}
    if isinstance(value, date):
        return {"d": value.isoformat()}
    return {"b": value.hex()} if isinstance(value, bytes) else value


def _untagged(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_untagged, value))
    if not isinstance(value, dict):
        return value
    ((tag, content),) = value.items()
    if tag == "m":
        return {name: _untagged(item) for name, item in content.items()}
    if tag == "l":
        return line_of({name: _untagged(cell) for name, cell in content.items()})
    return decode(_JSON.encode({"value": value}).decode())["value"]


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Line):
        return {name: _cleaned(cell) for name, cell in value.cells}
    if isinstance(value, Mapping):
        return {clean(str(name)): _cleaned(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_cleaned(item) for item in value]
    return value
