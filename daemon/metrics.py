"""Every metric of the daemon, declared in one table, and the registry that holds them.

Names begin with `tandem_` and end with their unit; labels are bounded: tenants' links and connections, streams, sides,
connectors, actors, and fixed words, never ids of records. What the store knows is counted when somebody asks
(`Snapshot`), so that it is true after a restart and for links that other processes work on. docs/METRICS.md is written from
the table. Must not: ask the store itself, or know what an action means (telemetry.py).
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Final, Literal

import msgspec
from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from actors.core.errors import Kind
from actors.core.types import Mode
from actors.ports import WriteStatus

Labels = tuple[str, ...]
_FAST: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SLOW: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)


class Declared(msgspec.Struct, frozen=True):
    """One metric. `kind`: counter and histogram count in this process; a gauge is looked up when it is asked for."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    doc: str
    labels: Labels = ()
    buckets: tuple[float, ...] = ()


COUNTED: Final = (
    Declared("tandem_runs_total", "counter", "Runs that ended.", ("link", "mode", "outcome")),
    Declared("tandem_run_duration_seconds", "histogram", "How long runs took.", ("mode",), _SLOW),
    Declared(
        "tandem_records_settled_total", "counter", "Records that windows settled.", ("link", "stream", "side")
    ),
    Declared(
        "tandem_window_duration_seconds",
        "histogram",
        "How long windows took, from look to settled.",
        (),
        _FAST,
    ),
    Declared("tandem_writes_total", "counter", "Writes that were answered.", ("connector", "op", "status")),
    Declared(
        "tandem_write_duration_seconds",
        "histogram",
        "How long batches of writes took.",
        ("connector", "op"),
        _FAST,
    ),
    Declared(
        "tandem_looks_total", "counter", "Looks that were finished.", ("link", "stream", "side", "kind")
    ),
    Declared(
        "tandem_records_looked_at_total",
        "counter",
        "Records that looks delivered.",
        ("link", "stream", "side"),
    ),
    Declared("tandem_look_duration_seconds", "histogram", "How long looks took.", ("kind",), _FAST),
    Declared("tandem_records_parked_total", "counter", "Records that went to a room.", ("link", "room")),
    Declared(
        "tandem_lease_losses_total",
        "counter",
        "Times that a link went to another owner in mid-work.",
        ("link",),
    ),
    Declared(
        "tandem_link_degradations_total", "counter", "Times that a link was given up as degraded.", ("link",)
    ),
    Declared(
        "tandem_connection_pauses_total",
        "counter",
        "Times that an account was paused.",
        ("connection", "kind"),
    ),
    Declared(
        "tandem_connection_recoveries_total", "counter", "Times that an account came back.", ("connection",)
    ),
    Declared(
        "tandem_connection_feed_failures_total",
        "counter",
        "Times that watching or draining a feed failed; polls make it good.",
        ("connection",),
    ),
    Declared(
        "tandem_webhook_calls_total",
        "counter",
        "Calls to webhooks: accepted, ignored, refused; of no connection: unknown (no such address), limited.",
        ("connection", "outcome"),
    ),
    Declared(
        "tandem_actor_restarts_total",
        "counter",
        "Crashes of an actor, each answered by its supervisor.",
        ("actor",),
    ),
    Declared("tandem_api_calls_total", "counter", "Calls of the API.", ("service", "method", "code")),
    Declared(
        "tandem_api_call_duration_seconds", "histogram", "How long calls took.", ("service", "method"), _FAST
    ),
)
LOOKED_UP: Final = (
    Declared("tandem_build_info", "gauge", "Always 1; the version is in the labels.", ("version", "python")),
    Declared("tandem_store_up", "gauge", "1 while the database answers."),
    Declared("tandem_store_answer_seconds", "gauge", "How long the database took to count what is below."),
    Declared(
        "tandem_store_restarts", "gauge", "Times that the daemon's own PostgreSQL had to be brought back."
    ),
    Declared(
        "tandem_ready", "gauge", "1 while the daemon takes up work: database up, engine alive, not draining."
    ),
    Declared("tandem_healthy", "gauge", "1 while /healthz has nothing to name."),
    Declared("tandem_runs_active", "gauge", "Runs under way in this process."),
    Declared(
        "tandem_actor_up",
        "gauge",
        "1 while the actor serves its mailbox, 0 while it is dead.",
        ("actor", "kind"),
    ),
    Declared("tandem_actor_mailbox_messages", "gauge", "Messages that wait for the actor.", ("actor",)),
    Declared("tandem_links", "gauge", "Links by state.", ("state",)),
    Declared("tandem_link_state", "gauge", "1 for the state that the link is in.", ("link", "state")),
    Declared(
        "tandem_link_freshness_seconds",
        "gauge",
        "Age of the oldest deliverable change not yet delivered.",
        ("link",),
    ),
    Declared(
        "tandem_link_last_look_seconds",
        "gauge",
        "Time since the side was last looked at with success; since the link was created where it never was.",
        ("link", "stream", "side"),
    ),
    Declared(
        "tandem_link_last_complete_read_seconds",
        "gauge",
        "Time since the last complete read ended; since the link was created where none has.",
        ("link", "stream", "side"),
    ),
    Declared("tandem_link_failures", "gauge", "Failed runs in a row.", ("link",)),
    Declared("tandem_parked_records", "gauge", "Records that wait in a room.", ("link", "room")),
    Declared(
        "tandem_parked_oldest_seconds", "gauge", "How long the oldest one waits; 0 = none.", ("link", "room")
    ),
    Declared("tandem_inbox_hints", "gauge", "Hints that are not settled yet.", ("link",)),
    Declared("tandem_scheduled_records", "gauge", "Changed records that wait for their schedule.", ("link",)),
    Declared("tandem_open_intents", "gauge", "Writes whose outcome is not settled yet.", ("link",)),
    Declared(
        "tandem_unknown_outcomes",
        "gauge",
        "Writes whose outcome nothing can decide; a person must.",
        ("link",),
    ),
    Declared("tandem_plans_open", "gauge", "Plans that wait for a yes or no.", ("link",)),
)
BY_NAME: Final[Mapping[str, Declared]] = {one.name: one for one in (*COUNTED, *LOOKED_UP)}

MODES: Final = tuple(mode.value for mode in Mode)
OUTCOMES: Final = ("succeeded", "partial", "failed", "nothing_new", "cancelled", "awaiting_approval")
FATES: Final = ("accepted", "ignored", "refused")  # of calls to webhooks
ROOMS: Final = ("quarantine", "waiting", "staged", "conflict", "ambiguous")
OPS: Final = ("create", "update", "delete", "mark")
# Series that begin with a link: the further labels of each, or the streams of the link and their sides.
_OF_LINKS: Final[Mapping[str, tuple[Sequence[str], ...]]] = {
    "tandem_runs_total": (MODES, OUTCOMES),
    "tandem_records_parked_total": (ROOMS,),
    "tandem_lease_losses_total": (),
    "tandem_link_degradations_total": (),
}
_OF_STREAMS: Final = frozenset({"tandem_records_settled_total", "tandem_records_looked_at_total"})
STATUSES: Final = tuple(status.value for status in WriteStatus)


class Sample(msgspec.Struct, frozen=True):
    """One value of a looked-up metric; `labels` in the declared order."""

    name: str
    value: float
    labels: Labels = ()


Snapshot = tuple[Sample, ...]


class Metrics:
    """All metrics of one daemon, in a registry of its own."""

    def __init__(self, version: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # twice the series, and nobody asks for them
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._counters = _Counters()
        self._observed: dict[tuple[str, Labels], Histogram] = {}
        self.registry.register(self._counters)
        self._histograms = {
            one.name: _histogram(one, self.registry) for one in COUNTED if one.kind == "histogram"
        }
        self._snapshot = _Snapshots((Sample("tandem_build_info", 1.0, (version, platform.python_version())),))
        self.registry.register(self._snapshot)

    def count(self, name: str, labels: Labels = (), by: float = 1.0) -> None:
        """Count a counter up; by 0 makes the series exist."""
        series = self._counters.series[name]
        series[labels] = series.get(labels, 0.0) + by

    def observe(self, name: str, labels: Labels, value: float) -> None:
        """Note a duration."""
        known = self._observed.get((name, labels))
        if known is None:
            histogram = self._histograms[name]
            known = self._observed[name, labels] = histogram.labels(*labels) if labels else histogram
        known.observe(value)

    def show(self, snapshot: Iterable[Sample]) -> None:
        """Replace what was looked up last."""
        self._snapshot.show(snapshot)

    def add_link(self, link: str, streams: tuple[str, ...] = ()) -> None:
        """Make the series of a new link exist, at zero: a rate over a series that appears at 1 misses the first."""
        self._counters.links[link] = streams

    def add_connection(self, connection: str) -> None:
        """Make the series of a connection exist, at zero."""
        for kind in Kind:
            self.count("tandem_connection_pauses_total", (connection, kind.value), 0)
        self.count("tandem_connection_recoveries_total", (connection,), 0)
        self.count("tandem_connection_feed_failures_total", (connection,), 0)
        for fate in FATES:
            self.count("tandem_webhook_calls_total", (connection, fate), 0)

    def add_connector(self, connector: str) -> None:
        """Make the series of a kind of system exist, at zero."""
        for op in OPS:
            for status in STATUSES:
                self.count("tandem_writes_total", (connector, op, status), 0)

    def forget(self, name: str) -> None:
        """Drop the series of a deleted link or connection, so that their number stays bounded."""
        self._counters.forget(name)

    def exposition(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)


class _Counters(Collector):
    """The counters: a number per series. The zeros of a link that nothing was counted for are made when they are shown, so
    that a link at rest costs its name alone.
    """

    def __init__(self) -> None:
        self.series: dict[str, dict[Labels, float]] = {
            one.name: {} for one in COUNTED if one.kind == "counter"
        }
        self.links: dict[str, tuple[str, ...]] = {}  # label -> streams

    def forget(self, name: str) -> None:
        """Drop the series of a deleted link or connection."""
        self.links.pop(name, None)
        for metric, series in self.series.items():
            places = [n for n, label in enumerate(BY_NAME[metric].labels) if label in {"link", "connection"}]
            gone = [labels for labels in series if any(labels[n] == name for n in places)]
            if metric == "tandem_actor_restarts_total":
                gone = [labels for labels in ((f"link/{name}",), (f"connection/{name}",)) if labels in series]
            for labels in gone:
                del series[labels]

    def collect(self) -> Iterator[Metric]:
        for name, series in self.series.items():
            declared = BY_NAME[name]
            family = CounterMetricFamily(name, declared.doc, labels=declared.labels)
            for labels, value in series.items():
                family.add_metric(labels, value)
            for labels in self._zeros(name):
                if labels not in series:
                    family.add_metric(labels, 0.0)
            yield family

    def _zeros(self, name: str) -> Iterator[Labels]:
        further = _OF_LINKS.get(name)
        if further is not None:
            for link in self.links:
                for rest in product(*further):
                    yield (link, *rest)
        elif name in _OF_STREAMS:
            for link, streams in self.links.items():
                yield from product((link,), streams, ("a", "b"))


class _Snapshots(Collector):
    def __init__(self, fixed: Snapshot) -> None:
        self._fixed = fixed
        self._samples: Snapshot = fixed

    def show(self, snapshot: Iterable[Sample]) -> None:
        self._samples = (*self._fixed, *snapshot)

    def collect(self) -> Iterator[Metric]:
        families = {one.name: GaugeMetricFamily(one.name, one.doc, labels=one.labels) for one in LOOKED_UP}
        for sample in self._samples:
            families[sample.name].add_metric(sample.labels, sample.value)
        yield from families.values()


def _histogram(one: Declared, registry: CollectorRegistry) -> Histogram:
    return Histogram(one.name, one.doc, one.labels, buckets=one.buckets, registry=registry)
