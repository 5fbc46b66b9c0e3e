"""A new rpc is a new command with no new code: a proto file that nobody has seen before becomes commands, which call a
server that speaks it. Its request has every kind of field there is.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import click
import pytest
from google.protobuf import json_format, message_factory
from google.protobuf.message import Message
from grpc_tools import protoc

from clients.cli import api
from clients.cli.api import Api
from clients.cli.main import command_line
from tests.cli.conftest import Run
from tests.cli.fakes import Answer, FakeDaemon, serving
from tests.cli.programs import ROOT

pytestmark = pytest.mark.anyio

PROTO = """
syntax = "proto3";
package tandem.v1;
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "google/protobuf/field_mask.proto";

// Reports: what nobody has thought of yet.
service Reports {
  // Make a report; see ListReports.
  rpc CreateReport(CreateReportRequest) returns (Summary);
  // List reports.
  rpc ListReports(ListReportsRequest) returns (ListReportsResponse);
  // Takes the name that list has already.
  rpc List(ListReportsRequest) returns (ListReportsResponse);
  // Watch a report.
  rpc WatchReport(WatchReportRequest) returns (stream Summary);
}

enum PaperSize {
  PAPER_SIZE_UNSPECIFIED = 0;
  PAPER_SIZE_A4 = 1;
  PAPER_SIZE_US_LETTER = 2;
}

message Schedule {
  // When, as cron.
  string cron = 1;
  message Zone { string name = 1; }
  Zone zone = 2;
}

message Tree {
  string name = 1;
  Tree below = 2;
}

message CreateReportRequest {
  string id = 1;
  PaperSize paper = 2;
  repeated PaperSize papers = 3;
  map<string, int64> limits = 4;
  map<string, PaperSize> by_office = 5;
  oneof range {
    google.protobuf.Timestamp since = 6;
    int32 days = 7;
  }
  Schedule schedule = 8;
  repeated Schedule more = 9;
  optional bool loud = 10;
  bytes logo = 11;
  google.protobuf.BoolValue maybe = 12;
  google.protobuf.FieldMask fields = 13;
  repeated double weights = 14;
  repeated google.protobuf.Struct rows = 15;
  Tree tree = 16;
  // Fields may be called what they like.
  string help = 17;
  string type = 18;
  bool all = 19;
  uint32 copies = 20;
  google.protobuf.ListValue anything = 21;
}

message Summary {
  string id = 1;
  string outcome = 2;
}

message ListReportsRequest {}
message ListReportsResponse { repeated Summary reports = 1; }
message WatchReportRequest { string report = 1; }
"""


@pytest.fixture(scope="module")
def descriptors(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The descriptor set of the whole API and the new service, made as proto/generate.py does."""
    folder = tmp_path_factory.mktemp("proto")
    (folder / "tandem/v1").mkdir(parents=True)
    (folder / "tandem/v1/reports.proto").write_text(PROTO)
    include = Path(protoc.__file__).parent / "_proto"
    files = [
        "tandem/v1/reports.proto",
        *(f"tandem/v1/{path.name}" for path in (ROOT / "proto/tandem/v1").iterdir()),
    ]
    paths = (f"--proto_path={path}" for path in (folder, ROOT / "proto", include))
    out = folder / "descriptors.binpb"
    command = [
        "protoc",
        *paths,
        f"--descriptor_set_out={out}",
        "--include_imports",
        "--include_source_info",
        *files,
    ]
    assert protoc.main(command) == 0
    return out.read_bytes()


@pytest.fixture
def cli(descriptors: bytes) -> click.Group:
    return command_line(descriptors)


@pytest.fixture
def extended(descriptors: bytes) -> Api:
    return api.load(descriptors)


def report(schema: Api, **fields: str) -> Message:
    method = next(method for method in schema.methods() if method.name == "CreateReport")
    return message_factory.GetMessageClass(method.response)(**fields)


async def test_help_comes_from_the_comments(cli: click.Group, tandemctl: Run) -> None:
    root = await tandemctl("--help", cli=cli)
    assert "What nobody has thought of yet." in root.stdout
    group = await tandemctl("reports", "--help", cli=cli)
    names = [line.split()[0] for line in group.stdout.partition("Commands:")[2].splitlines() if line.strip()]
    assert names == ["create", "list-reports", "list", "watch"]
    command = await tandemctl("reports", "create", "--help", cli=cli)
    assert "see `reports list-reports`" in " ".join(command.stdout.split())
    assert "[a4|us-letter]" in command.stdout
    assert "When, as cron." in command.stdout


ARGUMENTS = """reports create r1 --paper a4 --papers us-letter --papers a4 --limits pages=3 --limits lines=40
--by-office oslo=us-letter --since 2026-05-04 --schedule-cron daily --schedule-zone-name Europe/Oslo
--more {"cron":"weekly"} --no-loud --logo @@raw --maybe false --fields id,outcome --weights 1.5 --weights 2
--rows a=1 --rows a=2 --tree-name top --tree-below {"name":"leaf"} --field-help h --type t --all --copies 2
--anything [1,"x"]"""


async def test_every_kind_of_field_arrives(cli: click.Group, extended: Api, tandemctl: Run) -> None:
    answers = {"Reports.CreateReport": lambda request: report(extended, id=request.id)}
    async with serving(FakeDaemon(extended, answers)) as daemon:
        result = await tandemctl("--address", daemon.address, "-o", "json", *ARGUMENTS.split(), cli=cli)
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout) == {"id": "r1", "outcome": ""}
    assert json_format.MessageToDict(daemon.last.request, preserving_proto_field_name=True) == {
        "id": "r1",
        "paper": "PAPER_SIZE_A4",
        "papers": ["PAPER_SIZE_US_LETTER", "PAPER_SIZE_A4"],
        "limits": {"pages": "3", "lines": "40"},
        "by_office": {"oslo": "PAPER_SIZE_US_LETTER"},
        "since": "2026-05-04T00:00:00Z",
        "schedule": {"cron": "daily", "zone": {"name": "Europe/Oslo"}},
        "more": [{"cron": "weekly"}],
        "loud": False,
        "logo": "QHJhdw==",
        "maybe": False,
        "fields": "id,outcome",
        "weights": [1.5, 2.0],
        "rows": [{"a": 1.0}, {"a": 2.0}],
        "tree": {"name": "top", "below": {"name": "leaf"}},
        "help": "h",
        "type": "t",
        "all": True,
        "copies": 2,
        "anything": [1.0, "x"],
    }


async def test_fields_that_exclude_each_other(cli: click.Group, tandemctl: Run) -> None:
    result = await tandemctl("reports", "create", "r1", "--since", "2026-05-04", "--days", "3", cli=cli)
    assert result.exit_code == 2
    assert "--since and --days exclude each other" in result.stderr


async def test_a_new_stream_can_be_watched_where_it_is_answered(
    cli: click.Group, extended: Api, tandemctl: Run
) -> None:
    async def watch(request: Any) -> AsyncIterator[Message]:
        yield report(extended, id=request.report, outcome="running")
        yield report(extended, id=request.report, outcome="failed")

    answers: dict[str, Answer] = {
        "Reports.CreateReport": lambda request: report(extended, id=request.id),
        "Reports.WatchReport": watch,
    }
    async with serving(FakeDaemon(extended, answers)) as daemon:
        result = await tandemctl("--address", daemon.address, "reports", "create", "r7", "--watch", cli=cli)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == ["id=r7 outcome=running", "outcome=failed"]


async def test_the_commands_of_before_are_still_there(
    cli: click.Group, commands: click.Group, tandemctl: Run
) -> None:
    for group in ("links", "runs", "system"):
        before, now = [(await tandemctl(group, "--help", cli=each)).stdout for each in (commands, cli)]
        assert now == before
