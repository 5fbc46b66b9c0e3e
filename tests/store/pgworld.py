"""The World of the contract over a real PostgreSQL: people act through `Admin`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.ports import RunRow, Store
from daemon.secrets import SecretBox
from daemon.store.admin import Admin
from daemon.store.pg import PgStore
from daemon.store.pool import Pool
from daemon.store.rows import Refused
from tests.store.world import CONNECTIONS, LINK, HandClock

BOX = SecretBox(bytes(range(32)))
SECRET_NAMES = {"password"}


class PgWorld:
    """World over a migrated database, filled by `fill`."""

    def __init__(self, pool: Pool) -> None:
        self.clock = HandClock()
        self.pool = pool
        self.pg = PgStore(pool, self.clock, BOX)
        self.admin = Admin(pool, self.clock, BOX)

    @property
    def store(self) -> Store:
        return self.pg

    async def fill(self) -> None:
        """Tenant t1, connections c1 and c2, links l1 and l2; made through Admin, then given their short ids."""
        await self.admin.create_tenant("t1", "Tenant")
        ids = {}
        for row in CONNECTIONS:
            secrets = {name: value for name, value in row.settings.items() if name in SECRET_NAMES}
            plain = {name: value for name, value in row.settings.items() if name not in SECRET_NAMES}
            made = await self.admin.create_connection("t1", row.name, row.connector, plain, {}, row.identity)
            ids[row.id] = made.id
            sealed = BOX.seal(secrets, row.id) if secrets else None
            await self.pool.execute(
                "update connections set id = $2, sealed = $3 where id = $1", made.id, row.id, sealed
            )
        for link, name in (("l1", LINK.name), ("l2", "second")):
            made_link = await self.admin.create_link("t1", name, "c1", "c2", LINK.blueprint)
            await self.pool.execute("update links set id = $2 where id = $1", made_link.row.id, link)

    async def expire(self, link: str) -> None:
        await self.pool.execute("update links set lease_until = clock_timestamp() where id = $1", link)

    async def set_wish(self, link: str, wish: str) -> None:
        await self.admin.set_wish(link, wish)

    async def set_establishment(self, link: str, value: str) -> None:
        await self.pool.execute(
            "update links set establishment = $2, rev = rev + 1 where id = $1", link, value
        )

    async def recover(self) -> None:
        await self.admin.recover()

    async def request_run(self, run: RunRow) -> None:
        """`Admin.request_run` draws the id; the contract wants to choose it, and several of one mode."""
        await self.pool.execute("update runs set mode = 'other:' || mode where outcome = 'running'")
        made, _ = await self.admin.request_run(run.link, run.mode, run.scope, run.cause)
        await self.pool.execute("update runs set id = $2 where id = $1", made.row.id, run.id)
        await self.pool.execute("update runs set mode = replace(mode, 'other:', '')")

    async def cancel_run(self, link: str, run: str) -> None:
        await self.admin.cancel_run(run)

    async def run(self, run: str) -> RunRow:
        return (await self.admin.get_run(run)).row

    async def approve_plan(self, link: str, plan: str, rev: int) -> None:
        await self.admin.approve_plan(plan, rev)

    async def reject_plan(self, link: str, plan: str) -> None:
        await self.admin.reject_plan(plan)

    async def decide(self, link: str, parked: int, fingerprint: str, decision: Mapping[str, Any]) -> bool:
        try:
            await self.admin.decide(parked, fingerprint, decision, "somebody")
        except Refused:
            return False
        return True
