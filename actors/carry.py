"""Carry out what was planned for a handful of pairs: guard -> intents -> write -> settle, one transaction at the end.

Crash recovery, the invariant: before a request leaves, its intent is committed; while an intent is open nothing is
planned for its record; `resolve` (actors/recover.py) finds out later what became of it. So a kill at any await
leaves either nothing, an intent that was never sent, or a write that will be recognised.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence

import anyio
import msgspec

from actors import effects
from actors.access import Sides, target_refs
from actors.attached import brings, with_content
from actors.beside import alone, astray, led, left
from actors.conclude import Conclusions, Done, Pair
from actors.core.errors import Kind, Scope, TandemError
from actors.core.guard import budgeted, guard, over_text, records_asked
from actors.core.mapping import Refs, remapped
from actors.core.places import written_in
from actors.core.plan import Context, Verdict, differs, plan_new, plan_pair
from actors.core.policy import StreamSpec
from actors.core.types import (
    SIDES,
    Action,
    ActionState,
    Binding,
    Hint,
    Op,
    Parked,
    Presence,
    Room,
    Side,
    State,
    other,
)
from actors.lines import one_per_place, released, revised, settles, shown_already, write_of
from actors.merges import merged
from actors.ports import WROTE, Counters, Cursor, Declaration, Settlement, WriteResult, WriteStatus
from actors.runtime.together import together
from actors.state import RunState
from actors.waiting import lacks, let_go_needed


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
    items: tuple[Action, ...] = ()  # lines of the protocol


class Carrier:
    """Plans and carries out pairs of one stream for one run."""

    def __init__(self, state: RunState, sides: Sides) -> None:
        self._state = state
        self._sides = sides
        self._writing = {side: anyio.Lock() for side in SIDES}

    async def carry(
        self,
        stream: StreamSpec,
        pairs: Sequence[Pair],
        extra: Extra | None = None,
        *,
        totals_known: bool = True,
        concludes: bool = True,
    ) -> list[Action]:
        """Plan, guard, write and settle; or, in a dry run, put what would be done into a plan. Returns what was held.
        `concludes`: see `Context`."""
        state = self._state
        extra = extra or Extra()
        verdicts, refs = await self._plan(stream, pairs, concludes)
        actions = [action for verdict in verdicts for action in verdict.actions]
        actions, waiting = await self._by_schedule(stream, actions)
        go, held = await self._guard(stream, actions, totals_known)
        if state.dry:
            await self._hold_dry(stream, actions, extra)
            return []
        done = Done()
        conclusions = Conclusions(state, refs)
        conclusions.conclude(stream, pairs, verdicts, done)
        results = await self._write(stream, go, done)
        conclusions.settle(stream, pairs, verdicts, go, results, done)
        self._learn(stream, pairs, go, results)
        await self._adopted_strangers(stream, go, results, done)
        if held:
            await state.hold("held", stream.name, state.hold_reason(stream), held)
            done.hints.extend(_to_be_looked_at(pairs, held))
        done.hints.extend(state.gate.hints(waiting))
        await self._tell_effects(stream, go, results, done)
        await self.commit(stream, done, extra)
        await self._release(stream, verdicts, [*held, *waiting])
        return held

    # -------------------------------------------------------------------------------------------------- plan

    async def verdicts(
        self, stream: StreamSpec, pairs: Sequence[Pair]
    ) -> list[tuple[Verdict, tuple[Parked, ...]]]:
        """What would be done about each pair, and what is parked of it now; for runs that only look."""
        found, _ = await self._plan(stream, pairs, concludes=True)
        parked = [self._state.parked_of(pair.binding.key) for pair in pairs]
        return list(zip(found, parked, strict=True))

    async def _plan(
        self, stream: StreamSpec, pairs: Sequence[Pair], concludes: bool
    ) -> tuple[list[Verdict], Refs]:
        state = self._state
        parked: dict[int, list[Parked]] = {}
        keys = [p.binding.key for p in pairs if p.binding.key and p.verdict is None]
        for row in await state.store.parked(state.link, keys) if keys else ():
            parked.setdefault(row.binding, []).append(row)
        refs = await target_refs(state.store, state.link, stream, (seen for p in pairs for seen in p.seen))
        verdicts = []
        lacking = await lacks(state, stream, [s for p in pairs for s in p.seen]) if stream.requires else {}
        if not state.dry:
            await let_go_needed(state, stream, [s for p in pairs for s in p.seen if s.problem])
        reused = self.reused()
        merges = await merged(state, self._sides, stream, pairs)
        lost = await astray(state, self._sides, stream, (pair.binding for pair in pairs))
        for pair in pairs:
            if pair.verdict is not None:
                verdicts.append(pair.verdict)
                self._note_news(stream, pair)
                continue
            merge = merges.get(pair.binding.key)
            ctx = Context(
                now=state.clock.now(),
                breaker=state.spec.breaker,
                parked=tuple(parked.get(pair.binding.key, ())),
                refs=refs,
                concludes=concludes,
                survivor=merge.survivor if merge is not None else None,
                referring=merge.referring if merge is not None else None,
                lacks=lacking.get((pair.seen[0].side, pair.seen[0].id), ()),
                just_staged=pair.binding.key in state.staged,
                loading=stream.name not in state.loaded,
                reused=reused,
                astray=lost.get(pair.binding.key, False),
            )
            verdict = self.plan_one(stream, pair, ctx)
            self._note_gone(stream, pair, verdict)
            verdicts.append(verdict)
            # A newcomer that waits is planned again and again: its news is what it is made from.
            if len(pair.seen) == len(SIDES) or verdict.actions:
                self._note_news(stream, pair)
            state.note_parked(pair.binding.key, ctx.parked)
        return verdicts, refs

    def reused(self) -> frozenset[Side]:
        """Sides that may give the id of a deleted record to another one."""
        return frozenset(s for s in SIDES if self._sides[s].declaration.ids == "may_be_reused")

    def _note_gone(self, stream: StreamSpec, pair: Pair, verdict: Verdict) -> None:
        """A dry run settles nothing, so it remembers by itself what it has yet to conclude."""
        if self._state.dry and verdict.binding.state is State.GONE:
            self._state.gone.setdefault(stream.name, {})[pair.binding.key] = verdict.binding

    def _note_news(self, stream: StreamSpec, pair: Pair) -> None:
        """Where reads lag, a look asked for soon after one that showed news may show the time before them."""
        for seen in pair.seen if not self._state.dry else ():
            lags = self._sides[seen.side].declaration.read_lag_s > 0
            if lags and differs(stream, pair.binding, seen):
                self._state.memory.saw_news(stream.object(seen.side), seen.side, seen.id, seen.asked)

    def plan_one(self, stream: StreamSpec, pair: Pair, ctx: Context) -> Verdict:
        """What is to be done about one pair; a fault of ours parks it."""
        try:
            if pair.a is not None and pair.b is not None:
                return plan_pair(stream, remapped(stream, pair.binding), pair.a, pair.b, ctx)
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
        self, stream: StreamSpec, actions: Sequence[Action], totals_known: bool, *, note: bool = True
    ) -> tuple[list[Action], list[Action]]:
        state = self._state
        if not actions:
            return [], []
        if state.dry:
            return [], []
        if not budgeted(stream, actions):
            return list(actions), []
        ledger, exempt = await state.spent(stream), state.exempt(stream.name)
        asked = records_asked(stream, actions, ledger, totals_known=totals_known, exempt=exempt)
        records = await state.records(stream.name, asked) if asked else 0
        judge = functools.partial(
            guard, stream, actions, ledger, records=records, totals_known=totals_known, exempt=exempt
        )
        passed = judge()
        if passed.held:  # then it matters what somebody said yes to
            keys = [action.binding for action in actions]
            passed = judge(approved=await state.store.approved(state.link, stream.name, keys))
        if passed.held and note:
            text = over_text(stream, passed, records, ledger.hubs)
            state.held_over(stream, text, is_over=totals_known and bool(passed.over or passed.over_hub))
        return list(passed.go), list(passed.held)

    async def _by_schedule(
        self, stream: StreamSpec, actions: Sequence[Action]
    ) -> tuple[list[Action], list[Action]]:
        """What may go now, and what waits for its schedule; what somebody said yes to waits no longer."""
        state = self._state
        go, waiting = state.gate.sift(stream, actions)
        if waiting:
            now = state.clock.monotonic()
            asked = {action.binding for action in waiting if state.memory.was_asked(action, now)}
            go += [action for action in waiting if action.binding in asked]
            waiting = [action for action in waiting if action.binding not in asked]
        if waiting and await state.has_plan(stream.name):
            keys = [action.binding for action in waiting]
            said_yes = await state.store.approved(state.link, stream.name, keys)
            go += [action for action in waiting if action.fingerprint in said_yes]
            waiting = [action for action in waiting if action.fingerprint not in said_yes]
        return go, waiting

    async def may_all_go(self, stream: StreamSpec, actions: Sequence[Action], *, totals_known: bool) -> bool:
        """Whether none of these would have to wait for a yes."""
        _, held = await self._guard(stream, actions, totals_known, note=False)
        return not held

    async def would_hold(self, stream: StreamSpec, pairs: Sequence[Pair], *, totals_known: bool) -> set[int]:
        """Bindings of verdicts that would have to wait for a yes: nobody is asked about what was not looked at."""
        actions = [action for pair in pairs if pair.verdict is not None for action in pair.verdict.actions]
        _, held = await self._guard(stream, actions, totals_known, note=False)
        return {action.binding for action in held}

    async def _hold_dry(self, stream: StreamSpec, actions: Sequence[Action], extra: Extra) -> None:
        """A dry run keeps what it saw of strangers (observations) and moves nothing else."""
        state = self._state
        if extra.bindings:
            await state.settle(Settlement(run=state.run, bindings=extra.bindings))
        if actions:
            state.planned += len(actions)
            await state.hold("requested", stream.name, "a dry run was asked for", actions)

    def _learn(
        self, stream: StreamSpec, pairs: Sequence[Pair], go: Sequence[Action], results: dict[int, WriteResult]
    ) -> None:
        """How often what was taken for granted held: where it often doesn't, looking first is cheaper."""
        unlooked = {pair.binding.key for pair in pairs if pair.verdict is not None}
        for i, result in results.items():
            if go[i].binding in unlooked:
                held = result.status is not WriteStatus.MOVED_ON
                self._state.memory.trusted(stream.object(go[i].side), go[i].side, held)

    # -------------------------------------------------------------------------------------------------- write

    async def _write(self, stream: StreamSpec, go: list[Action], done: Done) -> dict[int, WriteResult]:
        """Reserve ids, commit intents, send. Results by position in `go` (which then carries ids and targets)."""
        if not go:
            return {}
        state = self._state
        for side in SIDES:
            for name, creates in _by_object(stream, side, go, creates_only=True).items():
                ids = await self._sides[side].reserve(stream, len(creates), name)
                for i, drawn in zip(creates, ids, strict=False):
                    go[i] = msgspec.structs.replace(go[i], target=drawn)
        allowed_s = sum(self._allowed_s(stream, side, go) for side in SIDES)
        deadline, until = state.clock.now() + allowed_s, state.clock.monotonic() + allowed_s
        for i, action in enumerate(go):
            tag = state.clock.token() if action.op is Op.CREATE else ""
            go[i] = msgspec.structs.replace(action, tag=tag, deadline=deadline, state=ActionState.SENT)
        ids_ = await state.intend(go)
        for i, drawn_id in enumerate(ids_):
            go[i] = msgspec.structs.replace(go[i], id=drawn_id)
        results = {i: WriteResult(WriteStatus.DONE, a.target) for i, a in enumerate(go) if shown_already(a)}
        for side in SIDES:
            for of_one in _by_object(stream, side, go).values():
                mine = [i for i in of_one if not shown_already(go[i])]
                async with self._writing[side]:  # one window's writes to a side after the other's
                    sent = await self._send_all(stream, side, go, mine, until)
                results.update(await self._read_back(stream, side, go, sent))
        return results

    async def _send_all(
        self, stream: StreamSpec, side: Side, go: Sequence[Action], mine: Sequence[int], until: float
    ) -> dict[int, WriteResult]:
        """In batches, several under way at once."""
        declaration = self._sides[side].declaration
        step = declaration.batch_max
        alone = [i for i in mine if brings(stream, go[i])]
        rest = [i for i in mine if i not in alone] if alone else mine
        batches = [rest[start : start + step] for start in range(0, len(rest), step)]
        batches += [[i] for i in alone]
        results: dict[int, WriteResult] = {}
        left = iter(batches)

        async def work() -> None:
            for batch in left:
                results.update(await self._send(stream, side, go, batch, until))

        at_once = min(len(batches), _at_once(declaration, go, mine))
        if at_once <= 1:
            await work()
            return results
        async with together() as tasks:
            for _ in range(at_once):
                tasks.start_soon(work)
        return results

    def _allowed_s(self, stream: StreamSpec, side: Side, go: Sequence[Action]) -> float:
        """How long the requests of one side may take in all."""
        declaration = self._sides[side].declaration
        alone = sum(action.side == side and brings(stream, action) for action in go)
        requests = 0
        for mine in _by_object(stream, side, go).values():
            batches = math.ceil(len(mine) / declaration.batch_max)
            requests += math.ceil(batches / _at_once(declaration, go, mine))
        return declaration.deadline_s * (requests + 2 * alone)

    async def _send(
        self, stream: StreamSpec, side: Side, go: Sequence[Action], batch: Sequence[int], until: float
    ) -> dict[int, WriteResult]:
        state, access = self._state, self._sides[side]
        began = state.clock.monotonic()
        if state.trouble is not None:
            return {i: WriteResult(WriteStatus.NOT_DONE, error=state.trouble.message) for i in batch}
        try:
            results = await self._sent(stream, side, go, batch, until)
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
        return results

    async def _sent(
        self, stream: StreamSpec, side: Side, go: Sequence[Action], batch: Sequence[int], until: float
    ) -> dict[int, WriteResult]:
        """One request; what needs attachments is alone in it, and has them fetched first."""
        writes = [write_of(go[i]) for i in batch]
        if len(batch) == 1 and brings(stream, go[batch[0]]):
            writes[0], said = await with_content(self._sides, stream, side, go[batch[0]])
            if said is not None:
                return {batch[0]: said}
        out = await self._sides[side].write(stream, writes, until)
        return dict(zip(batch, out, strict=True))

    async def _read_back(
        self, stream: StreamSpec, side: Side, go: Sequence[Action], results: dict[int, WriteResult]
    ) -> dict[int, WriteResult]:
        """A reply without the record says too little: look, and let the look stand as an observation (not a reply)."""
        state, declaration = self._state, self._sides[side].declaration
        if declaration.reply != "id" or declaration.read_lag_s or state.trouble is not None:
            return results
        ids = {
            i: r.id or go[i].target
            for i, r in results.items()
            if r.status is WriteStatus.DONE and r.record is None
        }
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
            if look is not None and look.presence is Presence.PRESENT and settles(stream, go[i], look):
                state.looked_back[go[i].id] = look
        return results

    async def _adopted_strangers(
        self, stream: StreamSpec, go: Sequence[Action], results: dict[int, WriteResult], done: Done
    ) -> None:
        """A record of ours that was met as a stranger before its reply came: its half binding goes."""
        state = self._state
        for side in SIDES:
            made = {
                r.id or go[i].target
                for i, r in results.items()
                if go[i].side == side and go[i].op is Op.CREATE and r.status in WROTE
            } - {""}
            if not made:
                continue
            for half in await state.store.bindings(state.link, stream.name, side, sorted(made)):
                if half.key in {go[i].binding for i in results}:
                    continue
                if half.side(other(side)) is None:
                    done.dropped.append(half.key)
                    done.unpark.extend((half.key, room, "*") for room in Room)
                elif half.state is State.TOMBSTONE:  # the system gave a dead record's id to the new one
                    done.bindings[half.key] = released(half, side)

    async def _tell_effects(
        self, stream: StreamSpec, go: Sequence[Action], results: dict[int, WriteResult], done: Done
    ) -> None:
        """What was made here has its effects, noted in the same transaction."""
        settled = {end.action for end in done.closed if end.state is ActionState.CONFIRMED}
        for side in SIDES if stream.effects else ():
            made = [
                one.origin for one in go if one.op is Op.CREATE and one.side == side and one.id in settled
            ]
            bindings, hints = await effects.of_made(self._state, stream, other(side), made)
            done.new.extend(bindings)
            done.hints.extend(hints)

    async def commit(self, stream: StreamSpec, done: Done, extra: Extra) -> None:
        """All that was done, and what goes with it, in one transaction."""
        state = self._state
        bindings = tuple(revised(b) for b in done.bindings.values() if b.key not in done.dropped)
        bindings += await led(state, stream, left(stream, done.new), done.dropped)
        bindings, dropped, hints = await alone(state, stream, bindings, done.dropped, extra.bindings)
        await state.settle(
            Settlement(
                run=state.run,
                bindings=(*bindings, *extra.bindings, *done.new),
                dropped=tuple(dict.fromkeys([*done.dropped, *dropped])),
                closed=tuple(done.closed),
                items=(*extra.items, *done.items),
                park=tuple(one_per_place([*extra.park, *done.park])),
                unpark=(*extra.unpark, *done.unpark),
                acks=extra.acks,
                hints=(*extra.hints, *done.hints, *hints),
                cursors=extra.cursors,
                seen=extra.seen,
                spend=done.spend,
                counters=(*extra.counters, *done.counters(stream.name)),
                changes=tuple(done.changes),
            )
        )

    async def _release(self, stream: StreamSpec, verdicts: Iterable[Verdict], held: Sequence[Action]) -> None:
        """Held actions that are done, or no longer derived, leave their plan."""
        state = self._state
        kept = {action.binding for action in held}
        keys = [v.binding.key for v in verdicts if v.binding.key and v.binding.key not in kept]
        for kind in ("held", "requested"):
            if keys and await state.has_plan(stream.name, kind):
                await state.store.release_held(state.lease, stream.name, kind, keys)


def _at_once(declaration: Declaration, go: Sequence[Action], mine: Sequence[int]) -> int:
    """How many batches may be under way: one place at the account stays free for whoever else wants it. What one record is
    to be told stays in its order."""
    is_once = len({go[i].binding for i in mine}) == len(mine)
    return max(1, declaration.concurrency - 1) if is_once else 1


def _by_object(
    stream: StreamSpec, side: Side, go: Sequence[Action], *, creates_only: bool = False
) -> dict[str, list[int]]:
    """The places in `go` of one side's actions, by the object that they write to: a batch is of one object."""
    out: dict[str, list[int]] = {}
    for i, action in enumerate(go):
        if action.side == side and (not creates_only or action.op is Op.CREATE):
            out.setdefault(written_in(stream, side, action.target, action.native), []).append(i)
    return out


def _to_be_looked_at(pairs: Sequence[Pair], held: Sequence[Action]) -> list[Hint]:
    """What was planned without a look at its target and is not written now: no precondition will say whether it was right,
    and a person must not be shown a plan that rests on nothing."""
    unlooked = {pair.binding.key for pair in pairs if pair.verdict is not None}
    return [
        Hint(stream=one.stream, side=other(one.side), id=one.origin, reason="look first")
        for one in held
        if one.binding in unlooked
    ]
