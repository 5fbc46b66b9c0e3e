"""What became of the pairs of one settlement: adopted, parked, settled, refused, left open, to be looked at again."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from actors import untold
from actors.core import several
from actors.core.actions import id_on
from actors.core.changes import Change
from actors.core.documents import decided
from actors.core.guard import Spent, spend
from actors.core.mapping import Refs, observe
from actors.core.plan import Verdict
from actors.core.policy import StreamSpec
from actors.core.settle import settle as settle_action
from actors.core.stream_rules import Imports
from actors.core.types import (
    SIDES,
    Action,
    ActionState,
    Binding,
    Hint,
    Observation,
    Op,
    Parked,
    Presence,
    Room,
    Side,
    State,
)
from actors.core.units import CUT
from actors.core.values import same
from actors.lines import (
    differs_line,
    hint_of,
    not_imported,
    parked_line,
    partly,
    quarantined,
    settles,
    shown_already,
)
from actors.ports import COUNTER, Closed, Counters, WriteResult, WriteStatus
from actors.state import RunState

RETRY_MAX_S = 300.0
LOOKS_AGAIN_MAX = 10  # after that only a complete read looks again
# A deletion is refused while others refer to the record, and they may be about to be deleted too; then it is listed.
DELETES_AGAIN_MAX = 3


class Pair(msgspec.Struct, frozen=True):
    """A binding with fresh looks at the side(s) it has, or with a verdict that needs but one."""

    binding: Binding
    a: Observation | None = None
    b: Observation | None = None
    attempts: int = 0
    verdict: Verdict | None = (
        None  # made already, from one side alone: its write proves the other (core/assume)
    )

    @property
    def seen(self) -> tuple[Observation, ...]:
        """The looks there are."""
        return tuple(one for one in (self.a, self.b) if one is not None)


class Done:
    """What is collected for the settlement while pairs are carried out."""

    def __init__(self) -> None:
        self.bindings: dict[int, Binding] = {}
        self.new: list[Binding] = []  # that begin with what was done: effects, what a move left behind
        self.dropped: list[int] = []
        self.closed: list[Closed] = []
        self.items: list[Action] = []
        self.park: list[Parked] = []
        self.unpark: list[tuple[int, Room, str]] = []
        self.hints: list[Hint] = []
        self.changes: list[Change] = []  # carried out as lines, and shown as they were sent
        self.decided: dict[int, list[tuple[Room, str]]] = {}  # decisions that the writes under way carry out
        self.spend: dict[Spent, int] = {}
        self.count: dict[tuple[Side, str], int] = {}

    def add(self, side: Side, counter: str, count: int = 1) -> None:
        self.count[side, counter] = self.count.get((side, counter), 0) + count

    def counters(self, stream: str) -> tuple[Counters, ...]:
        return tuple(
            Counters(
                stream=stream, side=side, **{name: n for (s, name), n in self.count.items() if s == side}
            )
            for side in SIDES
            if any(s == side for s, _ in self.count)
        )


class Conclusions:
    """Fills a `Done` from verdicts and results; counts what the run's outcome is made of."""

    def __init__(self, state: RunState, refs: Refs) -> None:
        self._state = state
        self._refs = refs

    def conclude(
        self, stream: StreamSpec, pairs: Sequence[Pair], verdicts: Sequence[Verdict], done: Done
    ) -> None:
        """What needs no write: adopted bindings, protocol lines, rooms opened and closed."""
        state = self._state
        for pair, verdict in zip(pairs, verdicts, strict=True):
            key = pair.binding.key
            if verdict.drop:
                done.dropped.append(key)
                done.unpark.extend((key, room, "*") for room in state.rooms_of(key))
                self._items(verdict, done)
                continue
            if verdict.binding != pair.binding:
                done.bindings[key] = verdict.binding
                if _is_back(pair.binding, verdict.binding):  # whoever refers to it can go
                    state.memory.arrives(stream.name)
            if verdict.again_s and pair.attempts < LOOKS_AGAIN_MAX:
                done.hints.append(self._look_again(stream, pair, verdict))
            self._items(verdict, done)
            held_back = verdict.binding.state is State.HELD_BACK and not verdict.park
            if held_back and pair.binding.state is not State.HELD_BACK:
                done.add(pair.seen[0].side, "skipped")
            self._rooms(stream, key, verdict, done)

    def _items(self, verdict: Verdict, done: Done) -> None:
        """Lines of the protocol. What could not be done for good counts as failed."""
        for item in verdict.items:
            done.items.append(item)
            self._state.waited += item.state is ActionState.PARKED
            self._state.confirmed += item.state is ActionState.CONFIRMED
            self._state.failed += item.state is ActionState.DROPPED

    def _rooms(self, stream: StreamSpec, key: int, verdict: Verdict, done: Done) -> None:
        state = self._state
        binding = verdict.binding
        before = {(p.room, p.field): p for p in state.parked_of(key)}
        now = {(p.room, p.field): p for p in verdict.park}
        for place, row in now.items():
            known = before.get(place)
            if known is None or known.fingerprint != row.fingerprint or known.reason != row.reason:
                done.park.append(row)
                done.items.append(parked_line(row))
                state.waited += row.room is not Room.STAGED
                state.confirmed += row.room is Room.STAGED  # that is what was to become of it
                if row.room is Room.STAGED and stream.imports is Imports.ALWAYS:
                    state.staged.add(key)
                done.add(row.side or "a", "waiting")
        for place, row in before.items():
            if place in now:
                continue
            said = row.decision is not None or decided(stream, row)
            if said and any(_carries(stream, one, place) for one in verdict.actions):
                done.decided.setdefault(key, []).append(place)  # it stands until what it decided is done
            elif row.decision is not None and place[0] is Room.AMBIGUOUS and None in (binding.a, binding.b):
                continue  # it is none of the others, also while something else keeps it from being created
            else:
                done.unpark.append((key, *place))

    def settle(
        self,
        stream: StreamSpec,
        pairs: Sequence[Pair],
        verdicts: Sequence[Verdict],
        go: Sequence[Action],
        results: dict[int, WriteResult],
        done: Done,
    ) -> None:
        by_key = {p.binding.key: (p, v) for p, v in zip(pairs, verdicts, strict=True)}
        # A field written on both sides settles only if both writes were done: refused, or held back, is not done.
        wrote = {(go[i].binding, go[i].side) for i, r in results.items() if r.status is WriteStatus.DONE}
        undone: dict[int, set[str]] = {}
        for planned in (action for verdict in verdicts for action in verdict.actions):
            if (planned.binding, planned.side) not in wrote:
                undone.setdefault(planned.binding, set()).update(planned.fields)
        for i, action in enumerate(go):
            pair, verdict = by_key[action.binding]
            binding = done.bindings.get(action.binding, verdict.binding)
            result = results[i]
            skip: Collection[str] = undone.get(action.binding, ())
            self._settle_one(stream, pair, binding, action, result, skip, done)

    def _settle_one(
        self,
        stream: StreamSpec,
        pair: Pair,
        binding: Binding,
        action: Action,
        result: WriteResult,
        skip: Collection[str],
        done: Done,
    ) -> None:
        status = result.status
        if status not in (WriteStatus.DONE, WriteStatus.REFUSED):
            for seen in pair.seen:
                untold.keep(self._state.memory.untold, stream, pair.binding, seen)
        if status is WriteStatus.DONE or (status is WriteStatus.GONE and action.op is Op.DELETE):
            self._took_effect(stream, pair, binding, action, result, skip, done)
            return
        if status is WriteStatus.REFUSED and self._children_may_go(stream, pair, action):
            status = WriteStatus.NOT_DONE
        if status is WriteStatus.REFUSED:
            self._refused(stream, action, result, done)
            return
        if status is WriteStatus.PARTLY:
            if self._partly(stream, pair, binding, action, result, done):
                return
            status = WriteStatus.UNKNOWN
        if status is WriteStatus.UNKNOWN:
            self._state.unknown_outcome = True
            self._stays_open(action, result, done)
            return
        done.closed.append(Closed(action.id, ActionState.DROPPED, error=result.error or status.value))
        # Moved on and gone are observations: look again now. Not done: try again later.
        self._again(pair, action, done, status.value, later=status is WriteStatus.NOT_DONE)

    def _children_may_go(self, stream: StreamSpec, pair: Pair, action: Action) -> bool:
        """Whether a deletion that was refused is worth another try: parents are worked on before their children, so those
        that were deleted together with it may only go now."""
        referred = any(
            stream.name in field.references for one in self._state.spec.streams for field in one.fields
        )
        return action.op is Op.DELETE and referred and pair.attempts < DELETES_AGAIN_MAX

    def _took_effect(
        self,
        stream: StreamSpec,
        pair: Pair,
        binding: Binding,
        action: Action,
        result: WriteResult,
        skip: Collection[str],
        done: Done,
    ) -> None:
        """Settle a write that was done (or whose target to be deleted was gone already)."""
        state = self._state
        after, by_reply = self._after(stream, pair, action, result)
        if after is None and action.op in (Op.CREATE, Op.UPDATE):
            # Accepted, not seen: the intent stays open until a look shows it (actors/recover.py).
            self._stays_open(action, result, done)
            state.confirmed += 1
            return
        if not by_reply:  # read back: the system has said yes, so what it shows is what it made of it
            action = msgspec.structs.replace(action, state=ActionState.UNCONFIRMED)
        out = settle_action(
            stream,
            binding,
            action,
            after,
            now=state.clock.now(),
            by_reply=by_reply,
            skip=skip,
            refs=self._refs,
            touched=not by_reply and after is not None and _touched(stream, pair, action, result, after),
            origin=pair.b if action.side == "a" else pair.a,
        )
        if out.not_taken:
            self._again(pair, action, done, "accepted but not to be seen")
        elif out.open:
            done.hints.append(hint_of(action, result.id or action.target, "follow-up"))
        if out.differs and after is not None:
            done.items.append(differs_line(action, after, out.differs))
        # A decision about a field that is still open stands until its write was taken.
        still = {stream.field(name).unit for name in out.open}
        decided = _carried(stream, action, done)
        done.unpark.extend((action.binding, *place) for place in decided if place[1] not in still)
        done.bindings[action.binding] = out.binding
        if several.is_move(stream, binding, action):
            half = several.left_behind(stream, binding, action, id_on(out.binding, action.side))
            done.new.append(half)
            done.hints.append(hint_of(action, id_on(half, action.side), "left behind"))
        self._count(stream, action, result, done)

    def _count(self, stream: StreamSpec, action: Action, result: WriteResult, done: Done) -> None:
        """What was done, in the protocol, the sums and the ledger."""
        done.closed.append(Closed(action.id, ActionState.CONFIRMED, result.id or action.target))
        self._state.confirmed += 1
        self._state.memory.has_gone(action)
        if result.status is WriteStatus.GONE:  # somebody else had deleted it: not our doing
            return
        if shown_already(action):  # nothing was sent
            done.add(action.side, "unchanged")
            return
        done.add(action.side, COUNTER[action.op])
        if action.op is Op.CREATE:
            self._state.memory.arrives(action.stream)
        for key, count in spend(stream, [action]).items():
            done.spend[key] = done.spend.get(key, 0) + count

    def _refused(self, stream: StreamSpec, action: Action, result: WriteResult, done: Done) -> None:
        done.closed.append(Closed(action.id, ActionState.REFUSED, error=result.error))
        carried = _carried(stream, action, done)
        imported = any(room is Room.STAGED for room, _ in carried)  # not what is put back, or moves
        row = not_imported(stream, action, result.error) if imported else quarantined(action, result.error)
        done.park.append(row)
        done.unpark.extend(
            (action.binding, *place)
            for place in carried
            if place[0] is not Room.AMBIGUOUS or action.op is not Op.CREATE
        )
        done.add(action.side, "failed")
        self._state.failed += 1

    def _partly(
        self,
        stream: StreamSpec,
        pair: Pair,
        binding: Binding,
        action: Action,
        result: WriteResult,
        done: Done,
    ) -> bool:
        """A unit was begun, refused on the way and not undone: what stands is settled, the rest is listed and planned anew.
        False where the system did not say how it stands."""
        after, _ = self._after(stream, pair, action, result)
        if after is None or after.problem:
            return False
        action = msgspec.structs.replace(action, target=result.id or action.target)
        now = self._state.clock.now()
        out = settle_action(
            stream, binding, action, after, now=now, by_reply=False, refs=self._refs, in_steps=True
        )
        done.bindings[action.binding] = out.binding
        self._refused(stream, action, partly(action, result), done)
        if action.op is Op.CREATE:
            self._state.memory.arrives(action.stream)
        self._again(pair, action, done, CUT, later=True)
        return True

    def _stays_open(self, action: Action, result: WriteResult, done: Done) -> None:
        target = result.id or action.target
        state = ActionState.UNCONFIRMED if result.status is WriteStatus.DONE else ActionState.SENT
        self._state.open[action.id] = msgspec.structs.replace(action, target=target, state=state)
        done.closed.append(Closed(action.id, state, target, error=result.error))

    def _after(
        self, stream: StreamSpec, pair: Pair, action: Action, result: WriteResult
    ) -> tuple[Observation | None, bool]:
        if shown_already(action):
            return (pair.a if action.side == "a" else pair.b), True
        looked = self._state.looked_back.pop(action.id, None)
        if looked is not None:  # as good as the reply where nobody has written since
            return looked, result.version is not None and looked.version == result.version
        if result.record is None:
            return None, False
        seen = observe(stream, action.side, result.record, self._state.clock.monotonic(), self._refs)
        return (seen, True) if settles(stream, action, seen) else (None, False)

    def _look_again(self, stream: StreamSpec, pair: Pair, verdict: Verdict) -> Hint:
        seen = next((one for one in pair.seen if one.side == verdict.again_side), pair.seen[0])
        attempts = pair.attempts + 1
        not_before = self._state.clock.now() + min(RETRY_MAX_S, verdict.again_s * attempts)
        self._state.goes_on(stream.name, seen, not_before)
        return Hint(
            stream=stream.name,
            side=seen.side,
            id=seen.id,
            reason="look again",
            attempts=attempts,
            not_before=not_before,
        )

    def _again(self, pair: Pair, action: Action, done: Done, reason: str, later: bool = False) -> None:
        attempts = pair.attempts + 1
        wait_s = min(RETRY_MAX_S, 2.0**attempts) if later or attempts > 3 else 0.0
        not_before = self._state.clock.now() + wait_s
        self._state.memory.tries_again(action.stream, not_before)
        for seen in pair.seen[:1]:
            self._state.goes_on(action.stream, seen, not_before)
            done.hints.append(
                Hint(
                    stream=action.stream,
                    side=seen.side,
                    id=seen.id,
                    reason=reason,
                    attempts=attempts,
                    not_before=not_before,
                )
            )


def _is_back(before: Binding, after: Binding) -> bool:
    """Whether a record is there again that was gone."""
    sides = [(was, now) for side in SIDES if (was := before.side(side)) and (now := after.side(side))]
    return any(was.presence is Presence.DELETED and now.presence is Presence.PRESENT for was, now in sides)


def _carries(stream: StreamSpec, action: Action, place: tuple[Room, str]) -> bool:
    """Whether a write does what was decided there: of a field or group if it writes that, of a record in any case."""
    room, unit = place
    if room is not Room.CONFLICT or unit not in dict(stream.units):
        return True
    return any(stream.field(name).unit == unit for name in action.fields)


def _carried(stream: StreamSpec, action: Action, done: Done) -> list[tuple[Room, str]]:
    """The decisions that a write carried out; those that another one does wait for that."""
    places = done.decided.get(action.binding, [])
    done.decided[action.binding] = [one for one in places if not _carries(stream, action, one)]
    return [one for one in places if _carries(stream, action, one)]


def _touched(stream: StreamSpec, pair: Pair, action: Action, result: WriteResult, after: Observation) -> bool:
    """Whether somebody else has written the record since we did: its version is another one than our write left, or a
    field that we did not write is not what it was when the write was planned."""
    if result.version is not None and after.version is not None:
        return after.version != result.version
    before = pair.a if action.side == "a" else pair.b
    if before is None or action.op is not Op.UPDATE:
        return False
    return any(
        not same(before.fields[spec.name], after.fields[spec.name])
        for spec, _ in stream.shared(action.side)
        if spec.name not in action.fields and spec.name in before.fields and spec.name in after.fields
    )
