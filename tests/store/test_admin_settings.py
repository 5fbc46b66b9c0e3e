"""Admin queries about the rules of a link: versions, and what a change does to what is noted, in one transaction."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from actors.core import settings
from actors.core.errors import LeaseLost
from actors.core.settings import Changes
from actors.core.types import Held, Hint, Presence, Side, State
from actors.ports import Cursor, Settlement
from daemon.store.admin import Admin
from daemon.store.rows import Missing, Refused, VersionRow
from tests.store.pgworld import PgWorld
from tests.store.world import START, create, full, half, hint, leased, park

pytestmark = pytest.mark.anyio
NOTHING = Changes()


def version(number: int, **more: str) -> VersionRow:
    fields: dict[str, Any] = {
        "blueprint": f"b{number}",
        "settings": f"s{number}",
        "by": "token-1",
        "note": "",
        **more,
    }
    return VersionRow(version=number, at=START + number, **fields)


async def test_a_change_makes_a_version_and_keeps_the_first(world: PgWorld, admin: Admin) -> None:
    before = (await world.store.link("l1")) or pytest.fail("no link")
    assert (await admin.list_versions("l1", 9)).rows == ()
    mappings = {"customers": {"m1": {"name": "v1"}}}
    await admin.change_rules("l1", 1, version(2), mappings, NOTHING)
    row = await world.store.link("l1")
    assert row is not None and (row.blueprint, row.rev) == ("b2", before.rev + 1)
    assert row.settings == settings.dump(settings.Kept("s2", 2, mappings))
    listed = (await admin.list_versions("l1", 9)).rows
    assert [one.version for one in listed] == [2, 1]
    assert listed[0] == msgspec.structs.replace(version(2), chosen={})
    assert (listed[1].blueprint, listed[1].settings, listed[1].by) == (before.blueprint, "", "")
    first = await admin.list_versions("l1", 1)
    assert [one.version for one in (await admin.list_versions("l1", 1, first.next_page)).rows] == [1]
    assert await admin.get_version("l1", 2) == listed[0]
    with pytest.raises(Missing):
        await admin.get_version("l1", 3)


async def test_what_was_chosen_is_kept_with_each_version_and_outlives_a_change_of_the_rules(
    world: PgWorld, admin: Admin
) -> None:
    chosen = msgspec.structs.replace(version(2), chosen={"journal": "J1", "codes": {"high": "21"}})
    await admin.change_rules("l1", 1, chosen, {}, NOTHING)
    await admin.change_rules("l1", 2, version(3), {}, NOTHING)
    row = await world.store.link("l1")
    assert row is not None and settings.chosen(row.settings) == chosen.chosen
    assert settings.load(row.settings).version == 3
    kept = [one.chosen for one in (await admin.list_versions("l1", 9)).rows]
    assert kept == [chosen.chosen, chosen.chosen, {}]
    await admin.change_rules("l1", 3, msgspec.structs.replace(version(4), chosen={}), {}, NOTHING)
    row = await world.store.link("l1")
    assert row is not None and settings.chosen(row.settings) == {}


async def test_a_version_from_before_what_was_chosen_was_kept_says_so(world: PgWorld, admin: Admin) -> None:
    await admin.change_rules("l1", 1, version(2), {}, NOTHING)
    async with world.pool.acquire() as connection:
        await connection.execute("update link_versions set chosen = null where version = 1")
    assert [one.chosen for one in (await admin.list_versions("l1", 9)).rows] == [{}, None]


async def test_what_holds_when_it_is_replaced_is_kept_though_its_version_is_from_before_that(
    world: PgWorld, admin: Admin
) -> None:
    """Whoever goes back to it gets what it had, not what is chosen by then."""
    chosen = msgspec.structs.replace(version(2), chosen={"journal": "J1"})
    await admin.change_rules("l1", 1, chosen, {}, NOTHING)
    async with world.pool.acquire() as connection:
        await connection.execute("update link_versions set chosen = null")
    await admin.change_rules(
        "l1", 2, msgspec.structs.replace(version(3), chosen={"journal": "J2"}), {}, NOTHING
    )
    kept = [one.chosen for one in (await admin.list_versions("l1", 9)).rows]
    assert kept == [{"journal": "J2"}, {"journal": "J1"}, None]


async def test_of_two_who_change_the_same_version_one_is_refused(world: PgWorld, admin: Admin) -> None:
    await admin.change_rules("l1", 1, version(2), {}, NOTHING)
    with pytest.raises(Refused, match="version 2 by now"):
        await admin.change_rules("l1", 1, version(2, blueprint="other"), {}, NOTHING)
    row = await world.store.link("l1")
    assert row is not None and row.blueprint == "b2"
    with pytest.raises(Missing):
        await admin.change_rules("l9", 1, version(2), {}, NOTHING)


async def test_who_works_under_the_old_rules_commits_nothing_more(world: PgWorld, admin: Admin) -> None:
    lease = await leased(world)
    await admin.change_rules("l1", 1, version(2), {}, NOTHING)
    with pytest.raises(LeaseLost):
        await world.store.settle(lease, Settlement("r1", hints=(hint("A1"),)))
    again = await world.store.take_lease("l1", "w2", 15.0)
    assert again is not None and again.epoch > lease.epoch + 1  # nobody takes its memory over


async def test_redteam_17_what_a_changed_mapping_concerns_is_looked_at_again(
    world: PgWorld, admin: Admin
) -> None:
    store, lease = world.store, await leased(world)
    night = START + 9000
    waiting = [
        hint("A1", reason="scheduled", not_before=night),
        Hint("orders", "a", "O1", "scheduled", not_before=night),
    ]
    await store.add_hints("l1", [*waiting, Hint("gone", "b", "G1")])
    (key,) = await store.settle(lease, Settlement("r1", bindings=(half("a", "A1"),)))
    gone = msgspec.structs.replace(park(key, field="x"), stream="gone")
    await store.settle(lease, Settlement("r1", park=(park(key), gone)))
    for stream in ("customers", "orders", "gone"):
        action = msgspec.structs.replace(create(key), stream=stream)
        await store.hold(lease, "held", stream, "too many", [action])
    changes = Changes(reread=("orders",), gone=("gone",), retimed=("customers",))
    await admin.change_rules("l1", 1, version(2), {}, changes)
    due = await store.hints("l1", ["customers", "orders", "gone"], START, 9)
    assert [(one.stream, one.side, one.id) for one in due] == [
        ("customers", "a", "A1"),
        ("orders", "a", ""),
        ("orders", "b", ""),
    ]
    assert [row.row.stream for row in (await admin.list_parked("l1", "", "", 9)).rows] == ["customers"]
    states = {plan.row.stream: plan.row.state for plan in (await admin.list_plans("l1", "", "", 9)).rows}
    assert states == {"customers": "open", "orders": "superseded", "gone": "superseded"}
    await admin.delete_link("l1")
    assert (await admin.list_versions("l1", 9)).rows == ()


async def test_a_stream_that_comes_back_is_read_completely_and_a_new_one_is_loaded(
    world: PgWorld, admin: Admin
) -> None:
    store, lease = world.store, await leased(world)
    await store.settle(lease, Settlement("r1", cursors=(Cursor("back", "a", completed=START),)))
    await admin.change_rules("l1", 1, version(2), {}, Changes(added=("back", "new")))
    due = await store.hints("l1", ["back", "new"], START + 9, 9)
    assert [(one.stream, one.side, one.id) for one in due] == [("back", "a", ""), ("back", "b", "")]


@pytest.mark.parametrize("changes", [Changes(reread=("customers",)), Changes(added=("customers",))])
@pytest.mark.parametrize("gone", ["a", "b"])
async def test_what_was_found_deleted_and_waits_for_a_yes_is_looked_at_again_under_other_rules(
    world: PgWorld, admin: Admin, gone: Side, changes: Changes
) -> None:
    """Its plan gives way, and no look finds anything new: the other record stayed for good, and nothing said why."""
    lease = await leased(world)
    pairs = [full(f"A{number}", f"B{number}") for number in range(3)]
    waits, done = (
        one.with_side(gone, Held(f"{gone.upper()}{number}", presence=Presence.DELETED))
        for number, one in enumerate(pairs[1:], 1)
    )
    rows = (pairs[0], waits, msgspec.structs.replace(done, state=State.TOMBSTONE))
    await world.store.settle(lease, Settlement("r1", bindings=rows))
    await admin.change_rules("l1", 1, version(2), {}, changes)
    due = {(one.side, one.id) for one in await world.store.hints("l1", ["customers"], START, 9) if one.id}
    assert due == {("b", "B1") if gone == "a" else ("a", "A1")}
