"""CloudKasse: company, tills, articles with gross prices, staff and receipts of one account of a cloud till.

Its interface is not published, and whose product stands behind the name is not known: all of it is modelled on other cloud
tills and on DSFinV-K, and address, paths and names are settings. See docs/connectors/cloudkasse.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from actors.core.errors import Kind, Scope
from actors.ports import Connector, Declaration, Find, Setting
from clients.connectors.http import auth
from clients.connectors.http.client import HttpClient
from clients.connectors.http.judge import Judge, Verdict
from clients.connectors.http.pace import Pace
from clients.connectors.http.wire import Answer, Request, Unreadable, at
from clients.connectors.systems.cloudkasse_connector import CloudkasseConnector
from clients.connectors.systems.cloudkasse_objects import objects

PARAMETERS: Final = {"limit": "limit", "after": "after", "since": "updatedSince", "ids": "ids"}
BUSY: Final = "busy"
EXISTS: Final = "exists"
NOT_FOUND: Final = "not_found"

DECLARATION: Final = Declaration(
    name="cloudkasse",
    doc="A CloudKasse account: tills, articles, staff, receipts (the interface is modelled).",
    settings=(
        Setting("url", required=True, doc="address of the interface"),
        Setting("token", required=True, secret=True, doc="token of the account"),
        Setting("account", default="account", doc="path of what tells which account this is"),
        Setting(
            "modified",
            "boolean",
            default=True,
            doc="changes are asked for by their time; no: they are found by complete reads",
        ),
        Setting(
            "overlap_s", "decimal", default=60, doc="changes are looked for from so long before the last look"
        ),
        Setting(
            "requests_per_min", "decimal", default=60, doc="at most so many requests per minute; 0: no limit"
        ),
        Setting("zone", default="Europe/Berlin", doc="time zone of the tills, for times that carry none"),
        Setting("list_at", default="results", doc="where the rows stand in the answer to a list"),
        Setting(
            "parameters",
            "map",
            default=PARAMETERS,
            doc="how the parameters limit, after, since and ids of a list are called",
        ),
        Setting(
            "objects",
            "map",
            default={},
            doc="object -> path, key, modified, texts, ..., fields (name -> type), names (name -> place), lists",
        ),
    ),
    find=(Find.MODIFIED, Find.FULL),
    absence="hint",
    find_by_field=True,
    reply="record",
    lines="read",
    backlog=True,
    concurrency=2,
    vendor_tail_s=10.0,
    batch_max=50,
    deadline_s=60.0,
)


class CloudkasseJudge(Judge):
    """The cloud's own words: a code with each refusal."""

    def special(self, request: Request, answer: Answer) -> Verdict | None:
        """Busy with a synchronisation: surely not done. There already. And not there, which only its code says: else the
        path is wrong."""
        code, words = _code(answer), self.words(answer)
        if answer.status == 409 and code == BUSY:
            return Verdict(
                None, Kind.TRANSIENT, Scope.CONNECTION, words, "a synchronisation is running there"
            )
        if answer.status == 409 and code == EXISTS and request.is_write:
            return Verdict("exists", words=words)
        if answer.status == 404 and code != NOT_FOUND and not answer.is_html:
            return Verdict(
                None, Kind.CONFIG, Scope.STREAM, words, "check the address, and the path in 'objects'"
            )
        return None


def _code(answer: Answer) -> str:
    try:
        return str(at(answer.json(), "code"))
    except Unreadable:
        return ""


async def connect(settings: Mapping[str, Any]) -> Connector:
    """Open an account; takes checked settings."""
    client = HttpClient(
        "cloudkasse",
        settings["url"],
        judge=CloudkasseJudge("cloudkasse"),
        auth=auth.bearer(settings["token"]),
        pace=Pace("cloudkasse", float(settings["requests_per_min"]) / 60, burst=10),
        concurrency=DECLARATION.concurrency,
    )
    parameters = {**PARAMETERS, **settings["parameters"]}
    return CloudkasseConnector(DECLARATION, client, objects(settings["objects"]), settings, parameters)
