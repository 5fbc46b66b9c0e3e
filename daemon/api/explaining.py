"""One record explained: looked at on both sides now, and each field tied to what was settled, written, or waits. SPEC B5.

The looks, the planner and the comparison are the engine's own; here they are put together for one record, and nothing is
stored. Must not: write to a side, or settle anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from actors.access import Access, target_refs
from actors.core.mapping import remapped
from actors.core.owners import owner_of
from actors.core.plan import Context, half_binding, plan_new, plan_pair
from actors.core.policy import FieldSpec, LinkSpec, Owner, StreamSpec
from actors.core.types import SIDES, Binding, Held, Observation, Parked, Presence, Side
from actors.core.values import UNKNOWN, Seen, same
from actors.core.verdict import Verdict
from actors.core.verify import WHOLE, Difference, differences
from actors.messages import Call
from daemon.api import convert
from daemon.api.desk import Desk
from daemon.api.errors import not_found
from daemon.store.rows import BindingInfo, ItemRow, LinkInfo, Missing
from tandem.v1 import records_pb2 as pb

WRITES_MAX: Final = 500  # that are searched for the last one to a field
IN_STEP: Final = "in_step"


class Explaining:
    """Explains records of one stream of one link."""

    def __init__(self, desk: Desk, link: LinkInfo, spec: LinkSpec, stream: StreamSpec) -> None:
        self._desk = desk
        self._link = link
        self._spec = spec
        self._stream = stream

    async def explain(self, side: Side, id_: str, field: str) -> pb.RecordExplanation:
        """NOT_FOUND where neither the daemon nor the side itself knows such a record."""
        sides = {one: await self._access(one) for one in SIDES}
        found = await self._known(side, id_)
        looks = await self._looks(sides, side, id_, found)
        if found is None:
            if looks[side].presence is not Presence.PRESENT:
                raise not_found("record", id_)
            found = BindingInfo(half_binding(self._stream, looks[side], 0), (), ())
        verdict = await self._planned(sides, found, looks)
        found_ = differences(
            self._stream, remapped(self._stream, found.binding), looks, verdict, found.parked
        )
        written = await self._written(found.binding)
        return self._shown(found, looks, {one.field: one for one in found_}, written, field)

    # -------------------------------------------------------------------------------------------------- looks

    async def _access(self, side: Side) -> Access:
        row = self._link.row
        connection = row.a_connection if side == "a" else row.b_connection
        declaration = await self._desk.engine.declaration(connection)

        async def ask(call: Call) -> Any:
            return await self._desk.engine.call(connection, call.method, *call.args)

        desk = self._desk
        return Access(side, row.id, declaration, ask, desk.store, desk.clock, lambda: 0.0)

    async def _known(self, side: Side, id_: str) -> BindingInfo | None:
        try:
            return await self._desk.admin.find_binding(self._link.row.id, self._stream.name, side, id_)
        except Missing:
            return None

    async def _looks(
        self, sides: Mapping[Side, Access], side: Side, id_: str, found: BindingInfo | None
    ) -> dict[Side, Observation]:
        ids = {side: id_} if found is None else _ids(found.binding)
        return {
            one: (await sides[one].look(self._stream, [there], "interactive"))[0]
            for one, there in ids.items()
        }

    async def _planned(
        self, sides: Mapping[Side, Access], found: BindingInfo, looks: Mapping[Side, Observation]
    ) -> Verdict:
        """What a run that looks at the record would do now."""
        store, stream = self._desk.store, self._stream
        ctx = Context(
            now=self._desk.clock.now(),
            breaker=self._spec.breaker,
            parked=found.parked,
            refs=await target_refs(store, self._link.row.id, stream, looks.values()),
            reused=frozenset(one for one in SIDES if sides[one].declaration.ids == "may_be_reused"),
        )
        binding = remapped(stream, found.binding)
        if len(looks) == len(SIDES):
            return plan_pair(stream, binding, looks["a"], looks["b"], ctx)
        return plan_new(stream, binding, next(iter(looks.values())), ctx)

    async def _written(self, binding: Binding) -> Sequence[ItemRow]:
        if not binding.key:
            return ()
        link, stream = self._link.row.id, self._stream.name
        return await self._desk.admin.writes_of(link, stream, binding.key, WRITES_MAX)

    # -------------------------------------------------------------------------------------------------- shown

    def _shown(
        self,
        found: BindingInfo,
        looks: Mapping[Side, Observation],
        by_field: Mapping[str, Difference],
        written: Sequence[ItemRow],
        field: str,
    ) -> pb.RecordExplanation:
        whole = by_field.get(WHOLE)
        row = convert.binding(
            found.binding, found.parked, [one.action for one in found.actions], self._link.row.id
        )
        return pb.RecordExplanation(
            record=row,
            a_presence=looks["a"].presence.value if "a" in looks else "",
            b_presence=looks["b"].presence.value if "b" in looks else "",
            state=whole.state.value if whole is not None else "",
            rule=whole.rule if whole is not None else "",
            reason=whole.reason if whole is not None else "",
            fields=[
                self._field(spec, found, looks, by_field.get(spec.name) or whole, written)
                for spec in self._stream.fields
                if field in ("", spec.name)
            ],
        )

    def _field(
        self,
        spec: FieldSpec,
        found: BindingInfo,
        looks: Mapping[Side, Observation],
        difference: Difference | None,
        written: Sequence[ItemRow],
    ) -> pb.FieldExplanation:
        binding = found.binding
        base: Seen = binding.base.get(spec.name, UNKNOWN)
        bound = None not in (binding.a, binding.b)
        owner = owner_of(spec, binding.base, bound=bound)
        if None in (spec.a, spec.b):
            owner = Owner.LOCAL
        return pb.FieldExplanation(
            field=spec.name,
            owner=owner.value if owner is not None else "",
            a=_value(spec, looks.get("a")),
            b=_value(spec, looks.get("b")),
            base=convert.seen(base),
            a_deviation=_reason(binding.a, spec.name),
            b_deviation=_reason(binding.b, spec.name),
            state=difference.state.value if difference is not None else IN_STEP,
            rule=difference.rule if difference is not None else "",
            reason=difference.reason if difference is not None else "",
            written=_last_write(spec.name, written),
            parked=[convert.parked(row, self._link.row.id) for row in _about(spec, found.parked)],
        )


def _ids(binding: Binding) -> dict[Side, str]:
    return {side: held.id for side in SIDES if (held := binding.side(side)) is not None}


def _value(spec: FieldSpec, seen: Observation | None) -> Any:
    """A field as a side shows it; of a local one, as the side itself writes it."""
    if seen is None:
        return convert.seen(UNKNOWN)
    place = spec.side(seen.side)
    if spec.owner is Owner.LOCAL and place is not None and len(place.paths) == 1:
        return convert.seen(seen.native.get(place.paths[0], UNKNOWN))
    return convert.seen(seen.fields.get(spec.name, UNKNOWN))


def _reason(held: Held | None, field: str) -> str:
    return held.dev[field].reason if held is not None and field in held.dev else ""


def _last_write(field: str, written: Iterable[ItemRow]) -> pb.FieldWrite | None:
    for one in written:
        action = one.action
        if field not in action.fields and action.covers is None:
            continue
        value = action.fields.get(field, UNKNOWN)
        before = action.before.get(field, UNKNOWN)
        return pb.FieldWrite(
            action=action.id,
            run=one.run,
            side=convert.side(action.side),
            rule=_rule(field, one),
            state=action.state.value,
            at=convert.stamp(one.closed or one.created),
            value=convert.seen(value) if value is not UNKNOWN else None,
            before=convert.seen(before) if before is not UNKNOWN and not same(before, value) else None,
        )
    return None


def _rule(field: str, one: ItemRow) -> str:
    return next((d.rule for d in one.action.decisions if d.field == field), one.action.rule)


def _about(spec: FieldSpec, rows: Iterable[Parked]) -> list[Parked]:
    """What stands in a room of this field, or of the record as a whole."""
    return [row for row in rows if row.field in ("", spec.name, spec.unit) or row.field.startswith("*")]
