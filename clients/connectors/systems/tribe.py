"""Tribe CRM: organisations, persons, the relationships between them, invoices and products of one organisation, over its
OData, which is not all of OData. What is confirmed and what is modelled: docs/connectors/tribe.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from actors.core.errors import Kind, Scope
from actors.ports import Connector, Declaration, Find, Setting, Webhook
from clients.connectors.http import auth
from clients.connectors.http.client import HttpClient
from clients.connectors.http.judge import Judge, Verdict
from clients.connectors.http.pace import Pace
from clients.connectors.http.wire import Answer, Request
from clients.connectors.systems.tribe_connector import TribeConnector
from clients.connectors.systems.tribe_objects import COMPOSED, sets

PAUSE_S: Final = 60.0  # the vendor asks for a minute at least
AT_ONCE: Final = 100

DECLARATION: Final = Declaration(
    name="tribe",
    doc="The Tribe CRM of an organisation, over its OData.",
    settings=(
        Setting("client_id", required=True, doc="id of the application (Configuration > Applications)"),
        Setting("client_secret", required=True, secret=True, doc="its secret"),
        Setting("url", default="https://api.tribecrm.nl", doc="address of the interface"),
        Setting("auth_url", default="https://auth.tribecrm.nl", doc="address at which tokens are drawn"),
        Setting("scope", default="read write", doc="what the token is for"),
        Setting(
            "organization", default="", doc="id of the organisation, where the application is for several"
        ),
        Setting(
            "modified",
            default="none",
            doc="field with the time of the last change, such as LastMutationDate; 'none': complete reads",
        ),
        Setting("created", default="CreationDate", doc="field with the time at which a record was made"),
        Setting(
            "overlap_s", "decimal", default=60, doc="changes are looked for from so long before the last look"
        ),
        Setting(
            "webhook_signature",
            default="token",
            choices=("token", "hmac_sha512", "sha512"),
            doc="what shows that a call is Tribe's: a secret of ours in a header of one's own, or its own signature",
        ),
        Setting("webhook_header", default="X-Tandem-Token", doc="the header that it stands in"),
        Setting("calls_per_minute", "integer", default=900, doc="requests in any minute; 0: no limit"),
        Setting(
            "objects",
            "map",
            default={},
            doc="entity set -> texts, decimals, links, ..., fields (name -> type)",
        ),
    ),
    find=(Find.FULL, Find.MODIFIED),
    absence="hint",
    find_by_field=True,
    lines="steps",
    vendor_tail_s=10.0,
    batch_max=40,
    look_max=20,
    deadline_s=60.0,
    webhook=Webhook(
        signature="token", header="X-Tandem-Token", ids="json:payload.entityId", of_parts=tuple(COMPOSED)
    ),
)


def declared(settings: Mapping[str, Any]) -> Declaration:
    """What one connection promises. How calls are signed is said by whoever made the webhook there; what is not said is as
    it is declared."""
    plain = DECLARATION.webhook
    assert plain is not None
    hook = msgspec.structs.replace(
        plain,
        signature=settings.get("webhook_signature", plain.signature),
        header=settings.get("webhook_header", plain.header),
    )
    return msgspec.structs.replace(DECLARATION, webhook=hook)


class TribeJudge(Judge):
    """Tribe's own ways: a module that is not there, and a limit without a word of how long."""

    def special(self, request: Request, answer: Answer) -> Verdict | None:
        """An entity set that is not there says so, whatever the status: it is no record that is gone."""
        if answer.status >= 400 and "entity type not found" in answer.text().casefold():
            hint = "is the module (Billing) part of the subscription?"
            return Verdict(None, Kind.CONFIG, Scope.STREAM, self.words(answer), hint)
        return None

    def retry_after_s(self, answer: Answer) -> float | None:
        """A minute, where nothing is said."""
        told = super().retry_after_s(answer)
        return PAUSE_S if told is None and answer.status == 429 else told


async def connect(settings: Mapping[str, Any]) -> Connector:
    """Open an organisation's Tribe; takes checked settings."""
    per_minute = int(settings["calls_per_minute"])
    at_once = max(1, min(AT_ONCE, per_minute // 2))
    extra = {"organization_id": settings["organization"]} if settings["organization"] else {}
    client = HttpClient(
        "tribe",
        settings["url"],
        judge=TribeJudge("tribe"),
        auth=auth.client_credentials(
            settings["auth_url"].rstrip("/") + "/oauth2/token",
            settings["client_id"],
            settings["client_secret"],
            scope=settings["scope"],
            extra=extra,
        ),
        # Those at once, and what comes back in a minute, are the limit together.
        pace=Pace("tribe", (per_minute - at_once) / 60, burst=at_once),
    )
    return TribeConnector(declared(settings), client, sets(settings["objects"]), settings)
