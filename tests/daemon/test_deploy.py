"""What is in deploy/: alert rules that are sound and fire, and a dashboard whose every expression a real Prometheus answers
with series of a real daemon.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
import yaml

from daemon.metrics import BY_NAME
from tests.api.world import client, folders
from tests.daemon.process import REPOSITORY, DaemonProcess, eventually, running

DEPLOY = REPOSITORY / "deploy"
RULES = DEPLOY / "prometheus" / "tandem.rules.yml"
DASHBOARD = DEPLOY / "grafana" / "tandem.json"
NAME = re.compile(r"\b(tandem_[a-z_]+)")
with_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
with_prometheus = pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed")
# Series that only something out of the ordinary makes, or nobody in this test.
RARE = {"tandem_actor_restarts_total"}

# alert -> the series that make it fire after `at`
FIRES: dict[str, tuple[dict[str, str], str]] = {
    "TandemDown": ({'up{job="tandem",instance="i"}': "0x60"}, "10m"),
    "TandemStoreDown": ({"tandem_store_up": "0x60"}, "10m"),
    "TandemNotReady": ({"tandem_ready": "0x60"}, "30m"),
    "TandemActorDead": ({'tandem_actor_up{actor="link/t/l",kind="link"}': "0x60"}, "30m"),
    "TandemActorRestarting": ({'tandem_actor_restarts_total{actor="link/t/l"}': "0+1x60"}, "30m"),
    "TandemLinkMisconfigured": ({'tandem_link_state{link="t/l",state="misconfigured"}': "1x60"}, "30m"),
    "TandemLinkDegraded": ({'tandem_link_state{link="t/l",state="degraded"}': "1x60"}, "30m"),
    "TandemNotFresh": (
        {
            'tandem_link_freshness_seconds{link="t/l"}': "1000+60x60",
            'tandem_link_freshness_seconds{link="t/p"}': "1000+60x60",
            'tandem_link_state{link="t/p",state="paused"}': "1x60",
        },
        "30m",
    ),
    "TandemSideNotLookedAt": (
        {'tandem_link_last_look_seconds{link="t/l",stream="s",side="a"}': "3700+60x60"},
        "30m",
    ),
    "TandemCompleteReadMissing": (
        {'tandem_link_last_complete_read_seconds{link="t/l",stream="s",side="a"}': "200000+60x60"},
        "30m",
    ),
    "TandemRunsFailing": ({'tandem_link_failures{link="t/l"}': "5x60"}, "30m"),
    "TandemParkedGrowing": ({'tandem_parked_records{link="t/l",room="conflict"}': "0+10x120"}, "100m"),
    "TandemParkedLong": ({'tandem_parked_oldest_seconds{link="t/l",room="conflict"}': "700000+60x60"}, "30m"),
    "TandemPlanWaits": ({'tandem_plans_open{link="t/l"}': "1x3000"}, "26h"),
    "TandemOutcomeUnknown": ({'tandem_unknown_outcomes{link="t/l"}': "2x60"}, "30m"),
    "TandemConnectionPaused": (
        {'tandem_connection_pauses_total{connection="t/c",kind="auth"}': "0 0 0 1x30"},
        "20m",
    ),
    "TandemApiErrors": (
        {'tandem_api_calls_total{service="Links",method="GetLink",code="INTERNAL"}': "0 0 1x30"},
        "10m",
    ),
}


def alerts() -> dict[str, dict[str, Any]]:
    document = yaml.safe_load(RULES.read_text())
    return {rule["alert"]: rule for group in document["groups"] for rule in group["rules"]}


def dashboard_expressions() -> list[str]:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", ())]


def names_in(expression: str) -> set[str]:
    """Metrics as declared: a histogram's series are named after it."""
    return {re.sub("_(bucket|sum|count)$", "", name) for name in NAME.findall(expression)}


def test_expressions_name_declared_metrics_only() -> None:
    for expression in (*dashboard_expressions(), *(rule["expr"] for rule in alerts().values())):
        assert names_in(expression) <= set(BY_NAME), expression


def test_every_alert_says_how_grave_it_is_and_what_to_do() -> None:
    for name, rule in alerts().items():
        assert rule["labels"]["severity"] in {"page", "ticket"}, name
        assert set(rule["annotations"]) == {"summary", "action"}, name


def test_panels_do_not_overlap_and_have_ids_of_their_own() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in panels):
        assert place["x"] + place["w"] <= 24
        taken = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        cells |= taken


def test_the_unit_starts_the_command_and_does_not_restart_a_wrong_configuration() -> None:
    unit = (DEPLOY / "systemd" / "tandemd.service").read_text()
    assert "ExecStart=/usr/bin/env tandemd\n" in unit and "Type=notify" in unit
    assert "RestartPreventExitStatus=78" in unit and "User=tandem" in unit


@with_promtool
@pytest.mark.parametrize("what, file", [("rules", "tandem.rules.yml"), ("config", "prometheus.yml")])
def test_promtool_finds_nothing_wrong(what: str, file: str) -> None:
    path = DEPLOY / "prometheus" / file
    found = subprocess.run(["promtool", "check", what, path], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


@with_promtool
def test_every_alert_fires_and_only_where_it_should(tmp_path: Path) -> None:
    assert set(FIRES) == set(alerts())
    tests = [
        {
            "interval": "1m",
            "input_series": [{"series": series, "values": values} for series, values in inputs.items()],
            "promql_expr_test": [
                {
                    "expr": f'count(ALERTS{{alertname="{name}",alertstate="firing"}})',
                    "eval_time": at,
                    "exp_samples": [{"labels": "{}", "value": 1}],
                }
            ],
        }
        for name, (inputs, at) in FIRES.items()
    ]
    path = tmp_path / "tests.yml"
    path.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))
    found = subprocess.run(["promtool", "test", "rules", path], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


# ------------------------------------------------------------------------------------- against a real Prometheus


class Prometheus:
    """A running server."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def query(self, expression: str) -> list[Any]:
        """The result of an instant query; fails on an error or warning."""
        url = f"{self.url}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
        answer = await anyio.to_thread.run_sync(_fetched, url)
        assert answer["status"] == "success", (expression, answer)
        assert not answer.get("warnings"), (expression, answer)
        result: list[Any] = answer["data"]["result"]
        return result


def _fetched(url: str) -> Any:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310
            return json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return json.load(error)
    except OSError:
        return {"status": "success", "data": {"result": []}}


@contextmanager
def prometheus(folder: Path, daemon: DaemonProcess, port: int) -> Iterator[Prometheus]:
    """Scrapes the daemon twice a second, with the rules of deploy/."""
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"}
    config["rule_files"] = [str(RULES)]
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [daemon.http.removeprefix("http://")]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    ]
    with subprocess.Popen(command) as process:
        try:
            yield Prometheus(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()


@with_prometheus
@pytest.mark.anyio
async def test_every_expression_is_answered_with_series_of_a_real_daemon(
    tmp_path: Path, free_port: int
) -> None:
    os.chmod(tmp_path, 0o755)
    with running(tmp_path / "data") as daemon, prometheus(tmp_path, daemon, free_port) as server:
        async with client(daemon) as admin:
            tenant = await admin.tenant()
            for name, folder in zip("ab", folders(tmp_path / "files"), strict=True):
                await admin.connection(tenant, name, folder)
            await admin.link(tenant)
        label = f"{tenant}/people"

        async def settled() -> list[Any]:
            return await server.query(f'tandem_records_settled_total{{link="{label}",side="a"}} > 0')

        await eventually(settled, 60)
        wanted = {name for expression in dashboard_expressions() for name in names_in(expression)}
        wanted |= {name for rule in alerts().values() for name in names_in(rule["expr"])}
        for name in sorted(wanted - RARE):
            suffix = "_count" if BY_NAME[name].kind == "histogram" else ""
            assert await server.query(f"count({name}{suffix})"), f"the daemon shows no {name}"
        for expression in dashboard_expressions():
            plain = expression.replace("$link", ".*").replace("$__rate_interval", "1m")
            await server.query(plain)
        for name, rule in alerts().items():
            await server.query(rule["expr"])
            assert not await server.query(f'ALERTS{{alertname="{name}",alertstate="firing"}}'), name
        (fresh,) = await server.query(f'tandem_link_freshness_seconds{{link="{label}"}}')
        assert float(fresh["value"][1]) < 60
        assert await server.query("min(tandem_healthy) == 1")
