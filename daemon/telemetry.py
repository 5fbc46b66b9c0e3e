"""The Telemetry port: what the engine reports becomes a log line and metrics, by one table from action to both.

Owns the table, and the names of links and connections that stand for their ids. Must not: fail an engine that reports
something unheard of (it is logged), or label a metric with an id of a record.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import msgspec

from daemon import log
from daemon.metrics import Metrics

Level = Literal["debug", "info", "warning", "error"]
Fields = Mapping[str, Any]
_NUMBERS: Final = {name.lower(): number for name, number in logging.getLevelNamesMapping().items()}
FORGOTTEN_MAX: Final = 1000


class Counts(msgspec.Struct, frozen=True):
    """Count `metric` up, by a field's number or by one, labelled with these fields."""

    metric: str
    labels: tuple[str, ...] = ()
    by: str = ""


class Times(msgspec.Struct, frozen=True):
    """Note the field `duration_s` in a histogram labelled with these fields."""

    metric: str
    labels: tuple[str, ...] = ()


class Reported(msgspec.Struct, frozen=True):
    """What becomes of one action: how grave its line is, and its metrics."""

    level: Level
    metrics: tuple[Counts | Times, ...] = ()


_FEED: Final = (Counts("tandem_connection_feed_failures_total", ("connection",)),)
REPORTED: Final[Mapping[str, Reported]] = {
    "run.started": Reported("debug"),
    "run.ended": Reported(
        "info",
        (
            Counts("tandem_runs_total", ("link", "mode", "outcome")),
            Times("tandem_run_duration_seconds", ("mode",)),
        ),
    ),
    "window.settled": Reported(
        "debug",
        (
            Counts("tandem_records_settled_total", ("link", "stream", "side"), "records"),
            Times("tandem_window_duration_seconds"),
        ),
    ),
    "write.done": Reported(
        "debug",
        (
            Counts("tandem_writes_total", ("connector", "op", "status"), "count"),
            Times("tandem_write_duration_seconds", ("connector", "op")),
        ),
    ),
    "look.done": Reported(
        "debug",
        (
            Counts("tandem_looks_total", ("link", "stream", "side", "kind")),
            Counts("tandem_records_looked_at_total", ("link", "stream", "side"), "records"),
            Times("tandem_look_duration_seconds", ("kind",)),
        ),
    ),
    "record.parked": Reported("info", (Counts("tandem_records_parked_total", ("link", "room"), "count"),)),
    "link.lease_lost": Reported("warning", (Counts("tandem_lease_losses_total", ("link",)),)),
    "link.rules_changed": Reported("info"),
    "link.degraded": Reported("error", (Counts("tandem_link_degradations_total", ("link",)),)),
    "call.failed": Reported("debug"),  # with what the system answered: that may hold what it knows of people
    "connection.paused": Reported(
        "warning", (Counts("tandem_connection_pauses_total", ("connection", "kind")),)
    ),
    "connection.recovered": Reported(
        "info", (Counts("tandem_connection_recoveries_total", ("connection",)),)
    ),
    "connection.watch_lost": Reported("warning", _FEED),
    "connection.drain_failed": Reported("warning", _FEED),
    "webhook.called": Reported("debug", (Counts("tandem_webhook_calls_total", ("connection", "outcome")),)),
    "link.store_away": Reported("warning"),
    "root.store_away": Reported("warning"),
    "record.bug": Reported("error"),
    "actor.crashed": Reported("error", (Counts("tandem_actor_restarts_total", ("actor",)),)),
}


class ActionTelemetry:
    """Reports to the log and the metrics. `heard`: told of every action, for whoever waits for news of a link."""

    def __init__(self, metrics: Metrics, heard: Callable[[str, Fields], None] | None = None) -> None:
        self._metrics = metrics
        self._heard = heard
        self._names: dict[str, str] = {}
        self._modes: dict[str, str] = {}
        # The engine may report a last word of what was just deleted: that must not make its series again.
        self._forgotten: dict[str, None] = {}
        self._log = log.logger("engine")
        self._levels = logging.getLogger("tandem.engine")

    def emit(self, action: str, **fields: Any) -> None:
        """See the port (actors/ports/outside.py)."""
        reported = REPORTED.get(action, Reported("info"))
        # Polls that find nothing new are the heartbeat of a healthy link, many times a minute; or of one whose plan waits.
        found_nothing = fields.get("outcome") == "nothing_new" or (
            fields.get("outcome") == "awaiting_approval" and not fields.get("new", True)
        )
        level = "debug" if found_nothing else reported.level
        # Most of what is reported is below the level that is logged: asking costs less than being dropped later.
        if self._levels.isEnabledFor(_NUMBERS[level]):
            getattr(self._log, level)(action, **fields)
        if not self._forgotten or not self._is_forgotten(fields):
            known = self._complete(action, fields)
            for metric in reported.metrics:
                self._update(metric, known)
        if self._heard is not None:
            self._heard(action, fields)

    def name_link(self, link: str, name: str, streams: tuple[str, ...]) -> None:
        """The label of a link from now on ("tenant/name"); its series begin at zero."""
        if self._names.get(link) != name:
            self._names[link] = name
            self._metrics.add_link(name, streams)

    def name_connection(self, connection: str, name: str) -> None:
        """The label of a connection from now on ("tenant/name")."""
        if self._names.get(connection) != name:
            self._names[connection] = name
            self._metrics.add_connection(name)

    def forget(self, id_: str) -> None:
        """A link or connection was deleted."""
        self._forgotten[id_] = None
        if len(self._forgotten) > FORGOTTEN_MAX:
            del self._forgotten[next(iter(self._forgotten))]
        name = self._names.pop(id_, None)
        if name is not None:
            self._metrics.forget(name)

    def _is_forgotten(self, fields: Fields) -> bool:
        about = {
            str(fields.get("link")),
            str(fields.get("connection")),
            str(fields.get("actor")).partition("/")[2],
        }
        return not about.isdisjoint(self._forgotten)

    def _complete(self, action: str, fields: Fields) -> dict[str, Any]:
        """Names in place of ids; and the mode of a run, which its end does not repeat."""
        known = dict(fields)
        if action == "run.started":
            self._modes[str(fields["link"])] = str(fields["mode"])
        elif action == "run.ended":
            known.setdefault("mode", self._modes.pop(str(fields["link"]), "sync"))
        for key in ("link", "connection"):
            if key in known:
                known[key] = self._names.get(str(known[key]), known[key])
        if "actor" in known:
            known["actor"] = self.actor_name(str(known["actor"]))
        return known

    def actor_name(self, actor: str) -> str:
        """`link/<id>` with the name in place of the id."""
        kind, _, id_ = actor.partition("/")
        return f"{kind}/{self._names.get(id_, id_)}" if id_ else actor

    def _update(self, metric: Counts | Times, fields: Fields) -> None:
        labels = tuple(str(fields.get(label, "")) for label in metric.labels)
        if isinstance(metric, Counts):
            self._metrics.count(metric.metric, labels, float(fields.get(metric.by, 1)) if metric.by else 1.0)
        elif "duration_s" in fields:
            self._metrics.observe(metric.metric, labels, float(fields["duration_s"]))
