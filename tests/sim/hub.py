"""A hub on virtual time: a primary account and two secondaries, two links over the one stream, under the same faults.

Everything but the links is what a world of two systems has (world.py); the judge is its own (hub_audit.py), and knows
three systems by their logs.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import anyio

from actors.core.types import Parked
from actors.core.values import Value
from actors.ports import ConnectionRow, Connector, Declaration, Lease, LinkRow, Settlement, WriteResult
from clients.connectors.systems.memory import MemoryConnector
from clients.connectors.systems.memory_system import Change, Faults, MemorySystem
from tests.fakes.store import MemoryStore
from tests.sim import loop
from tests.sim.blueprint import blueprint
from tests.sim.evidence import Decision, Entry, StoreView, Violation
from tests.sim.laws import CUSTOMER_FIELDS, FieldLaw, Laws, Owner, Side, StreamLaw
from tests.sim.life import Dead, Life, SimClock, SimTelemetry, connector_port, store_port
from tests.sim.luck import source
from tests.sim.mishaps import JUMPS_S
from tests.sim.operator import Operator
from tests.sim.people import People
from tests.sim.scenario import (
    CALM,
    HONEST,
    draw_declaration,
    draw_faults,
    draw_store_faults,
    draw_times,
    shape,
)
from tests.sim.simulation import CALM_MAX_S, QUIET_S, ROUND_S, STILL_S, engine
from tests.sim.view import view
from tests.sim.world import Daemon, only_death

PRIMARY = "p"
LINKS: Mapping[str, str] = {"l1": "s1", "l2": "s2"}  # link -> its secondary
SYSTEMS = (PRIMARY, *LINKS.values())
CONFLICTS = ("a", "newest_else_a", "ask", "b")
STREAM = "customers"
EDITS_S = 200.0
# Faults of a hub's own, with the chance that a seed draws each: two daemons of which one is frozen now and then, clocks of
# their machines that jump, deletions that are carried over.
OWN: Mapping[str, float] = {"two owners": 0.3, "clocks": 0.3, "deletions": 0.4}


def side_of(system: str) -> Side:
    """The side on which a system stands in its link, or links."""
    return "a" if system == PRIMARY else "b"


@dataclass(frozen=True)
class HubScenario:
    """One seed's hub."""

    seed: int
    laws: Laws
    declarations: Mapping[str, Declaration]
    faults: Mapping[str, Faults]
    store_faults: Any
    kills: tuple[float, ...]
    dying_calls: tuple[int, ...]
    edits: int
    daemons: int = 1
    freezes: tuple[tuple[float, float], ...] = ()
    jumps: tuple[tuple[float, float], ...] = ()

    @property
    def drawn(self) -> frozenset[str]:
        """What of a hub's own goes wrong in this one, by name."""
        removes = self.laws.by_name[STREAM].removes
        there = {
            "two owners": self.daemons > 1,
            "frozen": self.freezes,
            "clocks": self.jumps,
            "deletions": removes,
        }
        return frozenset(name for name, held in there.items() if held)


def draw_hub(seed: int, also: Iterable[str] = ()) -> HubScenario:
    """The hub of a seed. Nobody owns a field but the primary. `also`: faults of `OWN` that it has in any case."""
    luck = source(seed, "hub")
    nasty = luck.choice([0.0, 0.3, 1.0])
    fields = tuple(_field(luck, law) for law in CUSTOMER_FIELDS)
    law = StreamLaw(STREAM, "ref", fields, key="email", first_contact=luck.choice(["a", "b", "ask"]))
    drawn = HubScenario(
        seed,
        Laws((law,)),
        {name: draw_declaration(luck) for name in SYSTEMS},
        {name: draw_faults(luck, nasty) for name in SYSTEMS},
        draw_store_faults(luck, nasty),
        draw_times(luck, [0, 0, 1, 3]),
        tuple(luck.randint(1, 2500) for _ in range(luck.choice([0, 0, 1, 3]))),
        luck.randint(8, 20),
    )
    own = source(seed, "hub faults")  # drawn apart: what else there is stays as it is
    chosen = {name for name, chance in OWN.items() if own.random() < chance} | set(also)
    for name in sorted(chosen):
        drawn = _worse(drawn, name, own)
    return drawn


def _worse(drawn: HubScenario, fault: str, luck: random.Random) -> HubScenario:
    """A hub with one of the faults of its own."""
    if fault == "two owners":
        freezes = tuple((at, luck.uniform(5, 90)) for at in draw_times(luck, [1, 3]))
        return replace(drawn, daemons=2, freezes=freezes)
    if fault == "clocks":
        by_s = [luck.choice([-1, 1]) * luck.choice(JUMPS_S) for _ in range(2)]
        return replace(drawn, jumps=tuple(zip(draw_times(luck, [2]), by_s, strict=True)))
    removes: frozenset[Side] = frozenset(luck.choice([("a",), ("b",), ("a", "b")]))
    return replace(drawn, laws=Laws((replace(drawn.laws.by_name[STREAM], removes=removes),)))


def _field(luck: random.Random, law: FieldLaw) -> FieldLaw:
    if law.name == "ref":
        return law
    owner: Owner = "a" if law.name != "email" and luck.random() < 0.25 else "both"
    return replace(law, owner=owner, conflict=luck.choice(CONFLICTS), group="", type=law.type)


@dataclass
class HubOutcome:
    """What came of a seed. `entries`: per system, in order; `views`: what the store says of each link."""

    seed: int
    laws: Laws
    entries: dict[str, list[Entry]] = field(default_factory=dict)
    views: dict[str, StoreView] = field(default_factory=dict)
    edits_end: float = float("inf")
    quiet_from: float = float("inf")
    rounds: int = 0
    fallen: list[Violation] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)


class Hub:
    """Three systems, a store, two links, daemons that live and die, people at each secondary and the primary."""

    def __init__(self, scenario: HubScenario) -> None:
        self.scenario = scenario
        self.faulty = True
        self.clock = SimClock(f"{scenario.seed}/hub")
        self.outcome = HubOutcome(scenario.seed, scenario.laws)
        self.outcome.entries = {name: [] for name in SYSTEMS}
        self.systems = {name: self._system(name) for name in SYSTEMS}
        self.inner = MemoryStore(self.clock)
        self.lives: list[Life] = []
        self.skews = {f"d{number + 1}": 0.0 for number in range(scenario.daemons)}
        self._parked: dict[str, list[Parked]] = {link: [] for link in LINKS}
        self._dying = list(scenario.dying_calls)
        self._spec = blueprint(scenario.laws, {})
        for name in SYSTEMS:
            self.inner.add_connection(ConnectionRow(name, "tenant", name, "memory"))
        for link, secondary in LINKS.items():
            self.inner.add_link(LinkRow(link, "tenant", link, PRIMARY, secondary, blueprint="sim"))
        self.operators = [
            Operator(self.inner, source(scenario.seed, "operator", link), self.note, link) for link in LINKS
        ]
        self.people = [
            People(
                scenario.laws,
                {"a": self.systems[PRIMARY], "b": self.systems[secondary]},
                source(scenario.seed, "people", link),
                first=10_000 * number,
            )
            for number, (link, secondary) in enumerate(LINKS.items())
        ]

    def note(self, text: str) -> None:
        """A line for the trace."""
        self.outcome.trace.append(f"{loop.now():10.3f} {text}")

    def _system(self, name: str) -> MemorySystem:
        law = self.scenario.laws.by_name[STREAM]
        system = MemorySystem(
            f"{name}{self.scenario.seed}",
            {STREAM: shape(law, side_of(name), {})},
            self.clock.now,
            seed=str(self.scenario.seed),
            faults=self.scenario.faults[name],
            keep_s=self.scenario.declarations[name].read_lag_s + 60.0,
        )
        system.listeners.append(partial(self._changed, name))
        return system

    def _changed(self, name: str, change: Change) -> None:
        """Logged by shared names, so that the three systems can be compared."""
        side, law, zero = side_of(name), self.scenario.laws.by_name[STREAM], SimClock.EPOCH_S

        def shared(native: Mapping[str, Value] | None) -> dict[str, Value] | None:
            if native is None:
                return None
            known = {at: one for at in native if (one := law.law(side, at)) is not None}
            return {one.name: one.meant(side, native[at]) for at, one in known.items()}

        entry = Entry(
            change.at - zero, change.asked - zero, side, STREAM, change.id, change.op, change.who,
            shared(change.sent) or {}, shared(change.before), shared(change.after),
        )  # fmt: skip
        self.outcome.entries[name].append(entry)
        changes = {at: (entry.after or {}).get(at) for at in entry.changed()}
        self.note(f"{name} {entry.who} {entry.op} {entry.id} {changes if entry.after else ''}")

    # -- daemons ------------------------------------------------------------------------------------------------

    async def live(self, daemon: Daemon, name: str) -> None:
        """One life of a daemon, to its end."""
        dies_at = self._dying.pop(0) if self._dying and self.faulty else 0
        life = Life(name, str(self.scenario.seed), self.note, dies_at)
        self.lives.append(life)
        try:
            with life.scope:
                await daemon(self._ports(life), owner=name)
        except anyio.get_cancelled_exc_class():
            raise
        except BaseException as error:
            if not only_death(error):
                self.outcome.fallen.append(
                    Violation("the daemon fell over", repr(error), anyio.current_time())
                )
                raise
        finally:
            life.dead = True
            self.lives.remove(life)

    def _ports(self, life: Life) -> dict[str, Any]:
        async def connect(row: ConnectionRow) -> Connector:
            declared = self.scenario.declarations[row.id]
            inner = MemoryConnector(self.systems[row.id], declared, who=life.name)
            return connector_port(inner, life, row.id, _nobody_asks)

        faults, host = self.scenario.store_faults, life.name.partition(".")[0]
        return {
            "store": store_port(
                self.inner,
                life,
                lambda: faults if self.faulty else CALM,
                self._committed,
                lambda who: None,
            ),
            "connect": connect,
            "blueprint": lambda text, settings: self._spec,
            "clock": SimClock(f"{self.scenario.seed}/{life.name}", lambda: self.skews[host]),
            "telemetry": SimTelemetry(life),
        }

    def _committed(self, lease: Lease, method: str, rest: tuple[Any, ...]) -> None:
        for part in rest:
            if isinstance(part, Settlement):
                self._parked[lease.link].extend(part.park)

    # -- the course of it ---------------------------------------------------------------------------------------

    async def history(self, daemon: Daemon) -> None:
        """People and faults, then calm; what is asked is answered."""
        for people in self.people:
            people.fill(source(self.scenario.seed, "records").randint(0, 4))
        async with anyio.create_task_group() as tasks:
            for number in range(self.scenario.daemons):
                tasks.start_soon(self._keep_alive, daemon, f"d{number + 1}")
            await self._under_faults()
            await self._in_calm()
            tasks.cancel_scope.cancel()

    async def _keep_alive(self, daemon: Daemon, name: str) -> None:
        luck = source(self.scenario.seed, "restarts", *(() if name == "d1" else (name,)))
        for number in range(1, 1000):
            await self.live(daemon, f"{name}.{number}")
            await anyio.sleep(luck.choice([0.1, 5.0, 25.0]))

    async def _under_faults(self) -> None:
        async with anyio.create_task_group() as tasks:
            for people in self.people:
                tasks.start_soon(people.work, self.scenario.edits, EDITS_S)
            for operator in self.operators:
                tasks.start_soon(operator.work, EDITS_S)
            for at in self.scenario.kills:
                tasks.start_soon(self._kill, at)
            for at, for_s in self.scenario.freezes:
                tasks.start_soon(self._freeze, at, for_s)
            for at, by_s in self.scenario.jumps:
                tasks.start_soon(self._jump, at, by_s)
            tasks.start_soon(self._enter_at_both)
        self.outcome.edits_end = anyio.current_time()

    async def _kill(self, at: float) -> None:
        await anyio.sleep(at)
        for life in list(self.lives):
            life.kill()

    async def _freeze(self, at: float, for_s: float) -> None:
        await anyio.sleep(at)
        if self.lives:
            life = source(self.scenario.seed, "freeze", at).choice(self.lives)
            self.note(f"{life.name} is frozen for {for_s:.1f} s")
            life.frozen_until = anyio.current_time() + for_s

    async def _jump(self, at: float, by_s: float) -> None:
        await anyio.sleep(at)
        host = source(self.scenario.seed, "jump", at).choice(sorted(self.skews))
        self.note(f"the clock of {host} jumps by {by_s:+.0f} s")
        self.skews[host] += by_s

    async def _enter_at_both(self) -> None:
        """The same new customer is entered at both secondaries, a moment apart, now and then."""
        luck = source(self.scenario.seed, "both")
        for number in range(luck.randint(0, 3)):
            await anyio.sleep(luck.uniform(1, 60))
            for name in luck.sample(sorted(LINKS.values()), len(LINKS)):
                values = {
                    "ref_b": f"ref-both-{number}",
                    "email_b": f"email-both-{number}",
                    "name_b": f"na {name} {number}",
                }
                self.systems[name].create(STREAM, values, "person")
                await anyio.sleep(luck.choice([0.0, 0.2, 5.0]))

    async def _in_calm(self) -> None:
        self.note("faults end")
        self.faulty = False
        for system in self.systems.values():
            system.catch_up()
            system.faults = HONEST
        for operator in self.operators:
            operator.resume()
            operator.ask_for_run("sync")
        ends, still = anyio.current_time() + CALM_MAX_S, 0.0
        rounds = 0
        enough_s = STILL_S + (
            max(JUMPS_S) if self.scenario.jumps else 0.0
        )  # what was put off is due as much later
        while still < enough_s and anyio.current_time() < ends:
            before = self._movements()
            await anyio.sleep(ROUND_S)
            rounds += 1
            answered = sum(operator.decide(1.0) + operator.approve() for operator in self.operators)
            retried = any(h.attempts > 1 for link in LINKS for h in self.inner.links[link].inbox.values())
            if answered or retried or self._movements() != before:
                still, self.outcome.rounds = 0.0, rounds
            else:
                still += ROUND_S
        self.note("quiet from here on")
        self.outcome.quiet_from = anyio.current_time()
        await anyio.sleep(QUIET_S)

    def _movements(self) -> tuple[object, ...]:
        links = [self.inner.links[link] for link in LINKS]
        return (
            sum(map(len, self.outcome.entries.values())),
            [(len(link.parked), len(link.actions), len(link.inbox)) for link in links],
        )

    def judged(self) -> HubOutcome:
        """All there is to judge by."""
        for name, system in self.systems.items():
            system.catch_up()
            self.outcome.entries[name].sort(key=lambda entry: entry.at)
        self.outcome.decisions = [one for operator in self.operators for one in operator.decisions]
        slowest = self.clock.now() + min(0.0, *self.skews.values())
        self.outcome.views = {
            link: view(self.inner.links[link], self._parked[link], slowest, lambda s, f, value: value)
            for link in LINKS
        }
        return self.outcome


def _nobody_asks(who: str, stream: str, results: Sequence[WriteResult], asked: float) -> None:
    """Who was answered when is no evidence here."""


def play_hub(scenario: HubScenario, daemon: Daemon = engine) -> HubOutcome:
    """Run one hub, to be judged by hub_audit.py."""
    made: list[HubOutcome] = []

    async def main() -> None:
        hub = Hub(scenario)
        await hub.history(daemon)
        made.append(hub.judged())

    loop.run(main)
    return made[0]


__all__ = ["Dead", "Hub", "HubOutcome", "HubScenario", "draw_hub", "play_hub"]
