"""SelectLine Auftrag: articles with prices and stock, employees, customers, documents with their positions, the tenant's
address, extra tables, over the REST API of an installation. What is confirmed and what is modelled:
docs/connectors/selectline.md.
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
from clients.connectors.systems.selectline_connector import SelectlineConnector
from clients.connectors.systems.selectline_objects import ARTICLES, check_settings, objects

LOG_IN: Final = "log in"
NO_SESSION: Final = "42-003"
BAD_FILTER: Final = ("72-000", "05-000")
ENTERED: Final = {ARTICLES: "TillArticles._ARTIKELNUMMER", "Employees": "TillEmployees._MITARBEITERNUMMER"}

DECLARATION: Final = Declaration(
    name="selectline",
    doc="A tenant of SelectLine Auftrag, over the REST API of its installation.",
    settings=(
        Setting("url", required=True, doc="address of the API, such as https://host/slmobileApi"),
        Setting("user", required=True, doc="API user, used by nobody else: a second log-in ends the first"),
        Setting("password", required=True, secret=True, doc="his password"),
        Setting(
            "app_key", required=True, secret=True, doc="application key (AppKey), entered in the licence"
        ),
        Setting("tenant", required=True, doc="name of the tenant's database, such as SL_MWAWI"),
        Setting(
            "modified",
            default="none",
            choices=("none", "metadata"),
            doc="how changes are found: by complete reads, or by MetaData.ModificationDate",
        ),
        Setting(
            "overlap_s", "decimal", default=60, doc="changes are looked for from so long before the last look"
        ),
        Setting("time_zone", default="Europe/Berlin", doc="time zone of the server, whose times carry none"),
        Setting(
            "prices",
            default="list",
            choices=("list", "customer"),
            doc="where NetPrice comes from: the list price, or the sales price of price_customer",
        ),
        Setting("price_customer", default="", doc="number of a customer with the prices of the till"),
        Setting(
            "entered",
            "map",
            default=ENTERED,
            doc="object -> object.field of the list that says which of its records are entered",
        ),
        Setting("warehouse", default="", doc="warehouse that positions of documents are taken from"),
        Setting(
            "held",
            default="6",
            doc="StatusFlag of a document whose positions are not complete yet (6: parked); none: it has none",
        ),
        Setting("free", default="0", doc="StatusFlag that it gets then (0: open)"),
        Setting("calls_per_s", "decimal", default=0, doc="requests per second; 0: no limit"),
        Setting(
            "objects",
            "map",
            default={},
            doc="object -> path, key, texts, decimals, ..., fields (name -> type)",
        ),
    ),
    find=(Find.FULL, Find.MODIFIED),
    absence="hint",
    find_by_field=True,
    lines="steps",
    session="single",
    concurrency=2,
    vendor_tail_s=10.0,
    batch_max=20,
    look_max=100,
    deadline_s=60.0,
)


class SelectlineJudge(Judge):
    """SelectLine's own ways: 403 for a dead session, 500 for a filter that it doesn't understand, licences."""

    def special(self, request: Request, answer: Answer) -> Verdict | None:
        """By the ResponseCode; the StatusCode inside the body may be anything."""
        code, words = _at(answer, "ResponseCode"), self.words(answer)
        if request.doing == LOG_IN:
            return _log_in(answer, words)
        if answer.status == 403 and code == NO_SESSION:
            hint = "somebody else logs in as this user: give each program an API user of its own"
            return Verdict(None, Kind.TRANSIENT, words=words, hint=hint, renew=True)
        if answer.status == 500 and code in BAD_FILTER and not request.is_write:
            hint = "a field that can't be filtered by, or is not there in this version: check the setting 'objects'"
            return Verdict(None, Kind.CONFIG, Scope.STREAM, words, hint)
        return None

    def words(self, answer: Answer) -> str:
        """Code and message."""
        message = _at(answer, "Message")
        return f"{_at(answer, 'ResponseCode')} {message}".strip() if message else super().words(answer)


def _log_in(answer: Answer, words: str) -> Verdict | None:
    if answer.status == 402:
        hint = "every licence of the API is in use: end another program, or wait"
        return Verdict(None, Kind.TRANSIENT, words=words or "no free licence", hint=hint)
    if answer.status == 409:
        return Verdict(None, Kind.TRANSIENT, words=words or "conflict")
    return None


def _at(answer: Answer, place: str) -> str:
    try:
        found = at(answer.json(), place)
    except Unreadable:
        return ""
    return found if isinstance(found, str) else ""


def session(user: str, password: str, app_key: str) -> auth.Drawn:
    """One session, whose token is used until it is refused; logged out at the end, for that frees the licence."""
    log_in = Request(
        doing=LOG_IN,
        method="POST",
        path="Login",
        json={"UserName": user, "Password": password, "AppKey": app_key},
        writes=False,
    )
    return auth.logged_in(
        log_in,
        places=auth.TokenPlaces(token="AccessToken", lives="", refresh=""),  # noqa: S106 - the name of the place
        place={"Authorization": "LoginId {token}"},
        secrets=(password, app_key),
        log_out=lambda held: Request(
            doing="log out", method="POST", path="Logout", headers=held.headers, writes=False
        ),
    )


async def connect(settings: Mapping[str, Any]) -> Connector:
    """Open a tenant; takes checked settings."""
    things = objects(settings["objects"])
    check_settings(things, settings)
    client = HttpClient(
        "selectline",
        settings["url"],
        judge=SelectlineJudge("selectline"),
        auth=session(settings["user"], settings["password"], settings["app_key"]),
        pace=Pace("selectline", float(settings["calls_per_s"])),
        concurrency=DECLARATION.concurrency,
        deadline_s=30.0,
    )
    return SelectlineConnector(DECLARATION, client, things, settings)
