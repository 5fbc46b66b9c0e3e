"""webCRM over its REST API: organisations, persons, users, opportunities, deliveries with their lines, the catalogue.

Read through `/Queries` (in id order, so that nothing is left out), written as whole objects after a fresh look. What is
confirmed and what is modelled: docs/connectors/webcrm.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from actors.core.errors import Kind
from actors.ports import Connector, Declaration, Find, Setting, Webhook
from clients.connectors.http import auth
from clients.connectors.http.client import HttpClient
from clients.connectors.http.judge import Judge, Verdict
from clients.connectors.http.pace import Pace
from clients.connectors.http.wire import Answer, Request, Unreadable, at
from clients.connectors.systems.webcrm_connector import WebcrmConnector
from clients.connectors.systems.webcrm_objects import things

URL: Final = "https://api.webcrm.com"
PLACEHOLDERS: Final = ("-- vælg --", "-- choose --", "-- select --", "-- välj --", "-- velg --")

DECLARATION: Final = Declaration(
    name="webcrm",
    doc="A webCRM account, over its REST API (Plus or Enterprise).",
    settings=(
        Setting(
            "auth_code",
            required=True,
            secret=True,
            doc="application token (Configuration > Integration > API > REST), with the right to write what is kept in step",
        ),
        Setting("url", default=URL, doc="address of the API"),
        Setting("account", doc="a name for the account; else it is known by its first user"),
        Setting(
            "overlap_s",
            "decimal",
            default=120,
            doc="changes are looked for from so long before the last look",
        ),
        Setting(
            "requests_per_s", "decimal", default=50, doc="at most so many requests per second; 0: no limit"
        ),
        Setting(
            "placeholders",
            "list",
            default=PLACEHOLDERS,
            doc="texts that a list shows while nothing is chosen",
        ),
        Setting(
            "user_fields",
            default="checked",
            choices=("checked", "all"),
            doc="whether user-defined fields are looked up in the account, or all taken to be there",
        ),
        Setting(
            "fields_s",
            "decimal",
            default=300,
            doc="how long it is believed which user-defined fields there are",
        ),
        Setting("objects", "map", default={}, doc="object -> path, entity, key, modified, where, fields"),
    ),
    find=(Find.MODIFIED, Find.FULL),
    absence="hint",
    find_by_field=True,
    lines="steps",
    vendor_tail_s=10.0,
    batch_max=40,
    look_max=500,
    deadline_s=60.0,
    webhook=Webhook(ids="json:Id", event="json:EventType", events=("Create", "Update", "Delete")),
)


class WebcrmJudge(Judge):
    """webCRM's own ways: how long to wait stands in the body of a 429, and a log-in may fail inside 200."""

    def retry_after_s(self, answer: Answer) -> float | None:
        """`RetryAfterSeconds` of the body, else the header."""
        try:
            told = at(answer.json(), "RetryAfterSeconds")
            return float(told) if told is not None else super().retry_after_s(answer)
        except (Unreadable, TypeError, ValueError):
            return super().retry_after_s(answer)

    def inside(self, request: Request, answer: Answer) -> Verdict | None:
        """`IsError` in the answer to a log-in."""
        if not request.path.startswith("Auth/"):
            return None
        try:
            body = answer.json()
        except Unreadable:
            return None
        if at(body, "IsError") is not True:
            return None
        words = at(body, "ErrorDescription") or at(body, "Error")
        return Verdict(None, Kind.AUTH, words=str(words), hint="check auth_code in the settings")


async def connect(settings: Mapping[str, Any]) -> Connector:
    """Open an account; takes checked settings."""
    code = settings["auth_code"]
    client = HttpClient(
        "webcrm",
        settings["url"],
        judge=WebcrmJudge("webcrm"),
        auth=auth.logged_in(
            Request(
                doing="log in", method="POST", path="Auth/ApiLogin", form={"authCode": code}, writes=False
            ),
            _refresh,
            places=auth.TokenPlaces(token="AccessToken", lives="ExpiresIn", refresh="RefreshToken"),  # noqa: S106
            secrets=(code,),
        ),
        pace=Pace("webcrm", float(settings["requests_per_s"]), burst=5),
    )
    return WebcrmConnector(DECLARATION, client, things(settings["objects"]), settings)


def _refresh(token: str) -> Request:
    return Request(
        doing="log in", method="POST", path="Auth/ApiRefresh", headers={"refreshToken": token}, writes=False
    )
