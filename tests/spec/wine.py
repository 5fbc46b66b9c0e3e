"""Two accounts of Winestro.Cloud for the tests of the pair: emulators that are asked over HTTP, each connected by a tenant
of its own, and the handshake between them.

Must not: know the daemon beyond its API.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import Any, Final, TypeVar

import yaml
from google.protobuf.struct_pb2 import Struct

from clients.emulators.description import Row
from clients.emulators.stand import stand
from clients.emulators.winestro import System as Winestro
from tandem.v1 import (
    common_pb2,
    connections_pb2,
    features_pb2,
    links_pb2,
    rooms_pb2,
    runs_pb2,
    settings_pb2,
    streams_pb2,
    system_pb2,
)
from tandem_client import Tandem
from tests.daemon.process import DaemonProcess
from tests.spec.accounts import Account, Accounts
from tests.spec.pair import struct
from tests.spec.systems import until

T = TypeVar("T")
CUSTOMERS: Final = "winestro-accounts-customers"
ARTICLES: Final = "winestro-accounts-articles"
INVOICES: Final = "winestro-accounts-invoices"
_NUMBERS = count(5001)  # roles are held by account on the daemon that all tests share
# The fields of an article that each account has for itself, with values of the Primary and of the Secondary.
ELEVEN: Final[Mapping[str, tuple[Any, Any]]] = {
    "artikel_eigenanteil": ("80", "10"),
    "artikel_herstellungskosten": ("3.10", "4.20"),
    "artikel_fibu_erloeskonto": ("8400", "4400"),
    "artikel_fibu_aufwandskonto": ("3400", "5400"),
    "artikel_fibu_steuerschluessel": ("3", "9"),
    "artikel_bestand_warnung_ab": (100, 12),
    "artikel_reichweite_tage": (200, 30),
    "artikel_lager": ("Keller", "Laden"),
    "artikel_lieferant": ("Kellerei Nord", "Kellerei Sued"),
    "artikel_erzeuger": ("Hof Nord", "Hof Sued"),
    "artikel_ueberverkauf": (True, False),
    "artikel_mandantenabrechnung": (True, False),
    "artikel_inventur": (True, False),
}


class Winery(Account):
    """One account, the person in front of it, and its tenant."""

    def __init__(self, tandem: Tandem, admin: Tandem, tenant: str, system: Winestro) -> None:
        super().__init__(tandem, admin, tenant, system.address)
        self.system = system
        self.person = system.person

    customer_rules = CUSTOMERS

    def credentials(self, password: str = "") -> Struct:
        """What leads to this account."""
        url = f"{self.system.address}/xml/v23.0/wbo-API.php"
        return struct(
            {"url": url, "uid": self.system.uid, "user": "tandem", "code": password or self.system.code}
        )

    async def connect(self) -> None:
        """The tenant connects its account, and the provider enables the synchronization for it."""
        request = connections_pb2.CreateConnectionRequest(
            name=self.tenant, connector="winestro", settings=self.credentials()
        )
        self.connection = await self.tandem.connections.CreateConnection(request)

    async def enable(self) -> None:
        """The provider's word for this account."""
        request = features_pb2.EnableFeatureRequest(
            feature="data-sync", connector="winestro", identities=[self.connection.identity]
        )
        await self.admin.features.EnableFeature(request)

    def table(self, name: str, *fields: str) -> list[tuple[Any, ...]]:
        """These fields of all rows, sorted."""
        rows = self.person.rows(name).values()
        return sorted((tuple(row[field] for field in fields) for row in rows), key=str)

    def article(self, number: str) -> Row:
        """The article of this number; {} where there is none."""
        found = self.person.find("artikel", artikel_nr=number)
        return found[0] if found else {}

    def customer(self, number: str) -> Row:
        """The customer of this number; {} where there is none."""
        found = self.person.find("kunden", adr_nr=number)
        return found[0] if found else {}


class Wineries:
    """A Primary and a Secondary whose accounts are connected; not in step yet."""

    def __init__(self, primary: Winery, secondary: Winery) -> None:
        self.primary = primary
        self.secondary = secondary
        self.link = ""

    async def agree(self, blueprint: str, **settings: Any) -> links_pb2.Link:
        """The Secondary asks, the Primary confirms, and the load ends. `settings`: what was chosen at set-up. Then both are
        looked at every second."""
        link = await self.secondary.agree(self.primary, blueprint, settings=struct(settings))
        self.link = link.id
        await self.rules({})
        await self.secondary.settled(link.id)
        return link

    async def rules(self, rules: Mapping[str, Any]) -> None:
        """Lay rules over the link's while it runs."""
        text = yaml.safe_dump({"a": {"poll": "1s"}, "b": {"poll": "1s"}, **rules}, sort_keys=False)
        request = settings_pb2.ChangeSettingsRequest(link=self.link, settings=text)
        await self.primary.admin.settings.ChangeSettings(request)

    async def pause(self) -> None:
        """Nothing passes until `resume`."""
        await self.secondary.quiet(self.link)
        await self.primary.admin.links.PauseLink(links_pb2.PauseLinkRequest(link=self.link))

    async def resume(self) -> None:
        """Go on."""
        await self.primary.admin.links.ResumeLink(links_pb2.ResumeLinkRequest(link=self.link))

    async def backfill(self, stream: str) -> None:
        """One complete read of both sides, through to its end."""
        request = streams_pb2.BackfillStreamRequest(link=self.link, stream=stream)
        await self.primary.admin.streams.BackfillStream(request)
        await self.quiet()

    async def quiet(self) -> None:
        """Both sides were looked at, and nothing new was found."""
        await self.secondary.quiet(self.link)

    async def parked(self, room: str) -> list[rooms_pb2.Parked]:
        """What waits in a room."""
        request = rooms_pb2.ListParkedRequest(link=self.link, room=room, page_size=500)
        return list((await self.secondary.tandem.quarantine.ListParked(request)).parked)

    async def protocol(self, rule: str) -> list[common_pb2.Action]:
        """What the runs of the link say under a rule."""
        found: list[common_pb2.Action] = []
        for run in await self.secondary.runs(self.link):
            request = runs_pb2.ListRunItemsRequest(run=run.id, page_size=500)
            items = (await self.secondary.tandem.runs.ListRunItems(request)).items
            found += [one for one in items if one.rule == rule]
        return found

    async def see(self, condition: Callable[[], T], what: str) -> T:
        """Wait until the accounts show something; it."""

        async def asked() -> T:
            return condition()

        return await until(asked, what)


class Cellar(Accounts):
    """Makes accounts of Winestro.Cloud for one test, each with a tenant of its own, on one daemon."""

    def __init__(self, daemon: DaemonProcess, admin: Tandem, name: str, stack: AsyncExitStack) -> None:
        super().__init__(daemon, admin, "", name, stack)

    async def account(self, name: str, **rows: Any) -> Winery:
        """A fresh account that its tenant has connected. `rows`: table -> rows to begin with."""
        uid = str(next(_NUMBERS))
        options = {"uid": uid, "numbers": "comma" if name == "primary" else "text"}
        system = await self._stack.enter_async_context(stand("winestro", options))
        assert isinstance(system, Winestro)
        for table, values in rows.items():
            system.person.insert(table, *values)
        tenant = f"{name}-{uid}-{self._name}"[:50].strip("-")
        await self.admin.system.CreateTenant(system_pb2.CreateTenantRequest(id=tenant))
        winery = Winery(await self.tandem(tenant), self.admin, tenant, system)
        await winery.connect()
        self.tenants.add(winery.tenant)
        return winery


@asynccontextmanager
async def cellar(daemon: DaemonProcess, admin: Tandem, name: str) -> AsyncIterator[Cellar]:
    """Accounts of one test; at the end the links are paused, since most of them are for good."""
    async with AsyncExitStack() as stack:
        made = Cellar(daemon, admin, name, stack)
        try:
            yield made
        finally:
            listed = await admin.links.ListLinks(links_pb2.ListLinksRequest(page_size=1000))
            for link in listed.links:
                if made.tenants & {link.tenant, link.partner}:
                    await admin.links.PauseLink(links_pb2.PauseLinkRequest(link=link.id))


@asynccontextmanager
async def two_wineries(daemon: DaemonProcess, admin: Tandem, name: str) -> AsyncIterator[Wineries]:
    """A Primary and a Secondary, both empty."""
    async with wineries(daemon, admin, name, "primary", "secondary") as made:
        yield Wineries(*made)


@asynccontextmanager
async def wineries(
    daemon: DaemonProcess, admin: Tandem, name: str, *roles: str
) -> AsyncIterator[list[Winery]]:
    """Empty accounts, one for each role."""
    async with cellar(daemon, admin, name) as made:
        yield [await made.account(role) for role in roles]
