"""Metrics and telemetry: what the engine reports is counted under bounded labels, from zero, and every metric is
documented (docs/METRICS.md is compared with the table it is written from).
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from daemon.metrics import BY_NAME, COUNTED, LOOKED_UP, OUTCOMES, Metrics, Sample
from daemon.metrics_reference import PAGE, page
from daemon.telemetry import REPORTED, ActionTelemetry, Counts, Times

UNITS = (
    "_total",
    "_seconds",
    "_records",
    "_hints",
    "_intents",
    "_messages",
    "_outcomes",
    "_restarts",
    "_failures",
)
STATES = ("_info", "_up", "_ready", "_healthy", "_active", "_state", "_links", "_bindings", "_open")


def series(metrics: Metrics) -> dict[tuple[str, tuple[str, ...]], float]:
    """(name, label values in the declared order) -> value, for our own metrics."""
    return {
        (sample.name, in_order(sample.name, sample.labels)): sample.value
        for family in text_string_to_metric_families(metrics.exposition().decode())
        for sample in family.samples
        if sample.name.startswith("tandem_")
    }


def in_order(name: str, labels: dict[str, str]) -> tuple[str, ...]:
    declared = BY_NAME[re.sub("_(bucket|sum|count)$", "", name)].labels
    return tuple(labels[label] for label in (*declared, *sorted(set(labels) - set(declared))))


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("1.2.3")


@pytest.fixture
def telemetry(metrics: Metrics) -> ActionTelemetry:
    found = ActionTelemetry(metrics)
    found.name_link("id-1", "acme/orders", ("customers",))
    found.name_connection("id-2", "acme/shop")
    return found


def test_names_have_the_prefix_and_end_with_their_unit() -> None:
    for one in (*COUNTED, *LOOKED_UP):
        assert re.fullmatch(r"tandem_[a-z_]+", one.name)
        assert one.name.endswith(UNITS + STATES), one.name
        assert (one.kind == "counter") == one.name.endswith("_total")
        assert one.doc.endswith(".") or "=" in one.doc
    assert len(BY_NAME) == len(COUNTED) + len(LOOKED_UP)


def test_no_label_is_unbounded() -> None:
    allowed = {
        *(
            "link",
            "connection",
            "stream",
            "side",
            "mode",
            "outcome",
            "room",
            "connector",
            "op",
            "status",
            "kind",
        ),
        *("actor", "service", "method", "code", "state", "version", "python"),
    }
    assert {label for one in BY_NAME.values() for label in one.labels} <= allowed


def test_the_page_of_metrics_is_what_the_table_says() -> None:
    assert PAGE.read_text("utf-8") == page(), "write it anew: python -m daemon.metrics_reference"


def test_what_is_reported_fits_the_metrics() -> None:
    for action, reported in REPORTED.items():
        for metric in reported.metrics:
            declared = BY_NAME[metric.metric]
            assert metric.labels == declared.labels, action
            assert declared.kind == ("counter" if isinstance(metric, Counts) else "histogram")
            assert isinstance(metric, Counts | Times)


def test_a_new_link_begins_at_zero_and_a_deleted_one_is_gone(
    metrics: Metrics, telemetry: ActionTelemetry
) -> None:
    before = series(metrics)
    for outcome in OUTCOMES:
        assert before["tandem_runs_total", ("acme/orders", "sync", outcome)] == 0
    assert before["tandem_records_settled_total", ("acme/orders", "customers", "b")] == 0
    assert before["tandem_records_parked_total", ("acme/orders", "conflict")] == 0
    telemetry.forget("id-1")
    telemetry.emit("run.ended", link="id-1", run="r1", outcome="cancelled", duration_s=0.2, error="")
    assert not [labels for _, labels in series(metrics) if {"acme/orders", "id-1"} & set(labels)]


def test_naming_a_link_again_does_not_reset_it(metrics: Metrics, telemetry: ActionTelemetry) -> None:
    telemetry.emit("link.lease_lost", link="id-1")
    telemetry.name_link("id-1", "acme/orders", ("customers",))
    assert series(metrics)["tandem_lease_losses_total", ("acme/orders",)] == 1


@pytest.mark.parametrize(
    "action, fields, name, labels, value",
    [
        (
            "window.settled",
            {
                "link": "id-1",
                "stream": "customers",
                "side": "a",
                "records": 40,
                "writes": 2,
                "duration_s": 0.5,
            },
            "tandem_records_settled_total",
            ("acme/orders", "customers", "a"),
            40,
        ),
        (
            "write.done",
            {"connector": "csv", "op": "create", "status": "done", "count": 7, "duration_s": 0.1},
            "tandem_writes_total",
            ("csv", "create", "done"),
            7,
        ),
        (
            "look.done",
            {
                "link": "id-1",
                "stream": "customers",
                "side": "b",
                "kind": "complete",
                "records": 9,
                "duration_s": 0.1,
            },
            "tandem_records_looked_at_total",
            ("acme/orders", "customers", "b"),
            9,
        ),
        (
            "record.parked",
            {"link": "id-1", "stream": "customers", "room": "conflict", "count": 3},
            "tandem_records_parked_total",
            ("acme/orders", "conflict"),
            3,
        ),
        (
            "connection.paused",
            {"connection": "id-2", "kind": "auth", "error": "no"},
            "tandem_connection_pauses_total",
            ("acme/shop", "auth"),
            1,
        ),
        (
            "actor.crashed",
            {"actor": "link/id-1", "error": "ValueError: x", "crashes": 1},
            "tandem_actor_restarts_total",
            ("link/acme/orders",),
            1,
        ),
    ],
)
def test_reports_are_counted(
    metrics: Metrics,
    telemetry: ActionTelemetry,
    action: str,
    fields: dict[str, Any],
    name: str,
    labels: tuple[str, ...],
    value: float,
) -> None:
    telemetry.emit(action, **fields)
    assert series(metrics)[name, labels] == value


def test_a_run_is_counted_under_the_mode_it_started_with(
    metrics: Metrics, telemetry: ActionTelemetry
) -> None:
    telemetry.emit("run.started", link="id-1", run="r1", mode="plan", cause="command")
    telemetry.emit("run.ended", link="id-1", run="r1", outcome="failed", duration_s=0.2, error="")
    found = series(metrics)
    assert found["tandem_runs_total", ("acme/orders", "plan", "failed")] == 1
    assert found["tandem_run_duration_seconds_count", ("plan",)] == 1


def test_an_unheard_of_report_does_not_stop_the_engine(metrics: Metrics) -> None:
    heard: list[str] = []
    ActionTelemetry(metrics, lambda action, _: heard.append(action)).emit(
        "something.new", link="x", odd=object()
    )
    assert heard == ["something.new"]


def test_what_is_looked_up_replaces_what_was_looked_up_before(metrics: Metrics) -> None:
    metrics.show([Sample("tandem_store_up", 1), Sample("tandem_inbox_hints", 5, ("acme/orders",))])
    metrics.show([Sample("tandem_store_up", 0)])
    found = series(metrics)
    assert found["tandem_store_up", ()] == 0
    assert ("tandem_inbox_hints", ("acme/orders",)) not in found
    assert [labels[0] for name, labels in found if name == "tandem_build_info"] == ["1.2.3"]
