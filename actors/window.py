"""One window of observations: loaded bindings, stale looks and echoes dropped, strangers noted, the rest carried out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec

from actors.access import Sides
from actors.carry import Carrier, Extra
from actors.conclude import Pair
from actors.core import effects, initial, match, several
from actors.core.assume import assumed, rests_on_precondition
from actors.core.documents import never_imported
from actors.core.gates import admitted, is_held_back
from actors.core.mapping import remapped
from actors.core.newcomer import is_to_be_put_back, may_now, seen_again
from actors.core.plan import RESTORE, Context, differs, fresh, half_binding, newcomer_state
from actors.core.policy import StreamSpec
from actors.core.rooms import unsure
from actors.core.types import (
    SIDES,
    Action,
    Binding,
    Held,
    Hint,
    Observation,
    Parked,
    Presence,
    Room,
    Side,
    State,
    other,
)
from actors.ports import Counters, Cursor, Known
from actors.state import RunState
from actors.untold import Untold

LOOK_PAUSE_MAX_S = 60
KEPT_NOTES = (RESTORE, initial.HELD, initial.ASKED, initial.LEFT, initial.MET)


class Window(msgspec.Struct, frozen=True):
    """What one look brought, and what goes with it in the same transaction.

    `seen`: observations of `side`. `forced`: ids to be planned even if they show nothing new (decisions, retries). `told`:
    ids that the system has just told of. `attempts`: id -> how often it was tried. `generation`: of the running complete
    read, 0 if this is none. `known`: of just these records, where it was asked for together with the look. `late`: the look
    for who is new on either side has begun already.
    """

    side: Side
    seen: tuple[Observation, ...]
    forced: Collection[str] = ()
    told: Collection[str] = ()
    attempts: Mapping[str, int] = {}
    acks: tuple[Hint, ...] = ()
    cursor: Cursor | None = None
    generation: int = 0
    totals_known: bool = True
    known: Known | None = None
    late: bool = False


class Windows:
    """Takes windows of one link's run."""

    def __init__(self, state: RunState, sides: Sides, carrier: Carrier) -> None:
        self._state = state
        self._sides = sides
        self._carrier = carrier
        self.stirred: set[str] = set()  # streams whose unbound records changed in this run
        # By stream, bindings of which a record was found gone after the look for who is new: it may be one of those.
        self.late: dict[str, set[int]] = {}
        # By stream, the sides on which that look is over, or that have none.
        self.over: dict[str, set[Side]] = {}
        self.untold = Untold({} if state.dry else state.memory.untold)

    async def take(self, stream: StreamSpec, window: Window) -> None:
        """Settle one window: everything it showed is settled, parked, carried out, or noted to be looked at again."""
        state = self._state
        began = state.clock.monotonic()
        sorted_ = await self._sort(stream, window)
        untaken = await self._never_imported(stream, sorted_)
        self._once_more(stream, window, sorted_)
        pairs = await self._partners(stream, window, sorted_)
        gone = {pair.binding.key for pair in pairs if _is_gone(pair)}
        if sorted_.strangers or sorted_.gone or gone:
            self.stirred.add(stream.name)
        over = SIDES if window.late else self.over.get(stream.name, ())
        # Who was gone before that look began was looked for under another id by it.
        news = (pair for pair in pairs if pair.binding.state is not State.GONE)
        late = {pair.binding.key for pair in news if _is_gone(pair, over)}
        self.late.setdefault(stream.name, set()).update(late)
        extra = Extra(
            bindings=tuple(sorted_.strangers),
            acks=window.acks,
            hints=tuple(sorted_.later),
            park=tuple(sorted_.park),
            unpark=tuple(sorted_.unpark),
            cursors=(window.cursor,) if window.cursor is not None else (),
            seen=self._met(stream, window, sorted_),
            counters=self._counts(stream, window, sorted_),
            items=tuple(untaken),
        )
        await self._carrier.carry(stream, pairs, extra, totals_known=window.totals_known, concludes=False)
        state.failed += len(untaken)  # a person was shown them, and can't have them any more
        state.telemetry.emit(
            "window.settled",
            link=state.link,
            stream=stream.name,
            side=window.side,
            records=len(window.seen),
            writes=len(pairs),
            duration_s=state.clock.monotonic() - began,
        )

    async def _sort(self, stream: StreamSpec, window: Window) -> _Sorted:
        state = self._state
        ids = [seen.id for seen in window.seen]
        found = window.known or await state.store.known(state.link, stream.name, window.side, ids)
        parked = found.parked
        known = {
            held.id: remapped(stream, binding)
            for binding in found.bindings
            if (held := binding.side(window.side)) is not None
        }
        out = _Sorted(parked)
        for seen in {one.id: one for one in window.seen}.values():
            self._place(stream, window, seen, known.get(seen.id), parked, out)
        return out

    def _once_more(self, stream: StreamSpec, window: Window, sorted_: _Sorted) -> None:
        """Where reads lag, a look at what was just told of may show the time before: it is looked at once more when that is
        over, whatever was seen."""
        if not window.told or not self._sides[window.side].declaration.read_lag_s:
            return
        known = {hint.id for hint in sorted_.later}
        for seen in window.seen:
            if seen.id in window.told and seen.id not in known:
                sorted_.later.append(self._look_again(stream, window, seen))

    def _place(
        self,
        stream: StreamSpec,
        window: Window,
        seen: Observation,
        binding: Binding | None,
        parked: Collection[int],
        out: _Sorted,
    ) -> None:
        self.untold.forget(stream, seen)
        if binding is None:
            self._stranger(stream, window, seen, out)
        elif self.too_early(stream, seen, binding) and not _rests(binding, seen):
            self.untold.keep(stream, binding, seen)
            out.later.append(self._look_again(stream, window, seen))
        elif binding.side(other(window.side)) is None:
            self._half(stream, window, seen, binding, out)
        elif seen.id in window.forced or binding.key in parked or differs(stream, binding, seen):
            out.changed.append((binding, seen))
        else:
            out.unchanged.append(seen.id)

    def _stranger(self, stream: StreamSpec, window: Window, seen: Observation, out: _Sorted) -> None:
        """A record without a binding is noted from a stale look too: it is looked at again before it is planned, and
        a side with records left out would not have been looked at (a double would be made there)."""
        if self._state.is_open_id(stream, seen.side, seen.id):
            out.later.append(self._look_again(stream, window, seen))
        elif seen.presence is Presence.PRESENT:
            half = half_binding(stream, seen, window.generation)
            loaded = stream.name in self._state.loaded
            # What the load makes of it comes first: it holds also for who can't be admitted yet.
            half = half if stream.follows else initial.held_over(stream, half, seen, loaded=loaded)
            half = effects.noted(stream, admitted(stream, half, seen, None, loaded))
            out.strangers.append(half)
            out.skipped += is_held_back(half.note) or effects.waits(half) or initial.is_held(half)
            if self._sides[seen.side].declaration.read_lag_s > 0:
                self._state.memory.met(stream.object(seen.side), seen.side, seen.id, seen.asked)
            if half.state is State.UNSURE:
                out.later.append(self._look_again(stream, window, seen))

    def too_early(self, stream: StreamSpec, seen: Observation, binding: Binding | None) -> bool:
        """Whether a look must be thrown away: fresh eyes, and no planning while an intent on the record is open."""
        name = stream.object(seen.side)
        if binding is not None and self._state.is_open(binding.key):
            return True
        if self._state.is_open_id(stream, seen.side, seen.id):
            return True
        lag_s, memory = self._sides[seen.side].declaration.read_lag_s, self._state.memory
        # A lagging look may show the time before what was seen already: the record not made yet, or an edit undone.
        known = [memory.last(name, seen.side, seen.id), memory.last_news(name, seen.side, seen.id)]
        if seen.presence is Presence.DELETED:
            known.append(memory.first_met(name, seen.side, seen.id))
        return not all(fresh(seen, at, lag_s) for at in known)

    def _look_again(
        self, stream: StreamSpec, window: Window, seen: Observation, late: Side | None = None
    ) -> Hint:
        """`late`: the side whose look was too early, where it is not the one that was seen."""
        # A short pause even without lag: an open intent needs time to be resolved, a field to be delivered.
        attempts = window.attempts.get(seen.id, 0) + 1
        lag_s = self._sides[late or seen.side].declaration.read_lag_s
        wait_s = max(float(min(attempts, LOOK_PAUSE_MAX_S)), lag_s)
        not_before = self._state.clock.now() + wait_s
        # Its direction stays open until then: a schedule's instant would be over every time the look comes.
        self._state.memory.tries_again(stream.name, not_before)
        self._state.goes_on(stream.name, seen, not_before, lags=bool(lag_s))
        return Hint(
            stream=stream.name,
            side=seen.side,
            id=seen.id,
            reason="look again",
            attempts=attempts,
            not_before=not_before,
        )

    def _half(
        self, stream: StreamSpec, window: Window, seen: Observation, half: Binding, out: _Sorted
    ) -> None:
        if seen.presence is not Presence.PRESENT:
            out.gone.append((half, seen))
            return
        out.unchanged.append(seen.id)
        out.alone += 1
        if effects.waits(half):
            out.skipped += 1
            return
        if is_to_be_put_back(half):
            out.strangers.append(seen_again(stream, half, seen))
            return
        if half.state is State.TOMBSTONE and not several.is_back(half):
            out.skipped += 1  # its other id was given to another record, or it was moved; it stays what it is
            if several.is_left(half):
                out.left.append((half, seen))
            return
        if half.state is State.TOMBSTONE:
            back = several.back_again(stream, half, seen)
            out.strangers.append(msgspec.structs.replace(back, rev=half.rev + 1))
            return
        if seen.id in window.forced:
            self.stirred.add(stream.name)
        half = self._gated(stream, window, seen, half, out)
        out.skipped += half.state is State.HELD_BACK and half.key not in out.parked
        if is_held_back(half.note):
            return
        if initial.is_held(half):
            if initial.has_changed(stream, half, seen):
                now = initial.let_go(half)
                keys = match.keys(stream, seen.fields)
                out.strangers.append(msgspec.structs.replace(now, keys=keys, rev=half.rev + 1))
            return
        keys, state = match.keys(stream, seen.fields), newcomer_state(stream, seen)
        if state is State.UNSURE:
            out.later.append(self._look_again(stream, window, seen))
            out.park.append(unsure(stream, half, seen))
        elif half.state is State.UNSURE:
            out.unpark.append((half.key, Room.WAITING, "*unseen*"))
        elif keys == half.keys and seen.id not in window.forced and not may_now(stream, half, seen):
            return
        if (state, keys) != (half.state, half.keys):
            now = msgspec.structs.replace(
                half, state=state, keys=keys, note=kept_note(half), rev=half.rev + 1
            )
            loaded = stream.name in self._state.loaded
            out.strangers.append(initial.held_over(stream, now, seen, loaded=loaded))

    def _gated(
        self, stream: StreamSpec, window: Window, seen: Observation, half: Binding, out: _Sorted
    ) -> Binding:
        """The half binding as its gate lets it be now."""
        now = admitted(stream, half, seen, half.note, stream.name in self._state.loaded)
        if now is half:
            return half
        now = msgspec.structs.replace(now, rev=half.rev + 1)
        if self._state.dry and half.key in out.parked:
            return now  # it leaves its room with the binding, and a dry run settles no room
        out.strangers.append(now)
        if is_held_back(now.note):  # it waits for nothing any more
            out.unpark.extend((half.key, room, "*") for room in Room)
            if half.key in out.parked:
                out.shut.append((half, seen))
        return now

    async def _never_imported(self, stream: StreamSpec, sorted_: _Sorted) -> list[Action]:
        """Lines of the protocol: of those that a gate lets go, which were staged, and what they were."""
        state, keys = self._state, [half.key for half, _ in sorted_.shut]
        rows = await state.store.parked(state.link, keys) if keys and stream.stages else ()
        return [
            line
            for half, seen in sorted_.shut
            for line in never_imported(stream, half, seen, [row for row in rows if row.binding == half.key])
        ]

    async def _partners(self, stream: StreamSpec, window: Window, sorted_: _Sorted) -> list[Pair]:
        """Pairs with a fresh look at both sides; what can't be looked at freshly now waits."""
        there = other(window.side)
        unlooked, changed = self._unlooked(stream, window, sorted_)
        waits = await self._carrier.would_hold(stream, unlooked, totals_known=window.totals_known)
        if waits:
            unlooked = [pair for pair in unlooked if pair.binding.key not in waits]
            taken = {pair.binding.key for pair in unlooked}
            changed = [one for one in sorted_.changed if one[0].key not in taken]
        wanted = [held.id for binding, _ in changed if (held := binding.side(there)) is not None]
        looks = (
            {one.id: one for one in await self._sides[there].look(stream, wanted, "instant")}
            if wanted
            else {}
        )
        pairs = unlooked
        for binding, seen in changed:
            held = binding.side(there)
            assert held is not None
            partner = looks[held.id]
            if self.too_early(stream, partner, binding):
                for one in (seen, partner):
                    self.untold.keep(stream, binding, one)
                sorted_.later.append(self._look_again(stream, window, seen, there))
                continue
            self.untold.forget(stream, partner)
            pairs.append(_pair(binding, seen, partner, window.attempts.get(seen.id, 0)))
        pairs.extend(_half_pair(half, seen) for half, seen in (*sorted_.gone, *sorted_.left))
        return pairs

    def _unlooked(
        self, stream: StreamSpec, window: Window, sorted_: _Sorted
    ) -> tuple[list[Pair], list[tuple[Binding, Observation]]]:
        """Pairs whose one write proves by its precondition what it rests on, and those that need a look first."""
        state, there = self._state, other(window.side)
        atomic = self._sides[there].declaration.precondition == "atomic"
        if not atomic or state.dry or not state.memory.trusts(stream.object(there), there):
            for _ in sorted_.changed:
                state.memory.trusted(stream.object(there), there, held=True)
            return [], sorted_.changed
        pairs: list[Pair] = []
        rest: list[tuple[Binding, Observation]] = []
        ctx = Context(now=state.clock.now(), breaker=state.spec.breaker, reused=self._carrier.reused())
        for binding, seen in sorted_.changed:
            ground = None
            if seen.id not in window.forced and binding.key not in sorted_.parked:
                ground = assumed(stream, binding, seen)
            if ground is not None:
                pair = _pair(binding, seen, ground, window.attempts.get(seen.id, 0))
                verdict = self._carrier.plan_one(stream, pair, ctx)
                if rests_on_precondition(stream, binding, verdict, there):
                    pairs.append(msgspec.structs.replace(pair, verdict=verdict))
                    continue
            rest.append((binding, seen))
        return pairs, rest

    def _met(
        self, stream: StreamSpec, window: Window, sorted_: _Sorted
    ) -> tuple[tuple[str, Side, int, tuple[str, ...]], ...]:
        if not window.generation:
            return ()
        ids = [
            *sorted_.unchanged,
            *(seen.id for _, seen in sorted_.changed if seen.presence is Presence.PRESENT),
        ]
        ids.extend(hint.id for hint in sorted_.later)
        return ((stream.name, window.side, window.generation, tuple(ids)),) if ids else ()

    def _counts(self, stream: StreamSpec, window: Window, sorted_: _Sorted) -> tuple[Counters, ...]:
        """Who was in step, and who is none of the link's business; who is alone and waits is neither."""
        in_step = len(sorted_.unchanged) - sorted_.alone
        if not in_step and not sorted_.skipped:
            return ()
        return (Counters(stream.name, window.side, unchanged=in_step, skipped=sorted_.skipped),)


class _Sorted:
    """A window's observations by what becomes of them."""

    def __init__(self, known_parked: Collection[int]) -> None:
        self.parked = known_parked  # bindings that stand in a room
        self.strangers: list[Binding] = []
        self.changed: list[tuple[Binding, Observation]] = []
        self.unchanged: list[str] = []
        self.alone = 0  # of those: half bindings
        self.skipped = 0
        self.gone: list[tuple[Binding, Observation]] = []
        self.left: list[tuple[Binding, Observation]] = []  # in an object from which the record was moved
        self.later: list[Hint] = []
        self.park: list[Parked] = []
        self.unpark: list[tuple[int, Room, str]] = []
        self.shut: list[tuple[Binding, Observation]] = []  # parked, and a gate lets them go


def _pair(binding: Binding, seen: Observation, partner: Observation, attempts: int) -> Pair:
    if seen.side == "a":
        return Pair(binding, a=seen, b=partner, attempts=attempts)
    return Pair(binding, a=partner, b=seen, attempts=attempts)


def _rests(half: Binding, seen: Observation) -> bool:
    """Whether nothing is made of a look, however fresh: the record is there, and waits for its document."""
    return seen.presence is Presence.PRESENT and effects.waits(half)


def _half_pair(half: Binding, seen: Observation) -> Pair:
    return Pair(half, a=seen) if seen.side == "a" else Pair(half, b=seen)


def _is_gone(pair: Pair, on: Collection[Side] = SIDES) -> bool:
    return any(seen.presence is Presence.DELETED and seen.side in on for seen in pair.seen)


def kept_note(half: Binding) -> str:
    """What stays noted when it starts anew: that it is to be put back, waits for a yes, or is left, with what stood in it
    then; of a pair, what is open."""
    kept = next((note for note in KEPT_NOTES if note in half.note), "")
    return initial.not_settled(half) if kept == initial.LEFT else kept


def matched(a: Binding, b: Binding) -> Binding:
    """Two half bindings found to be the same record: one binding, to be settled by first contact. Where each was to be put
    back beside another partner, nothing that was agreed on with those says anything of the two."""
    a, b = initial.met(a), initial.met(b)
    held_a, held_b = a.a, b.b
    assert held_a is not None and held_b is not None
    if a.base and b.base:
        a = msgspec.structs.replace(a, base={}, a=_of_its_own(held_a))
        held_b = _of_its_own(held_b)
    return msgspec.structs.replace(a, b=held_b, state=State.MATCHED, note="", rev=a.rev + 1)


def _of_its_own(held: Held) -> Held:
    """A record without what it showed otherwise than was agreed on; what is remembered of the side itself stays."""
    own = {name: dev for name, dev in held.dev.items() if name.startswith("*")}
    return msgspec.structs.replace(held, dev=own)


def ids(bindings: Iterable[Binding], side: Side) -> list[str]:
    """The ids of these bindings on `side`."""
    return [held.id for binding in bindings if (held := binding.side(side)) is not None]
