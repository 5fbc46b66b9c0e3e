"""WinBooks on Web: customers and suppliers with their third parties, addresses, VAT codes, journals and booked documents of
one folder, over its REST interface. What is confirmed and what is modelled: docs/connectors/winbooks.md.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

from actors.ports import Connector, Declaration, Find, Setting
from clients.connectors.http import auth
from clients.connectors.http.client import HttpClient
from clients.connectors.http.judge import Judge
from clients.connectors.http.kept import Keeper
from clients.connectors.http.pace import Pace
from clients.connectors.http.wire import Request
from clients.connectors.systems.winbooks_connector import READ_MAX, WinbooksConnector
from clients.connectors.systems.winbooks_objects import objects

DECLARATION: Final = Declaration(
    name="winbooks",
    doc="A folder of WinBooks on Web, over its REST interface.",
    settings=(
        Setting("email", required=True, doc="e-mail address of the licence"),
        Setting(
            "exchange_token",
            required=True,
            secret=True,
            doc="exchange token, made in WinBooks for this program",
        ),
        Setting("folder", required=True, doc="code of the folder (dossier)"),
        Setting("url", default="https://rapi.winbooksonweb.be", doc="address of the interface"),
        Setting(
            "modified",
            default="none",
            doc="field with the time of the last change, such as Modified; 'none': changes are found by complete reads",
        ),
        Setting(
            "overlap_s", "decimal", default=60, doc="changes are looked for from so long before the last look"
        ),
        Setting(
            "times",
            default="dotnet",
            choices=("dotnet", "iso"),
            doc="how a time is written in criteria: /Date(1706702400000)/ or 2024-01-31T12:00:00",
        ),
        Setting(
            "addresses",
            default="linked",
            choices=("linked", "plain"),
            doc="how a third party leads to its addresses: by Third_Address (from WinBooks 2.5 on), or itself",
        ),
        Setting(
            "customers_account", default="400000", doc="central account of customers without one of theirs"
        ),
        Setting(
            "sales_account", default="700000", doc="account of sales for customers without one of theirs"
        ),
        Setting("vat_account", default="451000", doc="account of the VAT that is due"),
        Setting("currency", default="EUR", doc="the currency in which the books are kept"),
        Setting("calls_per_s", "decimal", default=5, doc="requests per second; 0: no limit"),
        Setting(
            "objects",
            "map",
            default={},
            doc="object -> texts, decimals, refs, third, ..., fields (name -> type)",
        ),
    ),
    find=(Find.FULL, Find.MODIFIED),
    absence="hint",
    find_by_field=True,
    lines="nested",
    concurrency=2,
    vendor_tail_s=10.0,
    batch_max=25,
    look_max=READ_MAX,
    deadline_s=60.0,
)


def tokens(email: str, exchange_token: str) -> auth.Drawn:
    """Access tokens: from the exchange token at first, then from the refresh token that came with the last one."""
    # The address alone, without a colon and a password behind it.
    who = {"Authorization": f"Basic {base64.b64encode(email.encode()).decode()}"}

    def drawn(grant: str, code: str) -> Request:
        form = {"grant_type": grant, "code": code}
        return Request(
            doing="log in", method="POST", path="OAuth20/Token", form=form, headers=who, writes=False
        )

    return auth.logged_in(
        drawn("exchange_token", exchange_token),
        lambda token: drawn("refresh_token", token),
        secrets=(exchange_token,),
    )


async def connect(settings: Mapping[str, Any], keeper: Keeper | None = None) -> Connector:
    """Open a folder; takes checked settings. `keeper`: where its tokens are kept."""
    client = HttpClient(
        "winbooks",
        settings["url"],
        judge=Judge("winbooks"),
        auth=tokens(settings["email"], settings["exchange_token"]),
        pace=Pace("winbooks", float(settings["calls_per_s"]), burst=5),
        concurrency=DECLARATION.concurrency,
        keeper=keeper,
    )
    return WinbooksConnector(DECLARATION, client, objects(settings["objects"]), settings)
