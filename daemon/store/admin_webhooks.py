"""Webhooks in PostgreSQL: the address and the secret of a connection, and what came in."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

from daemon.store.base import Base
from daemon.store.codec import clean
from daemon.store.queries import sql
from daemon.store.rows import CalledRow, CallsRow, Missing, WebhookRow

Fate = Literal["accepted", "ignored", "refused"]


class AdminWebhooks(Base):
    """The part of the admin queries about webhooks."""

    async def put_webhook(self, connection: str, path: str, secret: str) -> WebhookRow:
        """Make or replace the webhook of a connection; the former address is unknown from then on."""
        sealed = self._secrets.seal({"path": path, "secret": secret}, _sealed_for(connection))
        await self._execute(sql("webhook_put"), connection, _hash(path), sealed, self._clock.now())
        return await self.get_webhook(connection)

    async def get_webhook(self, connection: str) -> WebhookRow:
        """`Missing` where the connection has none."""
        row = await self._row(sql("webhook_get"), connection)
        if row is None:
            raise Missing("webhook of connection", connection)
        opened = self._secrets.open(row["sealed"], _sealed_for(connection))
        return WebhookRow(connection, opened["path"], opened["secret"], row["created"], row["rotated"])

    async def delete_webhook(self, connection: str) -> None:
        """Nothing is taken from that address any more."""
        await self._execute(sql("webhook_delete"), connection)

    async def called(self, path: str) -> CalledRow | None:
        """The connection whose address has this secret part."""
        row = await self._row(sql("webhook_called"), _hash(path))
        if row is None:
            return None
        opened = self._secrets.open(row["sealed"], _sealed_for(row["id"]))
        return CalledRow(row["id"], row["tenant"], row["connector"], opened["secret"])

    async def webhook_calls(self, connection: str) -> Sequence[CallsRow]:
        """What came in, per object."""
        rows = await self._fetch(sql("webhook_calls"), connection)
        return [CallsRow(**{name: row[name] for name in CallsRow.__struct_fields__}) for row in rows]

    async def count_call(self, connection: str, object_name: str, fate: Fate, trouble: str = "") -> None:
        """Note one call."""
        arguments = connection, clean(object_name), fate, self._clock.now(), clean(trouble)
        await self._execute(sql("webhook_count"), *arguments)


def _hash(path: str) -> bytes:
    return hashlib.sha256(path.encode("utf-8", "surrogatepass")).digest()


def _sealed_for(connection: str) -> str:
    return f"webhook {connection}"
