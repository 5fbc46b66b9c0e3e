"""Open intents: what became of a write whose reply never came. Never retried blind; resolved by a look.

Updates and deletes are looked at by id; creates by their reserved id, else by correlation tag, else by match key.
What is not to be seen did not happen only after its deadline, the system's tail and its read lag. Where nothing can
decide, the record is listed as "outcome unknown" for a person.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec

from actors import effects
from actors.access import Access, Sides
from actors.beside import led
from actors.core import initial, several
from actors.core.actions import id_on
from actors.core.errors import Kind, TandemError
from actors.core.guard import spend
from actors.core.places import parted, written_in
from actors.core.policy import RECORD_OBJECT, StreamSpec
from actors.core.rooms import OUTCOME
from actors.core.settle import both_written, resolve, settle, touched_since, unseen
from actors.core.types import (
    SIDES,
    Action,
    ActionState,
    Binding,
    Held,
    Hint,
    Observation,
    Op,
    Parked,
    Presence,
    Room,
    Side,
    State,
    other,
)
from actors.core.unit_lines import begun, is_lines
from actors.core.values import UNKNOWN, Value, same
from actors.lines import differs_line, joined, released, revised
from actors.ports import COUNTER, Closed, Counters, Settlement
from actors.recover_rows import resolve_rows
from actors.state import RunState

FOUND_GONE = "no reply came, and the record is gone: by this delete, or by somebody else"
FOUND_DONE = "no reply came, a look shows it done"
HALF_SEEN_S = 3600.0  # so long a written field that is not delivered may hold up its intent
HOLDERS_MAX = 50  # so many may hold one field of a key, for what is not among them not to be there
TOGETHER = 500  # intents that are looked at and settled together


class _Found(msgspec.Struct, frozen=True):
    """What a look for an intent's target found, whether it can decide, and when it was asked for.

    `was_there`: the record is not there, but the system has told of it since: it was made, and deleted.
    """

    seen: list[Observation]
    is_decisive: bool
    asked: float
    was_there: bool = False


class _Resolved(msgspec.Struct, frozen=True):
    """What is to be settled for one intent, and what it means for the run's outcome."""

    settlement: Settlement
    confirmed: int = 0
    failed: int = 0

    def touched(self, action: Action) -> set[int]:
        """The bindings that this is about."""
        return {action.binding, *self.settlement.dropped, *(b.key for b in self.settlement.bindings)}


class _Batch:
    """Resolved intents that wait to be settled in one transaction: no two of them are about one binding."""

    def __init__(self) -> None:
        self.resolved: list[tuple[Action, _Resolved]] = []
        self.touched: set[int] = set()

    def add(self, action: Action, one: _Resolved) -> None:
        self.touched |= one.touched(action)
        self.resolved.append((action, one))


class Recovery:
    """Resolves the open intents of one link; says which records must still wait."""

    def __init__(self, state: RunState, sides: Sides) -> None:
        self._state = state
        self._sides = sides

    async def resolve_all(self) -> None:
        """Resolve what can be resolved now; what is still open is noted in the run's state.

        A kill may leave the intents of a whole window open: they are looked at together, and settled together.
        """
        state = self._state
        known = {stream.name for stream in state.spec.streams}
        # One whose stream left the blueprint stays open: it waits for the stream to come back, and nobody waits for it.
        found = [one for one in await state.store.open_actions(state.link) if one.stream in known]
        state.open = {action.id: action for action in found}
        by_place: dict[tuple[str, Side], list[Action]] = {}
        for action in list(state.open.values()):
            if action.covers is not None:
                await self._resolve_rows(action)
            else:
                by_place.setdefault((action.stream, action.side), []).append(action)
        for (stream, side), actions in by_place.items():
            for start in range(0, len(actions), TOGETHER):
                await self._resolve_some(stream, side, actions[start : start + TOGETHER])

    async def _resolve_rows(self, action: Action) -> None:
        """An intent that covers many creates."""
        stream = self._state.spec.stream(action.stream)
        try:
            if await resolve_rows(self._state, self._sides, stream, action):
                del self._state.open[action.id]
        except TandemError as error:
            self._state.cut_short(error)

    async def _resolve_some(self, stream_name: str, side: Side, actions: Sequence[Action]) -> None:
        """Intents of one stream and side."""
        state = self._state
        stream, access = state.spec.stream(stream_name), self._sides[side]
        asked = state.clock.now()
        try:
            targets = [action.target for action in actions if action.target]
            shown = {one.id: one for one in await access.look(stream, targets, "instant")} if targets else {}
            told_of = await self._told_of(stream, side, actions, shown)
        except TandemError as error:
            state.cut_short(error)
            return
        batch = _Batch()
        for action in actions:
            try:
                if action.target:
                    seen = [shown[action.target]] if shown[action.target].presence is Presence.PRESENT else []
                    found = _Found(seen, True, asked, action.target in told_of)
                else:
                    now = state.clock.now()
                    found = _Found(*await self._looks(stream, access, action), now)
                one = await self._resolve(stream, access, action, found)
                if one is not None and batch.touched & one.touched(action):
                    await self._settle(batch)  # what is known of these bindings is old then
                    one = await self._resolve(stream, access, action, found)
            except TandemError as error:
                state.cut_short(error)
                continue
            if one is not None:
                batch.add(action, one)
        await self._settle(batch)

    async def _settle(self, batch: _Batch) -> None:
        """Commit what was resolved, at once; one by one where that is refused, so that one can't hold up the others."""
        state = self._state
        resolved, batch.resolved, batch.touched = batch.resolved, [], set()
        if len(resolved) > 1:
            try:
                await state.settle(joined(state.run, [one.settlement for _, one in resolved]))
            except TandemError as error:
                if error.kind is not Kind.BUG:
                    state.cut_short(error)
                    return
            else:
                for action, one in resolved:
                    self._close(action, one)
                return
        for action, one in resolved:
            try:
                await state.settle(one.settlement)
            except TandemError as error:
                state.cut_short(error)
            else:
                self._close(action, one)

    def _close(self, action: Action, one: _Resolved) -> None:
        del self._state.open[action.id]
        self._state.confirmed += one.confirmed
        self._state.failed += one.failed

    async def _resolve(
        self, stream: StreamSpec, access: Access, action: Action, found: _Found
    ) -> _Resolved | None:
        """What is to be settled for one intent, None while it must stay open."""
        by_key = not action.target and not (access.declaration.tag and action.tag)
        # What is known to be it settles what can be read of it; the rest is told of as that of any record.
        readable = [one for one in found.seen if not (by_key and one.problem)]
        declared = access.declaration
        verdict = resolve(
            action,
            readable,
            now=found.asked,
            sure_after=action.deadline + declared.vendor_tail_s + declared.read_lag_s,
            decisive=found.is_decisive and len(readable) == len(found.seen),
        )
        half_seen = any(not one.problem and unseen(stream, action, one) for one in readable)
        if verdict == "wait" or (
            verdict == "done" and half_seen and found.asked < action.deadline + HALF_SEEN_S
        ):
            return None
        if verdict == "not_done" and action.op is Op.CREATE and by_key and declared.find_by_field:
            readable = await self._renamed(stream, access, action)
            verdict = "done" if readable else verdict
        bindings = await self._state.store.bindings_by_key(self._state.link, [action.binding])
        binding = bindings[0] if bindings else None
        if binding is not None and verdict == "not_done" and found.was_there:
            return await self._done(stream, action, binding, _as_made(action))
        if binding is None or verdict == "not_done":
            return self._not_done(action, binding, readable)
        if verdict == "done" and by_key and not _as_sent(action, readable[0]):
            return await self._met(stream, action, binding, readable[0])
        if verdict == "done":
            return await self._done(stream, action, binding, readable[0] if readable else None)
        return self._unknown(action, binding, readable)

    async def _told_of(
        self, stream: StreamSpec, side: Side, actions: Sequence[Action], shown: Mapping[str, Observation]
    ) -> Collection[str]:
        """Ids that were reserved for creates, are not to be seen, and of which the system has told all the same."""
        missing = [
            action.target
            for action in actions
            if action.op is Op.CREATE
            and action.target
            and shown[action.target].presence is not Presence.PRESENT
        ]
        if not missing:
            return ()
        return await self._state.store.hinted(self._state.link, stream.name, side, missing)

    async def _looks(
        self, stream: StreamSpec, access: Access, action: Action
    ) -> tuple[list[Observation], bool]:
        """What is to be seen of a target whose id is not known, and whether that can decide."""
        if access.declaration.tag and action.tag:
            return await access.tagged(stream, action.tag), True
        if access.declaration.find_by_field:
            return await self._by_key(stream, access, action)
        return [], False

    async def _by_key(
        self, stream: StreamSpec, access: Access, action: Action
    ) -> tuple[list[Observation], bool]:
        """Records that hold a match key of what was to be created and belong to nobody; keys of one field first. Of a key of
        several one field is asked for: where too many hold that, the answer may be cut, and it tells nothing."""
        binding = (names for level, names in enumerate(stream.match) if stream.binds_by(level))
        for names in sorted(binding, key=len):
            key = _key_sent(stream, action, names)
            for path, value in key.items():
                seen = await access.holding(stream, path, value)
                if len(key) > 1 and len(seen) > HOLDERS_MAX:
                    continue
                found = await self._nobodys(stream, action, seen)
                if len(key) == 1:
                    return found, True
                found = [one for one in found if _may_hold(one, key)]
                # What may be it, and does not show all of its key, tells nothing.
                is_shown = all(path in one.native for one in found for path in key)
                return (found, True) if is_shown else ([], False)
        return [], False

    async def _nobodys(
        self, stream: StreamSpec, action: Action, seen: Sequence[Observation]
    ) -> list[Observation]:
        """Those that belong to nobody, and that no other intent is about to make somebody's."""
        if action.side == stream.several:  # it was to be made in one of several objects
            there = written_in(stream, action.side, "", action.native)
            seen = [one for one in seen if parted(stream, action.side, one.id)[0] == there]
        ids = [one.id for one in seen]
        bound = await self._state.store.bindings(self._state.link, stream.name, action.side, ids)
        taken = {b.side(action.side).id for b in bound if b.side(other(action.side))}  # type: ignore[union-attr]
        others = (one for one in self._state.open.values() if one.id != action.id)
        taken |= {one.target for one in others if (one.stream, one.side) == (action.stream, action.side)}
        return [one for one in seen if one.id not in taken]

    async def _renamed(self, stream: StreamSpec, access: Access, action: Action) -> list[Observation]:
        """Its key is not to be found: perhaps somebody changed the key of the very record that we made. The one record
        of nobody's that holds everything else that was sent is it (all of it: who shares a part is somebody else)."""
        keys = {
            path for names in stream.match for name in names for path in _paths(stream, name, action.side)
        }
        keys.add(RECORD_OBJECT)  # where it was to be made is no field of its own
        told = {p: v for p, v in action.native.items() if p not in keys and v is not None and not is_lines(v)}
        if len(told) < 2:
            return []  # too little to tell it by
        path, value = next(iter(told.items()))
        found = await self._nobodys(stream, action, await access.holding(stream, path, value))
        alike = [one for one in found if all(same(one.native.get(p, UNKNOWN), v) for p, v in told.items())]
        return alike if len(alike) == 1 else []

    async def _done(
        self, stream: StreamSpec, action: Action, binding: Binding, seen: Observation | None
    ) -> _Resolved:
        state = self._state
        alone, in_steps = both_written(action), self._sides[action.side].declaration.lines == "steps"
        now = state.clock.now()
        touched = seen is not None and touched_since(stream, binding, action, seen)
        binding = initial.meeting(stream, binding, loading=stream.name not in state.loaded)
        out = settle(
            stream,
            binding,
            action,
            seen,
            now=now,
            by_reply=False,
            skip=alone,
            touched=touched,
            in_steps=in_steps,
        )
        record = seen.id if seen is not None else action.target
        # It may have taken effect only just now: until the read lag is over, other looks may still show it undone.
        state.memory.wrote(stream.object(action.side), action.side, record, state.clock.monotonic())
        drop: tuple[int, ...] = ()
        free: tuple[Binding, ...] = ()
        if action.op is Op.CREATE:
            state.memory.arrives(stream.name)
            met = await state.store.bindings(state.link, stream.name, action.side, [record])
            met = [b for b in met if b.key != binding.key]
            drop = tuple(b.key for b in met if b.side(other(action.side)) is None)
            free = tuple(
                revised(released(b, action.side))
                for b in met
                if b.state is State.TOMBSTONE and b.key not in drop
            )
        made = [action.origin] if action.op is Op.CREATE else []
        told, due = await effects.of_made(state, stream, other(action.side), made)
        # Looked at once more in any case: what was decided or parked for it is closed by its next plan.
        hints = [] if action.op is Op.DELETE else [Hint(stream.name, action.side, record, "follow-up")]
        hints += _again(action, out.binding) if out.cut else ()
        left: tuple[Binding, ...] = ()
        if several.is_move(stream, binding, action):
            was = id_on(binding, action.side)
            left = (
                several.left_behind(stream, binding, action, record),
                *await led(state, stream, {was: record}, drop),
            )
            hints.append(Hint(stream.name, action.side, was, "left behind"))
        settlement = Settlement(
            run=state.run,
            bindings=(msgspec.structs.replace(out.binding, rev=binding.rev + 1), *free, *left, *told),
            dropped=drop,
            closed=(Closed(action.id, ActionState.CONFIRMED, record, _found(action)),),
            items=(differs_line(action, seen, out.differs),) if out.differs and seen is not None else (),
            hints=(*hints, *due),
            spend=spend(stream, [action]),
            counters=(Counters(stream=stream.name, side=action.side, **{COUNTER[action.op]: 1}),),
        )
        return _Resolved(settlement, confirmed=1)

    async def _met(
        self, stream: StreamSpec, action: Action, binding: Binding, seen: Observation
    ) -> _Resolved:
        """Found by its key, but it does not hold what was sent: somebody made the same record there. They meet."""
        state = self._state
        met = await state.store.bindings(state.link, stream.name, action.side, [seen.id])
        held = Held(id=seen.id, version=seen.version)
        was = binding.side(action.side)  # in another object of that side: it was to be moved
        beside = (several.beside(stream, action.side, was.id, seen.id),) if was is not None else ()
        pair = msgspec.structs.replace(binding, state=State.MATCHED, note="", rev=binding.rev + 1)
        pair = pair.with_side(action.side, held)
        settlement = Settlement(
            run=state.run,
            bindings=(pair, *beside),
            dropped=tuple(b.key for b in met if b.key != binding.key),
            closed=(Closed(action.id, ActionState.DROPPED, error="somebody else made the record"),),
        )
        return _Resolved(settlement)

    def _not_done(self, action: Action, binding: Binding | None, seen: Sequence[Observation]) -> _Resolved:
        """It is not to be seen: both sides are looked at again, and the work is derived again.

        A field that holds neither what was sent nor what was there before counts as somebody's edit: what was agreed on
        stands, so that the conflict rule decides between the two, not the rule of first contact.
        """
        settlement = Settlement(
            run=self._state.run,
            closed=(Closed(action.id, ActionState.DROPPED, error="did not arrive"),),
            hints=tuple(_again(action, binding)),
        )
        return _Resolved(settlement)

    def _unknown(self, action: Action, binding: Binding, seen: Sequence[Observation]) -> _Resolved:
        row = Parked(
            stream=action.stream,
            room=Room.QUARANTINE,
            binding=binding.key,
            field=OUTCOME if action.op is Op.CREATE else "",
            side=action.side,
            record=action.origin,
            reason=f"outcome unknown: a {action.op} on side {action.side} was sent and no reply came",
            hint="look in that system: retry if it is not there; if it is there twice, remove one",
            detail={"fields": dict(action.fields), "candidates": [one.id for one in seen]},
            fingerprint=action.fingerprint,
        )
        held_back = msgspec.structs.replace(
            binding,
            state=State.HELD_BACK if binding.side(action.side) is None else binding.state,
            note="outcome unknown",
            rev=binding.rev + 1,
        )
        settlement = Settlement(
            run=self._state.run,
            bindings=(held_back,),
            closed=(Closed(action.id, ActionState.UNKNOWN, error="no reply, and nothing to look it up by"),),
            park=(row,),
            counters=(Counters(stream=action.stream, side=action.side, failed=1),),
        )
        return _Resolved(settlement, failed=1)


def _as_made(action: Action) -> Observation:
    """A record that was made and is gone, as it was when it was made; the next look finds that it was deleted."""
    return Observation(action.side, action.target, 0.0, fields=action.fields, native=action.native)


def _again(action: Action, binding: Binding | None) -> Iterator[Hint]:
    """Both sides of a record are to be looked at again."""
    if binding is not None:
        for side in SIDES:
            if (held := binding.side(side)) is not None:
                yield Hint(stream=action.stream, side=side, id=held.id, reason="look again")


def _found(action: Action) -> str:
    """What the protocol says of a write that was found done: of a delete nobody can say whose it was."""
    if action.state is ActionState.UNCONFIRMED:
        return ""
    return FOUND_GONE if action.op is Op.DELETE else FOUND_DONE


def _paths(stream: StreamSpec, name: str, side: Side) -> tuple[str, ...]:
    place = stream.field(name).side(side)
    return place.paths if place is not None else ()


def _key_sent(stream: StreamSpec, action: Action, names: Sequence[str]) -> dict[str, Value]:
    """A match key as it was sent, by native path; {} where a field of it stands in several places, or holds nothing."""
    key: dict[str, Value] = {}
    for name in names:
        (path, *more) = _paths(stream, name, action.side) or ("",)
        value = action.native.get(path)
        if more or value is None:
            return {}
        key[path] = value
    return key


def _may_hold(seen: Observation, key: Mapping[str, Value]) -> bool:
    """Whether a record shows no other value of a key."""
    return all(path not in seen.native or same(seen.native[path], value) for path, value in key.items())


def _as_sent(action: Action, seen: Observation) -> bool:
    """Whether a record found by its key holds everything that was sent: then it is taken for ours."""
    return all(_holds(seen, path, value) for path, value in action.native.items())


def _holds(seen: Observation, path: str, sent: Value) -> bool:
    """Whether a native field holds what was sent: of lines, all of them or, where a create was cut, some."""
    now = seen.native.get(path, UNKNOWN)
    return begun((), sent, now) or now == () if is_lines(sent) else same(now, sent)
