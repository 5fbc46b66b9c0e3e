"""What the standard allows and CAP does not do: delta links, spellings of 4.01, services that leave things out or break off.

A small service of its own answers as the standard's examples do (OData 4.01 protocol and JSON format).
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from actors.core.errors import Kind, TandemError
from actors.core.types import Op
from actors.ports import Find, Write, WriteStatus
from clients.connectors.definition import checked_settings
from clients.connectors.http.wire import loads
from clients.connectors.systems import odata
from tests.connectors.http_server import Stand, standing

pytestmark = pytest.mark.anyio

METADATA = """<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>
<Schema Namespace="S" xmlns="http://docs.oasis-open.org/odata/ns/edm">
<EntityType Name="T"><Key><PropertyRef Name="ID"/></Key><Property Name="ID" Type="Edm.%s" Nullable="false"/>
<Property Name="name" Type="Edm.String"/><Property Name="changed" Type="Edm.DateTimeOffset"/></EntityType>
<EntityContainer Name="C"><EntitySet Name="things" EntityType="S.T"/></EntityContainer>
</Schema></edmx:DataServices></edmx:Edmx>"""


class Played:
    """A service: answers by method and address; what is not prepared is 404."""

    def __init__(self, stand: Stand, key: str = "String") -> None:
        self.stand = stand
        self.answers: dict[str, Any] = {"GET /s/$metadata": METADATA % key}
        stand.answer = self.answer

    async def answer(self, request: web.Request) -> web.StreamResponse:
        prepared = self.answers.get(f"{request.method} {request.path_qs}", self.answers.get(request.method))
        if callable(prepared):
            prepared = prepared(request)
        if inspect.isawaitable(prepared):
            prepared = await prepared
        if isinstance(prepared, web.StreamResponse):
            return prepared
        if prepared is None:
            return web.json_response({"error": {"message": f"no {request.path_qs}"}}, status=404)
        return web.Response(text=prepared) if isinstance(prepared, str) else web.json_response(prepared)

    async def open(self, **said: Any) -> odata.ODataConnector:
        settings = {"url": f"{self.stand.url}/s", "objects": {"things": said}}
        return await odata.connect(checked_settings(odata.DECLARATION, settings))


@pytest.fixture
async def stand() -> AsyncIterator[Stand]:
    async with standing() as stand:
        yield stand


async def test_delta_links_are_followed_from_now_on(stand: Stand) -> None:
    played = Played(stand)
    played.answers |= {
        "GET /s/things": {"value": [{"ID": "a"}], "@odata.nextLink": "things?$skiptoken=1"},
        "GET /s/things?$skiptoken=1": {"value": [{"ID": "b"}], "@odata.deltaLink": "things?$deltatoken=1"},
        "GET /s/things?$deltatoken=1": {
            "value": [
                {"ID": "a", "name": "new", "@odata.etag": 'W/"2"'},
                {
                    "@odata.context": "$metadata#things/$deletedEntity",
                    "id": "things('b')",
                    "reason": "deleted",
                },
                {"@removed": {"reason": "deleted"}, "ID": "c"},
                {"@removed": {"reason": "changed"}, "@id": f"{stand.url}/s/things('d')"},
                {"@odata.context": "$metadata#things/$link", "source": "things('a')", "relationship": "x"},
                {"ID": "e", "name": "last"},
            ],
            "@odata.deltaLink": "things?$deltatoken=2",
        },
        "GET /s/things?$deltatoken=2": {"value": [], "@odata.deltaLink": "things?$deltatoken=2"},
    }
    connector = await played.open(find="delta")
    assert connector.find("things") is Find.MODIFIED
    first = await connector.changes("things", "", ["name"], 4)
    assert (first.records, first.more) == ((), False)
    found = await connector.changes("things", first.cursor, ["name"], 4)
    rest = await connector.changes("things", found.cursor, ["name"], 4)
    quiet = await connector.changes("things", rest.cursor, ["name"], 4)
    await connector.aclose()
    assert [(record.id, dict(record.native), record.version) for record in found.records] == [
        ("a", {"name": "new"}, 'W/"2"')
    ]
    assert (found.gone, found.more) == (("b", "c"), True)
    assert ([record.id for record in rest.records], rest.gone, rest.more) == (["e"], (), False)
    assert (quiet.records, quiet.gone, quiet.more) == ((), (), False)
    assert "odata.track-changes" in stand.came[1].headers["prefer"]


async def test_a_delta_link_that_was_forgotten_yields_everything_once_more(stand: Stand) -> None:
    played = Played(stand)
    played.answers |= {
        "GET /s/things": {"value": [{"ID": "a", "name": "x"}], "@odata.deltaLink": "things?$deltatoken=1"},
        "GET /s/things?$deltatoken=1": lambda _: web.json_response({"error": {"message": "old"}}, status=410),
    }
    connector = await played.open(find="delta")
    start = await connector.changes("things", "", ["name"], 10)
    page = await connector.changes("things", start.cursor, ["name"], 10)
    await connector.aclose()
    assert [record.id for record in page.records] == ["a"]


async def test_a_service_without_delta_links_is_named(stand: Stand) -> None:
    played = Played(stand)
    played.answers["GET /s/things"] = {"value": []}
    connector = await played.open(find="delta")
    with pytest.raises(TandemError, match="tracks no changes") as caught:
        await connector.changes("things", "", ["name"], 10)
    await connector.aclose()
    assert caught.value.kind is Kind.CONFIG


async def test_guids_that_can_not_be_compared_are_read_by_link(stand: Stand) -> None:
    """The first page asks for it; the next links are relative, and may come with an empty page."""
    played = Played(stand, "Guid")
    ids = [f"00000000-0000-0000-0000-00000000000{number}" for number in range(3)]
    select = "$select=ID,name"
    played.answers["GET"] = lambda _: web.json_response({"error": {"message": "ge on Guid"}}, status=501)
    played.answers |= {
        f"GET /s/things?{select}": {"value": [], "@nextLink": "./things?$skiptoken=1"},
        "GET /s/things?$skiptoken=1": {
            "value": [{"ID": ids[0]}, {"ID": ids[1]}],
            "@nextLink": "/s/things?$skiptoken=2",
        },
        "GET /s/things?$skiptoken=2": {"value": [{"ID": ids[2].upper(), "name": None}]},
    }
    connector = await played.open()
    first = await connector.scan("things", "", ["name"], 1)
    rest = await connector.scan("things", first.cursor, ["name"], 10)
    await connector.aclose()
    assert [record.id for record in (*first.records, *rest.records)] == ids
    assert (first.more, rest.more) == (True, False)
    # Not delivered is not null.
    assert [dict(record.native) for record in rest.records] == [{}, {"name": None}]


async def test_times_that_are_shown_less_exactly_than_they_are_kept(stand: Stand) -> None:
    """Pages of equal times must not come again and again; whoever can't go on says so."""
    played = Played(stand)
    rows = [{"ID": f"K{number}", "changed": "2024-01-01T00:00:00Z"} for number in range(2)]
    played.answers["GET"] = {"value": rows}
    connector = await played.open(modified="changed")
    start = await connector.changes("things", "", ["name"], 2)
    page = await connector.changes("things", start.cursor, ["name"], 2)
    with pytest.raises(TandemError, match="paging: link") as caught:
        await connector.changes("things", page.cursor, ["name"], 2)
    await connector.aclose()
    assert caught.value.kind is Kind.CONFIG


async def test_a_change_of_the_future_moves_no_cursor(stand: Stand) -> None:
    played = Played(stand)
    asked: list[str] = []
    rows = [{"ID": "K1", "changed": "2024-01-01T00:00:00Z"}, {"ID": "K2", "changed": "2999-01-01T00:00:00Z"}]

    def answer(request: web.Request) -> Any:
        asked.append(request.query["$filter"])
        return web.json_response({"value": rows}, headers={"Date": "Mon, 01 Jan 2024 00:00:10 GMT"})

    played.answers["GET"] = answer
    connector = await played.open(modified="changed")
    cursor = (await connector.changes("things", "", ["name"], 10)).cursor
    for _ in range(2):
        page = await connector.changes("things", cursor, ["name"], 10)
        cursor = page.cursor
        assert [record.id for record in page.records] == ["K1", "K2"]
    await connector.aclose()
    assert asked[1:] == ["changed ge 2023-12-31T23:59:00.000Z"] * 2


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: web.Response(text="<html><title>Maintenance</title></html>", content_type="text/html"),
        lambda _: web.Response(text='{"value": [{"ID": "K1"', content_type="application/json"),
        lambda _: web.json_response({"values": []}),
        lambda _: web.json_response({"value": ["K1"]}),
        lambda _: web.json_response({"value": [{"name": "no key"}]}),
    ],
    ids=["page", "truncated", "no-list", "no-record", "no-key"],
)
async def test_answers_that_are_none(stand: Stand, answer: Any) -> None:
    played = Played(stand)
    connector = await played.open(modified="changed")
    start = '{"mark":{"at":"2024-01-01T00:00:00Z"}}'
    played.answers["GET"] = answer
    for call in (
        lambda: connector.scan("things", "", ["name"], 10),
        lambda: connector.changes("things", start, ["name"], 10),
        lambda: connector.find_by("things", "name", "x", ["name"]),
    ):
        with pytest.raises(TandemError) as caught:
            await call()
        assert caught.value.kind in (Kind.TRANSIENT, Kind.CONFIG)
        assert "things" in str(caught.value)
    await connector.aclose()


async def test_a_service_that_answers_without_records(stand: Stand) -> None:
    """201 and 204 without a body: the id stands in the address, and the record is looked at."""
    played = Played(stand, "Int32")
    played.answers |= {
        "POST /s/things": lambda _: web.Response(status=204, headers={"OData-EntityId": "things(7)"}),
        "GET /s/things(7)?$select=ID,name": {"ID": 7, "name": "stored"},
    }
    connector = await played.open()
    (result,) = await connector.write("things", [Write(Op.CREATE, native={"name": "sent"})], ["name"])
    await connector.aclose()
    assert (result.status, result.id) == (WriteStatus.DONE, "7")
    assert result.record is not None
    assert result.record.native["name"] == "stored"


async def test_a_service_that_stops_at_the_first_failure(stand: Stand) -> None:
    """What it leaves out of the answer behind a failure was not done; without one, nobody knows."""
    played = Played(stand, "Int32")
    statuses = {"refused": 400, "done": 201}

    def batch(request: web.Request) -> Any:
        asked = loads(stand.came[-1].body)["requests"]
        responses = []
        for one in asked:
            name = one.get("body", {}).get("name")
            if one["method"] == "GET":
                responses.append({"id": one["id"], "status": 200, "body": {"value": []}})
                continue
            if name == "missing":
                break
            body = {"ID": int(one["id"]), "name": name} if name == "done" else {"error": {"message": "No."}}
            responses.append({"id": one["id"], "status": statuses[name], "body": body})
            if name == "refused":
                break
        return web.json_response({"responses": responses})

    played.answers["POST /s/$batch"] = batch
    connector = await played.open()

    async def written(*names: str) -> list[str]:
        writes = [Write(Op.CREATE, native={"name": name}) for name in names]
        return [result.status.value for result in await connector.write("things", writes, ["name"])]

    assert await written("done", "refused", "done") == ["done", "refused", "not_done"]
    assert stand.came[-1].headers["prefer"] == "odata.continue-on-error"
    assert await written("done", "missing", "done") == ["done", "unknown", "unknown"]
    await connector.aclose()


@pytest.mark.parametrize("status", [412, 428])
async def test_a_service_that_wants_another_precondition(stand: Stand, status: int) -> None:
    played = Played(stand, "Int32")
    played.answers |= {
        "GET /s/things(7)?$select=ID,name": {"ID": 7, "name": "seen"},
        "PATCH /s/things(7)": lambda _: web.json_response({"error": {"message": "If-Match"}}, status=status),
    }
    connector = await played.open()
    edit = Write(Op.UPDATE, id="7", native={"name": "new"}, seen={"name": "seen"})
    (result,) = await connector.write("things", [edit], ["name"])
    await connector.aclose()
    assert result.status is WriteStatus.MOVED_ON
    (sent,) = [came for came in stand.came if came.method == "PATCH"]
    assert sent.headers["if-match"] == "*"
    assert loads(sent.body) == {"name": "new"}


async def test_a_batch_that_breaks_off_is_not_known(stand: Stand) -> None:
    played = Played(stand, "Int32")
    answers = iter([{"responses": [{"id": "0", "status": 200, "body": {"value": []}}]}, {"responses": "?"}])
    played.answers["POST /s/$batch"] = lambda _: web.json_response(next(answers))
    connector = await played.open()
    writes = [Write(Op.CREATE, native={"name": name}) for name in ("a", "b")]
    with pytest.raises(TandemError) as caught:
        await connector.write("things", writes, ["name"])
    await connector.aclose()
    assert caught.value.kind is Kind.UNKNOWN


async def test_a_token_is_drawn_at_another_host(stand: Stand) -> None:
    """OAuth servers stand elsewhere; the account's own headers stay with the service."""
    played = Played(stand)
    async with standing() as other:
        other.says(200, {"access_token": "drawn-token", "expires_in": 60})
        settings = {
            "url": f"{stand.url}/s",
            "auth": "oauth2",
            "token_url": f"{other.url}/token",
            "client_id": "me",
            "client_secret": "secret-of-mine",
            "scope": "all",
            "headers": {"X-Key": "of the service"},
        }
        connector = await odata.connect(checked_settings(odata.DECLARATION, settings))
        await connector.aclose()
    assert played.stand.came[0].headers["authorization"] == "Bearer drawn-token"
    assert played.stand.came[0].headers["x-key"] == "of the service"
    (log_in,) = other.came
    assert b"scope=all" in log_in.body
    assert "x-key" not in log_in.headers


async def test_parameters_go_with_every_request(stand: Stand) -> None:
    played = Played(stand)
    played.answers = {
        "GET /s/$metadata?sap-client=100": METADATA % "String",
        "GET /s/things?$select=ID&$orderby=ID&$top=10&sap-client=100": {"value": []},
    }
    settings = {"url": f"{stand.url}/s", "parameters": {"sap-client": 100}}
    connector = await odata.connect(checked_settings(odata.DECLARATION, settings))
    page = await connector.scan("things", "", [], 10)
    identity = await connector.identity()
    await connector.aclose()
    assert page.records == ()
    assert identity.endswith("/s?sap-client=100")


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"auth": "basic", "user": "me"}, "auth: basic needs password"),
        ({"auth": "oauth2"}, "needs token_url, client_id, client_secret"),
        ({"batch_max": 0}, "batch_max: must be from 1 to 1000"),
        ({"overlap_s": -1}, "overlap_s"),
        ({"objects": {"a": 1}}, "objects.a: must be a map"),
        ({"objects": {"a": {"colour": 1}}}, "unknown colour"),
        ({"objects": {"a": {"find": "never"}}}, "objects.a.find: must be one of"),
        ({"objects": {"a": {"find": "modified"}}}, "needs the setting modified"),
        ({"objects": {"a": {"paging": "x", "ids": "y"}}}, "objects.a.paging.*objects.a.ids"),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_faults_of_settings(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(TandemError, match=words) as caught:
        await odata.connect(checked_settings(odata.DECLARATION, {"url": "http://127.0.0.1:9/s", **settings}))
    assert caught.value.kind is Kind.CONFIG
