"""What to do about one pair of records: the planner. A pure function of (binding, A, B, rules, decisions, now).

Order (DESIGN section 4): stale observations were dropped by `fresh`; unknown is no change; a side changed iff it
differs from its own settled value; groups as one; tombstones before creates; merge by owner first, conflict rule
second; contested fields to the list. Matching, budgets and open creates are decided over sets, by the run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from actors.core import gates, initial, own_values, replaced, several, units
from actors.core.actions import action_for
from actors.core.contests import is_contested
from actors.core.documents import ONCE, written_once
from actors.core.foreign import left_alone
from actors.core.gone import mark, plan_gone
from actors.core.mapping import show
from actors.core.marks import outlived, put_back
from actors.core.merge import DECIDED, Merged, changed_fields, merge, settled
from actors.core.newcomer import half_binding, plan_new
from actors.core.policy import LensError, StreamSpec
from actors.core.rooms import (
    CONTESTED,
    bare_units,
    contested,
    disputed,
    emptied,
    not_delivered,
    unreadable,
    waits,
)
from actors.core.stream_rules import Gate, Ineligible
from actors.core.types import (
    SIDES,
    Action,
    Binding,
    Deviation,
    Held,
    Observation,
    Op,
    Parked,
    Presence,
    Room,
    Side,
    State,
    other,
)
from actors.core.values import UNKNOWN, Value, same
from actors.core.verdict import (
    RESTORE,
    UNSEEN_AGAIN_S,
    Context,
    Verdict,
    adopt_keys,
    chosen,
    in_state,
    newcomer_state,
    presence_of,
    tombstone,
    tried,
)

__all__ = [
    "RESTORE",
    "Context",
    "Verdict",
    "adopt_keys",
    "differs",
    "fresh",
    "half_binding",
    "newcomer_state",
    "plan_new",
    "plan_pair",
]


def fresh(seen: Observation, wrote: float | None, read_lag_s: float) -> bool:
    """Fresh eyes: an observation asked for before our own last write (plus the system's lag) proves nothing."""
    return wrote is None or seen.asked > wrote + read_lag_s


def differs(stream: StreamSpec, binding: Binding, seen: Observation) -> bool:
    """Whether a look shows anything new, so that the other side must be looked at before anything is planned."""
    held = binding.side(seen.side)
    if held is None or binding.state is State.MATCHED or seen.problem:
        return True
    if held.presence is not seen.presence or (stream.gates and gates.stirs(stream, binding, seen)):
        return True
    if own_values.stirs(stream, held, seen):
        return True
    return seen.presence is Presence.PRESENT and bool(changed_fields(stream, binding, seen))


def plan_pair(stream: StreamSpec, binding: Binding, a: Observation, b: Observation, ctx: Context) -> Verdict:
    """Plan a full binding from fresh looks at both sides."""
    assert binding.a is not None and binding.b is not None
    for seen in (a, b):
        if seen.problem:
            return Verdict(binding, park=(unreadable(stream, binding, seen), *_words(ctx)))
    if {a.presence, b.presence} - {Presence.PRESENT, Presence.DELETED}:
        return Verdict(binding)  # out of scope or not seen is no deletion, and nothing to merge
    if a.presence is Presence.PRESENT and b.presence is Presence.PRESENT:
        another = replaced.judged(stream, binding, a, b, ctx)
        if another is not None:
            return another
        out = gates.left(stream, binding, (a, b))
        if out is not None:
            return _out(stream, binding, (a, b), *out)
        return _both_present(stream, presence_of(binding, a, b), a, b, ctx)
    if a.presence is not Presence.PRESENT and b.presence is not Presence.PRESENT:
        return Verdict(tombstone(presence_of(binding, a, b), "deleted on both sides"))
    gone, left = (a, b) if a.presence is not Presence.PRESENT else (b, a)
    if not ctx.concludes and _unexplained(binding, gone):
        met = initial.meeting(stream, binding, loading=ctx.loading)
        return Verdict(in_state(presence_of(binding, a, b), State.GONE, initial.noted(met, "")))
    return plan_gone(stream, binding, gone, left, ctx)


def _out(
    stream: StreamSpec, binding: Binding, looks: tuple[Observation, Observation], side: Side, gate: Gate
) -> Verdict:
    """A pair that no longer takes part on `side`."""
    if gate.then is Ineligible.DETACH or gates.SHUT in binding.note:
        rests, items = gates.detached(stream, binding, looks, side)
        return Verdict(rests, items=items)
    marked = looks[1] if side == "a" else looks[0]
    return mark(
        stream, presence_of(binding, *looks), marked, f"{gates.SHUT} on {side}, marked on {marked.side}"
    )


def _unexplained(binding: Binding, gone: Observation) -> bool:
    """Whether a record is gone of which nobody knew, or has concluded, anything yet: it may have moved."""
    was = binding.side(gone.side)
    new = was is not None and was.presence is Presence.PRESENT
    return binding.state is State.GONE or (new and binding.state is not State.TOMBSTONE)


# ------------------------------------------------------------------------------------------ both sides are there


def _both_present(
    stream: StreamSpec, binding: Binding, a: Observation, b: Observation, ctx: Context
) -> Verdict:
    merged = merge(stream, binding, a, b, _said(ctx.parked), _listed(ctx.parked))
    adopted = outlived(stream, _adopt(stream, binding, merged, a, b, ctx), a, b)
    adopted = own_values.both_remembered(stream, adopted, (a, b))
    adopted, items = left_alone(stream, gates.remembered(stream, adopted, (a, b)), merged.left)
    park = [disputed(stream, binding, dispute) for dispute in merged.disputes]
    park.extend(not_delivered(stream, binding, a, merged.unseen))
    actions: list[Action] = []
    for seen in (a, b):
        adopted, wanted = _unwritten(stream, binding, adopted, seen, merged, ctx)
        action: Action | None = None
        try:
            if wanted:
                hot = _contested_units(stream, adopted, seen.side, merged, ctx)
                bare = bare_units(stream, wanted)
                if hot or bare:
                    park.extend(contested(stream, adopted, (a, b), seen.side, hot, ctx.breaker, merged.owned))
                    park.extend(emptied(stream, binding, b if seen is a else a, wanted))
                    wanted = {n: v for n, v in wanted.items() if stream.field(n).unit not in {*hot, *bare}}
                wanted, row = several.not_known(stream, seen.side, wanted, ctx)
                park.extend(row)
                adopted, wanted, row = _written_once(stream, adopted, seen, wanted, ctx)
                park.extend(row)
                adopted, action = _write(stream, adopted, seen, wanted, merged, ctx)
        except LensError as error:
            park.append(waits(stream, binding, seen, str(error)))
            park.extend(_still_said(stream, adopted, (a, b), merged, (), ctx))
            return Verdict(adopted, park=tuple(park), items=items)
        action = put_back(stream, adopted, seen, action)
        held = _gate_contested(stream, adopted, seen, ctx)
        park.extend(held)
        action = action if held else gates.put_back(stream, adopted, seen, action)
        action = units.let_go(stream, binding, seen, action)
        if action is not None:
            actions.append(action)
    in_doubt = len(park)
    if stream.with_lines:
        actions, park = units.whole(stream, adopted, (a, b), actions, park)
    if initial.is_met(adopted):
        adopted = msgspec.structs.replace(adopted, note=initial.rest(stream, adopted, adopted.base))
    verdict = tried(adopted, tuple(actions), tuple(park), ctx)
    again_s = UNSEEN_AGAIN_S if merged.unseen or len(park) > in_doubt else 0.0
    park = [*verdict.park, *_still_said(stream, adopted, (a, b), merged, verdict.actions, ctx)]
    return msgspec.structs.replace(verdict, items=items, again_s=again_s, park=tuple(park))


def _unwritten(
    stream: StreamSpec,
    binding: Binding,
    adopted: Binding,
    seen: Observation,
    merged: Merged,
    ctx: Context,
) -> tuple[Binding, Mapping[str, Value]]:
    """What is left to be written on a side; what the initial load does not write there is settled as it stands."""
    wanted, there = merged.writes[seen.side], other(seen.side)
    if not wanted:
        return adopted, wanted
    left = initial.left_as_it_is(stream, binding, seen.side, merged, loading=ctx.loading)
    both = initial.left_as_it_is(stream, binding, there, merged, loading=ctx.loading) if left else {}
    for name in left:
        stands = Deviation(seen.fields.get(name), initial.KEPT)
        if name in merged.writes[there] and name not in both:
            # It is settled with the write there, should that be done.
            adopted = _shows(adopted, seen.side, name, stands)
        else:
            adopted = _settle_field(adopted, seen.side, name, wanted[name], stands, keeps=name in both)
    return adopted, {name: value for name, value in wanted.items() if name not in left}


def _written_once(
    stream: StreamSpec, binding: Binding, seen: Observation, wanted: Mapping[str, Value], ctx: Context
) -> tuple[Binding, Mapping[str, Value], tuple[Parked, ...]]:
    """What is left to be written on a side: nothing, where it is written once, but the rest of what was cut off while it
    was made. A person's word that it stays as it is settles both values."""
    if not wanted or seen.side not in stream.once:
        return binding, wanted, ()
    rest = {name: value for name, value in wanted.items() if units.is_begun(binding, seen.side, name)}
    wanted = {name: value for name, value in wanted.items() if name not in rest}
    if not wanted:
        return binding, rest, ()
    before = {name: seen.fields[name] for name in wanted if name in seen.fields}
    row = written_once(stream, binding, seen, wanted, before)
    if chosen(ctx.parked, ONCE, row.fingerprint) != seen.side:
        return binding, rest, (row,)
    for name, value in wanted.items():
        stands = Deviation(before.get(name), "accepted")
        binding = _settle_field(binding, seen.side, name, value, stands)
    return binding, rest, ()


def _write(
    stream: StreamSpec,
    binding: Binding,
    seen: Observation,
    wanted: Mapping[str, Value],
    merged: Merged,
    ctx: Context,
) -> tuple[Binding, Action | None]:
    """The update of one side; fields that side can't show better than it does settle as lossy deviations."""
    side = seen.side
    write = show(stream, side, seen.native, wanted, ctx.refs)
    elsewhere = merged.writes[other(side)]
    as_good = [
        n
        for n, v in wanted.items()
        if n not in elsewhere and same(write.shown[n], seen.fields.get(n)) and not same(v, write.shown[n])
    ]
    for name in as_good:
        binding = _settle_field(binding, side, name, wanted[name], Deviation(write.shown[name], "lossy"))
    wanted = {n: v for n, v in wanted.items() if n not in as_good}
    if not wanted:
        return binding, None
    rules = sorted({d.rule for d in merged.decisions if d.field in wanted})
    decisions = tuple(d for d in merged.decisions if d.field in wanted)
    before = {n: seen.fields[n] for n in wanted if n in seen.fields}
    if several.wants_move(write):
        return binding, several.move(
            stream, binding, seen, "; ".join(rules), wanted, write, before, decisions
        )
    held = binding.side(other(side))
    action = action_for(
        stream,
        binding,
        side,
        Op.UPDATE,
        "; ".join(rules),
        wanted,
        write,
        before,
        decisions,
        origin=held.id if held else "",
        seen=seen,
    )
    return binding, action


def _adopt(
    stream: StreamSpec, binding: Binding, merged: Merged, a: Observation, b: Observation, ctx: Context
) -> Binding:
    for name, value in merged.agreed.items():
        binding = _settle_field(binding, None, name, value, None)
    state = State.SETTLED if binding.state in (State.MATCHED, State.TOMBSTONE, State.GONE) else binding.state
    note = initial.rest(stream, binding, binding.base, loading=ctx.loading)
    binding = msgspec.structs.replace(binding, state=state, map_ver=stream.map_ver, note=note)
    return adopt_keys(stream, binding, a.fields, b.fields)


def _settle_field(
    binding: Binding,
    side: Side | None,
    name: str,
    value: Value,
    dev: Deviation | None,
    *,
    keeps: bool = False,
) -> Binding:
    """Both sides are settled on `value`; `side` (if given) shows it as `dev`, and the other one as it did (`keeps`)."""
    held: dict[Side, Held | None] = {"a": binding.a, "b": binding.b}
    for each in SIDES:
        one = held[each]
        if one is None or (keeps and each != side):
            continue
        devs = {n: d for n, d in one.dev.items() if n != name}
        if each == side and dev is not None:
            devs[name] = dev
        if devs != one.dev:
            held[each] = msgspec.structs.replace(one, dev=devs)
    return msgspec.structs.replace(binding, base={**binding.base, name: value}, a=held["a"], b=held["b"])


def _shows(binding: Binding, side: Side, name: str, dev: Deviation) -> Binding:
    """`side` shows `name` as `dev`, whatever will be agreed on."""
    held = binding.side(side)
    assert held is not None
    return binding.with_side(side, msgspec.structs.replace(held, dev={**held.dev, name: dev}))


# ------------------------------------------------------------------------------------------- contested, decided


def _contested_units(
    stream: StreamSpec, binding: Binding, side: Side, merged: Merged, ctx: Context
) -> list[str]:
    """The units to be written on `side` that are contested; a group with a contested member is, as a whole.

    What a person has decided is not: it is written once more.
    """
    if not binding.contests:
        return []
    decided = {one.field for one in merged.decisions if one.rule.startswith(DECIDED)}
    hot = [
        name
        for name in merged.writes[side]
        if name not in decided and is_contested(binding.contests, side, name, ctx.breaker, ctx.now)
    ]
    return list(dict.fromkeys(stream.field(name).unit for name in hot))


def _words(ctx: Context) -> list[Parked]:
    """What a person has said about conflicts, and what is not done yet."""
    return [row for row in ctx.parked if row.room is Room.CONFLICT and row.decision is not None]


def _still_said(
    stream: StreamSpec,
    binding: Binding,
    looks: tuple[Observation, Observation],
    merged: Merged,
    actions: Sequence[Action],
    ctx: Context,
) -> list[Parked]:
    """The words of a person that stand: what they want is not written now, or what they are about was not delivered. The
    others are carried out, or were said about other values."""
    if not (words := _words(ctx)):
        return []
    going = {(action.side, name) for action in actions for name in action.fields}
    decided = {one.field for one in merged.decisions if one.rule.startswith(DECIDED)}
    waiting = {
        stream.field(name).unit
        for seen in looks
        for name in merged.writes[seen.side]
        if name in decided
        and (seen.side, name) not in going
        and not same(seen.fields.get(name, UNKNOWN), settled(binding, seen.side, name))
    }
    waiting |= {
        unit
        for unit, members in stream.units
        if any(one.name not in seen.fields for one in members for seen in looks)
    }
    return [row for row in words if row.field in waiting]


def _gate_contested(stream: StreamSpec, binding: Binding, seen: Observation, ctx: Context) -> list[Parked]:
    """That the value of a gate was put back too often, unless a person said: once more."""
    gate = stream.gates.get(seen.side)
    if (
        gate is None
        or gates.is_open(gate, seen)
        or not is_contested(binding.contests, seen.side, gates.MEMORY, ctx.breaker, ctx.now)
    ):
        return []
    row = gates.contested(stream, binding, seen, ctx.breaker)
    return [] if chosen(ctx.parked, gates.MEMORY, row.fingerprint) else [row]


def _listed(parked: Sequence[Parked]) -> dict[str, str]:
    """What no rule decided; what is only contested is not among it: of that the rules know whose value counts."""
    every = (p for p in parked if p.room is Room.CONFLICT)
    return {p.field: p.fingerprint for p in every if not p.reason.startswith(CONTESTED)}


def _said(parked: Sequence[Parked]) -> dict[str, Mapping[str, Any]]:
    return {
        p.field: {**p.decision, "fingerprint": p.fingerprint}
        for p in parked
        if p.room is Room.CONFLICT and p.decision is not None
    }
