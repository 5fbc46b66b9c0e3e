"""Several accounts of one system, each a PostgreSQL database with a password, each of a tenant of its own.

What two accounts of a product are to their users, in general form: customers and price groups that are kept in step,
articles of which one account is the Primary, a company with a country, journals and VAT groups. Must not: know the daemon
beyond its API.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import Any

import asyncpg
import yaml
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct

from tandem.v1 import (
    accesses_pb2,
    common_pb2,
    connections_pb2,
    links_pb2,
    proposals_pb2,
    runs_pb2,
    system_pb2,
)
from tandem_client import Tandem
from tests.connectors.pgserver import PASSWORD_QUOTED, new_database
from tests.daemon.process import DaemonProcess
from tests.spec.systems import until
from tests.spec.world import CALL_TIMEOUT_S

SCHEMA = """
CREATE TABLE customers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, number text, name text, city text,
    demo boolean NOT NULL DEFAULT false);
CREATE TABLE price_groups (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text);
CREATE TABLE articles (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, number text, name text, supplier text);
CREATE TABLE article_groups (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text);
CREATE TABLE company (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, country text);
CREATE TABLE journals (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, code text);
CREATE TABLE vat_groups (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, code text, country text);
CREATE TABLE display (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, background text);
CREATE TABLE written (id bigint GENERATED ALWAYS AS IDENTITY, what text, number text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO written (what, number) VALUES (TG_OP, coalesce(NEW.number, OLD.number)); RETURN NULL;
END $$;
CREATE TRIGGER noted AFTER INSERT OR UPDATE OR DELETE ON customers FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER noted AFTER INSERT OR UPDATE OR DELETE ON articles FOR EACH ROW EXECUTE FUNCTION note();
"""
_NUMBERS = count(1)
TABLES = ("customers", "price_groups", "articles", "article_groups", "company", "journals", "vat_groups")
CUSTOMERS: Mapping[str, Any] = {
    "a": "customers",
    "b": "customers",
    "match": [["number"]],
    "complete_read": "1h",
    "deletes": {"a": "remove", "b": "remove"},
    "budgets": {"deletes": 100},
    "fields": {
        "number": {"a": "number", "b": "number"},
        "name": {"a": "name", "b": "name", "conflict": "a"},
        "city": {"a": "city", "b": "city", "conflict": "a"},
    },
}
ARTICLES: Mapping[str, Any] = {
    "a": "articles",
    "b": "articles",
    "match": [["number"]],
    "creates": ["a"],
    "complete_read": "1h",
    "fields": {
        "number": {"a": "number", "b": "number", "owner": "a"},
        "name": {"a": "name", "b": "name", "owner": "a"},
        "supplier": {"b": "supplier", "owner": "local"},
    },
}
ROLES = {"a": "primary", "b": "secondary"}
CUSTOMER_SYNC: Mapping[str, Any] = {
    "kind": "customers",
    "roles": ROLES,
    "handshake": True,
    "proposed_by": "b",
    "irreversible": True,
    "access": "required",
    "checks": [
        {
            "side": "b",
            "object": "customers",
            "check": "empty",
            "sample": {"demo": True},
            "ways_out": ["leave the sample data", "reset the account to factory settings"],
        },
        {"side": "b", "object": "price_groups", "check": "empty", "ways_out": ["delete the price groups"]},
        {
            "side": "b",
            "object": "articles",
            "check": "empty",
            "severity": "warn",
            "text": "the articles of this account stay as they are; set up first and maintain them afterwards",
        },
    ],
}
ARTICLE_SYNC: Mapping[str, Any] = {
    "kind": "articles",
    "roles": ROLES,
    "handshake": True,
    "proposed_by": "b",
    "irreversible": True,
    "access": "required",
    "custom": True,
    "checks": [
        {
            "side": "b",
            "object": "article_groups",
            "check": "no_clash",
            "against": "article_groups",
            "by": ["name"],
        },
    ],
}


def rules(streams: Mapping[str, Any], setup: Mapping[str, Any], name: str = "sync", poll: str = "1h") -> str:
    """A blueprint between two such accounts; looked at seldom, so that what comes at once came by itself."""
    side = {"connector": "postgres", "poll": poll}
    whole = {
        "blueprint": name,
        "version": 1,
        "a": side,
        "b": side,
        "setup": dict(setup),
        "streams": dict(streams),
    }
    return yaml.safe_dump(whole, sort_keys=False)


def customer_sync(**changed: Any) -> str:
    """Customers, both ways, from one Primary to many Secondaries."""
    return rules({"customers": CUSTOMERS}, {**CUSTOMER_SYNC, **changed}, "customer-sync")


def article_sync(**changed: Any) -> str:
    """Articles, from the Primary."""
    return rules({"articles": ARTICLES}, {**ARTICLE_SYNC, **changed}, "article-sync")


class Account:
    """One account as its tenant uses it: its tables, and the API with a token of this tenant alone."""

    customer_rules = customer_sync()  # what its customers are kept in step by

    def __init__(self, tandem: Tandem, admin: Tandem, tenant: str, url: str) -> None:
        self.tandem = tandem
        self.admin = admin
        self.tenant = tenant
        self.url = url
        self.connection = connections_pb2.Connection()

    # ------------------------------------------------------------------------------------------------ its tables

    async def sql(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """One statement, committed."""
        connection = await asyncpg.connect(self.url)
        try:
            return [dict(row) for row in await connection.fetch(statement, *values)]
        finally:
            await connection.close()

    async def customers(self) -> list[tuple[Any, ...]]:
        """Number, name and city of every customer."""
        found = await self.sql("SELECT number, name, city FROM customers ORDER BY number, name, city")
        return [tuple(row.values()) for row in found]

    async def articles(self) -> list[tuple[Any, ...]]:
        """Number and name of every article."""
        return [
            tuple(row.values()) for row in await self.sql("SELECT number, name FROM articles ORDER BY number")
        ]

    async def writes(self) -> int:
        """How often a customer or an article was written, by whomever."""
        return int((await self.sql("SELECT count(*) FROM written"))[0]["count"])

    async def state(self, *tables: str) -> dict[str, list[dict[str, Any]]]:
        """Every row with its place and the transaction that wrote it last: a write of any kind shows in it."""
        return {
            table: await self.sql(f"SELECT xmin::text, ctid::text, * FROM {table} ORDER BY id")
            for table in tables or TABLES
        }

    # --------------------------------------------------------------------------------------------------- the API

    def credentials(self, password: str = "") -> Struct:
        """What leads to this account."""
        url = self.url.replace(PASSWORD_QUOTED, password) if password else self.url
        return json_format.ParseDict({"url": url}, Struct())

    async def connect(self) -> None:
        """The tenant connects its account to the daemon."""
        settings = json_format.ParseDict({"url": self.url, "find": "trigger"}, Struct())
        self.connection = await self.tandem.connections.CreateConnection(
            connections_pb2.CreateConnectionRequest(name=self.tenant, connector="postgres", settings=settings)
        )

    async def mark(self, own_mark: str) -> connections_pb2.Connection:
        """The tenant says how its account is told at a glance."""
        self.connection = await self.tandem.connections.UpdateConnection(
            connections_pb2.UpdateConnectionRequest(connection=self.tenant, own_mark=own_mark)
        )
        return self.connection

    async def know(self, other: Account, mode: int = 1, **fields: Any) -> accesses_pb2.Access:
        """Connect to another account."""
        return await self.tandem.accesses.CreateAccess(
            accesses_pb2.CreateAccessRequest(
                connection=self.tenant,
                other=fields.pop("credentials", other.credentials()),
                mode=mode,  # type: ignore[arg-type]
                **fields,
            )
        )

    async def accesses(self) -> dict[str, accesses_pb2.Access]:
        """By the tenant of the other account."""
        found = await self.tandem.accesses.ListAccesses(accesses_pb2.ListAccessesRequest())
        return {one.other.tenant: one for one in found.accesses}

    async def propose(self, other: Account, blueprint: str, **fields: Any) -> proposals_pb2.Proposal:
        """Ask for a link."""
        tandem: Tandem = fields.pop("tandem", self.tandem)
        password = fields.pop("password", "")
        request = proposals_pb2.CreateProposalRequest(
            **{
                "name": f"{other.tenant}-{self.tenant}",
                "connection": self.connection.id,
                "blueprint": blueprint,
                "other": other.credentials(password),
                **fields,
            }
        )
        return await tandem.proposals.CreateProposal(request)

    async def proposals(self) -> list[proposals_pb2.Proposal]:
        """Those that wait, made by this tenant or to be confirmed by it."""
        found = await self.tandem.proposals.ListProposals(proposals_pb2.ListProposalsRequest())
        return list(found.proposals)

    async def confirm(
        self, proposal: proposals_pb2.Proposal, other: Account, password: str = ""
    ) -> proposals_pb2.Proposal:
        """Say yes, with the credentials of the account that asked."""
        request = proposals_pb2.ConfirmProposalRequest(
            proposal=proposal.id, other=other.credentials(password)
        )
        return await self.tandem.proposals.ConfirmProposal(request)

    async def agree(self, primary: Account, blueprint: str, **fields: Any) -> links_pb2.Link:
        """The whole handshake: this account becomes a Secondary of the other."""
        proposal = await self.propose(primary, blueprint, **fields)
        return await self.link((await primary.confirm(proposal, self)).link)

    async def link(self, id_: str) -> links_pb2.Link:
        """As this tenant sees it."""
        return await self.tandem.links.GetLink(links_pb2.GetLinkRequest(link=id_))

    async def settled(self, id_: str, state: str = "in_step") -> links_pb2.Link:
        """Wait until the link shows this state."""

        async def shown() -> links_pb2.Link | None:
            link = await self.link(id_)
            return link if link.state == state else None

        link = await until(shown, f"the link to be {state}")
        assert link is not None
        return link

    async def quiet(self, id_: str) -> None:
        """Run until a run finds nothing new."""

        async def nothing_new() -> bool:
            handle = await self.tandem.start_run(id_)
            return (await handle.done()).outcome == "nothing_new"

        await until(nothing_new, "a run that finds nothing new")

    async def runs(self, id_: str) -> list[runs_pb2.Run]:
        """The history of a link, newest first."""
        return list((await self.tandem.runs.ListRuns(runs_pb2.ListRunsRequest(link=id_))).runs)


class Accounts:
    """Makes accounts for one test, each with a tenant of its own, on one daemon."""

    def __init__(
        self, daemon: DaemonProcess, admin: Tandem, server_url: str, name: str, stack: AsyncExitStack
    ) -> None:
        self._daemon = daemon
        self.admin = admin
        self._server_url = server_url
        self._name = name
        self._stack = stack
        self.tenants: set[str] = set()

    async def account(self, name: str, **rows: Any) -> Account:
        """A fresh account that its tenant has connected. `rows`: table -> rows to begin with."""
        url = await self._stack.enter_async_context(new_database(self._server_url))
        connection = await asyncpg.connect(url)
        await connection.execute(SCHEMA)
        for table, values in rows.items():
            for row in values:
                places = ", ".join(f"${n}" for n in range(1, len(row) + 1))
                columns = ", ".join(row)
                statement = f"INSERT INTO {table} ({columns}) VALUES ({places})"
                await connection.execute(statement, *row.values())
        await connection.close()
        tenant = f"{name}-{self._name}"
        await self.admin.system.CreateTenant(system_pb2.CreateTenantRequest(id=tenant))
        made = Account(await self.tandem(tenant), self.admin, tenant, url)
        await made.connect()
        return made

    async def expire(self, proposal: proposals_pb2.Proposal) -> None:
        """As if its time were over."""
        connection = await asyncpg.connect(self._daemon.dsn)
        await connection.execute("UPDATE proposals SET expires = 1 WHERE id = $1", proposal.id)
        await connection.close()

    async def tandem(self, tenant: str, role: int = system_pb2.ROLE_ADMIN) -> Tandem:
        """A client with a fresh token of this tenant."""
        request = system_pb2.CreateTokenRequest(name="t", role=role, tenant=tenant)  # type: ignore[arg-type]
        token = (await self.admin.system.CreateToken(request)).token
        client = Tandem(self._daemon.grpc, token=token, timeout_s=CALL_TIMEOUT_S)
        return await self._stack.enter_async_context(client)


@asynccontextmanager
async def accounts(
    daemon: DaemonProcess, admin: Tandem, server_url: str, name: str
) -> AsyncIterator[Accounts]:
    """Accounts of one test; the links are paused at the end, so that a shared daemon has nothing left to do."""
    name = f"{name}-{next(_NUMBERS)}"
    async with AsyncExitStack() as stack:
        made = Accounts(daemon, admin, server_url, name, stack)
        try:
            yield made
        finally:
            listed = await admin.links.ListLinks(links_pb2.ListLinksRequest(page_size=1000))
            for link in listed.links:
                if link.tenant.endswith(name) or link.partner.endswith(name):
                    await admin.links.PauseLink(links_pb2.PauseLinkRequest(link=link.id))


def row(number: int, **values: Any) -> dict[str, Any]:
    """A customer or article."""
    return {"number": f"N{number:03}", "name": f"Name {number}", **values}


def texts(found: Any) -> list[str]:
    """What obstacles say."""
    return [one.text for one in found]


SIDE_A, SIDE_B = common_pb2.SIDE_A, common_pb2.SIDE_B
