"""Open intents: what became of a write whose reply never came. Never retried blind; resolved by a look.

Updates and deletes are looked at by id; creates by their reserved id, else by correlation tag, else by match key.
What is not to be seen did not happen only after its deadline, the system's tail and its read lag. Where nothing can
decide, the record is listed as "outcome unknown" for a person.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from actors.access import Access, Sides
from actors.core.errors import TandemError
from actors.core.guard import spend
from actors.core.policy import StreamSpec
from actors.core.rooms import OUTCOME
from actors.core.settle import resolve, settle, unseen
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
    State,
    other,
)
from actors.core.values import UNKNOWN, same
from actors.lines import differs_line, released, revised
from actors.ports import COUNTER, Closed, Counters, Settlement
from actors.state import RunState

HALF_SEEN_S = 3600.0  # so long a written field that is not delivered may hold up its intent


class Recovery:
    """Resolves the open intents of one link; says which records must still wait."""

    def __init__(self, state: RunState, sides: Sides) -> None:
        self._state = state
        self._sides = sides

    async def resolve_all(self) -> None:
        """Resolve what can be resolved now; what is still open is noted in the run's state."""
        state = self._state
        state.open = {action.id: action for action in await state.store.open_actions(state.link)}
        known = {stream.name for stream in state.spec.streams}
        for action in list(state.open.values()):
            if action.stream not in known:
                continue  # it left the blueprint; nothing is planned for its records either
            try:
                if await self._resolve(action):
                    del state.open[action.id]
            except TandemError as error:
                state.cut_short(error)

    async def _resolve(self, action: Action) -> bool:
        stream = self._state.spec.stream(action.stream)
        access = self._sides[action.side]
        asked = self._state.clock.now()
        seen, decisive = await self._looks(stream, access, action)
        readable = [one for one in seen if not one.problem]
        by_key = not action.target and not (access.declaration.tag and action.tag)
        declared = access.declaration
        verdict = resolve(
            action,
            readable,
            now=asked,
            sure_after=action.deadline + declared.vendor_tail_s + declared.read_lag_s,
            decisive=decisive and len(readable) == len(seen),
        )
        half_seen = any(unseen(stream, action, one) for one in readable)
        if verdict == "wait" or (verdict == "done" and half_seen and asked < action.deadline + HALF_SEEN_S):
            return False
        bindings = await self._state.store.bindings_by_key(self._state.link, [action.binding])
        binding = bindings[0] if bindings else None
        if binding is None or verdict == "not_done":
            await self._not_done(action, binding, readable)
        elif verdict == "done" and by_key and not _as_sent(action, readable[0]):
            await self._met(stream, action, binding, readable[0])
        elif verdict == "done":
            await self._done(stream, action, binding, readable[0] if readable else None)
        else:
            await self._unknown(action, binding, readable)
        return True

    async def _looks(
        self, stream: StreamSpec, access: Access, action: Action
    ) -> tuple[list[Observation], bool]:
        """What is to be seen of the target, and whether that can decide."""
        if action.target:
            looks = await access.look(stream, [action.target], "instant")
            return [one for one in looks if one.presence is Presence.PRESENT], True
        if access.declaration.tag and action.tag:
            return await access.tagged(stream, action.tag), True
        if access.declaration.find_by_field:
            return await self._by_key(stream, access, action)
        return [], False

    async def _by_key(
        self, stream: StreamSpec, access: Access, action: Action
    ) -> tuple[list[Observation], bool]:
        """Records that hold a one-field match key of what was to be created and belong to nobody."""
        for names in stream.match:
            place = stream.field(names[0]).side(action.side)
            if len(names) != 1 or place is None or len(place.paths) != 1:
                continue
            value = action.native.get(place.paths[0])
            if value is None:
                continue
            seen = await access.holding(stream, place.paths[0], value)
            ids = [one.id for one in seen]
            bound = await self._state.store.bindings(self._state.link, stream.name, action.side, ids)
            taken = {b.side(action.side).id for b in bound if b.side(other(action.side))}  # type: ignore[union-attr]
            return [one for one in seen if one.id not in taken], True
        return [], False

    async def _done(
        self, stream: StreamSpec, action: Action, binding: Binding, seen: Observation | None
    ) -> None:
        state = self._state
        out = settle(stream, binding, action, seen, now=state.clock.now(), by_reply=False)
        record = seen.id if seen is not None else action.target
        # It may have taken effect only just now: until the read lag is over, other looks may still show it undone.
        state.memory.wrote(stream.object(action.side), action.side, record, state.clock.monotonic())
        drop: tuple[int, ...] = ()
        free: tuple[Binding, ...] = ()
        if action.op is Op.CREATE:
            met = await state.store.bindings(state.link, stream.name, action.side, [record])
            met = [b for b in met if b.key != binding.key]
            drop = tuple(b.key for b in met if b.side(other(action.side)) is None)
            free = tuple(
                revised(released(b, action.side))
                for b in met
                if b.state is State.TOMBSTONE and b.key not in drop
            )
        # Looked at once more in any case: what was decided or parked for it is closed by its next plan.
        hints = [] if action.op is Op.DELETE else [Hint(stream.name, action.side, record, "follow-up")]
        await state.settle(
            Settlement(
                run=state.run,
                bindings=(msgspec.structs.replace(out.binding, rev=binding.rev + 1), *free),
                dropped=drop,
                closed=(Closed(action.id, ActionState.CONFIRMED, record),),
                items=(differs_line(action, seen, out.differs),) if out.differs and seen is not None else (),
                hints=tuple(hints),
                spend=spend([action]),
                counters=(Counters(stream=stream.name, side=action.side, **{COUNTER[action.op]: 1}),),
            )
        )
        state.confirmed += 1

    async def _met(self, stream: StreamSpec, action: Action, binding: Binding, seen: Observation) -> None:
        """Found by its key, but it does not hold what was sent: somebody made the same record there. They meet."""
        state = self._state
        met = await state.store.bindings(state.link, stream.name, action.side, [seen.id])
        held = Held(id=seen.id, version=seen.version)
        pair = msgspec.structs.replace(binding, state=State.MATCHED, note="", rev=binding.rev + 1)
        pair = (
            msgspec.structs.replace(pair, a=held)
            if action.side == "a"
            else msgspec.structs.replace(pair, b=held)
        )
        await state.settle(
            Settlement(
                run=state.run,
                bindings=(pair,),
                dropped=tuple(b.key for b in met if b.key != binding.key),
                closed=(Closed(action.id, ActionState.DROPPED, error="somebody else made the record"),),
            )
        )

    async def _not_done(self, action: Action, binding: Binding | None, seen: Sequence[Observation]) -> None:
        """It is not to be seen: both sides are looked at again, and the work is derived again.

        A field that holds neither what was sent nor what was there before was edited, or the system rewrote what we
        sent: nobody can say. What was agreed on no longer counts for it; the two values meet afresh.
        """
        state = self._state
        unclear = _neither(action, seen[0]) if action.op is Op.UPDATE and seen else frozenset()
        doubted = (revised(_forgotten(binding, unclear)),) if binding is not None and unclear else ()
        await state.settle(
            Settlement(
                run=state.run,
                bindings=doubted,
                closed=(Closed(action.id, ActionState.DROPPED, error="did not arrive"),),
                hints=tuple(await self._again(action)),
            )
        )

    async def _again(self, action: Action) -> list[Hint]:
        bindings = await self._state.store.bindings_by_key(self._state.link, [action.binding])
        return [
            Hint(stream=action.stream, side=side, id=held.id, reason="look again")
            for binding in bindings
            for side in SIDES
            if (held := binding.side(side)) is not None
        ]

    async def _unknown(self, action: Action, binding: Binding, seen: Sequence[Observation]) -> None:
        state = self._state
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
        await state.settle(
            Settlement(
                run=state.run,
                bindings=(held_back,),
                closed=(
                    Closed(action.id, ActionState.UNKNOWN, error="no reply, and nothing to look it up by"),
                ),
                park=(row,),
            )
        )
        state.failed += 1


def _as_sent(action: Action, seen: Observation) -> bool:
    """Whether a record found by its key holds everything that was sent: then it is taken for ours."""
    return all(same(seen.native.get(path), value) for path, value in action.native.items())


def _neither(action: Action, seen: Observation) -> frozenset[str]:
    """Written fields that hold neither what was sent nor what was there before."""
    return frozenset(
        name
        for name, sent in action.fields.items()
        if name in seen.fields
        and not same(seen.fields[name], sent)
        and not same(seen.fields[name], action.before.get(name, UNKNOWN))
    )


def _forgotten(binding: Binding, names: frozenset[str]) -> Binding:
    """The binding without what was settled for these fields."""
    a, b = (
        msgspec.structs.replace(held, dev={n: d for n, d in held.dev.items() if n not in names})
        if held
        else None
        for held in (binding.a, binding.b)
    )
    base = {n: v for n, v in binding.base.items() if n not in names}
    return msgspec.structs.replace(binding, base=base, a=a, b=b)
