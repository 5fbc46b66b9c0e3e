"""`Life`: how links come to stand, in PostgreSQL: accesses and grants, proposals, features, establishment.

What may be is decided by the pure core; here it is decided under a lock, so that of two who act at once the second sees what
the first did. Must not: know what a blueprint says (whoever asks passes a check).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from actors.core.lifecycle import Establishment
from actors.core.permissions import Access, Directions, Grant, Mode
from actors.core.types import SIDES, Side
from daemon.store import life_rows
from daemon.store.admin_work import NEWEST
from daemon.store.base import Base
from daemon.store.codec import to_json
from daemon.store.life_rows import FeatureRow, Founding, GrantRow, ProposalRow, StandingRow
from daemon.store.pool import Connection
from daemon.store.queries import sql
from daemon.store.rows import (
    ConnectionInfo,
    Listing,
    Missing,
    Refused,
    Taken,
    connection_info,
    page_place,
    page_token,
)

Account = tuple[str, str]  # connector, identity
# Raises where the links that are there, and the access between the two accounts, don't let a new one be.
Check = Callable[[Sequence[StandingRow], Access | None], None]


class Life(Base):
    """Constructed like `PgStore`. `tenant` "" = all tenants."""

    # ------------------------------------------------------------------------------------------- accesses

    async def create_access(
        self,
        chooser: str,
        other: str,
        mode: Mode,
        both_edit: bool,
        directions: Directions = Directions.BOTH,
    ) -> Access:
        """`Taken` where the two connections have one."""
        id_ = f"acc-{self._clock.token()}"
        async with self._transaction() as db:
            if len(await db.fetch(sql("connection_share"), [chooser, other])) != 2:
                raise Missing("connection", other)
            arguments = id_, chooser, other, mode.value, both_edit, self._clock.now(), directions.value
            if await db.execute(sql("access_create"), *arguments) != "INSERT 0 1":
                raise Taken("access", "between these two accounts")
        return Access(id_, chooser, other, mode, both_edit, directions)

    async def get_access(self, access: str) -> Access:
        """By id."""
        row = await self._row(sql("access_info"), access)
        if row is None:
            raise Missing("access", access)
        return life_rows.access(row)

    async def access_between(self, one: Account, other: Account) -> Access | None:
        """By account, whichever connections lead to them."""
        row = await self._row(sql("access_between"), *one, *other)
        return life_rows.access(row) if row is not None else None

    async def list_accesses(self, tenant: str, connection: str, size: int, page: str = "") -> Listing[Access]:
        """In order of ids; `connection` "" = all."""
        found = await self._fetch(sql("accesses_list"), tenant, connection, *page_place(page, ""), size + 1)
        rows = tuple(map(life_rows.access, found[:size]))
        return Listing(rows, page_token(rows[-1].id) if len(found) > size else "")

    async def change_access(
        self, access: str, change: Callable[[Access, Sequence[StandingRow]], Access | None]
    ) -> Access | None:
        """What `change` makes of it, None = it is taken away; the links between the two accounts hold still meanwhile."""
        async with self._transaction() as db:
            await db.execute(sql("roles_lock"))
            row = await db.fetchrow(sql("access_lock"), access)
            if row is None:
                raise Missing("access", access)
            found = life_rows.access(row)
            after = change(found, await _between(db, found.chooser, found.other))
            if after is None:
                await db.execute(sql("access_delete"), access)
            else:
                arguments = after.chooser, after.mode.value, after.both_edit, after.directions.value
                await db.execute(sql("access_update"), access, *arguments)
        return after

    async def add_grant(self, grant: Grant) -> None:
        """Note a grant; those that have expired are forgotten."""
        async with self._transaction() as db:
            await db.execute(sql("grants_drop"), grant.issued)
            who = grant.id, grant.access, grant.origin, grant.into, grant.by
            await db.execute(sql("grant_add"), *who, grant.issued, grant.expires)

    async def get_grant(self, grant: str) -> GrantRow | None:
        """As it was given, or None where it is not known (any more)."""
        row = await self._row(sql("grant_get"), grant)
        return GrantRow(**dict(row)) if row is not None else None

    # ---------------------------------------------------------------------------------------- connections

    async def connections(self, ids: Sequence[str]) -> Mapping[str, ConnectionInfo]:
        """By id; those that are gone are missing."""
        found = [connection_info(row) for row in await self._fetch(sql("connections_by_id"), list(ids))]
        return {one.id: one for one in found}

    async def accounts_called(self, connector: str, identity: str) -> Sequence[ConnectionInfo]:
        """Connections of whatever tenant to this account, the oldest first."""
        return [
            connection_info(row) for row in await self._fetch(sql("accounts_called"), connector, identity)
        ]

    async def accounts_named(
        self, accounts: Collection[Account]
    ) -> Mapping[Account, Sequence[ConnectionInfo]]:
        """The same of many; accounts that nobody has connected are missing."""
        names = list(zip(*sorted(set(accounts)), strict=True)) or [(), ()]
        found: dict[Account, list[ConnectionInfo]] = {}
        for row in await self._fetch(sql("accounts_named"), *map(list, names)):
            found.setdefault((row["connector"], row["identity"]), []).append(connection_info(row))
        return found

    # -------------------------------------------------------------------------------- links and what they rest on

    async def standings(self, a: Account, b: Account) -> Sequence[StandingRow]:
        """Every link that hangs together with either account, by whatever links."""
        return [life_rows.standing(row) for row in await self._fetch(sql("standings"), *a, *b)]

    async def bound(self, link: str, stream: str, side: Side, ids: Sequence[str]) -> frozenset[str]:
        """Those of the ids that are bound in this stream."""
        found = await self._fetch(sql("bound_ids", side=side), link, stream, list(ids))
        return frozenset(row["id"] for row in found)

    async def found(self, new: Founding, check: Check) -> str:
        """Make a link, if `check` lets it be; its id. `Taken` where the tenant has one of that name."""
        async with self._transaction() as db:
            await db.execute(sql("roles_lock"))
            return await self._found(db, new, check)

    async def _found(self, db: Connection, new: Founding, check: Check) -> str:
        ids = [new.connections[side] for side in SIDES]
        rows = {row["id"]: row for row in await db.fetch(sql("connection_share"), ids)}
        for id_ in ids:
            if id_ not in rows:
                raise Missing("connection", id_)
        accounts = [value for id_ in ids for value in (rows[id_]["connector"], rows[id_]["identity"])]
        standing = [life_rows.standing(row) for row in await db.fetch(sql("standings"), *accounts)]
        access = await db.fetchrow(sql("access_between"), *accounts)
        check(standing, life_rows.access(access) if access is not None else None)
        id_, now = f"link-{self._clock.token()}", self._clock.now()
        arguments = new.tenant, new.name, *ids, new.blueprint, "{}", "{}", new.wish, "local", now
        if await db.execute(sql("link_create"), id_, *arguments) != "INSERT 0 1":
            raise Taken("link", new.name)
        partner = new.partner if new.partner != new.tenant else ""
        roles = [new.roles.get(side, "peer") for side in SIDES]
        stands = partner or None, new.establishment.value, new.kind, *roles
        await db.execute(sql("link_stand"), id_, *stands, to_json(new.rests_on), to_json(new.settings))
        return id_

    async def establish(
        self, link: str, before: Establishment, after: Establishment, rests_on: Mapping[str, str]
    ) -> bool:
        """From `before` to `after`; False where somebody was faster."""
        arguments = after.value, to_json(rests_on), before.value
        return bool(await self._execute(sql("link_establish"), link, *arguments))

    async def reviewed(self, link: str, rests_on: Mapping[str, str]) -> None:
        """A person looked at the settings as things are now."""
        await self._execute(sql("link_reviewed"), link, to_json(rests_on))

    # ------------------------------------------------------------------------------------------- proposals

    async def create_proposal(self, row: ProposalRow) -> ProposalRow:
        """A new one; its id is given."""
        made = row.proposal
        sides = made.side, made.proposer.connection, made.addressee.connection
        texts = row.blueprint, to_json(row.settings)
        async with self._transaction() as db:
            arguments = made.id, row.name, made.kind, *sides, *texts, row.created, made.expires, row.override
            await db.execute(sql("proposal_create"), *arguments)
        return await self.get_proposal(made.id)

    async def get_proposal(self, proposal: str) -> ProposalRow:
        """By id."""
        row = await self._row(sql("proposal_info"), proposal)
        if row is None:
            raise Missing("proposal", proposal)
        return life_rows.proposal(row)

    async def list_proposals(
        self, tenant: str, only_open: bool, size: int, page: str = ""
    ) -> Listing[ProposalRow]:
        """Newest first: those of either side."""
        arguments = tenant, only_open, self._clock.now(), *page_place(page, NEWEST), size + 1
        rows = [life_rows.proposal(row) for row in await self._fetch(sql("proposals_list"), *arguments)]
        more = len(rows) > size
        return Listing(tuple(rows[:size]), page_token(rows[size - 1].number) if more else "")

    async def proposals_alike(
        self, kind: str, proposer: Account, addressee: Account
    ) -> Sequence[ProposalRow]:
        """Those that nobody has decided."""
        found = await self._fetch(sql("proposals_alike"), kind, *proposer, *addressee)
        return [life_rows.proposal(row) for row in found]

    async def confirm_proposal(self, proposal: str, new: Founding, check: Check) -> str:
        """Make the link that was asked for, once: whoever confirms again, or at the same time, gets the same link."""
        async with self._transaction() as db:
            await db.execute(sql("roles_lock"))
            await db.fetchval(sql("proposal_lock"), proposal)
            row = await db.fetchrow(sql("proposal_info"), proposal)
            if row is None:
                raise Missing("proposal", proposal)
            if row["state"] == Establishment.CONFIRMED:
                return str(row["link"])
            if row["state"] != Establishment.REQUESTED or row["expires"] <= self._clock.now():
                raise Refused(f"proposal {proposal} is no longer open", "ask for a new one")
            link = await self._found(db, new, check)
            decided = Establishment.CONFIRMED.value, self._clock.now(), link
            await db.execute(sql("proposal_decide"), proposal, *decided)
        return link

    async def end_proposal(self, proposal: str, state: Establishment) -> ProposalRow:
        """Declined or withdrawn, if nobody decided otherwise meanwhile."""
        async with self._transaction() as db:
            now = await db.fetchval(sql("proposal_lock"), proposal)
            if now not in (Establishment.REQUESTED, state):
                raise Refused(f"proposal {proposal} is {now or 'gone'}", "look at it again")
            if now != state:
                await db.execute(sql("proposal_decide"), proposal, state.value, self._clock.now(), "")
        return await self.get_proposal(proposal)

    # -------------------------------------------------------------------------------------------- features

    async def ask_feature(self, account: Account, feature: str, tenant: str) -> None:
        """A tenant would like to have it; what is enabled stays enabled."""
        await self._execute(sql("features_ask"), *account, feature, tenant, self._clock.now())

    async def set_feature(self, account: Account, feature: str, enabled: bool, token: str) -> None:
        """The provider's word."""
        at = self._clock.now() if enabled else 0.0
        await self._execute(sql("features_set"), *account, feature, at, token)

    async def features_of(self, account: Account) -> Sequence[FeatureRow]:
        """What is enabled, was or is asked for."""
        return [FeatureRow(**dict(row)) for row in await self._fetch(sql("features_of"), *account)]

    async def list_features(
        self, tenant: str, only_asked: bool, size: int, page: str = ""
    ) -> Listing[FeatureRow]:
        """By account; `only_asked`: those that wait for the provider."""
        place = page_place(page, "", "", "")
        found = await self._fetch(sql("features_list"), tenant, only_asked, *place, size + 1)
        rows = tuple(FeatureRow(**dict(row)) for row in found[:size])
        last = rows[-1] if rows else None
        token = page_token(last.connector, last.identity, last.feature) if last and len(found) > size else ""
        return Listing(rows, token)


async def _between(db: Connection, one: str, other: str) -> list[StandingRow]:
    """Links between the accounts of these two connections."""
    rows = {row["id"]: row for row in await db.fetch(sql("connection_share"), [one, other])}
    if len(rows) != 2:
        return []
    accounts = [(rows[id_]["connector"], rows[id_]["identity"]) for id_ in (one, other)]
    found = [life_rows.standing(row) for row in await db.fetch(sql("standings"), *accounts[0], *accounts[1])]
    return [row for row in found if set(row.accounts.values()) == set(accounts)]
