"""Winestro.Cloud: customers with their addresses and contacts, price lists, articles and invoices of one account, over its
XML/JSON interface. What is confirmed and what is modelled: docs/connectors/winestro.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from actors.core.errors import Kind
from actors.ports import Connector, Declaration, Find, Setting, Webhook
from clients.connectors.http.auth import Fixed
from clients.connectors.http.client import HttpClient
from clients.connectors.http.judge import Judge, Verdict
from clients.connectors.http.wire import Answer, Meaning, Request, Unreadable, at
from clients.connectors.systems.winestro_connector import WinestroConnector
from clients.connectors.systems.winestro_objects import tables

URL: Final = "https://weinstore.net/xml/v23.0/wbo-API.php"
ACTIONS: Final = {"read": "getStamm", "write": "setStamm", "delete": "delStamm"}
GONE: Final = "12"  # ids of faults, modelled
EXISTS: Final = "30"

DECLARATION: Final = Declaration(
    name="winestro",
    doc="An account of Winestro.Cloud (formerly Wine-Online), over its XML/JSON interface.",
    settings=(
        Setting("uid", required=True, doc="customer number of the account, without the leading W"),
        Setting("user", required=True, doc="user of the interface (apiUSER, from the Developer-Center)"),
        Setting("code", required=True, secret=True, doc="its key (apiCODE)"),
        Setting("shop", default="1", doc="number of the shop (apiShopID)"),
        Setting("url", default=URL, doc="address of the interface, with its version"),
        Setting(
            "actions",
            "map",
            default=ACTIONS,
            doc="how reading, writing and deleting rows of a table are called (modelled)",
        ),
        Setting(
            "objects", "map", default={}, doc="table -> key, texts, integers, ..., fields (name -> type)"
        ),
    ),
    find=(Find.FULL,),
    absence="hint",
    find_by_field=True,
    reply="record",
    concurrency=1,
    vendor_tail_s=10.0,
    batch_max=100,
    look_max=500,
    deadline_s=60.0,
    webhook=Webhook(
        signature="token",
        header="X-Winestro-Token",
        object="json:tabelle",
        ids="json:id",
        event="json:ereignis",
        events=("neu", "geaendert", "geloescht"),
    ),
)


class WinestroJudge(Judge):
    """Winestro's own ways: faults inside 200, and a wrong key as a sentence."""

    def inside(self, request: Request, answer: Answer) -> Verdict | None:
        """`fehler` with id and text."""
        try:
            body = answer.json()
        except Unreadable:
            return None
        fault = at(body, "fehler")
        if not isinstance(fault, Mapping):
            return None
        words = str(fault.get("text") or f"fault {fault.get('id')}")
        if request.record:
            meanings: Mapping[str, Meaning] = {GONE: "gone", EXISTS: "exists"}
            return Verdict(meanings.get(str(fault.get("id")), "refused"), words=words)
        return Verdict(
            None, Kind.CONFIG, request.scope, words, "check table, fields and the version in the address"
        )

    def words(self, answer: Answer) -> str:
        """The sentence in `text`."""
        try:
            found = at(answer.json(), "text")
        except Unreadable:
            return super().words(answer)
        return found if isinstance(found, str) else super().words(answer)


async def connect(settings: Mapping[str, Any]) -> Connector:
    """Open an account; takes checked settings."""
    entry = {
        "UID": settings["uid"],
        "apiUSER": settings["user"],
        "apiCODE": settings["code"],
        "apiShopID": settings["shop"],
        "output": "json",
    }
    actions = {**ACTIONS, **settings["actions"]}
    client = HttpClient(
        "winestro",
        settings["url"],
        judge=WinestroJudge("winestro"),
        auth=Fixed(secrets=(settings["code"],)),
        concurrency=DECLARATION.concurrency,
    )
    return WinestroConnector(DECLARATION, client, tables(settings["objects"]), entry, actions)
