"""Three accounts of Winestro.Cloud, a Primary and two Secondaries, told of changes by webhooks (rows W9, W21, W22)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from tandem.v1 import settings_pb2, webhooks_pb2
from tandem_client import Tandem
from tests.daemon.process import DaemonProcess
from tests.spec.names import own_name
from tests.spec.systems import until
from tests.spec.wine import ARTICLES, CUSTOMERS, Winery, wineries

pytestmark = pytest.mark.anyio
NO_POLLS = "{a: {poll: 1h}, b: {poll: 1h}}"


class Hub:
    """The accounts in step, and their links; nobody is looked at but when it calls."""

    def __init__(self, accounts: Sequence[Winery]) -> None:
        self.primary, *self.secondaries = self.accounts = list(accounts)
        self.links: list[str] = []

    async def found(self) -> None:
        """Both syncs with each Secondary, and a webhook at each account."""
        for winery in self.accounts:
            await winery.enable()
        for secondary in self.secondaries:
            await secondary.know(self.primary)
            for blueprint in (CUSTOMERS, ARTICLES):
                name = f"{blueprint}-{secondary.system.uid}"
                link = await secondary.agree(self.primary, blueprint, name=name)
                self.links.append(link.id)
                change = settings_pb2.ChangeSettingsRequest(link=link.id, settings=NO_POLLS)
                await self.primary.admin.settings.ChangeSettings(change)
                await secondary.settled(link.id)
        for winery in self.accounts:
            request = webhooks_pb2.CreateWebhookRequest(connection=winery.tenant)
            hook = await winery.tandem.webhooks.CreateWebhook(request)
            # One address for every table: the call says which it was.
            (address,) = [one.url for one in hook.addresses if not one.object]
            winery.system.options |= {"hook": address, "hook_token": hook.secret}
        await self.quiet()

    async def quiet(self) -> None:
        """Every link has looked at both sides and found nothing new."""
        for link in self.links:
            await self.primary.quiet(link)

    async def same(self, what: str, table: str, *fields: str) -> None:
        """Wait until all three hold the same rows."""

        async def shown() -> bool:
            first, *rest = [winery.table(table, *fields) for winery in self.accounts]
            return all(one == first for one in rest)

        await until(shown, what)

    def writes(self) -> list[int]:
        """So many requests of ours wrote in each account."""
        return [
            sum("setStamm" in told or "delStamm" in told for told in winery.system.requests)
            for winery in self.accounts
        ]


@pytest.fixture
async def hub(daemon: DaemonProcess, tandem: Tandem, request: pytest.FixtureRequest) -> AsyncIterator[Hub]:
    name = own_name(request, 20)
    async with wineries(daemon, tandem, name, "primary", "one", "two") as made:
        made[0].person.insert("kunden", {"adr_nr": "K1", "adr_nachname": "Berg"}, {"adr_nr": "K2"})
        made[0].person.insert("artikel", {"artikel_nr": "6+2025", "artikel_name": "Riesling"})
        found = Hub(made)
        await found.found()
        yield found


async def test_w09_w21_w22_a_change_anywhere_is_at_every_other_account_at_once_and_once(hub: Hub) -> None:
    one, two = hub.secondaries
    customer = ("kunden", "adr_nr", "adr_nachname", "adr_ort")
    assert [winery.table(*customer) for winery in hub.accounts] == [
        [("K1", "Berg", None), ("K2", None, None)]
    ] * 3
    before = hub.writes()

    def written() -> list[int]:
        return [now - then for now, then in zip(hub.writes(), before, strict=True)]

    # Edited at one Secondary: at the Primary, and over it at the other one.
    one.person.edit("kunden", one.customer("K1")["adr_id"], adr_ort="Ulm")
    await until_(lambda: two.customer("K1")["adr_ort"] == "Ulm", "the edit at the other Secondary")
    # Made at the other one.
    two.person.insert("kunden", {"adr_nr": "K3", "adr_nachname": "Holm"})
    await until_(lambda: one.customer("K3") != {}, "the new customer at the first one")
    # Deleted at the Primary.
    hub.primary.person.delete("kunden", hub.primary.customer("K2")["adr_id"])
    await until_(lambda: not one.customer("K2") and not two.customer("K2"), "the deletion at both")
    # An article is the Primary's.
    hub.primary.person.edit(
        "artikel", hub.primary.article("6+2025")["artikel_id"], artikel_name="Riesling trocken"
    )
    await hub.same("the article everywhere", "artikel", "artikel_nr", "artikel_name")
    await hub.same("the customers everywhere", *customer)
    await hub.quiet()
    # Each of the four came to each other account exactly once, and no echo followed.
    assert written() == [2, 3, 3]
    for winery in hub.accounts:
        assert {call.status for call in winery.system.calls.sent} == {200}


async def until_(condition: Any, what: str) -> None:
    """Wait until the accounts show something."""

    async def asked() -> bool:
        return bool(condition())

    await until(asked, what)
