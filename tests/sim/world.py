"""A whole world on virtual time: two systems, a store, daemons that live and die, people, and a log of what happened."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import anyio

from actors.core.initial import KEPT
from actors.core.merge import NOT_FOLLOWED
from actors.core.policy import LinkSpec
from actors.core.types import Op, Parked, Room
from actors.core.values import Value
from actors.ports import (
    ConnectionRow,
    Connector,
    Lease,
    LinkRow,
    RunRow,
    Settlement,
    WriteResult,
    WriteStatus,
)
from clients.connectors.systems.memory import MemoryConnector
from clients.connectors.systems.memory_system import Change, MemorySystem
from tests.fakes.store import MemoryStore
from tests.fakes.store_link import LinkState
from tests.sim import loop
from tests.sim.automation import Automation
from tests.sim.blueprint import blueprint
from tests.sim.evidence import Answer, Commit, Entry, Evidence, Named, Span, Staged, Violation
from tests.sim.laws import SIDES, FieldLaw, Side
from tests.sim.life import Dead, Life, SimClock, SimTelemetry, connector_port, store_port
from tests.sim.objects import known_as, told
from tests.sim.operator import LINK, Operator
from tests.sim.people_latest import LatestPeople
from tests.sim.scenario import CALM, HONEST, Scenario
from tests.sim.timeline import Timeline
from tests.sim.view import deviations, ids_of, view

Daemon = Callable[..., Any]


@dataclass
class Outcome:
    """What came of a seed. `drawn`: what went wrong in it, by name; `rounds`: how many it took to be in step."""

    seed: int
    drawn: tuple[str, ...] = ()
    rounds: int = 0
    violations: list[Violation] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)
    evidence: Evidence | None = None


class World:
    """The world of one scenario. `begin` makes it, `daemon` lives in it; everything else is outside."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.trace: list[str] = []
        self.clock = SimClock(f"{scenario.seed}/world")
        self.evidence = Evidence(
            scenario.laws,
            plain=scenario.plain,
            drops=scenario.drops,
            blind=scenario.blind,
            patchy=scenario.patchy,
        )
        self.faulty = True
        self.rounds = 0
        self.fallen: list[Violation] = []
        self.systems: dict[Side, MemorySystem] = {side: self._system(side) for side in SIDES}
        self.store_skew_s = 0.0  # how far the database's own clock is off
        self.turned_back_s = 0.0  # by how much clocks were turned back, all jumps together
        self.inner = MemoryStore(SimClock(f"{scenario.seed}/store", lambda: self.store_skew_s))
        self.people = LatestPeople(scenario.laws, self.systems, scenario.luck("people"), scenario.perils)
        self.operator = Operator(self.inner, scenario.luck("operator"), self.note)
        self.operator.tells_apart = any(law.clashes or law.objects for law in scenario.laws.streams)
        self.operator.leaves = frozenset(law.name for law in scenario.laws.streams if law.imports == "always")
        self.lives: list[Life] = []
        self.skews = {f"d{number + 1}": 0.0 for number in range(scenario.daemons)}
        self.strangers: dict[Side, MemorySystem] = {}
        self._called: dict[tuple[Side, str, str], Value] = {}  # what people call each record
        self._heard: dict[str, list[Answer]] = {}  # by who heard them: answers that nobody has put down yet
        self._commanded: dict[
            str, float
        ] = {}  # by whom: since when a run is under way that somebody asked for
        self._dry: dict[str, float] = {}  # dry runs under way: since when
        self._loaded: set[str] = set()  # streams whose initial load the store says is complete
        self._spec = blueprint(scenario.laws, scenario.budgets)
        self._parked: list[Parked] = []
        self._differed: list[Named] = []
        self._dying_calls = list(scenario.dying_calls)
        self._register()
        if "automation" in scenario.perils:
            luck = scenario.luck("automation")
            chosen: tuple[Side, ...] = luck.choice([("a",), ("b",), SIDES])
            for side in chosen:
                self.note(
                    f"automation {Automation(self.systems[side], side, scenario.laws.streams[0], luck)}"
                )

    def note(self, text: str) -> None:
        """A line for the trace."""
        self.trace.append(f"{loop.now():10.3f} {text}")

    # -- making it ----------------------------------------------------------------------------------------------

    def _system(self, side: Side) -> MemorySystem:
        declared = self.scenario.declarations[side]
        system = MemorySystem(
            f"{side}{self.scenario.seed}",
            self.scenario.shapes(side),
            self.clock.now,
            seed=str(self.scenario.seed),
            faults=self.scenario.faults[side],
            keep_s=float("inf") if "rollback" in self.scenario.perils else declared.read_lag_s + 60.0,
        )
        system.listeners.append(partial(self._changed, side))
        return system

    def _register(self) -> None:
        for side in SIDES:
            self.inner.add_connection(ConnectionRow(side, "tenant", side, "memory"))
        self.inner.add_link(LinkRow(LINK, "tenant", "sim", "a", "b", blueprint="sim"))

    def _changed(self, side: Side, change: Change) -> None:
        zero = SimClock.EPOCH_S
        law = self.scenario.laws.holding(change.object)
        if law is None:
            self._effect(side, change)
            return
        id = known_as(law, side, change.object, change.id)
        if change.op == "create" and change.after is not None:
            self._called[side, law.name, id] = change.after[law.named(law.ref).native(side)]
        native = (
            None if fields is None else told(law, side, change.object, fields)
            for fields in (change.sent, change.before, change.after)
        )
        sent, before, after = (self._meant(side, law.name, fields) for fields in native)
        entry = Entry(
            change.at - zero, change.asked - zero, side, law.name, id, change.op, change.who,
            sent or {}, before, after,
        )  # fmt: skip
        self.evidence.entries.append(entry)
        changes = {name: (entry.after or {}).get(name) for name in entry.changed()}
        self.note(f"{side} {entry.who} {entry.op} {entry.stream}:{entry.id} {changes if entry.after else ''}")

    def _effect(self, side: Side, change: Change) -> None:
        """What is told of a document once more is no record that anybody keeps in step."""
        zero = SimClock.EPOCH_S
        entry = Entry(
            change.at - zero, change.asked - zero, side, change.object, change.id, change.op, change.who,
            dict(change.sent), change.before, change.after,
        )  # fmt: skip
        self.evidence.effects.append(entry)
        self.note(f"{side} {entry.who} {entry.op} {entry.stream}:{entry.id} {dict(entry.after or {})}")

    def _meant(
        self, side: Side, stream: str, native: Mapping[str, Value] | None
    ) -> Mapping[str, Value] | None:
        """Native fields with the values that are meant by them."""
        if native is None:
            return None
        laws = {law.native(side): law for law in self.scenario.laws.by_name[stream].fields}
        return {name: self._means(side, laws.get(name), value) for name, value in native.items()}

    def _means(self, side: Side, law: FieldLaw | None, value: Value) -> Value:
        if law is None or not law.reference or value is None:
            return law.meant(side, value) if law is not None else value
        return self._called.get((side, law.reference, str(value)), f"nobody knows {value!r}")

    def _referred(self, stream: str, field: str, value: Value) -> Value:
        """What is meant by a stored value: of a reference the store keeps the number of a binding."""
        known = self.scenario.laws.by_name.get(stream)
        law = known.find(field) if known is not None else None
        if law is not None and law.type == "lines":
            return law.meant("a", value)  # a's cells have the shared names
        if law is None or not law.reference or not isinstance(value, int):
            return value
        ids = ids_of(self.inner.links[LINK], value)
        called = (self._called.get((side, law.reference, id)) for side, id in ids.items())
        return next((name for name in called if name is not None), value)

    # -- daemons ------------------------------------------------------------------------------------------------

    async def live(self, daemon: Daemon, name: str) -> None:
        """One life of a daemon, to its end."""
        dies_at = self._dying_calls.pop(0) if self._dying_calls and self.faulty else 0
        meddle = self._meddle if "API at any await" in self.scenario.perils else None
        life = Life(name, str(self.scenario.seed), self.note, dies_at, meddle)
        self.lives.append(life)
        self.note(f"{name} starts")
        try:
            with life.scope:
                await daemon(self._ports(life), owner=name)
        except anyio.get_cancelled_exc_class():
            raise  # the world ends, not the daemon
        except BaseException as error:  # also Dead, alone or in a group
            if not only_death(error):
                self.fallen.append(Violation("the daemon fell over", repr(error), loop.now()))
                raise
        else:
            if not life.scope.cancel_called:
                self.fallen.append(Violation("the daemon fell over", "it ended by itself", loop.now()))
        finally:
            life.dead = True
            self.lives.remove(life)
            self._heard.pop(life.name, None)  # whoever comes next does not know of them
            self._obeyed(life.name)

    def _meddle(self) -> None:
        if self.faulty:
            self.operator.meddle()

    def _ports(self, life: Life) -> dict[str, Any]:
        async def connect(row: ConnectionRow) -> Connector:
            side: Side = "a" if row.id == "a" else "b"
            system = self.strangers.get(side, self.systems[side])
            inner = MemoryConnector(system, self.scenario.declarations[side], who=life.name)
            return connector_port(inner, life, side, partial(self._answered, side))

        def rules(text: str, settings: Mapping[str, Any]) -> LinkSpec:
            return self._spec

        faults, host = self.scenario.store_faults, life.name.partition(".")[0]
        return {
            "store": store_port(
                self.inner,
                life,
                lambda: faults if self.faulty else CALM,
                self._committed,
                self._unheard,
            ),
            "connect": connect,
            "blueprint": rules,
            "clock": SimClock(f"{self.scenario.seed}/{life.name}", lambda: self.skews[host]),
            "telemetry": SimTelemetry(life, self._told),
        }

    def _told(self, who: str, action: str, fields: Mapping[str, Any]) -> None:
        """When a daemon was at work on what somebody asked for; and that nothing in it falls over."""
        if action == "actor.crashed":
            text = f"{who}: {fields.get('actor')} fell over: {fields.get('error')}"
            self.evidence.crashes.append(Violation("crash", text, loop.now()))
        if action in (
            "run.started",
            "run.ended",
        ):  # of a run whose lease was lost no end is told: the next one shows it
            self._obeyed(who)
            self._unheard(who)  # what it heard and did not settle until then it never does
        if action == "run.started" and fields.get("cause") == "command":
            self._commanded[who] = loop.now()

    def _obeyed(self, who: str) -> None:
        """The run of that daemon that somebody asked for, if one is under way, is over."""
        if who in self._commanded:
            self.evidence.commanded.append(Span(self._commanded.pop(who), loop.now()))

    def _answered(
        self, side: Side, who: str, stream: str, results: Sequence[WriteResult], asked: float
    ) -> None:
        span, law = Span(asked, loop.now()), self.scenario.laws.holding(stream)
        done = [result for result in results if result.status is WriteStatus.DONE]
        if law is not None:
            ids = [known_as(law, side, stream, result.id) for result in done]
            heard = self._heard.setdefault(who, [])
            heard += [Answer(side, law.name, id, who, span) for id in ids]

    def _unheard(self, who: str) -> None:
        """What was answered could not be put down."""
        self._heard.pop(who, None)

    def _committed(self, lease: Lease, method: str, rest: tuple[Any, ...]) -> None:
        self.evidence.commits.append(Commit(loop.now(), lease.owner, lease.epoch, method))
        loaded = set(self.inner.links[LINK].row.facts.get("loaded", ()))
        for stream in loaded - self._loaded:
            self.evidence.loaded[stream] = loop.now()
        self._loaded = loaded
        if method == "intend":
            run, actions = rest[:2]
            made = [Staged(loop.now(), run, one.stream, one.origin) for one in actions if one.op is Op.CREATE]
            self.evidence.intended += made
        for part in rest:
            if isinstance(part, RunRow) and part.mode == "plan":
                self._note_dry(part.id, method)
            if isinstance(part, Settlement):
                self._parked.extend(part.park)
                self.evidence.answers += self._heard.pop(lease.owner, [])
                found = list(deviations(part.bindings))
                self.evidence.left += [(anyio.current_time(), d) for d in found if d.reason == KEPT]
                self.evidence.alone += [(loop.now(), d) for d in found if d.reason == NOT_FOLLOWED]
                self.evidence.staged += [
                    Staged(loop.now(), part.run, row.stream, row.record, row.reason)
                    for row in part.park
                    if row.room is Room.STAGED
                ]
                self._differed += [
                    Named(d.stream, d.field, self._referred(d.stream, d.field, d.value))
                    for d in found
                    if d.reason == "differs"
                ]

    def set_back(self, backup: LinkState) -> None:
        """The state of the link is lost but for a backup: who owned it, what it named, what its runs counted."""
        was = view(self.inner.links[LINK], self._parked, self.clock.now(), self._referred)
        self.inner.links[LINK] = backup
        self.operator.say_again()
        left = view(backup, (), self.clock.now(), self._referred)
        self.evidence.commits.clear()
        self.evidence.set_back.append(loop.now())
        self.evidence.lost_names += was.named
        self.evidence.lost_unsure += was.unsure
        self.evidence.lost_looks |= was.looked_up
        for at, count in was.counted.items():
            more = count - left.counted.get(at, 0)
            self.evidence.lost[at] = self.evidence.lost.get(at, 0) + more

    def _note_dry(self, run: str, method: str) -> None:
        if method == "begin_run":
            self._dry[run] = loop.now()
        elif run in self._dry:
            self.evidence.dry_runs.append(Span(self._dry.pop(run), loop.now()))

    # -- the end ------------------------------------------------------------------------------------------------

    def end_faults(self) -> None:
        """From now on everything works."""
        self.note("faults end")
        self.faulty = False
        for system in self.systems.values():
            system.catch_up()
            system.faults = HONEST

    def movements(self) -> tuple[object, ...]:
        """What changes while anything is still going on; the clock and the daemon's looks do not count."""
        link = self.inner.links[LINK]
        # Not their revisions: an unclear group is matched again at each complete read, to the same end.
        bindings = [(binding.state, binding.note, binding.base) for binding in link.bindings.values()]
        counts = len(self.evidence.entries), len(link.parked), len(link.actions), len(link.inbox)
        return (*counts, repr(bindings))

    def _merge_references(self) -> None:
        """Whoever refers to one of two records that people made one refers to the other one too."""
        for law in self.scenario.laws.streams:
            for field_law in (one for one in law.fields if one.reference):
                roots = Timeline(self.evidence, self.scenario.laws.by_name[field_law.reference])
                self._called = {
                    at: roots.root(ref) if at[1] == field_law.reference else ref
                    for at, ref in self._called.items()
                }
                self.evidence.entries = [
                    with_root(entry, field_law.native(entry.side), roots)
                    if entry.stream == law.name
                    else entry
                    for entry in self.evidence.entries
                ]

    def judged(self) -> Evidence:
        """The evidence as of now, in the order of effects."""
        for system in self.systems.values():
            system.catch_up()
        self.evidence.entries.sort(key=lambda entry: entry.at)
        self._merge_references()
        slowest = self.clock.now() + min(
            0.0, *self.skews.values()
        )  # by its own clock a daemon knows what is due
        self.evidence.store = view(self.inner.links[LINK], self._parked, slowest, self._referred)
        self.evidence.store.differed = self._differed
        self.evidence.decisions = self.operator.decisions
        self.evidence.pauses = self.operator.pauses
        self.evidence.approved = self.operator.approved
        self.evidence.budgets = self.scenario.budgets
        now = loop.now()
        self.evidence.commanded += [Span(since, now) for since in self._commanded.values()]
        return self.evidence


def with_root(entry: Entry, native: str, roots: Timeline) -> Entry:
    """An entry with a reference that stands for all that are one by now."""

    def told(fields: Mapping[str, Value] | None) -> Mapping[str, Value] | None:
        return {**fields, native: roots.root(fields[native])} if fields and native in fields else fields

    return replace(entry, sent=told(entry.sent) or {}, before=told(entry.before), after=told(entry.after))


def only_death(error: BaseException) -> bool:
    """Whether an error is the end that a life was given, and nothing else."""
    if isinstance(error, BaseExceptionGroup):
        return all(only_death(one) for one in error.exceptions)
    return isinstance(error, Dead)


def without_addresses(line: str) -> str:
    """A trace line that is the same in another process."""
    return re.sub(r"0x[0-9a-f]+", "0x", line)
