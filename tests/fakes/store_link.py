"""What `MemoryStore` keeps of one link: bindings, inbox, actions, parked rows, plans, runs, ledger.

Everything here is plain and synchronous: a call either does all of its work or raises before it changed anything.
Must not know of leases (the store checks them before it calls) nor of time, which is passed in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import count

import msgspec

from actors.core.changes import Change, Standing
from actors.core.errors import Kind, Scope, TandemError
from actors.core.gates import KEPT_OUT
from actors.core.guard import Spent
from actors.core.plan import RESTORE
from actors.core.texts import texts_of
from actors.core.types import (
    POKED,
    SIDES,
    Action,
    ActionState,
    Binding,
    Held,
    Hint,
    Outcome,
    Parked,
    Presence,
    Room,
    Side,
    State,
    other,
)
from actors.core.values import decode, encode
from actors.ports import Closed, Counters, Cursor, KeyGroup, LinkRow, NewRows, PlanRow, RunRow, Settlement

HOUR_S = 3600
LIVE_PLANS = ("open", "approved")
_NUMBERS = ("created", "updated", "deleted", "marked", "unchanged", "skipped", "failed", "waiting")

Place = tuple[str, Side, str]  # stream, side, id


def bug(message: str) -> TandemError:
    """The error of a settlement that contradicts what is stored; nothing of it is kept."""
    return TandemError(
        Kind.BUG, message, scope=Scope.LINK, hint="nothing was stored; the work is derived again"
    )


class Numbers:
    """The counters that all links share, as sequences do in a database."""

    def __init__(self) -> None:
        self.binding = count(1)
        self.action = count(1)
        self.parked = count(1)
        self.seq = count(1)
        self.plan = count(1)


class LinkState:
    """One link. Attributes are read freely by the store; they change through the methods only."""

    def __init__(self, row: LinkRow, numbers: Numbers) -> None:
        self.row = row
        self.lease_until = 0.0
        self.cursors: dict[tuple[str, Side], Cursor] = {}
        self.bindings: dict[int, Binding] = {}
        self.places: dict[Place, int] = {}
        self.inbox: dict[Place, Hint] = {}
        self.actions: dict[int, tuple[str, Action]] = {}  # id -> run, action
        self.parked: dict[tuple[int, Room, str], Parked] = {}
        self.decided: dict[int, str] = {}  # parked id -> fingerprint that the decision was made on
        self.ledger: dict[tuple[Spent, int], int] = defaultdict(int)  # what, hour -> count
        self.runs: dict[str, RunRow] = {}
        self.cancelled: set[str] = set()
        self.counters: dict[tuple[str, str, Side], Counters] = {}
        self.plans: dict[str, PlanRow] = {}
        self.held: dict[
            str, dict[tuple[int, Side, str], tuple[int, Action]]
        ] = {}  # plan -> what -> rev, action
        self._numbers = numbers

    def backup(self) -> LinkState:
        """A copy that nothing done to this one reaches; numbers go on being drawn from where they are."""
        copy = LinkState(self.row, self._numbers)
        for name, value in vars(self).items():
            if isinstance(value, set | dict):
                setattr(copy, name, value.copy())
        copy.held = {plan: dict(actions) for plan, actions in self.held.items()}
        copy.lease_until = self.lease_until
        return copy

    # ------------------------------------------------------------------------------------------ settling

    def settle(self, work: Settlement, now: float) -> list[int]:
        """All of it or, where it contradicts what is stored, nothing and a BUG."""
        rebased = tuple(map(self._rebased, work.changes))
        work = msgspec.structs.replace(work, bindings=(*work.bindings, *rebased))
        self._check(work)
        for cursor in work.cursors:
            self.cursors[cursor.stream, cursor.side] = cursor
        for key in work.dropped:
            self._drop(key)
        keys = self._put(work.bindings)
        for closed in work.closed:
            self._close(closed)
        for item in work.items:
            self._add_action(work.run, msgspec.structs.replace(item, binding=resolve(item.binding, keys)))
        self._park(work, keys, now)
        for stream, side, generation, ids in work.seen:
            self._mark_seen(stream, side, generation, ids)
        for hint in work.acks:
            stored = self.inbox.get((hint.stream, hint.side, hint.id))
            if stored is not None and stored.seq <= hint.seq:
                del self.inbox[hint.stream, hint.side, hint.id]
        self.add_hints(work.hints)
        for spent, amount in work.spend.items():
            self.ledger[spent, int(now // HOUR_S)] += amount
        for counters in work.counters:
            self._add_counters(work.run, counters)
        return keys[: len(keys) - len(rebased)]

    def _rebased(self, change: Change) -> Binding:
        stored = self.bindings.get(change.key)
        if stored is None:
            raise bug(f"binding {change.key} is not one of this link")
        return msgspec.structs.replace(
            stored, base=decode(change.base), contests=change.contests, rev=change.rev + 1
        )

    def load(self, work: Settlement, rows: NewRows, intent: Action, now: float) -> Action:
        """Settle, and new bindings with the intent that covers them: all of it or nothing."""
        new = tuple(_new_binding(rows, line) for line in rows.lines)
        whole = msgspec.structs.replace(work, bindings=(*work.bindings, *new))
        keys = self.settle(whole, now)[len(work.bindings) :]
        sent = msgspec.structs.replace(intent, covers=(keys[0], keys[-1]), state=ActionState.SENT)
        return msgspec.structs.replace(sent, id=self._add_action(work.run, sent))

    def ids(self, stream: str, side: Side) -> list[str]:
        """Every id that a binding has on that side."""
        return [id_ for name, at, id_ in self.places if (name, at) == (stream, side)]

    def lines(self, stream: str, side: Side, ids: Iterable[str], map_ver: str | None = None) -> list[str]:
        """Those that are present, and whose id has one line: the id, and the base of what is settled, shows no deviation and
        is parked nowhere (None: under whatever mapping)."""
        parked = {binding for binding, _, _ in self.parked}
        found = []
        for id_ in ids:
            binding = self.bindings.get(self.places.get((stream, side, id_), 0))
            held = binding.side(side) if binding is not None else None
            if binding is None or held is None or held.presence is not Presence.PRESENT or "\n" in id_:
                continue
            is_half = binding.a is None or binding.b is None
            is_quiet = binding.state is State.SETTLED and not held.dev and binding.key not in parked
            is_quiet = is_quiet and map_ver in (None, binding.map_ver)
            found.append(f"{id_}\t{encode(binding.base) if is_quiet and not is_half else ''}")
        return found

    def standing(self, stream: str, side: Side, ids: Iterable[str], map_ver: str) -> dict[str, Standing]:
        """Of those of which `lines` has the base; plain where there is nothing else to say of either side."""
        found: dict[str, Standing] = {}
        for line in sorted(self.lines(stream, side, ids)):
            id_, _, base = line.partition("\t")
            if not base:
                continue
            binding = self.bindings[self.places[stream, side, id_]]
            here, there = binding.side(side), binding.side(other(side))
            assert here is not None and there is not None
            plain = (one.presence is Presence.PRESENT and not one.dev for one in (here, there))
            is_plain = all(plain) and not binding.note and binding.map_ver == map_ver
            found[id_] = Standing(binding.key, binding.rev, there.id, base, binding.contests, is_plain)
        return found

    def recover(self) -> None:
        """As after an older state was put back."""
        self.row = msgspec.structs.replace(
            self.row, facts={**self.row.facts, "wish": "paused", "recovering": True}, next_due=0.0
        )
        for key, binding in self.bindings.items():
            if binding.state is State.SETTLED and binding.a is not None and binding.b is not None:
                a, b = (msgspec.structs.replace(held, dev={}) for held in (binding.a, binding.b))
                self.bindings[key] = msgspec.structs.replace(
                    binding, state=State.MATCHED, base={}, a=a, b=b, contests={}, rev=binding.rev + 1
                )
        for place, cursor in self.cursors.items():
            self.cursors[place] = msgspec.structs.replace(
                cursor, position="", began=0.0, token="", completed=0.0
            )
        for id_, plan in self.plans.items():
            if plan.state in ("open", "approved"):
                self.plans[id_] = msgspec.structs.replace(plan, state="superseded")
        for spot, row in self.parked.items():
            self.parked[spot] = msgspec.structs.replace(row, decision=None)
        self.decided.clear()
        for name, run in self.runs.items():
            if run.outcome is Outcome.RUNNING:
                self.runs[name] = msgspec.structs.replace(run, outcome=Outcome.FAILED, error="interrupted")

    def _check(self, work: Settlement) -> None:
        for key in work.dropped:
            stored = self.bindings.get(key)
            if stored is None or (stored.a is not None and stored.b is not None):
                raise bug(f"binding {key} cannot be dropped: it is no half binding of this link")
        for binding in work.bindings:
            stored = self.bindings.get(binding.key)
            if binding.key and (
                stored is None or stored.rev != binding.rev - 1 or binding.key in work.dropped
            ):
                raise bug(f"binding {binding.key} was to become revision {binding.rev}, but it has moved on")
        for closed in work.closed:
            if closed.action not in self.actions:
                raise bug(f"action {closed.action} is not one of this link")
        if len({closed.action for closed in work.closed}) != len(work.closed):
            raise bug("an action is closed twice in one settlement")
        self._check_places(work)

    def _check_places(self, work: Settlement) -> None:
        touched = {binding.key for binding in work.bindings if binding.key} | set(work.dropped)
        if len(touched) != sum(1 for binding in work.bindings if binding.key) + len(set(work.dropped)):
            raise bug("a binding occurs twice in one settlement")
        claimed: set[Place] = set()
        for binding in work.bindings:
            for place in places(binding):
                if place in claimed or self.places.get(place, 0) not in {0, *touched}:
                    raise bug(f"{place[0]} {place[1]}:{place[2]} is bound already")
                claimed.add(place)

    def _drop(self, key: int) -> None:
        for place in places(self.bindings.pop(key)):
            del self.places[place]
        for room in [row for row in self.parked if row[0] == key]:
            del self.parked[room]

    def _put(self, bindings: Sequence[Binding]) -> list[int]:
        before = {binding.key: self.bindings[binding.key] for binding in bindings if binding.key}
        for stored in before.values():
            for place in places(stored):
                del self.places[place]
        keys = []
        for binding in bindings:
            key = binding.key or next(self._numbers.binding)
            kept = self._with_generations(binding, before.get(binding.key))
            self.bindings[key] = msgspec.structs.replace(kept, key=key)
            self.places.update(dict.fromkeys(places(binding), key))
            keys.append(key)
        return keys

    def _with_generations(self, binding: Binding, before: Binding | None) -> Binding:
        """`seen_gen` never falls; a record that is new here was met by the complete read that is running."""
        held: dict[Side, Held | None] = {}
        for side in SIDES:
            new, old = binding.side(side), before.side(side) if before else None
            if new is None:
                held[side] = None
                continue
            if old is not None and old.id == new.id:
                met = old.seen_gen
            else:
                cursor = self.cursors.get((binding.stream, side))
                met = cursor.generation if cursor else 0
            held[side] = msgspec.structs.replace(new, seen_gen=max(new.seen_gen, met))
        return msgspec.structs.replace(binding, a=held["a"], b=held["b"])

    def _mark_seen(self, stream: str, side: Side, generation: int, ids: Iterable[str]) -> None:
        for id_ in ids:
            binding = self.bindings.get(self.places.get((stream, side, id_), 0))
            held = binding.side(side) if binding else None
            if binding is None or held is None or held.seen_gen >= generation:
                continue
            held = msgspec.structs.replace(held, seen_gen=generation)
            changed = {"a": held} if side == "a" else {"b": held}
            self.bindings[binding.key] = msgspec.structs.replace(binding, **changed)

    def _close(self, closed: Closed) -> None:
        run, action = self.actions[closed.action]
        target = closed.target or action.target
        self.actions[closed.action] = (
            run,
            msgspec.structs.replace(action, state=closed.state, target=target, error=closed.error),
        )

    def _park(self, work: Settlement, keys: Sequence[int], now: float) -> None:
        coming = {(resolve(row.binding, keys), row.room, row.field): row for row in work.park}
        for binding, room, field in work.unpark:
            for at in [at for at in self.parked if at[:2] == (binding, room) and field in (at[2], "*")]:
                if at not in coming:
                    del self.parked[at]
        for at, row in coming.items():
            old = self.parked.get(at)
            self.parked[at] = msgspec.structs.replace(
                row,
                binding=at[0],
                id=old.id if old else next(self._numbers.parked),
                since=old.since if old else row.since or now,
                decision=old.decision if old and self.decided.get(old.id) == row.fingerprint else None,
            )

    def _add_counters(self, run: str, more: Counters) -> None:
        at = run, more.stream, more.side
        old = self.counters.get(at, Counters(more.stream, more.side))
        sums = {name: getattr(old, name) + getattr(more, name) for name in _NUMBERS}
        self.counters[at] = msgspec.structs.replace(old, **sums)

    # ------------------------------------------------------------------------------- bindings and the inbox

    def unseen(self, stream: str, side: Side, generation: int) -> list[tuple[str, Binding]]:
        """In order of ids; present on `side` and last met before `generation`."""
        found = [
            (held.id, binding)
            for binding in self.ordered(stream)
            if (held := binding.side(side)) is not None
            and held.presence is Presence.PRESENT
            and held.seen_gen < generation
        ]
        return sorted(found, key=lambda pair: pair[0])

    def noted(self, stream: str, notes: Collection[str]) -> list[Binding]:
        halves = (one for one in self.ordered(stream) if one.a is None or one.b is None)
        return [one for one in halves if one.state == "tombstone" and one.note in notes]

    def pairs(self, stream: str) -> int:
        found = (one for one in self.ordered(stream) if one.a is not None and one.b is not None)
        return sum(one.state == "settled" for one in found)

    def ordered(self, stream: str) -> list[Binding]:
        """All bindings of a stream in key order."""
        return [self.bindings[key] for key in sorted(self.bindings) if self.bindings[key].stream == stream]

    def key_groups(self, stream: str, level: int) -> list[KeyGroup]:
        """Every group of the level that may be matched, by hash."""
        members: dict[int, list[Binding]] = defaultdict(list)
        for binding in self.ordered(stream):
            if level < len(binding.keys) and binding.keys[level]:
                members[binding.keys[level]].append(binding)
        return [_group(hash_, members[hash_]) for hash_ in sorted(members) if _is_open(members[hash_])]

    def add_hints(self, hints: Iterable[Hint]) -> None:
        """Upsert; of two for one record the later `not_before` and the fewer `attempts` give way."""
        for hint in hints:
            at = hint.stream, hint.side, hint.id
            old = self.inbox.get(at)
            self.inbox[at] = msgspec.structs.replace(
                hint,
                seq=next(self._numbers.seq),
                # "changed" says little: it never takes the place of a decision or a retry; "poked" says the least
                reason=old.reason
                if old and old.reason != POKED and hint.reason in ("changed", POKED)
                else hint.reason,
                not_before=min(hint.not_before, old.not_before) if old else hint.not_before,
                attempts=max(hint.attempts, old.attempts) if old else hint.attempts,
            )

    # ------------------------------------------------------------------------------------ actions and plans

    def intend(self, run: str, actions: Iterable[Action]) -> list[int]:
        """Store as given (the store has set the state); their ids."""
        return [self._add_action(run, action) for action in actions]

    def _add_action(self, run: str, action: Action) -> int:
        id_ = next(self._numbers.action)
        self.actions[id_] = run, msgspec.structs.replace(action, id=id_)
        return id_

    def live_plan(self, stream: str, kind: str) -> PlanRow | None:
        """The open or approved plan of that kind."""
        for plan in self.plans.values():
            if (plan.stream, plan.kind) == (stream, kind) and plan.state in LIVE_PLANS:
                return plan
        return None

    def hold(self, kind: str, stream: str, reason: str, actions: Sequence[Action], now: float) -> str:
        """An action with another fingerprint than before is a new one: a yes said earlier does not cover it."""
        plan = self.live_plan(stream, kind)
        if plan is None:
            id_ = f"plan-{next(self._numbers.plan)}"
            plan = PlanRow(id=id_, link=self.row.id, stream=stream, kind=kind, created=now)
            self.held[id_] = {}
        held = self.held[plan.id]
        last = {(action.binding, action.side, action.op): action for action in actions}
        changed = [action for at, action in last.items() if _differs(held.get(at), action)]
        rev = plan.rev + 1 if changed else plan.rev
        for action in changed:
            stored = msgspec.structs.replace(action, id=next(self._numbers.action))
            held[action.binding, action.side, action.op] = rev, stored
        state = "open" if changed else plan.state
        self.plans[plan.id] = msgspec.structs.replace(
            plan, rev=rev, state=state, reason=reason, actions=len(held)
        )
        return plan.id

    def release(self, stream: str, kind: str, bindings: Iterable[int]) -> None:
        """Take the actions of these bindings out of the live plan; an emptied one is applied."""
        plan = self.live_plan(stream, kind)
        if plan is None:
            return
        gone, held = set(bindings), self.held[plan.id]
        for at in [at for at in held if at[0] in gone]:
            del held[at]
        state = plan.state if held else "applied"
        self.plans[plan.id] = msgspec.structs.replace(plan, state=state, actions=len(held))

    def approved(self, stream: str, bindings: Iterable[int]) -> frozenset[str]:
        """Fingerprints that a yes covers."""
        wanted = set(bindings)
        return frozenset(
            action.fingerprint
            for plan in self.plans.values()
            if plan.stream == stream and plan.state in LIVE_PLANS
            for rev, action in self.held[plan.id].values()
            if action.binding in wanted and rev <= plan.approved_rev
        )


def resolve(binding: int, keys: Sequence[int]) -> int:
    """A negative number -n stands for the n-th binding of the settlement, whose key is drawn with it."""
    return keys[-binding - 1] if binding < 0 else binding


def places(binding: Binding) -> list[Place]:
    """Where the binding stands: one (stream, side, id) per side it has."""
    sides = [(side, binding.side(side)) for side in SIDES]
    return [(binding.stream, side, held.id) for side, held in sides if held is not None]


def has_due(inbox: Mapping[Place, Hint], now: float) -> bool:
    """Whether any hint is due."""
    return any(hint.not_before <= now for hint in inbox.values())


def _differs(held: tuple[int, Action] | None, action: Action) -> bool:
    return held is None or not action.fingerprint or held[1].fingerprint != action.fingerprint


def _is_half(binding: Binding, side: Side) -> bool:
    return binding.side(side) is not None and binding.side(other(side)) is None


def _is_open(members: Sequence[Binding]) -> bool:
    return any(
        any(member.state is State.NEW and _is_half(member, side) for member in members)
        and any(member.side(other(side)) is not None or RESTORE in member.note for member in members)
        for side in SIDES
    )


def _group(hash_: int, members: Sequence[Binding]) -> KeyGroup:
    halves = {side: tuple(member.key for member in members if _is_half(member, side)) for side in SIDES}
    taken = tuple(member.key for member in members if member.a is not None and member.b is not None)
    back = tuple(m.key for m in members if m.key not in taken and RESTORE in m.note)
    out = tuple(m.key for m in members if m.key not in taken and m.note.startswith(KEPT_OUT))
    return KeyGroup(hash_, halves["a"], halves["b"], taken, put_back=back, kept_out=out)


def _new_binding(rows: NewRows, line: str) -> Binding:
    origin, made, base, keys = texts_of(line)
    assert origin is not None and made is not None and base is not None and keys is not None
    a, b = (origin, made) if rows.side == "b" else (made, origin)
    numbers = tuple(int(number) for number in keys[1:-1].split(",") if number)
    return Binding(
        rows.stream,
        state=State.SETTLED,
        a=Held(a),
        b=Held(b),
        base=decode(base),
        keys=numbers,
        map_ver=rows.map_ver,
        rev=1,
    )
