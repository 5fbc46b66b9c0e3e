"""Carry out what was planned for a handful of pairs: guard -> intents -> write -> settle, one transaction at the end.

Crash recovery, the invariant: before a request leaves, its intent is committed; while an intent is open nothing is
planned for its record; `resolve` (actors/recover.py) finds out later what became of it. So a kill at any await
leaves either nothing, an intent that was never sent, or a write that will be recognised.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import msgspec

from actors.access import Sides, target_refs
from actors.core.errors import Kind, Scope, TandemError
from actors.core.guard import guard, over_text, spend
from actors.core.mapping import NO_REFS, observe
from actors.core.plan import Context, Verdict, plan_new, plan_pair
from actors.core.policy import StreamSpec
from actors.core.settle import settle, unseen
from actors.core.types import (
    SIDES,
    Action,
    ActionState,
    Binding,
    FieldDecision,
    Hint,
    Observation,
    Op,
    Parked,
    Presence,
    Room,
    Side,
    other,
)
from actors.ports import COUNTER, Closed, Counters, Cursor, Settlement, Write, WriteResult, WriteStatus
from actors.state import RunState

RETRY_MAX_S = 300.0
LOOKS_AGAIN_MAX = 10  # after that only a complete read looks again


class Pair(msgspec.Struct, frozen=True):
    """A binding with fresh looks at the side(s) it has."""

    binding: Binding
    a: Observation | None = None
    b: Observation | None = None
    attempts: int = 0

    @property
    def seen(self) -> tuple[Observation, ...]:
        """The looks there are."""
        return tuple(one for one in (self.a, self.b) if one is not None)


class Extra(msgspec.Struct, frozen=True):
    """What the same transaction settles besides the pairs."""

    bindings: tuple[Binding, ...] = ()
    acks: tuple[Hint, ...] = ()
    hints: tuple[Hint, ...] = ()
    park: tuple[Parked, ...] = ()
    unpark: tuple[tuple[int, Room, str], ...] = ()
    cursors: tuple[Cursor, ...] = ()
    seen: tuple[tuple[str, Side, int, tuple[str, ...]], ...] = ()
    counters: tuple[Counters, ...] = ()


class _Done:
    """What is collected for the settlement while pairs are carried out."""

    def __init__(self) -> None:
        self.bindings: dict[int, Binding] = {}
        self.dropped: list[int] = []
        self.closed: list[Closed] = []
        self.items: list[Action] = []
        self.park: list[Parked] = []
        self.unpark: list[tuple[int, Room, str]] = []
        self.hints: list[Hint] = []
        self.spend: dict[str, int] = {}
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


class Carrier:
    """Plans and carries out pairs of one stream for one run."""

    def __init__(self, state: RunState, sides: Sides) -> None:
        self._state = state
        self._sides = sides
        self._refs = NO_REFS  # of the pairs in hand

    async def carry(
        self,
        stream: StreamSpec,
        pairs: Sequence[Pair],
        extra: Extra | None = None,
        *,
        totals_known: bool = True,
    ) -> None:
        """Plan, guard, write and settle; or, in a dry run, put what would be done into a plan."""
        state = self._state
        extra = extra or Extra()
        verdicts = await self._plan(stream, pairs)
        actions = [action for verdict in verdicts for action in verdict.actions]
        go, held = await self._guard(stream, actions, totals_known)
        if state.dry:
            await self._hold_dry(stream, actions, extra)
            return
        done = _Done()
        self._conclude(stream, pairs, verdicts, done)
        results = await self._write(stream, go, done)
        self._settle(stream, pairs, verdicts, go, results, done)
        await self._adopted_strangers(stream, go, results, done)
        if held:
            await state.hold("held", stream.name, state.hold_reason(stream), held)
        await self._commit(stream, done, extra)
        await self._release(stream, verdicts, held)

    # -------------------------------------------------------------------------------------------------- plan

    async def _plan(self, stream: StreamSpec, pairs: Sequence[Pair]) -> list[Verdict]:
        state = self._state
        parked: dict[int, list[Parked]] = {}
        for row in await state.store.parked(state.link, [p.binding.key for p in pairs if p.binding.key]):
            parked.setdefault(row.binding, []).append(row)
        self._refs = refs = await target_refs(
            state.store, state.link, stream, (seen for p in pairs for seen in p.seen)
        )
        verdicts = []
        for pair in pairs:
            ctx = Context(
                now=state.clock.now(),
                breaker=state.spec.breaker,
                parked=tuple(parked.get(pair.binding.key, ())),
                refs=refs,
            )
            verdict = self._plan_one(stream, pair, ctx)
            verdicts.append(verdict)
            state.note_parked(pair.binding.key, ctx.parked)
        return verdicts

    def _plan_one(self, stream: StreamSpec, pair: Pair, ctx: Context) -> Verdict:
        try:
            if pair.a is not None and pair.b is not None:
                return plan_pair(stream, pair.binding, pair.a, pair.b, ctx)
            seen = pair.a or pair.b
            assert seen is not None
            return plan_new(stream, pair.binding, seen, ctx)
        except Exception as error:  # a record never stops a link: it is parked with what went wrong
            self._state.telemetry.emit(
                "record.bug", link=self._state.link, stream=stream.name, error=repr(error)
            )
            reason = f"{type(error).__name__} while planning: {error}"
            parked = Parked(
                stream=stream.name,
                room=Room.QUARANTINE,
                binding=pair.binding.key,
                reason=reason,
                record=next((s.id for s in pair.seen), ""),
                hint="this is a fault of the daemon: please report it; the record goes on when it changes",
            )
            return Verdict(pair.binding, park=(parked,))

    async def _guard(
        self, stream: StreamSpec, actions: Sequence[Action], totals_known: bool
    ) -> tuple[list[Action], list[Action]]:
        state = self._state
        if not actions:
            return [], []
        if state.dry:
            return [], []
        spent = await state.spent(stream.name)
        approved = await state.store.approved(state.link, stream.name, [a.binding for a in actions])
        records = await state.records(stream.name)
        passed = guard(
            stream,
            actions,
            spent,
            records=records,
            totals_known=totals_known,
            approved=approved,
            exempt=state.exempt(stream.name),
        )
        if passed.held:
            state.held_over(stream, passed.over, over_text(stream, passed.over, records), totals_known)
        return list(passed.go), list(passed.held)

    async def _hold_dry(self, stream: StreamSpec, actions: Sequence[Action], extra: Extra) -> None:
        """A dry run keeps what it saw of strangers (observations) and moves nothing else."""
        state = self._state
        if extra.bindings:
            await state.settle(Settlement(run=state.run, bindings=extra.bindings))
        if actions:
            state.planned += len(actions)
            await state.hold("requested", stream.name, "a dry run was asked for", actions)

    # ----------------------------------------------------------------------------------------------- conclude

    def _conclude(
        self, stream: StreamSpec, pairs: Sequence[Pair], verdicts: Sequence[Verdict], done: _Done
    ) -> None:
        """What needs no write: adopted bindings, protocol lines, rooms opened and closed."""
        state = self._state
        for pair, verdict in zip(pairs, verdicts, strict=True):
            key = pair.binding.key
            if verdict.drop:
                done.dropped.append(key)
                done.unpark.extend((key, room, "*") for room in state.rooms_of(key))
                continue
            if verdict.binding != pair.binding:
                done.bindings[key] = verdict.binding
            if verdict.again_s and pair.attempts < LOOKS_AGAIN_MAX:
                done.hints.append(self._look_again(stream, pair, verdict.again_s))
            for item in verdict.items:
                done.items.append(item)
                state.waited += item.state is ActionState.PARKED
                state.confirmed += item.state is ActionState.CONFIRMED
            self._rooms(key, verdict, done)

    def _rooms(self, key: int, verdict: Verdict, done: _Done) -> None:
        state = self._state
        before = {(p.room, p.field): p for p in state.parked_of(key)}
        now = {(p.room, p.field): p for p in verdict.park}
        for place, row in now.items():
            known = before.get(place)
            if known is None or known.fingerprint != row.fingerprint or known.reason != row.reason:
                done.park.append(row)
                done.items.append(_parked_line(row))
                state.waited += 1
                done.add(row.side or "a", "waiting")
        done.unpark.extend((key, room, field) for room, field in before if (room, field) not in now)

    # -------------------------------------------------------------------------------------------------- write

    async def _write(self, stream: StreamSpec, go: list[Action], done: _Done) -> dict[int, WriteResult]:
        """Reserve ids, commit intents, send. Results by position in `go` (which then carries ids and targets)."""
        if not go:
            return {}
        state = self._state
        for side in SIDES:
            creates = [i for i, a in enumerate(go) if a.side == side and a.op is Op.CREATE]
            ids = await self._sides[side].reserve(stream, len(creates))
            for i, drawn in zip(creates, ids, strict=False):
                go[i] = msgspec.structs.replace(go[i], target=drawn)
        allowed_s = sum(self._allowed_s(side, go) for side in SIDES)
        deadline, until = state.clock.now() + allowed_s, state.clock.monotonic() + allowed_s
        for i, action in enumerate(go):
            tag = state.clock.token() if action.op is Op.CREATE else ""
            go[i] = msgspec.structs.replace(action, tag=tag, deadline=deadline, state=ActionState.SENT)
        ids_ = await state.intend(go)
        for i, drawn_id in enumerate(ids_):
            go[i] = msgspec.structs.replace(go[i], id=drawn_id)
        results = {i: WriteResult(WriteStatus.DONE, a.target) for i, a in enumerate(go) if _shown_already(a)}
        for side in SIDES:
            mine = [i for i, a in enumerate(go) if a.side == side and not _shown_already(a)]
            step = self._sides[side].declaration.batch_max
            for start in range(0, len(mine), step):
                results.update(await self._send(stream, side, go, mine[start : start + step], until))
        return results

    def _allowed_s(self, side: Side, go: Sequence[Action]) -> float:
        """How long the requests of one side may take in all."""
        declaration = self._sides[side].declaration
        return declaration.deadline_s * math.ceil(sum(a.side == side for a in go) / declaration.batch_max)

    async def _send(
        self, stream: StreamSpec, side: Side, go: Sequence[Action], batch: Sequence[int], until: float
    ) -> dict[int, WriteResult]:
        state, access = self._state, self._sides[side]
        began = state.clock.monotonic()
        if state.trouble is not None:
            return {i: WriteResult(WriteStatus.NOT_DONE, error=state.trouble.message) for i in batch}
        try:
            out = await access.write(stream, [_write_of(go[i]) for i in batch], until)
            results = dict(zip(batch, out, strict=True))
        except TandemError as error:
            status = WriteStatus.UNKNOWN if error.kind is Kind.UNKNOWN else WriteStatus.NOT_DONE
            if error.kind is Kind.REJECTED:
                status = WriteStatus.REFUSED
            elif error.kind is not Kind.UNKNOWN or error.scope is Scope.CONNECTION:
                state.trouble = error if error.kind is not Kind.UNKNOWN else None
            results = {i: WriteResult(status, error=error.message) for i in batch}
            state.cut_short(error)
        wrote = state.clock.monotonic()
        for i in batch:
            for one in {go[i].target, results[i].id} - {""}:
                state.memory.wrote(stream.object(side), side, one, wrote)
        state.report_writes(
            access.declaration.name, results.values(), [go[i].op for i in batch], wrote - began
        )
        if access.declaration.reply == "id" and access.declaration.read_lag_s == 0:
            return await self._read_back(stream, side, go, results)
        return results

    async def _read_back(
        self, stream: StreamSpec, side: Side, go: Sequence[Action], results: dict[int, WriteResult]
    ) -> dict[int, WriteResult]:
        """A reply without the record says too little: look, and let the look stand as an observation (not a reply)."""
        state = self._state
        ids = {i: r.id or go[i].target for i, r in results.items() if r.status is WriteStatus.DONE}
        wanted = [one for i, one in ids.items() if one and go[i].op in (Op.CREATE, Op.UPDATE)]
        try:
            seen = (
                {o.id: o for o in await self._sides[side].look(stream, wanted, "instant")} if wanted else {}
            )
        except TandemError as error:
            state.cut_short(error)
            return results
        for i, one in ids.items():
            look = seen.get(one)
            if look is not None and look.presence is Presence.PRESENT and _settles(stream, go[i], look):
                state.looked_back[go[i].id] = look
        return results

    # ------------------------------------------------------------------------------------------------- settle

    def _settle(
        self,
        stream: StreamSpec,
        pairs: Sequence[Pair],
        verdicts: Sequence[Verdict],
        go: Sequence[Action],
        results: dict[int, WriteResult],
        done: _Done,
    ) -> None:
        by_key = {p.binding.key: (p, v) for p, v in zip(pairs, verdicts, strict=True)}
        taken = {i for i, r in results.items() if r.status is WriteStatus.DONE}
        for i, action in enumerate(go):
            pair, verdict = by_key[action.binding]
            binding = done.bindings.get(action.binding, verdict.binding)
            result = results[i]
            # A field written on both sides settles only if both writes were done.
            skip = {
                n
                for j, a in enumerate(go)
                if a.binding == action.binding and j not in taken
                for n in a.fields
            }
            self._settle_one(stream, pair, binding, action, result, skip, done)

    def _settle_one(
        self,
        stream: StreamSpec,
        pair: Pair,
        binding: Binding,
        action: Action,
        result: WriteResult,
        skip: set[str],
        done: _Done,
    ) -> None:
        state = self._state
        status = result.status
        if status is WriteStatus.DONE or (status is WriteStatus.GONE and action.op is Op.DELETE):
            after, by_reply = self._after(stream, pair, action, result)
            if after is None and action.op in (Op.CREATE, Op.UPDATE):
                # Accepted, not seen: the intent stays open until a look shows it (actors/recover.py).
                self._stays_open(action, result, done)
                state.confirmed += 1
                return
            out = settle(
                stream,
                binding,
                action,
                after,
                now=state.clock.now(),
                by_reply=by_reply,
                skip=skip,
                refs=self._refs,
            )
            if out.not_taken:
                self._again(pair, action, done, "accepted but not to be seen")
            elif out.open:
                done.hints.append(_hint_of(action, result.id or action.target, "follow-up"))
            if out.differs and after is not None:
                done.items.append(differs_line(action, after, out.differs))
            done.bindings[action.binding] = out.binding
            done.closed.append(Closed(action.id, ActionState.CONFIRMED, result.id or action.target))
            done.add(action.side, COUNTER[action.op])
            state.confirmed += 1
            for key, count in spend([action]).items():
                done.spend[key] = done.spend.get(key, 0) + count
            return
        if status is WriteStatus.REFUSED:
            done.closed.append(Closed(action.id, ActionState.REFUSED, error=result.error))
            row = _quarantined(action, result.error)
            done.park.append(row)
            done.add(action.side, "failed")
            state.failed += 1
            return
        if status is WriteStatus.UNKNOWN:
            state.unknown_outcome = True
            self._stays_open(action, result, done)
            return
        done.closed.append(Closed(action.id, ActionState.DROPPED, error=result.error or status.value))
        # Moved on and gone are observations: look again now. Not done: try again later.
        self._again(pair, action, done, status.value, later=status is WriteStatus.NOT_DONE)

    def _stays_open(self, action: Action, result: WriteResult, done: _Done) -> None:
        target = result.id or action.target
        self._state.open[action.id] = msgspec.structs.replace(action, target=target)
        done.closed.append(Closed(action.id, ActionState.SENT, target, error=result.error))

    def _after(
        self, stream: StreamSpec, pair: Pair, action: Action, result: WriteResult
    ) -> tuple[Observation | None, bool]:
        if _shown_already(action):
            return (pair.a if action.side == "a" else pair.b), True
        looked = self._state.looked_back.pop(action.id, None)
        if looked is not None:
            return looked, False
        if result.record is None:
            return None, False
        seen = observe(stream, action.side, result.record, self._state.clock.monotonic(), self._refs)
        return (seen, True) if _settles(stream, action, seen) else (None, False)

    def _look_again(self, stream: StreamSpec, pair: Pair, after_s: float) -> Hint:
        seen = pair.seen[0]
        attempts = pair.attempts + 1
        not_before = self._state.clock.now() + min(RETRY_MAX_S, after_s * attempts)
        return Hint(
            stream=stream.name,
            side=seen.side,
            id=seen.id,
            reason="look again",
            attempts=attempts,
            not_before=not_before,
        )

    def _again(self, pair: Pair, action: Action, done: _Done, reason: str, later: bool = False) -> None:
        attempts = pair.attempts + 1
        wait_s = min(RETRY_MAX_S, 2.0**attempts) if later or attempts > 3 else 0.0
        for seen in pair.seen[:1]:
            done.hints.append(
                Hint(
                    stream=action.stream,
                    side=seen.side,
                    id=seen.id,
                    reason=reason,
                    attempts=attempts,
                    not_before=self._state.clock.now() + wait_s,
                )
            )

    async def _adopted_strangers(
        self, stream: StreamSpec, go: Sequence[Action], results: dict[int, WriteResult], done: _Done
    ) -> None:
        """A record of ours that was met as a stranger before its reply came: its half binding goes."""
        state = self._state
        for side in SIDES:
            made = {
                r.id or go[i].target
                for i, r in results.items()
                if go[i].side == side and go[i].op is Op.CREATE and r.status is WriteStatus.DONE
            } - {""}
            if not made:
                continue
            for half in await state.store.bindings(state.link, stream.name, side, sorted(made)):
                if half.side(other(side)) is None and half.key not in {go[i].binding for i in results}:
                    done.dropped.append(half.key)
                    done.unpark.extend((half.key, room, "*") for room in Room)

    async def _commit(self, stream: StreamSpec, done: _Done, extra: Extra) -> None:
        state = self._state
        bindings = tuple(_revised(b) for b in done.bindings.values() if b.key not in done.dropped)
        await state.settle(
            Settlement(
                run=state.run,
                bindings=(*bindings, *extra.bindings),
                dropped=tuple(dict.fromkeys(done.dropped)),
                closed=tuple(done.closed),
                items=tuple(done.items),
                park=tuple(_one_per_place([*extra.park, *done.park])),
                unpark=(*extra.unpark, *done.unpark),
                acks=extra.acks,
                hints=(*extra.hints, *done.hints),
                cursors=extra.cursors,
                seen=extra.seen,
                spend=done.spend,
                counters=(*extra.counters, *done.counters(stream.name)),
            )
        )

    async def _release(self, stream: StreamSpec, verdicts: Iterable[Verdict], held: Sequence[Action]) -> None:
        """Held actions that are done, or no longer derived, leave their plan."""
        state = self._state
        kept = {action.binding for action in held}
        keys = [v.binding.key for v in verdicts if v.binding.key and v.binding.key not in kept]
        if keys and await state.has_plan(stream.name):
            await state.store.release_held(state.lease, stream.name, "held", keys)


def _shown_already(action: Action) -> bool:
    """An update that the side can't show any better than it does: nothing is sent, the look before stands."""
    return action.op is Op.UPDATE and not action.native


def _write_of(action: Action) -> Write:
    return Write(
        op=Op.UPDATE if action.op is Op.MARK else action.op,
        id=action.target,
        native=action.native,
        seen=action.seen_native,
        version=action.version,
        tag=action.tag,
    )


def _hint_of(action: Action, record: str, reason: str) -> Hint:
    return Hint(stream=action.stream, side=action.side, id=record, reason=reason)


def _revised(binding: Binding) -> Binding:
    return msgspec.structs.replace(binding, rev=binding.rev + 1)


def _quarantined(action: Action, words: str) -> Parked:
    # A record that was not made is named by the one that people know: what it was to be made from.
    unmade = action.op is Op.CREATE
    return Parked(
        stream=action.stream,
        room=Room.QUARANTINE,
        binding=action.binding,
        side=other(action.side) if unmade else action.side,
        record=action.origin if unmade else action.target or action.origin,
        reason=words or "refused without a word",
        hint="mend the record, or retry it once the system takes it",
        detail={"op": action.op.value, "fields": dict(action.fields)},
        fingerprint=action.fingerprint,
    )


def _parked_line(row: Parked) -> Action:
    return Action(
        stream=row.stream,
        side=row.side or "a",
        op=Op.NONE,
        binding=row.binding,
        rule=row.room.value,
        reason=row.reason,
        target=row.record,
        state=ActionState.PARKED,
    )


def differs_line(action: Action, after: Observation, names: Sequence[str]) -> Action:
    """The protocol line for fields that show neither what was sent nor what was there before."""
    decisions = []
    for name in names:
        sent, seen = action.fields[name], after.fields.get(name)
        a, b = (seen, sent) if action.side == "a" else (sent, seen)
        decisions.append(FieldDecision(name, "differs after our write", seen, base=sent, a=a, b=b))
    return Action(
        stream=action.stream,
        side=action.side,
        op=Op.NONE,
        binding=action.binding,
        rule="differs after our write",
        reason=f"side {action.side} shows another value than was written: {', '.join(names)}",
        target=after.id,
        origin=action.origin,
        decisions=tuple(decisions),
        state=ActionState.CONFIRMED,
    )


def _settles(stream: StreamSpec, action: Action, seen: Observation) -> bool:
    return not seen.problem and not unseen(stream, action, seen)


def _one_per_place(rows: Iterable[Parked]) -> Iterable[Parked]:
    return {(row.binding, row.room, row.field): row for row in rows}.values()
