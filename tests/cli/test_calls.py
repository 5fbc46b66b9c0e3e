"""Commands against a real server: what is sent, with which token, tenant and deadline, and what comes back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format

from clients.cli.api import Api
from tandem.v1 import (
    blueprints_pb2,
    common_pb2,
    connections_pb2,
    links_pb2,
    plans_pb2,
    records_pb2,
    rooms_pb2,
    runs_pb2,
    system_pb2,
)
from tests.cli.conftest import Run
from tests.cli.fakes import Answer, FakeDaemon, serving

pytestmark = pytest.mark.anyio


def echo(message: Any) -> Answer:
    return lambda request: message


def sent(daemon: FakeDaemon) -> dict[str, Any]:
    """The last request as protobuf JSON, without fields that were not given."""
    found: dict[str, Any] = json_format.MessageToDict(daemon.last.request, preserving_proto_field_name=True)
    return found


ANSWERS: dict[str, Answer] = {
    "Connections.CreateConnection": echo(connections_pb2.Connection(id="c1", name="erp", health="ok")),
    "Connections.DescribeObjects": echo(connections_pb2.DescribeObjectsResponse()),
    "Connections.DeleteConnection": echo(connections_pb2.DeleteConnectionResponse()),
    "Links.CreateLink": echo(links_pb2.Link(id="l1")),
    "Links.ListLinks": echo(
        links_pb2.ListLinksResponse(
            links=[links_pb2.Link(id="l1", name="erp-crm", state="in_step", bindings=7)]
        )
    ),
    "Blueprints.CheckBlueprint": echo(
        blueprints_pb2.CheckBlueprintResponse(
            faults=[blueprints_pb2.BlueprintFault(line=3, message="no such lens")], streams=["customers"]
        )
    ),
    "Runs.StartRun": echo(runs_pb2.StartRunResponse(run=runs_pb2.Run(id="r1"))),
    "Plans.ApprovePlan": echo(plans_pb2.Plan(id="p1", state="approved")),
    "Conflicts.ResolveConflict": echo(rooms_pb2.Parked(id=4)),
    "Records.GetRecord": echo(records_pb2.RecordBinding(binding=5)),
    "System.Drain": echo(system_pb2.DrainResponse()),
    "System.CreateToken": echo(system_pb2.CreateTokenResponse(id="t1", token="shown-once")),
}


@pytest.mark.parametrize(
    "command, expected",
    [
        (
            "connections create erp uniconta --settings url=https://erp.test --settings login.company=17",
            {
                "name": "erp",
                "connector": "uniconta",
                "settings": {"url": "https://erp.test", "login": {"company": 17}},
            },
        ),
        ("connections describe-objects erp", {"connection": "erp"}),
        (
            "connections describe-objects erp Debtor --tenant acme",
            {"connection": "erp", "object": "Debtor", "tenant": "acme"},
        ),
        (
            "links create erp-crm erp crm streams:{} --paused",
            {"name": "erp-crm", "a": "erp", "b": "crm", "blueprint": "streams:{}", "paused": True},
        ),
        (
            "runs start erp-crm --scope master --streams customers --streams articles --dry-run",
            {
                "link": "erp-crm",
                "scope": "SCOPE_MASTER",
                "streams": ["customers", "articles"],
                "dry_run": True,
            },
        ),
        ("plans approve p1 3", {"plan": "p1", "revision": 3}),
        ("conflicts resolve 4 --choose value --value 12.5", {"id": "4", "choose": "value", "value": 12.5}),
        (
            "records get erp-crm customers B 1001",
            {"link": "erp-crm", "stream": "customers", "side": "SIDE_B", "id": "1001"},
        ),
        ("system drain --timeout 1m", {"timeout": "60s"}),
        (
            "system create-token ci --role operator --ttl 1h",
            {"name": "ci", "role": "ROLE_OPERATOR", "ttl": "3600s"},
        ),
    ],
)
async def test_what_is_sent(schema: Api, tandemctl: Run, command: str, expected: dict[str, Any]) -> None:
    async with serving(FakeDaemon(schema, ANSWERS)) as daemon:
        result = await tandemctl("--address", daemon.address, *command.split())
    assert result.exit_code == 0, result.stderr
    assert sent(daemon) == expected


async def test_a_blueprint_from_a_file_and_from_standard_input(
    schema: Api, tandemctl: Run, tmp_path: Path
) -> None:
    (tmp_path / "blueprint.yaml").write_text("streams: {}\n")
    async with serving(FakeDaemon(schema, ANSWERS)) as daemon:
        where = ("--address", daemon.address, "blueprints", "check")
        for spelled in ("", "@"):
            await tandemctl(*where, f"{spelled}{tmp_path / 'blueprint.yaml'}")
            assert sent(daemon) == {"blueprint": "streams: {}\n"}
        result = await tandemctl(*where, "-", input="kind: other")
        assert sent(daemon) == {"blueprint": "kind: other"}
    assert "no such lens" in result.stdout
    assert "customers" in result.stdout


async def test_token_tenant_and_deadline(schema: Api, tandemctl: Run) -> None:
    async with serving(FakeDaemon(schema, ANSWERS)) as daemon:
        common = ("--address", daemon.address, "--token", "s3cret", "--tenant", "acme", "--timeout", "7")
        await tandemctl(*common, "links", "list")
        assert daemon.last.metadata["authorization"] == "Bearer s3cret"
        assert sent(daemon) == {"tenant": "acme"}
        assert daemon.last.remaining_s is not None
        assert daemon.last.remaining_s < 8  # it is 30 s where nobody says otherwise
        await tandemctl(*common, "links", "list", "--tenant", "globex")
        assert sent(daemon) == {"tenant": "globex"}


async def test_common_options_may_follow_the_command(schema: Api, tandemctl: Run) -> None:
    async with serving(FakeDaemon(schema, ANSWERS)) as daemon:
        result = await tandemctl(
            "links", "list", "--address", daemon.address, "--token", "s3cret", "-o", "json"
        )
    assert daemon.last.metadata["authorization"] == "Bearer s3cret"
    assert json.loads(result.stdout)["links"][0]["name"] == "erp-crm"


async def test_the_environment_counts_below_the_options(
    schema: Api, tandemctl: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(FakeDaemon(schema, ANSWERS)) as daemon:
        monkeypatch.setenv("TANDEM_ADDRESS", daemon.address)
        monkeypatch.setenv("TANDEM_TENANT", "acme")
        monkeypatch.setenv("TANDEM_TOKEN", "from the environment")
        await tandemctl("links", "list")
    assert sent(daemon) == {"tenant": "acme"}
    assert daemon.last.metadata["authorization"] == "Bearer from the environment"


async def test_time_for_the_daemon_comes_on_top_of_the_deadline(schema: Api, tandemctl: Run) -> None:
    async with serving(FakeDaemon(schema, ANSWERS)) as daemon:
        await tandemctl("--address", daemon.address, "--timeout", "50s", "system", "drain", "--timeout", "2m")
        assert daemon.last.remaining_s is not None
        assert 120 < daemon.last.remaining_s < 171


def paged(request: Any) -> links_pb2.ListLinksResponse:
    """Five links in pages of two."""
    begin = int(request.page_token or 0)
    end = min(begin + (request.page_size or 2), 5)
    rest = str(end) if end < 5 else ""
    links = [links_pb2.Link(id=f"l{index}") for index in range(begin, end)]
    return links_pb2.ListLinksResponse(links=links, next_page_token=rest)


async def test_pages(schema: Api, tandemctl: Run) -> None:
    async with serving(FakeDaemon(schema, {"Links.ListLinks": paged})) as daemon:
        where = ("--address", daemon.address)
        first = await tandemctl(*where, "links", "list", "--page-size", "3")
        assert "--page-token 3" in first.stderr
        assert "l2" in first.stdout
        assert "l3" not in first.stdout
        whole = await tandemctl(*where, "-o", "json", "links", "list", "--all")
    answer = json.loads(whole.stdout)
    assert [link["id"] for link in answer["links"]] == ["l0", "l1", "l2", "l3", "l4"]
    assert answer["next_page_token"] == ""
    assert [call.request.page_token for call in daemon.asked] == ["", "", "2", "4"]


async def test_a_page_that_leads_to_itself_is_an_error(schema: Api, tandemctl: Run) -> None:
    answer = echo(links_pb2.ListLinksResponse(next_page_token="again"))
    async with serving(FakeDaemon(schema, {"Links.ListLinks": answer})) as daemon:
        result = await tandemctl("--address", daemon.address, "links", "list", "--all")
    assert result.exit_code == 70
    assert "the same page twice" in result.stderr
    assert len(daemon.asked) == 2


async def test_outputs(schema: Api, tandemctl: Run) -> None:
    async with serving(FakeDaemon(schema, ANSWERS)) as daemon:
        where = ("--address", daemon.address)
        table = await tandemctl(*where, "links", "list")
        as_json = await tandemctl(*where, "--output", "json", "links", "list")
        as_yaml = await tandemctl(*where, "--output", "yaml", "links", "list")
        deleted = await tandemctl(*where, "connections", "delete", "erp")
        created = await tandemctl(*where, "connections", "create", "erp", "uniconta")
    header, _, row = table.stdout.splitlines()
    assert header.split() == ["id", "name", "state", "bindings"]
    assert row.split() == ["l1", "erp-crm", "in_step", "7"]
    link = json.loads(as_json.stdout)["links"][0]
    assert link["bindings"] == "7"
    assert link["loaded"] is False, "fields that are not set are there too"
    assert yaml.safe_load(as_yaml.stdout) == json.loads(as_json.stdout)
    assert deleted.stdout.strip() == "done"
    assert [line.split() for line in created.stdout.splitlines()] == [
        ["id", "c1"],
        ["name", "erp"],
        ["health", "ok"],
    ]


async def test_details_hold_nested_values(schema: Api, tandemctl: Run) -> None:
    def value(number: float) -> common_pb2.FieldValue:
        found = common_pb2.FieldValue()
        found.value.number_value = number
        return found

    binding = records_pb2.RecordBinding(
        binding=5,
        a=records_pb2.HeldSide(id="1001", presence="present"),
        base={"credit": value(250), "discount": common_pb2.FieldValue(unknown=True)},
        actions=[common_pb2.Action(id=9, side=common_pb2.SIDE_B, op="update")],
    )
    async with serving(FakeDaemon(schema, {"Records.GetRecord": echo(binding)})) as daemon:
        result = await tandemctl("--address", daemon.address, "records", "get", "l", "customers", "a", "1001")
    text = " ".join(result.stdout.split())
    assert "a id=1001 presence=present" in text
    assert "base credit=250, discount=(unknown)" in text
    assert "actions id side op" in text
    assert "9 b update" in text


def decided(name: str, value: str) -> common_pb2.FieldDecision:
    decision = common_pb2.FieldDecision(field=name, base=common_pb2.FieldValue(unknown=True), rule="new on a")
    decision.a.value.string_value = decision.chosen.value.string_value = value
    return decision


async def test_the_fields_of_an_action_are_a_table_below_it(schema: Api, tandemctl: Run) -> None:
    fields = [decided("name", "Anna Berg"), decided("email", "anna@berg.example")]
    made = common_pb2.Action(side=common_pb2.SIDE_B, op="create", origin="C1", decisions=fields)
    plain = common_pb2.Action(side=common_pb2.SIDE_A, op="none", state="parked")
    answer = plans_pb2.ListPlanActionsResponse(actions=[made, plain])
    record = records_pb2.RecordExplanation(
        record=records_pb2.RecordBinding(binding=5, actions=[made]), a_presence="present"
    )
    answers = {"Plans.ListPlanActions": echo(answer), "Records.ExplainRecord": echo(record)}
    async with serving(FakeDaemon(schema, answers)) as daemon:
        listed = await tandemctl("--address", daemon.address, "plans", "list-actions", "p")
        explained = await tandemctl(
            "--address", daemon.address, "records", "explain", "l", "customers", "a", "C1"
        )
    below = [
        "field base a chosen rule",
        "name (unknown) Anna Berg Anna Berg new on a",
        "email (unknown) anna@berg.example anna@berg.example new on a",
    ]
    lines = [" ".join(line.split()) for line in listed.stdout.splitlines() if line.strip(" ─")]
    assert lines == ["side=b op=create origin=C1", *below, "side=a op=none state=parked"]
    lines = [" ".join(line.split()) for line in explained.stdout.splitlines() if line.strip(" ─")]
    assert lines == [
        "a presence present",
        "record",
        "binding 5",
        "actions",
        "side=b op=create origin=C1",
        *below,
    ]


async def test_a_long_text_does_not_bury_the_state_of_a_link(schema: Api, tandemctl: Run) -> None:
    link = links_pb2.Link(name="erp-crm", state="in_step", blueprint="blueprint: erp-crm\nversion: 1\n")
    async with serving(FakeDaemon(schema, {"Links.GetLink": echo(link)})) as daemon:
        table = await tandemctl("--address", daemon.address, "links", "get", "erp-crm")
        whole = await tandemctl("--address", daemon.address, "links", "get", "erp-crm", "--output", "yaml")
    assert [line.split()[0] for line in table.stdout.splitlines()] == ["name", "state", "blueprint"]
    assert "2 lines; --output yaml shows them" in table.stdout
    assert yaml.safe_load(whole.stdout)["blueprint"] == link.blueprint


async def test_a_list_leaves_out_what_was_asked_for_and_an_id_is_whole(schema: Api, tandemctl: Run) -> None:
    runs = [
        runs_pb2.Run(id=f"run-{n:016d}", link="link-0123456789abcdef", outcome="succeeded") for n in (1, 2)
    ]
    async with serving(
        FakeDaemon(schema, {"Runs.ListRuns": echo(runs_pb2.ListRunsResponse(runs=runs))})
    ) as daemon:
        listed = await tandemctl("--address", daemon.address, "runs", "list", "erp-crm")
    header, _, *rows = listed.stdout.splitlines()
    assert header.split() == ["id", "outcome"]
    assert [row.split()[0] for row in rows] == [run.id for run in runs]


async def test_an_empty_list_says_so(schema: Api, tandemctl: Run) -> None:
    answers = {
        "Quarantine.ListParked": echo(rooms_pb2.ListParkedResponse()),
        "Conflicts.ListConflicts": echo(rooms_pb2.ListConflictsResponse()),
    }
    async with serving(FakeDaemon(schema, answers)) as daemon:
        parked = await tandemctl("--address", daemon.address, "quarantine", "list-parked", "l")
        conflicts = await tandemctl("--address", daemon.address, "conflicts", "list", "l")
    assert (parked.stdout, conflicts.stdout) == ("nothing parked\n", "no conflicts\n")


@pytest.mark.parametrize(
    "command, says",
    [
        ("blueprints check no-such-file.yaml", "can't read no-such-file.yaml: No such file or directory\n"),
        ("runs start", "Missing argument 'LINK'"),
        ("runs start l --scope everything", "is not one of 'all', 'master', 'document'"),
        ("system drain --timeout soon", "like 30s"),
        ("plans approve p1 three", "not a valid integer"),
        ("links nonsense", "No such command 'nonsense'"),
        ("plans approve p1 99999999999", "out of range"),
    ],
)
async def test_wrong_usage_is_told_before_anything_is_sent(tandemctl: Run, command: str, says: str) -> None:
    result = await tandemctl(*command.split())
    assert result.exit_code == 2
    assert says.lower() in result.stderr.lower()
