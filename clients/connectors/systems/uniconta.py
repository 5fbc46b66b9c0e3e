"""Uniconta: debtors, items, contacts, employees, orders with lines. Read over its OData feed, written over its REST-like
interface, as whole objects after a fresh look. What is confirmed and what is modelled: docs/connectors/uniconta.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from actors.core.errors import Kind, Scope
from actors.ports import Connector, Declaration, Find, Setting, Webhook
from clients.connectors.http import auth
from clients.connectors.http.client import HttpClient
from clients.connectors.http.judge import Judge, Verdict
from clients.connectors.http.pace import Pace
from clients.connectors.http.wire import Answer, Request, Unreadable
from clients.connectors.systems.uniconta_connector import UnicontaConnector
from clients.connectors.systems.uniconta_objects import MODIFIED, entities

DAY_S: Final = 86_400.0
CODE: Final = re.compile(r"[A-Z][A-Za-z]{3,60}\b")
SUCCESS: Final = ("Succes", "Success", "NoChange")

DECLARATION: Final = Declaration(
    name="uniconta",
    doc="A company in Uniconta, over its OData feed and its REST-like interface.",
    settings=(
        Setting("company", "integer", required=True, doc="id of the company"),
        Setting("user", required=True, doc="user name; best a server user of its own"),
        Setting("password", required=True, secret=True, doc="his password"),
        Setting("url", default="https://odata.uniconta.com", doc="address of the server"),
        Setting("login", default="00{company}/{user}", doc="how company and user name stand in the log-in"),
        Setting(
            "calls_per_day",
            "integer",
            default=5000,
            doc="calls that the package allows the user; 0: no limit",
        ),
        Setting("calls_at_once", "integer", default=500, doc="as many of them may be made without a pause"),
        Setting(
            "modified", default=MODIFIED, doc="field with the time of the last change; 'none': complete reads"
        ),
        Setting(
            "overlap_s", "decimal", default=60, doc="changes are looked for from so long before the last look"
        ),
        Setting(
            "times",
            default="datetime",
            choices=("datetime", "plain"),
            doc="how a time is written in a filter: datetime'2024-01-31T12:00:00' or 2024-01-31T12:00:00Z",
        ),
        Setting(
            "metadata",
            default="asked",
            choices=("asked", "none"),
            doc="whether the feed is asked which fields there are ($metadata)",
        ),
        Setting("metadata_s", "decimal", default=900, doc="how long that is believed"),
        Setting("objects", "map", default={}, doc="entity -> texts, decimals, ..., fields (name -> type)"),
    ),
    find=(Find.MODIFIED, Find.FULL),
    absence="hint",
    find_by_field=True,
    lines="steps",
    vendor_tail_s=10.0,
    batch_max=40,
    look_max=500,
    deadline_s=60.0,
    webhook=Webhook(ids="query:Key", event="query:Operation", events=("Insert", "Update", "Delete")),
)


class UnicontaJudge(Judge):
    """Uniconta's own ways: the name of an error as plain text, or `Err`, inside 200."""

    def inside(self, request: Request, answer: Answer) -> Verdict | None:
        """An error where a record should be."""
        words = _error_in(answer)
        if not words:
            return None
        code = CODE.match(words)
        if code is None:
            return None  # not a name of theirs: whoever reads the body says that it can't be read
        return _verdict(code.group(0), words, request)


def _error_in(answer: Answer) -> str:
    start = answer.body.lstrip()[:1]
    if not start or answer.is_html:
        return ""
    try:
        body = answer.json()
    except Unreadable:
        return "" if start in b"{[<" else answer.text().strip()
    if isinstance(body, str):
        return body
    err = body.get("Err") if isinstance(body, dict) else None
    return str(err) if err not in (0, "0", None, "") and isinstance(err, int | str) else ""


def _verdict(code: str, words: str, request: Request) -> Verdict:
    if code in SUCCESS:
        return Verdict("ok")
    if code in ("NoRights", "NoSubscription"):
        return Verdict(None, Kind.AUTH, words=words, hint="check the rights of the user and the package")
    if code == "CouldNotFind" and request.record:
        return Verdict("gone", words=words)
    if code in ("KeyExists", "RecordExists"):
        return Verdict("exists", words=words)
    if request.is_write:
        return Verdict("refused", words=words)
    return Verdict(None, Kind.CONFIG, Scope.STREAM, words, "Uniconta does not understand the question")


async def connect(settings: Mapping[str, Any]) -> Connector:
    """Open a company; takes checked settings."""
    company, user, password = settings["company"], settings["user"], settings["password"]
    login = settings["login"].replace("{company}", str(company)).replace("{user}", user)
    per_day = float(settings["calls_per_day"])
    at_once = max(1, min(int(settings["calls_at_once"]), int(per_day) or 1))
    # All calls of 24 hours: those at once, and what comes back in that time.
    pace = Pace("uniconta", max(per_day - at_once, 1) / DAY_S if per_day else 0.0, burst=at_once)
    client = HttpClient(
        "uniconta",
        settings["url"],
        judge=UnicontaJudge("uniconta"),
        auth=auth.basic(login, password),
        pace=pace,
    )
    return UnicontaConnector(DECLARATION, client, entities(settings["objects"]), settings)
