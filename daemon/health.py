"""What is wrong, if anything: one look at store, engine, actors and links, for /healthz, metrics, gRPC health and status.

B15: a dead actor, or a side that nobody looks at, is never healthy. Looks are shared: however many ask, the store is asked
at most once a second, and less often where there are so many links that looking takes long. While nobody asks, nobody
looks. Must not: mend anything.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import anyio
import msgspec

from actors.core import lifecycle
from actors.core.blueprint.compiler import BlueprintError
from actors.core.errors import TandemError
from actors.core.lifecycle import Establishment, Facts, Shown, Wish
from actors.core.policy import LinkSpec
from actors.core.types import SIDES, Side
from actors.ports import Clock
from daemon.metrics import ROOMS, Sample
from daemon.store.admin import Admin
from daemon.store.admin_names import Names
from daemon.store.rows import LinkInfo, LinkStats
from daemon.telemetry import ActionTelemetry
from daemon.wiring import Blueprints

LIVING: Final = frozenset({"idle", "busy"})
LOOK_TIMEOUT_S: Final = 5.0
SHARED_FOR_S: Final = 1.0
SHOWN_FOR_S: Final = 0.05  # a picture is made at most twenty times a second, however many ask
# A look is shared for so many times its own duration (five per cent of one processor at most), but not for ever.
SHARED_FOR_TIMES: Final = 20.0
SHARED_FOR_MAX_S: Final = 15.0
NAMED_EVERY_S: Final = 5.0
NAMED_AGAIN_S: Final = 60.0
NAMED_AT_ONCE: Final = 500
POLLS_MISSED_MAX: Final = 3
SCAN_AGE_MAX_S: Final = 30.0


class Reason(msgspec.Struct, frozen=True):
    """One thing that is wrong. `what`: store, engine, actor, link, side or draining; `tenant` "": of no tenant."""

    what: str
    name: str
    text: str
    tenant: str = ""

    def __str__(self) -> str:
        return f"{self.what} {self.name}: {self.text}" if self.name else f"{self.what}: {self.text}"


class LinkView(msgspec.Struct, frozen=True):
    """A link as it stands now. `stats` None: it has just been created. Ages are seconds."""

    info: LinkInfo
    stats: LinkStats | None
    spec: LinkSpec | None
    facts: Facts
    state: Shown
    freshness_s: float
    plans: int = 0

    @property
    def label(self) -> str:
        """ "tenant/name"."""
        return f"{self.info.row.tenant}/{self.info.row.name}"

    def looked(self, stream: str, side: Side) -> tuple[float, float]:
        """When the side was last looked at, and last read completely; 0 = never."""
        for look in self.stats.looks if self.stats is not None else ():
            if (look.stream, look.side) == (stream, side):
                return look.looked, look.completed
        return 0.0, 0.0


class Pulse(msgspec.Struct, frozen=True):
    """How the rest of the process is at this moment, without asking the store.

    `scan_age_s`: since the engine last looked for due links with success.
    """

    engine_up: bool
    draining: bool
    actors: Sequence[Mapping[str, Any]]
    running: Mapping[str, str]
    scan_age_s: float = 0.0


class Health(msgspec.Struct, frozen=True):
    """The whole picture. `ready`: work is taken up; `reasons` empty = healthy. `states`: tenant -> state -> links;
    `running`: links with a run under way in this process; `name_of`: what an actor is called.
    """

    at: float
    store_up: bool
    engine_up: bool
    draining: bool
    reasons: tuple[Reason, ...]
    links: tuple[LinkView, ...]
    states: Mapping[str, Mapping[str, int]]
    tenants: Mapping[str, str]
    running: Mapping[str, str]
    pulse: Pulse
    name_of: Callable[[str], str]
    answer_s: float

    @property
    def actors(self) -> tuple[Mapping[str, Any], ...]:
        """The actors of this process under their names."""
        return tuple({**actor, "name": self.name_of(str(actor["name"]))} for actor in self.pulse.actors)

    @property
    def runs_active(self) -> int:
        """Runs under way in this process."""
        return len(self.running)

    @property
    def ready(self) -> bool:
        """Whether the daemon takes up work."""
        return self.store_up and self.engine_up and not self.draining

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong."""
        return not self.reasons


class _Look(msgspec.Struct, frozen=True):
    """What the store said, and what follows from it. `trouble` "": it answered."""

    links: tuple[LinkView, ...]
    trouble: str
    answer_s: float
    tenants: Mapping[str, str]  # by link
    states: Mapping[str, Mapping[str, int]]
    reasons: tuple[Reason, ...]


class Watcher:
    """Looks, and remembers the last look for a second or more."""

    def __init__(
        self,
        admin: Admin,
        names: Names,
        blueprints: Blueprints,
        telemetry: ActionTelemetry,
        clock: Clock,
        pulse: Callable[[], Pulse],
        stale_after_s: float,
    ) -> None:
        self._admin = admin
        self._names = names
        self._blueprints = blueprints
        self._telemetry = telemetry
        self._clock = clock
        self._pulse = pulse
        self._stale_after_s = stale_after_s
        self._lock = anyio.Lock()
        self._last: _Look | None = None
        self._fresh_until = -math.inf
        self._shown: Health | None = None
        self._shown_until = -math.inf
        self._named_at = -math.inf
        self._last_link = self._last_connection = (-math.inf, "")

    async def health(self) -> Health:
        """The picture: of the store about a second old at most, of this process hardly older than now."""
        now = self._clock.monotonic()
        if self._shown is None or now >= self._shown_until:
            self._shown = await self._picture()
            self._shown_until = now + SHOWN_FOR_S
        return self._shown

    async def _picture(self) -> Health:
        look = self._last
        if look is None or self._clock.monotonic() >= self._fresh_until:
            look = await self._shared()
        pulse = self._pulse()
        return Health(
            at=self._clock.now(),
            store_up=not look.trouble,
            engine_up=pulse.engine_up,
            draining=pulse.draining,
            reasons=(*self._of_process(look, pulse), *look.reasons),
            links=look.links,
            states=look.states,
            tenants=look.tenants,
            running=pulse.running,
            pulse=pulse,
            name_of=self._telemetry.actor_name,
            answer_s=look.answer_s,
        )

    async def _shared(self) -> _Look:
        async with self._lock:
            if self._last is None or self._clock.monotonic() >= self._fresh_until:
                began = time.monotonic()
                self._last = await self._look()
                shared_s = (time.monotonic() - began) * SHARED_FOR_TIMES
                self._fresh_until = self._clock.monotonic() + min(
                    max(SHARED_FOR_S, shared_s), SHARED_FOR_MAX_S
                )
            return self._last

    async def ready(self) -> bool:
        """Whether work is taken up, at the price of a word with the store; what nobody asked for any more is dropped."""
        pulse = self._pulse()
        if not pulse.engine_up or pulse.draining:
            return False
        if self._clock.monotonic() >= self._fresh_until + SHARED_FOR_MAX_S:
            self._last = self._shown = None
        try:
            with anyio.fail_after(LOOK_TIMEOUT_S):
                if self._clock.monotonic() - self._named_at >= NAMED_EVERY_S:
                    await self.name_all()
                else:
                    await self._names.ping()
        except (TandemError, TimeoutError):
            return False
        return True

    async def name_all(self) -> None:
        """Give every link and connection that came since the last time its name in metrics: other processes make some."""
        self._named_at = self._clock.monotonic()
        while links := await self._names.links_after(*self._last_link, NAMED_AT_ONCE):
            for link in links:
                self._telemetry.name_link(
                    link.id, f"{link.tenant}/{link.name}", self._streams(link.blueprint, link.settings)
                )
            self._last_link = links[-1].created, links[-1].id
        while connections := await self._names.connections_after(*self._last_connection, NAMED_AT_ONCE):
            for one in connections:
                self._telemetry.name_connection(one.id, f"{one.tenant}/{one.name}")
            self._last_connection = connections[-1].created, connections[-1].id
        # Another process's clock may be behind, and its transaction may have been open still.
        again = self._clock.now() - NAMED_AGAIN_S, ""
        self._last_link = min(self._last_link, again)
        self._last_connection = min(self._last_connection, again)

    async def _look(self) -> _Look:
        began = time.monotonic()
        links: tuple[LinkView, ...] = ()
        trouble = ""
        try:
            with anyio.fail_after(LOOK_TIMEOUT_S):
                links = await self._links()
        except TandemError as error:
            trouble = error.message
        except TimeoutError:
            trouble = f"the database did not answer within {LOOK_TIMEOUT_S:g} s"
        states: dict[str, Counter[str]] = {}
        for view in links:
            states.setdefault(view.info.row.tenant, Counter())[view.state.value] += 1
        reasons = tuple(reason for view in links for reason in self._wrong_with(view))
        tenants = {view.info.row.id: view.info.row.tenant for view in links}
        return _Look(links, trouble, time.monotonic() - began, tenants, states, reasons)

    async def _links(self) -> tuple[LinkView, ...]:
        stats = {one.link: one for one in await self._admin.stats()}
        plans = await self._names.plans_waiting()
        await self.name_all()
        return tuple(
            self.view(info, stats.get(info.row.id), plans.get(info.row.id, 0))
            for info in await self._names.all_links()
        )

    def view(self, info: LinkInfo, stats: LinkStats | None, plans: int = 0) -> LinkView:
        """A link from its row and its figures."""
        facts = lifecycle.load(info.row.facts)
        spec = self._spec(info.row.blueprint, info.row.settings)
        streams = tuple(stream.name for stream in spec.streams) if spec is not None else ()
        self._telemetry.name_link(info.row.id, f"{info.row.tenant}/{info.row.name}", streams)
        running = bool(stats and stats.running) or info.row.id in self._pulse().running
        unread = spec is None and facts.establishment is Establishment.ESTABLISHED
        state = Shown.MISCONFIGURED if unread else lifecycle.shown(facts, streams, running)
        # Not delivered: what a hint names, and what was sent and may not have arrived.
        since = [at for at in (stats.inbox_oldest, stats.open_oldest) if at] if stats is not None else []
        freshness_s = max(0.0, self._clock.now() - min(since)) if since else 0.0
        return LinkView(info, stats, spec, facts, state, freshness_s, plans)

    def _spec(self, blueprint: str, settings: Mapping[str, Any]) -> LinkSpec | None:
        try:
            return self._blueprints.load(blueprint, settings)
        except BlueprintError:
            return None

    def _streams(self, blueprint: str, settings: Mapping[str, Any]) -> tuple[str, ...]:
        spec = self._spec(blueprint, settings)
        return tuple(stream.name for stream in spec.streams) if spec is not None else ()

    # ------------------------------------------------------------------------------------------------ judging

    def _of_process(self, look: _Look, pulse: Pulse) -> Iterator[Reason]:
        if look.trouble:
            yield Reason("store", "", look.trouble)
        if not pulse.engine_up:
            yield Reason("engine", "", "the root actor is dead; nothing is kept in step by this process")
        elif not look.trouble and not pulse.draining and pulse.scan_age_s > SCAN_AGE_MAX_S:
            yield Reason("engine", "", f"it has not looked for due links for {pulse.scan_age_s:.0f} s")
        if pulse.draining:
            yield Reason("draining", "", "no new work is taken up")
        for actor in pulse.actors:
            if actor["state"] not in LIVING:
                _, _, id_ = str(actor["name"]).partition("/")
                name = self._telemetry.actor_name(str(actor["name"]))
                said = f"{actor['state']}: {actor['error']}"
                yield Reason("actor", name, said, look.tenants.get(id_, ""))

    def _wrong_with(self, view: LinkView) -> Iterator[Reason]:
        """Nothing is wrong with a link that somebody paused."""
        if view.facts.recovering:
            said = "recovering: an older state was put back; it waits until a person has it go on"
            yield Reason("link", view.label, said, view.info.row.tenant)
        elif view.facts.wish is not Wish.PAUSED:
            yield from self._of_link(view)

    def _of_link(self, view: LinkView) -> Iterator[Reason]:
        tenant = view.info.row.tenant
        if view.spec is None:
            yield Reason(
                "link", view.label, "misconfigured: its blueprint can't be used by this version", tenant
            )
            return
        for name, reason in sorted(view.facts.reasons.items()):
            yield Reason(
                "link", view.label, f"{view.state.value} ({name}, {reason.kind}): {reason.text}", tenant
            )
        for stream in view.spec.streams:
            for side in SIDES:
                age_s, limit_s = self.look_age_s(view, stream.name, side), self.stale_limit_s(view.spec, side)
                if age_s > limit_s:
                    said = f"not looked at for {age_s:.0f} s (limit {limit_s:.0f} s)"
                    yield Reason("side", f"{view.label} {stream.name} {side}", said, tenant)

    def stale_limit_s(self, spec: LinkSpec, side: Side) -> float:
        """From which age on a side counts as dead."""
        return max(self._stale_after_s, POLLS_MISSED_MAX * spec.poll_s[side])

    def look_age_s(self, view: LinkView, stream: str, side: Side) -> float:
        """Time since the last look; since the link was created where there was none."""
        return max(0.0, self._clock.now() - (view.looked(stream, side)[0] or view.info.created))


def samples(health: Health, restarts: int) -> Iterator[Sample]:
    """The looked-up metrics. `restarts`: of the daemon's own PostgreSQL."""
    yield Sample("tandem_store_up", float(health.store_up))
    yield Sample("tandem_store_answer_seconds", health.answer_s)
    yield Sample("tandem_store_restarts", restarts)
    yield Sample("tandem_ready", float(health.ready))
    yield Sample("tandem_healthy", float(health.healthy))
    yield Sample("tandem_runs_active", health.runs_active)
    for actor in health.actors:
        name = str(actor["name"])
        yield Sample("tandem_actor_up", float(actor["state"] in LIVING), (name, str(actor["kind"])))
        yield Sample("tandem_actor_mailbox_messages", float(actor["mailbox"]), (name,))
    if health.store_up:
        states = Counter(view.state for view in health.links)
        for state in Shown:
            yield Sample("tandem_links", float(states[state]), (state.value,))
    for view in health.links:
        yield from _link_samples(view, health.at)


def _link_samples(view: LinkView, now: float) -> Iterator[Sample]:
    label = view.label
    for state in Shown:
        yield Sample("tandem_link_state", float(view.state is state), (label, state.value))
    stats = view.stats
    rooms = {room.room: room for room in stats.rooms} if stats is not None else {}
    for room in ROOMS:
        here = rooms.get(room)
        yield Sample("tandem_parked_records", float(here.count) if here else 0.0, (label, room))
        yield Sample(
            "tandem_parked_oldest_seconds", max(0.0, now - here.oldest) if here else 0.0, (label, room)
        )
    figures = {
        "tandem_link_freshness_seconds": view.freshness_s,
        "tandem_link_failures": view.facts.failures,
        "tandem_inbox_hints": stats.inbox if stats is not None else 0,
        "tandem_scheduled_records": sum(one.count for one in stats.scheduled) if stats is not None else 0,
        "tandem_open_intents": stats.open_actions if stats is not None else 0,
        "tandem_unknown_outcomes": stats.unknown_actions if stats is not None else 0,
        "tandem_plans_open": view.plans,
    }
    yield from (Sample(name, float(value), (label,)) for name, value in figures.items())
    for stream in view.spec.streams if view.spec is not None else ():
        for side in SIDES:
            looked, completed = view.looked(stream.name, side)
            place = (label, stream.name, side)
            yield Sample(
                "tandem_link_last_look_seconds", max(0.0, now - (looked or view.info.created)), place
            )
            since = completed or view.info.created
            yield Sample("tandem_link_last_complete_read_seconds", max(0.0, now - since), place)
