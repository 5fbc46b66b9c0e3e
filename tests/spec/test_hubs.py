"""W4, W9, W21, W22 in general form: one Primary, two Secondaries, three databases of three tenants; polls an hour apart."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest

from tandem_client import Tandem, TandemError
from tests.daemon.process import DaemonProcess
from tests.spec.accounts import SIDE_A, Account, Accounts, accounts, article_sync, customer_sync, row
from tests.spec.names import own_name
from tests.spec.systems import until

pytestmark = pytest.mark.anyio


@pytest.fixture
async def made(
    daemon: DaemonProcess, tandem: Tandem, postgres_url: str, request: pytest.FixtureRequest
) -> AsyncIterator[Accounts]:
    name = own_name(request, 30)
    async with accounts(daemon, tandem, postgres_url, name) as found:
        yield found


class Hub:
    """A Primary and two Secondaries, in step."""

    def __init__(self, accounts: Sequence[Account], links: Sequence[str]) -> None:
        self.accounts = accounts
        self.links = links

    async def agree(self, what: str) -> None:
        """Wait until all three hold the same customers and articles."""

        async def same() -> bool:
            customers = [await one.customers() for one in self.accounts]
            articles = [await one.articles() for one in self.accounts]
            return all(one == customers[0] for one in customers) and all(
                one == articles[0] for one in articles
            )

        await until(same, what)

    async def writes(self) -> list[int]:
        return [await one.writes() for one in self.accounts]

    async def quiet(self) -> None:
        """Every link has looked at both sides and found nothing new."""
        for link, account in zip(self.links, (*self.accounts[1:], *self.accounts[1:]), strict=True):
            await account.quiet(link)


async def hub(made: Accounts) -> Hub:
    primary = await made.account(
        "hub", customers=[row(n, city="Köln") for n in (1, 2, 3)], articles=[row(n) for n in (1, 2)]
    )
    secondaries = [await made.account("one"), await made.account("two")]
    links: list[str] = []
    for secondary in secondaries:
        await secondary.know(primary)
        links.append((await secondary.agree(primary, customer_sync())).id)
    for secondary in secondaries:
        links.append((await secondary.agree(primary, article_sync(), name=f"articles-{secondary.tenant}")).id)
    for link in links:
        await primary.settled(link)
    found = Hub([primary, *secondaries], links)
    await found.agree("the initial loads")
    await found.quiet()
    return found


async def test_w09_a_change_anywhere_reaches_every_other_account_exactly_once(made: Accounts) -> None:
    found = await hub(made)
    primary, one, two = found.accounts
    before = await found.writes()
    for account, number in ((primary, "N001"), (one, "N002"), (two, "N003")):
        await account.sql("UPDATE customers SET city = $1 WHERE number = $2", account.tenant, number)
    await primary.sql("UPDATE articles SET name = 'renamed' WHERE number = 'N001'")
    wanted = [primary.tenant, one.tenant, two.tenant]

    async def arrived() -> bool:
        cities = [[one[2] for one in await account.customers()] for account in found.accounts]
        return all(one == wanted for one in cities)

    await until(arrived, "the three edits at all three")
    await found.agree("the article")
    await found.quiet()
    await found.quiet()
    # At each account: its own edit and the two that came; the article once each (made by hand at the Primary).
    assert [after - start for after, start in zip(await found.writes(), before, strict=True)] == [4, 4, 4]


async def test_w21_a_change_is_at_all_others_at_once_also_from_secondary_to_secondary(made: Accounts) -> None:
    found = await hub(made)
    primary, one, two = found.accounts
    await one.sql("UPDATE customers SET name = 'changed at one' WHERE number = 'N001'")
    await found.agree("the edit")  # no poll comes within the hour
    assert (await two.customers())[0][1] == "changed at one" == (await primary.customers())[0][1]
    await two.sql("INSERT INTO customers (number, name, city) VALUES ('N700', 'new at two', 'Ulm')")
    await found.agree("the new customer")
    assert ("N700", "new at two", "Ulm") in await one.customers()


async def test_w22_creating_and_deleting_travel_like_edits(made: Accounts) -> None:
    found = await hub(made)
    _, one, two = found.accounts
    await one.sql("INSERT INTO customers (number, name) VALUES ('N500', 'made at one')")
    await found.agree("the new customer")
    assert len(await two.customers()) == 4
    await two.sql("DELETE FROM customers WHERE number = 'N500'")

    async def gone() -> bool:
        return {len(await account.customers()) for account in found.accounts} == {3}

    await until(gone, "the deletion everywhere")
    await found.quiet()
    assert await gone()


INVOICES = """
blueprint: invoicing
version: 1
a: {connector: postgres, poll: 1h}
b: {connector: postgres, poll: 1h}
setup: {kind: invoicing, handshake: true, access: required, in_mode_4: allow}
streams:
  invoices:
    kind: document
    a: outgoing
    b: incoming
    match: [[number]]
    creates: [a]
    complete_read: 1h
    fields:
      number: {a: number, b: number, owner: a}
      total: {a: total, b: total, owner: a}
"""
BOOKS = """
CREATE TABLE {name} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, number text, receiver text, total numeric(12, 2))
"""


async def test_w04_in_mode_4_an_invoice_arrives_as_an_incoming_one_and_nothing_else_passes(
    made: Accounts,
) -> None:
    seller, buyer = await made.account("seller", customers=[row(1)]), await made.account("buyer")
    for account in (seller, buyer):
        for name in ("outgoing", "incoming"):
            await account.sql(BOOKS.format(name=name))
    await seller.know(buyer, mode=4)
    with pytest.raises(TandemError) as refused:
        await buyer.propose(seller, customer_sync())
    assert refused.value.reason == "MODE_4"
    proposal = await seller.propose(buyer, INVOICES, side=SIDE_A)
    link = (await buyer.confirm(proposal, seller)).link
    await seller.settled(link)
    await seller.sql("INSERT INTO outgoing (number, total) VALUES ('R1', 119.00)")

    async def arrived() -> bool:
        return [
            tuple(one.values()) for one in await buyer.sql("SELECT number, total::text FROM incoming")
        ] == [("R1", "119.00")]

    await until(arrived, "the invoice")
    await seller.quiet(link)
    assert await arrived()  # once
    # The other direction is an opt-in of its own, and nothing else goes anywhere.
    await buyer.sql("INSERT INTO incoming (number, total) VALUES ('X', 1)")
    await buyer.sql("INSERT INTO outgoing (number, total) VALUES ('R9', 2)")
    await seller.quiet(link)
    assert [one["number"] for one in await seller.sql("SELECT number FROM outgoing")] == ["R1"]
    assert await seller.sql("SELECT * FROM incoming") == [] and await buyer.customers() == []
