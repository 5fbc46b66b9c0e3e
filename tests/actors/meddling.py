"""People who undo, erase, verify, decide, approve, and change the rules, at random and all at once, while others just edit.

The simulation (tests/sim) has the systems lie; here it is the operator who is all over the place: under rules that turn,
with runs of every mode, and with daemons that are killed in the midst of any of them. A seed replays exactly.
Must not: hold tests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import anyio
import msgspec

from actors.core import erasure
from actors.core.policy import LinkSpec
from actors.core.settings import Mappings, changes, remember, with_stale
from actors.core.types import (
    OPEN_STATES,
    SIDES,
    ActionState,
    Hint,
    Mode,
    Op,
    Outcome,
    Presence,
    Room,
    Side,
    State,
    other,
)
from actors.core.values import line_of
from actors.ports import Find, RunRow
from actors.root import RootActor
from actors.undoing import KIND, Subject
from clients.connectors.systems.memory_system import Faults
from tests.actors.meddling_rules import ARTICLES, FIELDS, KINDS, Rules
from tests.actors.odds import at_rest
from tests.actors.rig import Rig, writes
from tests.actors.test_several import CLIENTS, PROSPECTS
from tests.sim import loop
from tests.sim.luck import source

COMMITS: Final = ("settle", "intend", "hold", "release_held", "end_run", "close_plan", "begin_run", "load")
LIES: Final = ("lose_reply", "lose_request", "transient", "refuse", "not_done", "cut", "drop_field", "late")
DECLARED: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"rows": True, "version": "none"},
    {"precondition": "reread"},
    {"draws_ids": False},
    {"draws_ids": False, "tag": False},
    {"reply": "id"},
    {"absence": "hint"},
)
PAUSES_S: Final = (0.01, 0.05, 0.3, 2, 25, 60, 250)
OPEN_PLANS: Final = ("open", "approved")
KILLED: Final = "killed"


class Meddling:
    """One link, its two systems, and the people around them. `found`: what is wrong in the end."""

    def __init__(self, seed: int, kinds: tuple[str, ...] = KINDS, lies: bool = False) -> None:
        self.luck = luck = source("meddling", seed)
        self.rules = Rules(luck, luck.choice(kinds))
        self.lies = lies
        find, declared = luck.choice((Find.FEED, Find.MODIFIED, Find.FULL)), luck.choice(DECLARED)
        types = dict.fromkeys((*FIELDS, "marked", "kind", "article"), "text")
        self.rig = Rig(*self.rules.draw(), poll_s=20.0, find=(find,), types=types, **declared)
        self.known: Mappings = {}
        self.remapped: dict[str, float] = {}
        self.numbers = 0
        self.found: list[str] = []
        self.told: list[str] = []
        self._lay_down(self.rig.spec)

    async def play(self) -> None:
        """All of it, and then what is wrong."""
        luck, rig = self.luck, self.rig
        for number in range(luck.randint(3, 6)):
            await self._with_daemon(f"d{number}", luck.randint(3, 10))
            self.say("the daemon is gone")
            if luck.random() < 0.5:
                self.turn()
            if luck.random() < 0.15:
                await self.without_streams(number)
            if luck.random() < 0.08:
                rig.store.recover()
                rig.store.set_wish("l", "run")
                self.say("an older state was put back")
        rig.store.step = None
        rig.store.set_wish("l", "run")
        self._honest()
        async with rig.daemon("last") as root:
            await at_rest(rig, 1500)
            await self._judge(root)

    def say(self, *words: object) -> None:
        """A line for whoever looks for the reason."""
        self.told.append(f"{anyio.current_time():9.1f} " + " ".join(map(str, words)))

    def one_more(self, letter: str) -> str:
        """A name that nobody has yet."""
        self.numbers += 1
        return f"{letter}{self.numbers}"

    async def _with_daemon(self, name: str, steps: int) -> None:
        luck = self.luck
        async with self.rig.daemon(name) as root:
            for _ in range(steps):
                if self.lies and luck.random() < 0.2:
                    self.lie()
                if luck.random() < 0.2:
                    self.kill_at_a_commit()
                for _ in range(luck.randint(0, 3)):
                    self.edit_something()
                if luck.random() < 0.5:
                    luck.choice(self._deeds())()
                    root.wake("l")
                await at_rest(self.rig, luck.choice(PAUSES_S))

    # ---------------------------------------------------------------------------------------------- just editing

    def edit_something(self) -> None:
        """Somebody at one of the systems makes, edits, moves or deletes a record."""
        luck, side = self.luck, self.luck.choice(SIDES)
        system, choice = self.rig.systems[side], luck.random()
        there = [(name, id) for name in self.rules.objects(side) for id in self.rig.rows(side, name)]
        if choice < 0.25 or not there:
            name = luck.choice(self.rules.objects(side))
            record = {"name": self.one_more("N"), **{one: self.value(side, name, one) for one in FIELDS}}
            for more in self.rules.more(side, name):
                record[more] = self.value(side, name, more)
            self.say("makes", side, name, system.create(name, record, "person"), record["name"])
            return
        name, id = luck.choice(there)
        if choice < 0.85:
            field = luck.choice((*FIELDS, *self.rules.more(side, name)))
            value = self.value(side, name, field)
            system.edit(name, id, {field: value}, "person")
            self.say("edits", side, name, id, field, value)
        elif choice < 0.93 and name in (PROSPECTS, CLIENTS):
            to = CLIENTS if name == PROSPECTS else PROSPECTS
            self.say("moves", side, id, to, system.create(to, dict(self.rig.rows(side, name)[id]), "person"))
            system.delete(name, id, "person")
        else:
            system.delete(name, id, "person")
            self.say("deletes", side, name, id)

    def value(self, side: Side, name: str, field: str) -> Any:
        """What a person writes into a field."""
        luck = self.luck
        if field == "kind":
            return luck.choice((PROSPECTS, CLIENTS))
        if field == "article":
            return luck.choice((*self.rig.rows(side, ARTICLES), None))
        if field == "items":
            named = luck.sample(("p", "q", "s"), luck.randint(0, 3))
            return tuple(line_of({"article": one, "quantity": luck.randint(1, 3)}) for one in named)
        return luck.choice((self.one_more("v"), self.one_more("v"), "c1", "c2", None))

    # ------------------------------------------------------------------------------------------------ the operator

    def _deeds(self) -> tuple[Callable[[], None], ...]:
        often = (self.undo, self.approve, self.approve, self.erase, self.decide, self.verify)
        return (*often, *often, self.sync, self.cancel, self.reject, self.read_all, self.wish)

    def _ask(self, mode: Mode, scope: tuple[str, ...] = (), subject: Subject | None = None) -> None:
        text = msgspec.json.encode(subject).decode() if subject is not None else ""
        self.rig.store.request_run(RunRow(self.one_more("r"), "l", mode=mode, scope=scope, subject=text))
        self.say("asks for", mode, scope, text)

    def undo(self) -> None:
        """A plan to take back one of the last runs."""
        wrote = sorted({run for run, one in self.rig.link().actions.values() if one.op is not Op.NONE})
        if wrote:
            self._ask(Mode.UNDO, subject=Subject(run=self.luck.choice(wrote)))

    def approve(self) -> None:
        """A yes to a plan, and what follows from it."""
        plans = [one for one in self.rig.link().plans.values() if one.state in OPEN_PLANS]
        if not plans:
            return
        plan = self.luck.choice(plans)
        self.rig.store.approve_plan("l", plan.id, plan.rev)
        self.say("approves", plan.kind, plan.id)
        if plan.kind == KIND:
            self._ask(Mode.APPLY, (plan.stream,), Subject(plan=plan.id, stream=plan.stream))

    def reject(self) -> None:
        """A no to a plan."""
        plans = [one for one in self.rig.link().plans.values() if one.state in OPEN_PLANS]
        if plans:
            self.rig.store.reject_plan("l", self.luck.choice(plans).id)

    def decide(self) -> None:
        """A word on what waits for one."""
        if not (rows := self.rig.parked()):
            return
        row = self.luck.choice(rows)
        words = (*SIDES, "retry") if row.room is Room.QUARANTINE else SIDES
        self.rig.store.decide("l", row.id, row.fingerprint, {"choose": self.luck.choice(words)})
        self.say("decides", row.room, row.binding, row.field)

    def verify(self) -> None:
        """Both sides are compared."""
        self._ask(Mode.VERIFY)

    def sync(self) -> None:
        """A run, or what it would do."""
        self._ask(self.luck.choice((Mode.SYNC, Mode.PLAN)))

    def cancel(self) -> None:
        """A run is to end."""
        open_ = [one.id for one in self.rig.runs() if one.outcome is Outcome.RUNNING]
        if open_:
            self.rig.store.cancel_run("l", self.luck.choice(open_))

    def read_all(self) -> None:
        """Every record is looked at."""
        self._look_at({one.name for one in self.rig.spec.streams}, "backfill")

    def wish(self) -> None:
        """The link is paused, or goes on."""
        self.rig.store.set_wish("l", self.luck.choice(("paused", "run", "run")))

    def erase(self) -> None:
        """What is remembered of a record is erased, as daemon/store/admin_erasure.py does it."""
        link = self.rig.link()
        if not link.bindings:
            return
        key = self.luck.choice(sorted(link.bindings))
        mine = [(at, run, one) for at, (run, one) in link.actions.items() if one.binding == key]
        if not mine or not self.rig.spec.streams or any(one.state in OPEN_STATES for _, _, one in mine):
            return
        for at, run, one in mine:
            link.actions[at] = run, erasure.of_action(one)
        for place, row in list(link.parked.items()):
            if row.binding == key:
                link.parked[place] = erasure.of_parked(row)
        for held in link.held.values():
            for what in [what for what, (_, one) in held.items() if one.binding == key]:
                del held[what]
        was = link.bindings[key]
        bare = erasure.forget(self.rig.spec.stream(was.stream), was, "5a17")
        link.bindings[key] = msgspec.structs.replace(bare, rev=was.rev + 1)
        side: Side = "a" if was.a is not None else "b"
        link.add_hints([Hint(was.stream, side, held_.id, "erased") for held_ in (was.side(side),) if held_])
        self.say("erases", key)

    # -------------------------------------------------------------------------------------------------- the rules

    def turn(self) -> None:
        """Other rules, with what follows from them (daemon/store/admin_settings.py)."""
        old = self.rig.spec
        new = msgspec.structs.replace(old, streams=self.rules.draw())
        changed = changes(old, new)
        self.remapped |= dict.fromkeys(changed.reread, self.rig.clock.now())
        self._lay_down(new)
        self._give_way(set(changed.reread))
        self._look_at(set(changed.reread), "rules changed")
        self.say("other rules", *(f"{one.name} {one.deletes}" for one in new.streams))

    async def without_streams(self, number: int) -> None:
        """Every stream is switched off for a while."""
        rig, kept = self.rig, self.rig.spec.streams
        rig.change()
        rig.link().inbox.clear()
        rig.link().parked.clear()
        self._give_way({one.name for one in kept})
        self.say("no streams")
        if self.luck.random() < 0.6:
            await self._with_daemon(f"off{number}", 2)
        rig.change(*kept)
        self._look_at({name for name, _ in rig.link().cursors}, "rules changed")
        self.say("the streams are back")

    def _lay_down(self, spec: LinkSpec) -> None:
        self.known = remember(self.known, spec)
        self.rig.change(*with_stale(spec, self.known, self.remapped).streams)

    def _give_way(self, streams: set[str]) -> None:
        plans = self.rig.link().plans
        for id, plan in list(plans.items()):
            if plan.state in OPEN_PLANS and plan.stream in streams:
                plans[id] = msgspec.structs.replace(plan, state="superseded")

    def _look_at(self, streams: set[str], reason: str) -> None:
        whole = [Hint(name, side, "", reason=reason) for name in sorted(streams) for side in SIDES]
        pending = (
            Hint(one.stream, side, held.id, reason=reason)
            for one in self.rig.bindings()
            for side in SIDES
            if one.stream in streams and one.state is State.SETTLED
            if (held := one.side(side)) is not None and held.presence is Presence.PRESENT
            if (gone := one.side(other(side))) is not None and gone.presence is Presence.DELETED
        )
        self.rig.link().add_hints([*whole, *pending])

    # ------------------------------------------------------------------------------------------------ what goes wrong

    def kill_at_a_commit(self) -> None:
        """The daemon dies soon, at a commit of some kind."""
        at, left = self.luck.choice(COMMITS), self.luck.randint(1, 12)

        async def step(name: str) -> None:
            nonlocal left
            left -= name == at
            if name == at and left == 0:
                self.rig.store.step = None
                self.say(KILLED, "at", at)
                raise RuntimeError(KILLED)

        self.rig.store.step = step

    def lie(self) -> None:
        """A system lies, or all are honest again."""
        self._honest()
        if self.luck.random() < 0.7:
            side, fault = self.luck.choice(SIDES), self.luck.choice(LIES)
            self.rig.systems[side].lie(Faults(**{fault: 0.3}), self.one_more("l"))
            self.say("lies", side, fault)

    def _honest(self) -> None:
        for side in SIDES:
            self.rig.systems[side].lie(Faults(), "")

    # ---------------------------------------------------------------------------------------------------- the judge

    async def _judge(self, root: RootActor) -> None:
        """No actor fell over, nothing is open, nobody was made twice, all is quiet, and each difference has its reason."""
        rig, before = self.rig, writes(self.rig)
        crashed = (one for name in ("actor.crashed", "link.degraded") for one in rig.said(name))
        self.found += [f"fell over: {one}" for one in crashed if KILLED not in str(one)]
        await at_rest(rig, 900)
        if writes(rig) != before:
            self.found.append("it does not come to rest")
        self.found += [
            f"open: {one.op} {one.state} {one.id}" for one in rig.actions() if one.state in OPEN_STATES
        ]
        for side in SIDES if not self.rules.moves else ():  # what a move left behind stands there twice
            names = [
                row["name"] for name in self.rules.objects(side) for row in rig.rows(side, name).values()
            ]
            self.found += [f"twice on {side}: {name}" for name in sorted(set(names)) if names.count(name) > 1]
        self._ask(Mode.VERIFY)
        root.wake("l")
        await at_rest(rig, 60)
        last = self.rig.runs()[-1].id
        lines = [one for run, one in rig.link().actions.values() if run == last]
        self.found += [
            f"defect: {one.binding} {one.reason}" for one in lines if one.state is ActionState.DEFECT
        ]
        self.found += [f"never ended: {one.mode}" for one in rig.runs() if one.outcome is Outcome.RUNNING]


def meddled(seed: int, kinds: tuple[str, ...] = KINDS, lies: bool = False) -> tuple[list[str], list[str]]:
    """What is wrong after one seed, and what was done."""
    one = Meddling(seed, kinds, lies)
    loop.run(one.play)
    return one.found, one.told
