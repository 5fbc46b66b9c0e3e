"""What the auditor judges by: the two systems' own write logs, and what the store says in plain values.

Knows nothing of the engine; whoever fills it in (`world.py`, or a test by hand) translates.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from actors.core.policy import Budget
from actors.core.values import Value
from tests.sim.laws import Laws, Side, StreamLaw, other

PERSON = "person"
AUTOMATION = "automation"  # something in a system that answers what is written there
BACKUP = "backup"  # a side set back to an older state
MOMENT_S = 1e-6  # two clocks that show one moment may differ by so much
OUTSIDE = frozenset({PERSON, AUTOMATION, BACKUP})


@dataclass(frozen=True)
class Entry:
    """One effect in one system. `asked`: when the request was made; `sent`: what was asked for; times in seconds."""

    at: float
    asked: float
    side: Side
    stream: str
    id: str
    op: str
    who: str
    sent: Mapping[str, Value]
    before: Mapping[str, Value] | None
    after: Mapping[str, Value] | None

    @property
    def outside(self) -> bool:
        """Whether a person did it, or something else outside, and not a daemon."""
        return self.who in OUTSIDE

    def changed(self) -> Iterable[str]:
        """Native names of the fields that the effect changed (of a deletion: all that held something)."""
        before, after = self.before or {}, self.after or {}
        return [name for name in {**before, **after} if before.get(name) != after.get(name)]


@dataclass(frozen=True)
class Deviation:
    """The store says: this side holds `value` where the base says otherwise (`of`), for this reason."""

    stream: str
    side: Side
    id: str
    field: str
    value: Value
    reason: str
    of: Value = None


@dataclass(frozen=True)
class ParkedRow:
    """The store says: this pair (or one field of it) waits. `ids`: the record's id per side, where known."""

    stream: str
    room: str
    ids: Mapping[Side, str]
    field: str
    reason: str


@dataclass(frozen=True)
class Named:
    """A value that a stored record (an action, a parked row) names: nobody can say it was lost silently."""

    stream: str
    field: str
    value: Value


@dataclass(frozen=True)
class Decision:
    """A person's answer to a parked row. `value`: what was chosen, where it is a value of its own."""

    at: float
    stream: str
    ids: Mapping[Side, str]
    field: str
    choose: str
    value: Value = None


@dataclass(frozen=True)
class Commit:
    """A transaction under a lease that the store accepted."""

    at: float
    owner: str
    epoch: int
    method: str


@dataclass(frozen=True)
class Span:
    """From when to when something was so (a dry run, a pause)."""

    began: float
    ended: float


@dataclass(frozen=True)
class Staged:
    """A run put a record into the room `staged`, and why, or was about to make one of it. `id`: where it stands already."""

    at: float
    run: str
    stream: str
    id: str
    reason: str = ""


@dataclass(frozen=True)
class Hidden:
    """A record that rights or a filter kept from the daemon for a while: from lists, or (`by_id`) from every look."""

    side: Side
    stream: str
    id: str
    by_id: bool
    span: Span


@dataclass(frozen=True)
class Answer:
    """A daemon heard that a write of its own was done (asked for and answered in this span), and lived to put it down."""

    side: Side
    stream: str
    id: str
    who: str
    span: Span


@dataclass
class StoreView:
    """What the store holds at one moment. `pairs`: (stream, id of A, id of B) of what it knows as one; `differed`:
    values ever recorded as "differs after our write", which are listed and not carried on; `counted`: (stream, side,
    what) -> count, over all runs; `found`: of these, writes that were found done by a look, as no reply to them was
    ever put down; `looked_up`: (stream, side, id) of their records; `made`: of all records that were made under an id
    that it has; `given_up`: how many writes of a record the store says did not take place; `unsure`: writes of which
    nobody knows whether they took place; `overdue`: hints that nobody works on; `again`: how often it was written
    down that a record is active again on one side alone.
    """

    pairs: set[tuple[str, str, str]] = field(default_factory=set)
    deviations: list[Deviation] = field(default_factory=list)
    parked: list[ParkedRow] = field(default_factory=list)
    named: list[Named] = field(default_factory=list)
    differed: list[Named] = field(default_factory=list)
    held: list[ParkedRow] = field(default_factory=list)
    counted: dict[tuple[str, Side, str], int] = field(default_factory=dict)
    unsure: int = 0
    found: dict[tuple[str, Side, str], int] = field(default_factory=dict)
    looked_up: set[tuple[str, Side, str]] = field(default_factory=set)
    made: set[tuple[str, Side, str]] = field(default_factory=set)
    given_up: Counter[tuple[str, Side, str]] = field(default_factory=Counter)
    open_actions: int = 0
    live_plans: list[tuple[str, str]] = field(default_factory=list)
    inbox: int = 0
    overdue: int = 0
    again: Counter[tuple[str, Side, str]] = field(default_factory=Counter)

    def both_ids(self, entry: Entry) -> list[tuple[Side, str]]:
        """The record of an entry, and its partners."""
        at = 1 if entry.side == "a" else 2
        pairs = [pair for pair in self.pairs if (pair[0], pair[at]) == (entry.stream, entry.id)]
        return [(entry.side, entry.id), *((other(entry.side), pair[3 - at]) for pair in pairs)]

    def is_of_another(self, one: Entry, entry: Entry) -> bool:
        """Whether the record of `entry` has a partner, and that of `one`, on the other side, is not it."""
        at = 1 if entry.side == "a" else 2
        partners = {pair[3 - at] for pair in self.pairs if (pair[0], pair[at]) == (entry.stream, entry.id)}
        return bool(partners) and one.id not in partners


@dataclass
class Evidence:
    """Everything the auditor gets. `astray`: what was written into an account that is none of the link's; `lost...`:
    what runs had counted, what records had named, what nobody was sure of and what was found done by a look when the state
    of the link was set back, at the times `set_back`.

    `turned_back`: when a clock was turned back, and by how many seconds: what goes by it comes so much later;
    `left`: what the store said that the initial load left where it is, and when; `alone`: likewise, what was active again on
    one side alone; `staged`: what was put into the room `staged`; `intended`: what records were to be made of;
    `jumps`: when the clock by which leases are counted jumped; `loaded`: since when the initial load of a stream was last
    complete; `effects`: what was told of documents once more, by object; `commanded`: when a run was under way that somebody
    asked for; `approved`: (stream, kind of budget) -> how many writes people said yes to; `crashes`: actors that fell over
    by an error of their own; `plain`: sides that show and tell everything at once; `drops`: sides that may leave fields out;
    `blind`: sides whose replies do not say what became of every field; `patchy`: sides whose lists leave
    records out now and then.

    `entries` are in the order of their effect; `faults_end`, `edits_end`,
    `quiet_from`: when faults stopped, when people edited last, from when on nothing more may be written."""

    laws: Laws
    entries: list[Entry] = field(default_factory=list)
    commits: list[Commit] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    pauses: list[Span] = field(default_factory=list)
    hidden: list[Hidden] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    astray: list[str] = field(default_factory=list)
    lost: dict[tuple[str, Side, str], int] = field(default_factory=dict)
    lost_names: list[Named] = field(default_factory=list)
    lost_unsure: int = 0
    lost_looks: set[tuple[str, Side, str]] = field(default_factory=set)
    set_back: list[float] = field(default_factory=list)
    jumps: list[float] = field(default_factory=list)
    turned_back: list[tuple[float, float]] = field(default_factory=list)
    dry_runs: list[Span] = field(default_factory=list)
    store: StoreView = field(default_factory=StoreView)
    loaded: dict[str, float] = field(default_factory=dict)
    left: list[tuple[float, Deviation]] = field(default_factory=list)
    alone: list[tuple[float, Deviation]] = field(default_factory=list)
    staged: list[Staged] = field(default_factory=list)
    intended: list[Staged] = field(default_factory=list)
    effects: list[Entry] = field(default_factory=list)
    commanded: list[Span] = field(default_factory=list)
    approved: Counter[tuple[str, str]] = field(default_factory=Counter)
    budgets: Mapping[str, Budget] = field(default_factory=dict)
    crashes: list[Violation] = field(default_factory=list)
    plain: frozenset[Side] = frozenset()
    drops: frozenset[Side] = frozenset()
    blind: frozenset[Side] = frozenset()
    patchy: frozenset[Side] = frozenset()
    edits_end: float = float("inf")
    quiet_from: float = float("inf")

    def was_answered(self, entry: Entry) -> bool:
        """Whether the daemon heard what became of a write of its own, and could put it down."""
        if (entry.stream, entry.side, entry.id) in self.store.looked_up | self.lost_looks:
            return False
        return any(
            (one.side, one.who, one.stream, one.id) == (entry.side, entry.who, entry.stream, entry.id)
            and one.span.began - MOMENT_S <= entry.at <= one.span.ended + MOMENT_S
            for one in self.answers
        )

    def is_known(self, entry: Entry) -> bool:
        """Whether the daemon knows that a write of its own took place: from the reply, or from a look."""
        return self.was_answered(entry) or (entry.stream, entry.side, entry.id) in self.store.looked_up

    def has_id(self, entry: Entry) -> bool:
        """Whether the daemon knows the id of a record that it made: drawn beforehand, in the reply, or from a look."""
        return (entry.stream, entry.side, entry.id) in self.store.made or self.was_answered(entry)

    def is_soon(self, since: float, asked: float) -> bool:
        """Whether what is there since then need not have been seen by anybody when a daemon asked."""
        due = since
        for at, by_s in self.turned_back:
            due = max(due, at) + by_s if -math.inf < since and at < asked else due
        return asked - due < self.laws.race_s

    def was_hidden(self, side: Side, stream: str, id: str, at: float, since: float = -math.inf) -> bool:
        """Whether no look would show a record at some time before `at`, and after `since`."""
        return any(
            (one.side, one.stream, one.id) == (side, stream, id)
            and one.by_id
            and one.span.began < at
            and one.span.ended > since
            for one in self.hidden
        )

    def out_of_sight(self, side: Side, stream: str, id: str, asked: float, *, by_id: bool) -> bool:
        """Whether a record was hidden when a daemon asked, or so shortly before that it may have acted on it."""
        return any(
            (one.side, one.stream, one.id) == (side, stream, id)
            and (one.by_id or not by_id)
            and one.span.began <= asked <= one.span.ended + self.laws.race_s
            for one in self.hidden
        )

    def of(self, stream: StreamLaw, side: Side | None = None) -> list[Entry]:
        """The entries of one stream, of one side or both."""
        return [e for e in self.entries if e.stream == stream.name and side in (None, e.side)]


@dataclass(frozen=True)
class Violation:
    """A broken invariant, with the entry that shows it."""

    invariant: str
    text: str
    at: float = 0.0

    def __str__(self) -> str:
        return f"{self.invariant} at {self.at:.3f}: {self.text}"
