"""What the odata connector makes of a system in trouble: which kind of error, and what is said of a write."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from aiohttp import web

from actors.core.errors import Kind, TandemError
from actors.core.types import Op
from actors.ports import Write, WriteStatus
from clients.connectors.http.wire import loads
from tests.connectors.http_server import Stand, standing
from tests.connectors.spoiled import SPOILED, bounded, spoil
from tests.connectors.test_odata_delta import Played

pytestmark = pytest.mark.anyio
LOOK = "GET /s/things(7)?$select=ID,name"
EDIT = Write(Op.UPDATE, id="7", native={"name": "new"}, seen={"name": "seen"})


@pytest.fixture
async def stand() -> AsyncIterator[Stand]:
    async with standing() as stand:
        yield stand


def said(status: int, **headers: str) -> Any:
    """An answer with OData's own words."""
    body = {"error": {"code": str(status), "message": "Not now."}}
    return lambda _: web.json_response(
        body, status=status, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


def cut_off(request: web.Request) -> web.StreamResponse:
    """The line is cut after the request has arrived."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def page(_: web.Request) -> web.StreamResponse:
    """A log-in page in the place of an answer."""
    return web.Response(text="<html><title>Log in</title></html>", content_type="text/html")


async def test_a_look_up_is_written_by_a_link_where_the_service_wants_that(stand: Stand) -> None:
    played = Played(stand, "Int32")
    played.answers[LOOK] = {"ID": 7, "name": "seen"}
    played.answers["PATCH"] = lambda _: web.Response(status=204)
    connector = await played.open(binds={"name": "owner@people of ours"})
    for value, link in (("it's", "/people%20of%20ours(%27it%27%27s%27)"), (None, None)):
        edit = Write(Op.UPDATE, id="7", native={"name": value}, seen={"name": "seen"})
        await connector.write("things", [edit], ["name"])
        (sent,) = [came for came in stand.came if came.method == "PATCH"]
        assert loads(sent.body) == {"owner@odata.bind": link}
        stand.came.clear()
    await connector.aclose()
    with pytest.raises(TandemError, match=r"objects\.things\.binds: must map look-ups to navigation@set"):
        await played.open(binds={"name": "owner"})


@pytest.mark.parametrize(
    "answer, kind",
    [
        (said(429, Retry_After="7"), Kind.RATE_LIMITED),
        (said(503, Retry_After="7"), Kind.RATE_LIMITED),
        (said(503), Kind.TRANSIENT),
        (said(500), Kind.TRANSIENT),
        (said(401), Kind.AUTH),
        (said(403), Kind.AUTH),
        (said(400), Kind.CONFIG),
        (cut_off, Kind.TRANSIENT),
        (page, Kind.TRANSIENT),
    ],
    ids=["429", "503-wait", "503", "500", "401", "403", "400", "cut", "page"],
)
async def test_looks(stand: Stand, answer: Any, kind: Kind) -> None:
    played = Played(stand, "Int32")
    connector = await played.open()
    played.answers["GET"] = answer
    for call in (
        lambda: connector.read("things", ["7"], ["name"]),
        lambda: connector.read("things", ["7", "8"], ["name"]),
        lambda: connector.scan("things", "", ["name"], 10),
    ):
        played.answers["POST /s/$batch"] = answer
        with pytest.raises(TandemError) as caught:
            await call()
        # No form of batches is taken there: 400 and 500 are what such services say too, and then each is asked for itself.
        assert caught.value.kind is kind
        assert "odata" in str(caught.value)
        assert bool(caught.value.retry_after_s) is (kind is Kind.RATE_LIMITED)
    await connector.aclose()


@pytest.mark.parametrize("kind", SPOILED)
async def test_an_answer_that_is_none_fails_the_look_and_leaves_a_write_unknown(
    stand: Stand, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    played = Played(stand, "Int32")
    connector = await played.open()
    bounded(monkeypatch)
    whole = {"value": [{"ID": 7, "name": "seen"}]}

    def spoiled(request: web.Request) -> Any:
        return spoil(request, web.json_response(whole), kind)

    played.answers |= {"GET": spoiled, "POST /s/$batch": spoiled}
    for call in (
        lambda: connector.read("things", ["7"], ["name"]),
        lambda: connector.read("things", ["7", "8"], ["name"]),
        lambda: connector.scan("things", "", ["name"], 10),
    ):
        with pytest.raises(TandemError, match="odata") as caught:
            await call()
        assert caught.value.kind is Kind.TRANSIENT
    played.answers |= {LOOK: {"ID": 7, "name": "seen"}, "PATCH /s/things(7)": spoiled}
    (result,) = await connector.write("things", [EDIT], ["name"])
    await connector.aclose()
    assert result.status is WriteStatus.UNKNOWN


async def test_fields_and_values_that_nobody_knows_stop_nobody(stand: Stand) -> None:
    played = Played(stand, "Int32")
    connector = await played.open()
    rows = [
        {"ID": 7, "name": "seen", "zz": {"deep": [1]}, "changed": "soon"},
        {"ID": 8, "name": "x", "changed": None},
    ]
    played.answers["GET"] = {"value": rows}
    page = await connector.scan("things", "", ["name", "changed"], 10)
    await connector.aclose()
    assert [dict(record.native) for record in page.records] == [
        {"name": "seen", "changed": "soon"},
        {"name": "x", "changed": None},
    ]


@pytest.mark.parametrize(
    "answer, kind",
    [
        (said(429, Retry_After="7"), Kind.RATE_LIMITED),
        (said(401), Kind.AUTH),
    ],
    ids=["429", "401"],
)
async def test_a_write_that_was_surely_not_taken_is_raised(stand: Stand, answer: Any, kind: Kind) -> None:
    played = Played(stand, "Int32")
    played.answers |= {LOOK: {"ID": 7, "name": "seen"}, "PATCH /s/things(7)": answer}
    connector = await played.open()
    with pytest.raises(TandemError) as caught:
        await connector.write("things", [EDIT], ["name"])
    await connector.aclose()
    assert caught.value.kind is kind


@pytest.mark.parametrize("answer", [cut_off, said(502), said(504)], ids=["cut", "502", "504"])
async def test_a_write_whose_reply_is_lost_is_not_known(stand: Stand, answer: Any) -> None:
    played = Played(stand, "Int32")
    played.answers |= {LOOK: {"ID": 7, "name": "seen"}, "PATCH /s/things(7)": answer}
    connector = await played.open()
    (result,) = await connector.write("things", [EDIT], ["name"])
    await connector.aclose()
    assert (result.status, result.id) == (WriteStatus.UNKNOWN, "7")
    assert result.error


@pytest.mark.parametrize("cut", [cut_off, page, said(503)], ids=["cut", "page", "503"])
async def test_a_batch_of_writes_whose_reply_is_lost_is_not_known(stand: Stand, cut: Any) -> None:
    played = Played(stand, "Int32")

    def batch(request: web.Request) -> Any:
        asked = loads(stand.came[-1].body)["requests"]
        if any(one["method"] != "GET" for one in asked):
            return cut(request)
        replies = [
            {"id": one["id"], "status": 200, "body": {"ID": number, "name": "seen"}}
            for number, one in enumerate(asked, 7)
        ]
        return web.json_response({"responses": replies})

    played.answers["POST /s/$batch"] = batch
    connector = await played.open()
    with pytest.raises(TandemError) as caught:
        await connector.write("things", [EDIT, msgspec.structs.replace(EDIT, id="8")], ["name"])
    await connector.aclose()
    assert caught.value.kind is Kind.UNKNOWN
