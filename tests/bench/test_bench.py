"""The bench: its figures are those of the page, and a small round of it loads a link, checks it, and says so in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from actors.core.types import Op
from bench import planner, report, tables
from bench.catalog import FIGURES, NAMES, figure
from bench.figures import MEASURES, OWN_SYSTEMS
from bench.report import Result
from bench.session import Options, session
from tests.connectors import odata_server, pocketbase

KEYS = ["figure", "value", "unit", "limit", "floor", "runs", "min", "max"]
PROMISED = {
    *("load_100k_over_copy", "load_1m_over_copy", "delta_1pct_over_script", "both_1pct_over_script"),
    *("noop_ms_10k", "noop_ms_100k", "noop_ms_1m", "full_read_rows_per_s"),
    *("change_latency_p50_over_relay", "change_latency_p99_over_relay"),
    *("rss_mb_1m", "idle_link_bytes", "grpc_status_over_echo"),
}
OF_A_PAIR = (
    "pair_load_over_script",
    "requests_per_record",
    "webhook_to_write_p50_ms",
    "webhook_to_write_p99_ms",
)
PAIRS = {"webcrm-uniconta", "sage50fr-sage-sales-management", "winestro-accounts", "tribe-winbooks"}
SILENT = {"selectline-cloudkasse"}  # nobody calls: there is no webhook to be timed
LIMITED = {"sage50fr-sage-sales-management"}  # its plan decides how long it takes, not its answers
OF_PAIRS = (
    {f"{name}:{pair}" for name in OF_A_PAIR for pair in PAIRS}
    | {f"{name}:{pair}" for name in OF_A_PAIR[:2] for pair in SILENT}
    | {f"pair_load_at_20ms_over_script:{pair}" for pair in (PAIRS | SILENT) - LIMITED}
)

SERVED = {"load_over_script_rest", "load_over_script_odata"}


def test_every_figure_can_be_measured_and_stands_in_the_table() -> None:
    assert set(NAMES) == set(MEASURES) == PROMISED | OF_PAIRS | SERVED
    assert OWN_SYSTEMS == OF_PAIRS | SERVED
    rows = report.rows_of(report.PAGE.read_text(encoding="utf-8"))
    assert list(rows) == list(NAMES)
    for one in FIGURES:
        assert f"make bench FIGURES={one.name}" in rows[one.name]


def test_a_line_says_value_limit_floor_and_spread() -> None:
    said = json.loads(report.line(Result("load_100k_over_copy", (3.0, 9.0, 4.123456), 5.4)))
    assert list(said) == KEYS
    assert said == {
        "figure": "load_100k_over_copy",
        "value": 4.123,
        "unit": "x",
        "limit": 4,
        "floor": 5.4,
        "runs": 3,
        "min": 3.0,
        "max": 9.0,
    }


def test_what_falls_short_is_told_whichever_way_is_better() -> None:
    assert not report.kept(Result("load_100k_over_copy", (4.2,)))
    assert report.kept(Result("load_100k_over_copy", (3.8,)))
    assert not report.kept(Result("grpc_status_over_echo", (0.6,)))
    assert report.kept(Result("grpc_status_over_echo", (0.8,)))


def test_a_figure_measured_alone_leaves_the_other_rows_as_they_are(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(report.PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    report.write_page([Result("noop_ms_10k", (7.0, 8.0, 9.0), 1.0, "seen")], page)
    before = report.rows_of(page.read_text(encoding="utf-8"))
    report.write_page([Result("rss_mb_1m", (999.0,))], page)
    after = report.rows_of(page.read_text(encoding="utf-8"))
    assert after["noop_ms_10k"] == before["noop_ms_10k"]
    assert "| 8 | 7 to 9 (3 runs) | under 50 ms | 10 |" in after["noop_ms_10k"]
    assert "**999** (short)" in after["rss_mb_1m"]
    assert figure("rss_mb_1m").must == 250


@pytest.mark.anyio
async def test_a_wrong_row_in_b_fails_the_measurement() -> None:
    async with session(Options(scale=0.001, sling=False)) as running:
        stand = await running.loaded(200)
        await stand.check(200)
        async with running.systems.session("b") as b:
            held = await b.fetch("SELECT * FROM customers ORDER BY number")
            assert len(held) == 200
            assert {row["country"] for row in held} == {"DE", "AT", "CH", "FR"}
            assert [row["number"] for row in held[:2]] == ["K00000001", "K00000002"]
            await b.execute("UPDATE customers SET credit = credit + 1 WHERE number = 'K00000077'")
        with pytest.raises(tables.WrongResult):
            await stand.check(200)


def test_the_planner_is_measured_on_records_of_which_each_is_what_it_is_to_be() -> None:
    sample = planner.Sample(20)
    updates, creates = sample.updates(), sample.creates()
    assert [(one.op, set(one.fields)) for one in updates] == [(Op.UPDATE, {"city"})] * 20
    assert [one.op for one in creates] == [Op.CREATE] * 20
    assert sample.differing() == 0
    assert {one.base["city"] for one in sample.settled(updates)} == {"Ny by"}
    assert set(planner.measured(20, 1)) == {"plan_pair", "plan_new", "differs", "settle"}


def test_a_small_round_prints_one_line_per_figure() -> None:
    command = [sys.executable, "-m", "bench", "load_100k_over_copy", "--scale", "0.003", "--runs", "1"]
    before = report.PAGE.read_bytes()
    done = subprocess.run([*command, "--no-sling"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert list(said) == KEYS
    assert said["figure"] == "load_100k_over_copy"
    assert said["value"] > 0
    assert said["floor"] > 0
    assert report.PAGE.read_bytes() == before


@pytest.mark.parametrize("pair", sorted(PAIRS | SILENT))
def test_a_small_round_of_each_pair_loads_it_and_times_changes(pair: str) -> None:
    figures = {name for name in OF_PAIRS if name.endswith(f":{pair}")}
    command = [sys.executable, "-m", "bench", *sorted(figures), "--scale", "0.005", "--runs", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = {one["figure"]: one for one in map(json.loads, done.stdout.splitlines())}
    assert set(said) == figures
    assert said[f"pair_load_over_script:{pair}"]["value"] > 0
    # Whatever is found out on the way, each record is made once.
    assert 0 < said[f"requests_per_record:{pair}"]["floor"] <= 1.1
    assert pair in LIMITED or said[f"pair_load_at_20ms_over_script:{pair}"]["value"] > 0
    assert pair in SILENT or said[f"webhook_to_write_p50_ms:{pair}"]["floor"] > 0


@pytest.mark.parametrize("name", sorted(SERVED))
def test_a_small_load_into_a_real_server_is_compared_and_timed(name: str) -> None:
    if name.endswith("rest"):
        pocketbase.required()
    else:
        try:
            odata_server.installed()
        except odata_server.NotInstallable as error:
            pytest.skip(f"no OData server: {error}")
    command = [sys.executable, "-m", "bench", name, "--scale", "0.005", "--runs", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["value"] > 0
