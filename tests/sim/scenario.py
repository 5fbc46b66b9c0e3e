"""What a seed stands for: the systems' abilities and faults, the rules, the crashes; all drawn beforehand."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from actors.core.policy import Budget
from actors.ports import Declaration, Find
from clients.connectors.systems import memory
from clients.connectors.systems.memory_system import Faults, ObjectShape
from tests.sim.laws import SIDES, Laws, Side, StreamLaw
from tests.sim.life import StoreFaults
from tests.sim.luck import source
from tests.sim.perils import draw_perils
from tests.sim.rules import draw_laws, scheduled
from tests.sim.rules_last import RULES as LAST
from tests.sim.rules_last import last_of, with_last
from tests.sim.rules_latest import RULES as LATEST
from tests.sim.rules_latest import latest_of, with_latest
from tests.sim.rules_more import names_of, with_more
from tests.sim.rules_newest import draw_budgets, newest_of, with_newest
from tests.sim.rules_since import RULES as SINCE
from tests.sim.rules_since import since_of, with_since
from tests.sim.rules_turning import turning_of, with_turning

HONEST = Faults(delay_s=0.2)
EFFECT = ObjectShape(
    {"sale": "text", "told": "text"}
)  # which document it is an effect of, and what is told of it
CALM = StoreFaults()


@dataclass(frozen=True)
class Scenario:
    """One seed's world. Times are virtual seconds from the start."""

    seed: int
    laws: Laws
    declarations: Mapping[Side, Declaration]
    faults: Mapping[Side, Faults]
    store_faults: StoreFaults
    rewrites: Mapping[str, str]
    budgets: dict[str, Budget] = field(default_factory=dict)
    records: int = 6
    edits: int = 25
    edits_s: float = 200.0
    daemons: int = 1
    kills: tuple[float, ...] = ()
    dying_calls: tuple[int, ...] = ()
    freezes: tuple[tuple[float, float], ...] = ()
    perils: frozenset[str] = frozenset()

    @property
    def drawn(self) -> tuple[str, ...]:
        """What goes wrong in this world, by name."""
        found = {name for side in SIDES for name in (*FAULTS, "part") if getattr(self.faults[side], name)}
        found |= (
            {"lag"} if any(self.faults[s].lag and self.declarations[s].read_lag_s for s in SIDES) else set()
        )
        found |= {f"store {name}" for name in STORE_FAULTS if getattr(self.store_faults, name)}
        found |= {
            name for name in ("kills", "dying_calls", "freezes", "rewrites", "budgets") if getattr(self, name)
        }
        found |= {"two daemons"} if self.daemons > 1 else set()
        return tuple(
            sorted(
                found
                | self.perils
                | names_of(self.laws)
                | newest_of(self.laws)
                | last_of(self.laws)
                | since_of(self.laws)
                | latest_of(self.laws)
                | turning_of(self.laws)
            )
        )

    @property
    def plain(self) -> frozenset[Side]:
        """The sides that show and tell everything at once: no lag, nothing left out, hidden, late or lost."""
        if self.perils & UNPLAIN:
            return frozenset()
        quiet = {s for s in SIDES if not self.declarations[s].read_lag_s}
        return frozenset(s for s in quiet if not any(getattr(self.faults[s], name) for name in UNTOLD))

    @property
    def drops(self) -> frozenset[Side]:
        """The sides that may leave fields out."""
        if "field not delivered" in self.perils:
            return frozenset(SIDES)
        return frozenset(side for side in SIDES if self.faults[side].drop_field)

    @property
    def blind(self) -> frozenset[Side]:
        """The sides whose replies do not say what became of every field."""
        return self.drops | {side for side in SIDES if self.declarations[side].reply != "record"}

    @property
    def patchy(self) -> frozenset[Side]:
        """The sides whose lists leave records out now and then: what came after a side was set back is not told among its
        changes, as their numbers start again."""
        if "rollback" in self.perils:
            return frozenset(SIDES)
        return frozenset(side for side in SIDES if self.faults[side].hide_row)

    def luck(self, purpose: str) -> random.Random:
        """A source of its own per purpose, so that one purpose's draws never shift another's."""
        return source(self.seed, purpose)

    def shapes(self, side: Side) -> dict[str, ObjectShape]:
        """The objects of one system; `memo` is the system's own and shared with nobody."""
        rewrites = self.rewrites if side == "b" else {}
        held = {
            name: shape(stream, side, rewrites)
            for stream in self.laws.streams
            for name in stream.objects_on(side)
        }
        return held | {
            stream.effect: EFFECT for stream in self.laws.streams if stream.effect and side in stream.stages
        }


def shape(law: StreamLaw, side: Side, rewrites: Mapping[str, str]) -> ObjectShape:
    """One object of one system."""
    natives = law.natives(side)
    return ObjectShape(natives, rewrites={n: r for n, r in rewrites.items() if n in natives})


def draw(seed: int, also: Iterable[str] = (), rules: Iterable[str] = ()) -> Scenario:
    """The world of a seed; `also`: perils that it has in any case; `rules`: those of rules_newest.py,
    rules_last.py, rules_since.py, rules_latest.py and rules_turning.py that it has."""
    luck = source(seed, "scenario")
    perils = draw_perils(source(seed, "perils")) | frozenset(also)
    nasty = luck.choice([0.0, 0.3, 1.0])
    drawn = Scenario(
        seed=seed,
        perils=perils,
        laws=_laws(seed, luck, perils),
        declarations={side: narrowed(draw_declaration(luck), perils) for side in SIDES},
        faults={side: worsened(draw_faults(luck, nasty), perils) for side in SIDES},
        store_faults=draw_store_faults(luck, nasty),
        rewrites=luck.choice(
            [{}, {"name_b": "truncate:9"}, {"name_b": "truncate:9", "credit_b": "decimals:1"}]
        ),
        budgets=luck.choice([{}, {}, {"deletes": Budget(1, 0.0, 1), "creates": Budget(8, 0.0, 3)}]),
        records=luck.randint(0, 8) + (6 if "lines" in perils else 0),
        edits=luck.randint(8, 35),
        daemons=max(luck.choice([1, 1, 2]), 2 if "two owners" in perils else 1),
        kills=draw_times(luck, [0, 0, 1, 3]),
        dying_calls=tuple(luck.randint(1, 1500) for _ in range(luck.choice([0, 0, 1, 4]))),
        freezes=draw_freezes(luck, "two owners" in perils),
    )
    last, since, latest = (frozenset(rules) & one.keys() for one in (LAST, SINCE, LATEST))
    drawn = _newest(drawn, frozenset(rules) - last - since - latest - {"turning"})
    laws = with_last(drawn.laws, source(seed, "last rules"), last)
    laws = with_since(laws, source(seed, "rules since"), since)
    laws = with_latest(laws, source(seed, "latest rules"), latest)
    laws = with_turning(laws, source(seed, "turning rules"), frozenset(rules) & {"turning"})
    return _refusing(_told_plainly(_searched(replace(drawn, laws=laws))))


def _refusing(drawn: Scenario) -> Scenario:
    """The same world; where what is staged is made by itself, but tried once, that is refused now and then in most."""
    sides = {s for law in drawn.laws.streams if law.imports == "always" for s in law.stages}
    chance = source(drawn.seed, "refusals").choice([0.0, 0.3, 0.6])
    more = {s: msgspec.structs.replace(drawn.faults[s], refuse=chance) for s in sides if chance}
    return replace(drawn, faults={**drawn.faults, **more}) if more else drawn


def _told_plainly(drawn: Scenario) -> Scenario:
    """The same world; where a day says who goes, his side mostly shows and tells all at once: else nobody can say that
    a record was seen before the initial load was complete."""
    sides = {s for law in drawn.laws.streams for s, gate in law.gates if gate.since is not None}
    if not sides or source(drawn.seed, "told plainly").random() > 2 / 3:
        return drawn
    declared = {s: msgspec.structs.replace(drawn.declarations[s], read_lag_s=0.0) for s in sides}
    faults = {s: msgspec.structs.replace(drawn.faults[s], **dict.fromkeys(UNTOLD, 0.0)) for s in sides}
    return replace(drawn, declarations={**drawn.declarations, **declared}, faults={**drawn.faults, **faults})


def _searched(drawn: Scenario) -> Scenario:
    """The same world; where merged records are followed, both systems can be asked who has a key, and who refers to whom."""
    if all(law.on_merge != "follow" for law in drawn.laws.streams):
        return drawn
    asked = {s: msgspec.structs.replace(drawn.declarations[s], find_by_field=True) for s in SIDES}
    return replace(drawn, declarations=asked)


def _newest(drawn: Scenario, rules: frozenset[str]) -> Scenario:
    """The same world under the rules that are drawn last: whatever they need is drawn apart."""
    laws = with_newest(drawn.laws, source(drawn.seed, "newest rules"), rules)
    budgets = drawn.budgets | draw_budgets(source(drawn.seed, "newest budgets"))
    if not any(law.units for law in laws.streams):
        return replace(drawn, laws=laws, budgets=budgets)
    luck = source(drawn.seed, "lines")
    said = {side: luck.choice(["nested", "rows", "steps", "steps"]) for side in SIDES}
    part = luck.choice([0.0, 0.05, 0.3])
    return replace(
        drawn,
        laws=laws,
        budgets=budgets,
        declarations={s: msgspec.structs.replace(drawn.declarations[s], lines=said[s]) for s in SIDES},
        faults={s: msgspec.structs.replace(drawn.faults[s], part=part) for s in SIDES},
    )


def _laws(seed: int, luck: random.Random, perils: frozenset[str]) -> Laws:
    """The rules; what is drawn apart leaves everything else as it is."""
    drawn = without_lists(draw_laws(source(seed, "rules"), luck), perils)
    return with_more(scheduled(drawn, source(seed, "delivery")), source(seed, "more rules"))


def without_lists(laws: Laws, perils: frozenset[str]) -> Laws:
    """The rules as the drawn perils change them: lists don't cross as lines."""
    if "changes as lines" not in perils:
        return laws
    streams = (
        replace(stream, fields=tuple(law for law in stream.fields if law.type != "list"))
        for stream in laws.streams
    )
    return replace(laws, streams=tuple(streams))


def draw_times(luck: random.Random, counts: list[int]) -> tuple[float, ...]:
    """Some moments of the time in which people edit."""
    return tuple(sorted(luck.uniform(1, 200) for _ in range(luck.choice(counts))))


def draw_freezes(luck: random.Random, often: bool) -> tuple[tuple[float, float], ...]:
    """When a daemon stands still, and for how long: shorter or longer than it may hold a link."""
    found = [(at, luck.uniform(5, 40)) for at in draw_times(luck, [0, 0, 1])]
    return (*found, *((at, luck.uniform(16, 90)) for at in draw_times(luck, [3] if often else [0])))


def draw_declaration(luck: random.Random) -> Declaration:
    """What one system can do. Something always tells what became of a create, but not always the same thing."""
    can = luck.choice([{"draws_ids"}, {"tag"}, {"find_by_field"}, {"draws_ids", "tag", "find_by_field"}])
    said: dict[str, Any] = {
        "find": [luck.choice(["feed", "modified", "full"])],
        "reply": luck.choice(["record", "id"]),
        "absence": luck.choice(["proof", "hint"]),
        "version": luck.choice(["content", "none"]),
        "read_lag_s": luck.choice([0.0, 4.0, 12.0]),
        "vendor_tail_s": luck.choice([0.0, 10.0]),
        "batch_max": luck.choice([1, 3, 500]),
        "concurrency": luck.choice([1, 4]),
        **{name: name in can for name in ("draws_ids", "tag", "find_by_field")},
    }
    return msgspec.convert(msgspec.to_builtins(memory.DECLARATION) | said, Declaration)


def narrowed(declared: Declaration, perils: frozenset[str]) -> Declaration:
    """A declaration as the drawn perils change it."""
    said: dict[str, Any] = {}
    if "capacity 1" in perils:
        said |= {"batch_max": 1, "concurrency": 1}
    if "sessions" in perils:
        said |= {"session": "single"}
    if perils & {"lines", "changes as lines"}:
        said |= {"rows": True, "version": "none", "draws_ids": True, "read_lag_s": 0.0}
    if "changes as lines" in perils:
        said |= {"find": (Find.MODIFIED,)}
    if "state rollback" in perils and declared.find == (Find.FEED,):
        said |= {"find": (Find.MODIFIED,)}
    if "state rollback of a feed" in perils:
        said |= {"find": (Find.FEED,)}
    if "batches cut" in perils:
        said |= {"batch_max": max(3, declared.batch_max)}
    return msgspec.structs.replace(declared, **said)


def draw_faults(luck: random.Random, nasty: float) -> Faults:
    """How one system lies."""
    chance = {name: nasty * luck.choice([0.0, 0.02, 0.1]) for name in FAULTS}
    chance["lag"] = luck.choice([0.0, 0.1, 0.5])
    return Faults(delay_s=luck.choice([0.0, 0.3, 2.0]), slow_s=45.0, hint_late_s=20.0, **chance)


# What a peril adds to the faults of both systems.
WORSE: Mapping[str, Mapping[str, float]] = {
    "early reads": {"early": 0.4},
    "batches cut": {"cut": 0.3},
    "batches in disorder": {"batch_disorder": 0.6},
    "sessions": {"session_end": 0.02, "login_lost": 0.1},
}


def worsened(faults: Faults, perils: frozenset[str]) -> Faults:
    """Faults as the drawn perils change them."""
    more = {name: chance for peril in sorted(perils) for name, chance in WORSE.get(peril, {}).items()}
    return msgspec.structs.replace(faults, **more)


def draw_store_faults(luck: random.Random, nasty: float) -> StoreFaults:
    """How the store fails."""
    return StoreFaults(
        delay_s=luck.choice([0.0, 0.02, 0.2]),
        away=nasty * luck.choice([0.0, 0.01]),
        lose_reply=nasty * luck.choice([0.0, 0.01]),
        slow=nasty * luck.choice([0.0, 0.005]),
    )


UNTOLD = ("hide_row", "drop_field", "hint_lost", "hint_late", "early", "lag")
UNPLAIN = frozenset(
    {
        "rows hidden from lists",
        "rows hidden",
        "field not delivered",
        "rollback",
        "another account",
        "state rollback",
        "state rollback noticed",
    }
)
STORE_FAULTS = ("away", "lose_reply", "slow")
FAULTS = (
    "slow",
    "lose_request",
    "lose_reply",
    "late",
    "refuse",
    "not_done",
    "transient",
    "rate_limit",
    "hide_row",
    "drop_field",
    "hint_lost",
    "hint_twice",
    "hint_late",
    "hint_disorder",
)
