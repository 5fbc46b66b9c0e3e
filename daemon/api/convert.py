"""Between the engine's types and the messages of the API. Pure; what is secret has no way through here.

Must not: ask anybody anything, or decide.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from google.protobuf import json_format, struct_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from actors.core import schedule
from actors.core.actions import way_out
from actors.core.backlog import Backlog, unpacked
from actors.core.blueprint.compiler import BlueprintError
from actors.core.preflight import Obstacle
from actors.core.schedule import Place
from actors.core.types import Action, Binding, FieldDecision, Held, Outcome, Parked, Side
from actors.core.values import UNKNOWN, Erased, Line, Seen
from actors.ports import Counters, Declaration, ObjectInfo, PlanRow, RunRow
from daemon.health import LinkView
from daemon.store.rows import ConnectionInfo
from tandem.v1 import (
    blueprints_pb2,
    common_pb2,
    connections_pb2,
    links_pb2,
    plans_pb2,
    records_pb2,
    rooms_pb2,
    runs_pb2,
)

# Whole numbers beyond this lose digits in a JSON number.
_EXACT_MAX: Final = 2**53
_SIDES: Final[Mapping[str, common_pb2.Side.ValueType]] = {"a": common_pb2.SIDE_A, "b": common_pb2.SIDE_B}


def stamp(seconds: float) -> Timestamp | None:
    """Epoch seconds; 0 (never) is left out."""
    if seconds <= 0:
        return None
    found = Timestamp()
    found.FromMicroseconds(int(seconds * 1e6))
    return found


def side(value: Side | str | None) -> common_pb2.Side.ValueType:
    """a and b; nothing else is a side."""
    return _SIDES.get(value or "", common_pb2.SIDE_UNSPECIFIED)


def obstacle(one: Obstacle) -> common_pb2.Obstacle:
    """What stands in the way."""
    return common_pb2.Obstacle(
        side=side(one.side),
        object=one.object,
        text=one.text,
        count=one.count,
        ways_out=one.ways_out,
        severity=one.severity.value,
    )


def account(info: ConnectionInfo) -> common_pb2.Account:
    """An account as lists and answers about several of them name it."""
    return common_pb2.Account(
        connection=info.id,
        tenant=info.tenant,
        name=info.name,
        connector=info.connector,
        identity=info.identity,
        own_mark=info.own_mark,
    )


def side_of(value: int) -> Side:
    """From the wire; only for values that the rules let through."""
    return "a" if value == common_pb2.SIDE_A else "b"


def plain(value: Any) -> Any:
    """A value as JSON has it: decimals, dates, instants, bytes and very large numbers as text."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return value if abs(value) <= _EXACT_MAX else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Line):
        return {name: plain(cell) for name, cell in value.cells}
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, Erased):
        return "(erased)"
    return [plain(one) for one in value] if isinstance(value, list | tuple | set | frozenset) else str(value)


def value(given: Any) -> struct_pb2.Value:
    """A value of a record."""
    return json_format.ParseDict(plain(given), struct_pb2.Value())


def struct(given: Mapping[str, Any]) -> struct_pb2.Struct:
    """A mapping of such values."""
    return json_format.ParseDict(plain(given), struct_pb2.Struct())


def settings_of(given: struct_pb2.Struct) -> dict[str, Any]:
    """Settings from the wire; a number without a fraction is a whole one."""
    found: dict[str, Any] = _whole(json_format.MessageToDict(given))
    return found


def value_of(given: struct_pb2.Value) -> Any:
    """A value from the wire; a number without a fraction is a whole one, another one a decimal."""
    found = _whole(json_format.MessageToDict(given))
    return Decimal(repr(found)) if isinstance(found, float) else found


def _whole(given: Any) -> Any:
    if isinstance(given, float) and given.is_integer():
        return int(given)
    if isinstance(given, dict):
        return {name: _whole(one) for name, one in given.items()}
    return [_whole(one) for one in given] if isinstance(given, list) else given


def field_value(given: Any, unknown: bool = False) -> common_pb2.FieldValue:
    """A field's value, or that it is not known."""
    return common_pb2.FieldValue(unknown=True) if unknown else common_pb2.FieldValue(value=value(given))


def seen(given: Seen) -> common_pb2.FieldValue:
    """A field's value as a side, or a base, shows it."""
    return field_value(None, unknown=True) if given is UNKNOWN else field_value(given)


def decision(one: FieldDecision) -> common_pb2.FieldDecision:
    """How a field was decided."""
    return common_pb2.FieldDecision(
        field=one.field,
        base=field_value(one.base, "base" in one.unknown),
        a=field_value(one.a, "a" in one.unknown),
        b=field_value(one.b, "b" in one.unknown),
        chosen=field_value(one.chosen),
        rule=one.rule,
    )


def action(one: Action, planned: bool = False) -> common_pb2.Action:
    """One action. `planned`: the number is a place in a plan, not yet one of the installation."""
    return common_pb2.Action(
        id=0 if planned else one.id,
        stream=one.stream,
        side=side(one.side),
        op=one.op.value,
        state=one.state.value,
        record=one.target,
        origin=one.origin,
        rule=one.rule,
        reason=one.reason,
        error=one.error,
        decisions=map(decision, one.decisions),
        binding=one.binding,
        hint=way_out(one),
    )


def run(row: RunRow, counters: Sequence[Counters] = ()) -> runs_pb2.Run:
    """A run; one that was asked for and has not begun is queued."""
    queued = row.outcome is Outcome.RUNNING and not row.started
    return runs_pb2.Run(
        id=row.id,
        link=row.link,
        mode=row.mode,
        streams=row.scope,
        cause=row.cause,
        outcome="queued" if queued else row.outcome.value,
        phase=row.phase,
        started=stamp(row.started),
        ended=stamp(row.ended),
        error=row.error,
        waiting=row.waiting,
        counters=map(_counters, counters or row.counters),
        backlog=map(backlog, unpacked(row.backlog)),
    )


def backlog(one: Backlog) -> common_pb2.Backlog:
    """What is outstanding at a side."""
    return common_pb2.Backlog(
        stream=one.stream,
        side=side(one.side),
        said=one.said,
        outstanding=one.outstanding,
        until=stamp(one.until or 0.0),
        reports=[
            common_pb2.Report(of=told.of, outstanding=told.outstanding, until=stamp(told.until or 0.0))
            for told in one.reports
        ],
    )


def _counters(one: Counters) -> runs_pb2.Counters:
    names = ("created", "updated", "deleted", "marked", "unchanged", "skipped", "failed", "waiting")
    return runs_pb2.Counters(
        stream=one.stream, side=side(one.side), **{name: getattr(one, name) for name in names}
    )


def plan(row: PlanRow) -> plans_pb2.Plan:
    """A plan without its actions."""
    return plans_pb2.Plan(
        id=row.id,
        link=row.link,
        stream=row.stream,
        kind=row.kind,
        revision=row.rev,
        state=row.state,
        reason=row.reason,
        created=stamp(row.created),
        actions=row.actions,
    )


def parked(row: Parked, link: str) -> rooms_pb2.Parked:
    """A record that waits."""
    return rooms_pb2.Parked(
        id=row.id,
        link=link,
        stream=row.stream,
        room=row.room.value,
        binding=row.binding,
        record=row.record,
        side=side(row.side),
        field=row.field,
        reason=row.reason,
        hint=row.hint,
        detail=struct(row.detail),
        since=stamp(row.since),
        decision=str(row.decision.get("choose", "")) if row.decision else "",
        fingerprint=row.fingerprint,
    )


def binding(
    row: Binding, waits: Sequence[Parked], actions: Sequence[Action], link: str
) -> records_pb2.RecordBinding:
    """All that is known of a record."""
    return records_pb2.RecordBinding(
        binding=row.key,
        stream=row.stream,
        state=row.state.value,
        a=_held(row.a),
        b=_held(row.b),
        base={name: field_value(one) for name, one in row.base.items()},
        parked=[parked(one, link) for one in waits],
        actions=map(action, actions),
        note=row.note,
    )


def _held(held: Held | None) -> records_pb2.HeldSide | None:
    if held is None:
        return None
    return records_pb2.HeldSide(
        id=held.id,
        presence=held.presence.value,
        deviations={name: field_value(one.value) for name, one in held.dev.items()},
        reasons={name: one.reason for name, one in held.dev.items()},
    )


def connector(declaration: Declaration) -> connections_pb2.Connector:
    """A kind of system."""
    return connections_pb2.Connector(
        name=declaration.name,
        doc=declaration.doc,
        settings=[
            connections_pb2.ConnectorSetting(
                name=one.name,
                type=one.type,
                required=one.required,
                secret=one.secret,
                default=None if one.default is None or one.secret else value(one.default),
                choices=one.choices,
                doc=one.doc,
            )
            for one in declaration.settings
        ],
    )


def described(info: ObjectInfo, find: str) -> connections_pb2.Object:
    """An object of a system."""
    fields = [
        connections_pb2.ObjectField(
            name=one.name, type=one.type, required=one.required, writable=one.writable, doc=one.doc
        )
        for one in info.fields
    ]
    return connections_pb2.Object(name=info.name, key=info.key, fields=fields, find=find)


def look(stream: str, of: str, looked: float, completed: float) -> links_pb2.Look:
    """When a side was looked at."""
    return links_pb2.Look(stream=stream, side=side(of), looked=stamp(looked), completed=stamp(completed))


def faults(error: BlueprintError) -> list[blueprints_pb2.BlueprintFault]:
    """What is wrong with a blueprint, in the order of its text."""
    return [
        blueprints_pb2.BlueprintFault(line=one.line, column=one.column, path=one.path, message=one.message)
        for one in error.faults
    ]


def deliveries(view: LinkView, new: Mapping[Place, int], now: float) -> Iterator[links_pb2.Delivery]:
    """The directions of a link that deliver by a schedule. `new`: how many records wait to be made there."""
    assert view.spec is not None
    looks = view.stats.looks if view.stats is not None else ()
    waiting = {
        (one.stream, one.side): one for one in (view.stats.scheduled if view.stats is not None else ())
    }
    known = {(look.stream, look.side): look.delivered for look in looks}
    for one in schedule.deliveries(view.spec.schedules, known, view.info.row.id, now):
        held = waiting.get((one.stream, one.side))
        yield links_pb2.Delivery(
            stream=one.stream,
            side=side(one.side),
            schedule=one.schedule.text,
            next=stamp(one.goes_at) if one.goes_at < schedule.NEVER else None,
            waiting=(held.count if held else 0) + new.get((one.stream, one.side), 0),
            oldest=stamp(held.oldest) if held else None,
        )
