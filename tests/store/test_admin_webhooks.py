"""Admin queries about webhooks: an address is found by its secret part alone, and calls are counted per object."""

from __future__ import annotations

import pytest

from daemon.store.admin import Admin
from daemon.store.rows import CalledRow, CallsRow, Missing
from tests.store.pgworld import PgWorld
from tests.store.world import START

pytestmark = pytest.mark.anyio


async def test_an_address_is_found_by_its_secret_part(world: PgWorld, admin: Admin) -> None:
    with pytest.raises(Missing):
        await admin.get_webhook("c1")
    made = await admin.put_webhook("c1", "path-1", "secret-1")
    assert (made.path, made.secret, made.created, made.rotated) == ("path-1", "secret-1", START, START)
    found = await admin.called("path-1")
    assert found == CalledRow("c1", "t1", (await admin.get_connection("c1")).connector, "secret-1")
    assert await admin.called("path-2") is None and await admin.called("\udcff\0") is None
    world.clock.advance(60)
    again = await admin.put_webhook("c1", "path-2", "secret-2")
    assert (again.created, again.rotated) == (START, START + 60)
    assert await admin.called("path-1") is None
    rows = await world.pool.fetch("select * from webhooks")
    assert not any(word in str(dict(rows[0])) for word in ("path-2", "secret-2"))


async def test_calls_are_counted_per_object_with_the_last_trouble(world: PgWorld, admin: Admin) -> None:
    await admin.put_webhook("c1", "path-1", "secret-1")
    await admin.count_call("c1", "customers", "accepted")
    world.clock.advance(10)
    await admin.count_call("c1", "customers", "refused", "no genuine token")
    world.clock.advance(10)
    await admin.count_call("c1", "customers", "ignored")
    await admin.count_call("c1", "", "refused", "bad\0 words")
    every, customers = await admin.webhook_calls("c1")
    assert customers == CallsRow("customers", 1, 1, 1, START + 20, START, "no genuine token")
    assert (every.object, every.refused, every.last_accepted) == ("", 1, 0.0)
    await admin.delete_webhook("c1")
    assert await admin.webhook_calls("c1") == [] and await admin.called("path-1") is None


async def test_a_connection_takes_its_webhook_along(world: PgWorld, admin: Admin) -> None:
    made = await admin.create_connection("t1", "third", "csv", {}, {})
    await admin.put_webhook(made.id, "path-3", "s")
    await admin.count_call(made.id, "", "accepted")
    await admin.delete_connection(made.id)
    assert await admin.called("path-3") is None
    assert await world.pool.fetchval("select count(*) from webhook_calls") == 0
