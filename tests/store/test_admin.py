"""What the API asks of the store, against a real PostgreSQL: refusals, pages, requests, decisions, figures."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable

import anyio
import pytest

from actors.core.errors import LeaseLost
from actors.core.types import ActionState, Outcome, Room, Side
from actors.ports import Closed, Counters, Cursor, RunRow, Settlement
from daemon.secrets import SecretBox
from daemon.store.admin import Admin
from daemon.store.pg import PgStore
from daemon.store.rows import Listing, Missing, Refused, Stamp, T, Taken
from tests.store.pgworld import PgWorld
from tests.store.world import CREATED, START, create, full, half, hint, leased, line, park

pytestmark = pytest.mark.anyio


async def pages(fetch: Callable[[str], Awaitable[Listing[T]]]) -> list[list[T]]:
    """Every page of a list."""
    found, token = [], ""
    while True:
        page = await fetch(token)
        found.append(list(page.rows))
        token = page.next_page
        if not token:
            return found


class TestTenantsAndConnections:
    async def test_tenants(self, admin: Admin) -> None:
        for name in ("t2", "t3"):
            await admin.create_tenant(name, name.upper())
        found = await pages(lambda page: admin.list_tenants(2, page))
        assert [[row.id for row in page] for page in found] == [["t1", "t2"], ["t3"]]
        for id_, name in (("t2", "other"), ("t4", "T2")):
            with pytest.raises(Taken):
                await admin.create_tenant(id_, name)

    async def test_secrets_are_sealed_and_shown_to_the_engine_alone(
        self, world: PgWorld, admin: Admin
    ) -> None:
        made = await admin.create_connection("t1", "shop", "webcrm", {"url": "u"}, {"password": "hunter2"})
        assert made.settings == {"url": "u"}
        row = await world.pool.fetchrow(
            "select connections::text as all, sealed from connections where id = $1", made.id
        )
        assert row is not None
        assert "hunter2" not in row["all"]
        assert b"hunter2" not in row["sealed"]
        opened = await world.store.connection(made.id)
        assert opened is not None
        assert opened.settings == {"url": "u", "password": "hunter2"}

    async def test_only_the_secrets_named_change(self, world: PgWorld, admin: Admin) -> None:
        made = await admin.create_connection(
            "t1", "shop", "webcrm", {"url": "u"}, {"password": "p", "token": "t"}
        )
        updated = await admin.update_connection(made.id, {"url": "v"}, {"token": "t2"})
        assert (updated.settings, updated.rev) == ({"url": "v"}, made.rev + 1)
        opened = await world.store.connection(made.id)
        assert opened is not None
        assert opened.settings == {"url": "v", "password": "p", "token": "t2"}
        await admin.update_connection(made.id, {"url": "v"}, {"token": None})
        opened = await world.store.connection(made.id)
        assert opened is not None
        assert opened.settings == {"url": "v", "password": "p"}, "one that is taken away is sealed no more"

    async def test_a_lost_key_is_recovered_from_by_entering_all_secrets(
        self, world: PgWorld, admin: Admin
    ) -> None:
        made = await admin.create_connection("t1", "shop", "webcrm", {}, {"password": "p"})
        other_key = SecretBox(bytes(32))
        store, later = PgStore(world.pool, world.clock, other_key), Admin(world.pool, world.clock, other_key)
        for attempt in (store.connection(made.id), later.update_connection(made.id, {}, {"password": "q"})):
            with pytest.raises(Exception, match="sealed with key"):
                await attempt
        await later.update_connection(made.id, {}, {"password": "q", "token": None}, anew=True)
        opened = await store.connection(made.id)
        assert opened is not None
        assert opened.settings == {"password": "q"}

    async def test_names_are_taken_once_per_tenant(self, admin: Admin) -> None:
        await admin.create_tenant("t2", "Two")
        with pytest.raises(Taken, match="erp"):
            await admin.create_connection("t1", "erp", "webcrm", {}, {})
        other = await admin.create_connection("t2", "erp", "webcrm", {}, {})
        assert (await admin.get_connection("erp", "t2")).id == other.id
        assert (await admin.get_connection("erp", "t1")).id == "c1"
        with pytest.raises(Missing):
            await admin.get_connection("erp")
        with pytest.raises(Missing, match="tenant t9"):
            await admin.create_connection("t9", "erp", "webcrm", {}, {})

    async def test_connections_in_pages(self, admin: Admin) -> None:
        await admin.create_tenant("t0", "Zero")
        await admin.create_connection("t0", "zebra", "webcrm", {}, {})
        every = await pages(lambda page: admin.list_connections("", 2, page))
        assert [[row.name for row in page] for page in every] == [["zebra", "crm"], ["erp"]]
        assert [row.name for row in (await admin.list_connections("t1", 9)).rows] == ["crm", "erp"]
        with pytest.raises(Refused, match="page token"):
            await admin.list_connections("", 2, "nonsense")

    async def test_a_connection_in_use_stays(self, admin: Admin) -> None:
        with pytest.raises(Refused, match="connection erp is used by link second, shop"):
            await admin.delete_connection("c1")
        for link in ("l1", "l2"):
            await admin.delete_link(link)
        await admin.set_connection_health("c1", {"state": "ok"})
        assert (await admin.get_connection("c1")).health == {"state": "ok"}
        await admin.delete_connection("c1")
        with pytest.raises(Missing):
            await admin.delete_connection("c1")


class TestLinks:
    async def test_one_account_is_not_linked_with_itself(self, world: PgWorld, admin: Admin) -> None:
        twin = await admin.create_connection("t1", "crm again", "webcrm", {}, {}, identity="crm-7")
        for b in ("c2", twin.id):
            with pytest.raises(Refused, match="the same account"):
                await admin.create_link("t1", "loop", "c2", b, "")
        await admin.create_tenant("t2", "Two")
        with pytest.raises(Missing):
            await admin.create_link("t2", "stolen", "c1", "c2", "")
        with pytest.raises(Taken, match="shop"):
            await admin.create_link("t1", "shop", "c1", "c2", "")

    async def test_wish_and_poke(self, world: PgWorld, admin: Admin) -> None:
        lease = await leased(world)
        await world.store.set_facts(lease, {"loaded": ["customers"]}, START + 1e6)
        paused = await admin.set_wish("l1", "paused")
        assert (paused.row.facts, paused.row.rev) == (
            *({"loaded": ["customers"], "wish": "paused", "establishment": "established"}, 1),
        )
        assert paused.row.next_due == 0.0
        await world.store.set_facts(lease, {}, START + 1e6)
        await admin.poke_link("l1")
        assert (await admin.get_link("shop", "t1")).row.next_due == 0.0
        with pytest.raises(Missing):
            await admin.set_wish("nobody", "run")

    async def test_links_in_pages(self, admin: Admin) -> None:
        made = await admin.create_link("t1", "another", "c1", "c2", "x", wish="paused", facts={"loaded": []})
        assert made.row.facts == {"loaded": [], "wish": "paused", "establishment": "established"}
        found = await pages(lambda page: admin.list_links("t1", 2, page))
        assert [[link.row.name for link in page] for page in found] == [["another", "second"], ["shop"]]

    async def test_a_deleted_link_leaves_nothing_and_its_owner_stops(
        self, world: PgWorld, admin: Admin
    ) -> None:
        lease = await leased(world)
        await world.store.begin_run(lease, RunRow("r1", "l1", started=START))
        (key,) = await world.store.settle(
            lease, Settlement("r1", bindings=(half("a", "A1"),), hints=(hint("A1"),))
        )
        more = Settlement("r1", park=(park(key),), spend={CREATED: 1}, cursors=(Cursor("customers", "a"),),
                          counters=(Counters("customers", "b", created=1),), items=(line(key),))  # fmt: skip
        await world.store.settle(lease, more)
        await world.store.hold(lease, "held", "customers", "r", [create(key, fingerprint="f")])
        await admin.delete_link("l1")
        for table in ("cursors", "bindings", "inbox", "actions", "runs", "plans", "parked", "budget_use", "run_counters",
                      "plan_actions"):  # fmt: skip
            assert await world.pool.fetchval(f"select count(*) from {table}") == 0, table
        with pytest.raises(LeaseLost):
            await world.store.settle(lease, Settlement("r1"))
        with pytest.raises(Missing):
            await admin.delete_link("l1")
        assert await world.store.link("l2") is not None


class TestRuns:
    async def test_a_second_request_joins_the_first_of_its_mode(self, world: PgWorld, admin: Admin) -> None:
        first, joined = await admin.request_run("l1", "sync", ["customers"], "command")
        assert (joined, first.row.outcome, first.row.started) == (False, Outcome.RUNNING, 0.0)
        dry, joined = await admin.request_run("l1", "plan", [], "command")
        assert (joined, dry.row.id == first.row.id) == (False, False)
        wider, joined = await admin.request_run("l1", "sync", ["articles"], "command")
        assert (joined, wider.row.id, wider.row.scope) == (True, first.row.id, ("articles", "customers"))
        everything, _ = await admin.request_run("l1", "sync", [], "command")
        assert everything.row.scope == ()
        assert (await admin.request_run("l2", "sync", [], "command"))[1] is False
        await world.store.begin_run(
            await leased(world), RunRow(first.row.id, "l1", scope=("a",), started=START)
        )
        running, joined = await admin.request_run("l1", "sync", ["b"], "command")
        assert (joined, running.row.id, running.row.scope) == (True, first.row.id, ("a",))
        with pytest.raises(Missing):
            await admin.request_run("nobody", "sync", [], "command")

    async def test_where_something_waits_for_its_schedule_a_run_that_nobody_asked_for_will_not_do(
        self, world: PgWorld, admin: Admin
    ) -> None:
        lease = await leased(world)
        await world.store.begin_run(lease, RunRow("polled", "l1", cause="poll", started=START))
        assert (await admin.request_run("l1", "sync", [], "command"))[0].row.id == "polled"
        asked, joined = await admin.request_run("l1", "sync", [], "command", commanded=True)
        assert (joined, asked.row.started) == (False, 0.0)
        again, joined = await admin.request_run("l1", "sync", [], "command", commanded=True)
        assert (joined, again.row.id) == (True, asked.row.id)

    async def test_a_yes_to_an_undo_is_not_answered_by_a_run_whose_owner_may_be_dead(
        self, world: PgWorld, admin: Admin
    ) -> None:
        """One that waits covers it; one that has begun may never end: its daemon was killed."""

        async def approved() -> tuple[str, bool]:
            found, joined = await admin.request_run("l1", "apply", [], "approval", "plan-1", commanded=True)
            return found.row.id, joined

        first, _ = await approved()
        assert await approved() == (first, True)
        begun = RunRow(first, "l1", mode="apply", cause="approval", subject="plan-1", started=START)
        await world.store.begin_run(await leased(world), begun)
        second, joined = await approved()
        assert (second != first, joined) == (True, False)

    async def test_of_many_requests_at_once_one_run_comes(self, admin: Admin) -> None:
        found = []

        async def ask() -> None:
            found.append(await admin.request_run("l1", "sync", [], "command"))

        async with anyio.create_task_group() as group:
            for _ in range(6):
                group.start_soon(ask)
        assert len({info.row.id for info, _ in found}) == 1
        assert [joined for _, joined in found].count(False) == 1

    async def test_runs_with_counters_newest_first(self, world: PgWorld, admin: Admin) -> None:
        lease = await leased(world)
        for number in range(3):
            await world.store.begin_run(lease, RunRow(f"r{number}", "l1", started=START + number))
        counters = (Counters("customers", "a", unchanged=4), Counters("customers", "b", created=2))
        await world.store.settle(lease, Settlement("r1", counters=counters))
        found = await pages(lambda page: admin.list_runs("l1", "", 2, page))
        assert [[run.row.id for run in page] for page in found] == [["r2", "r1"], ["r0"]]
        assert found[0][1].row.counters == counters
        assert (found[0][1].tenant, found[0][1].row.error) == ("t1", "interrupted")
        assert (await admin.list_runs("", "t1", 9)).rows[0].row.id == "r2"
        assert (await admin.list_runs("", "t2", 9)).rows == ()
        ended = await admin.cancel_run("r0")
        assert (ended.row.outcome, ended.cancel) == (Outcome.FAILED, False)

    async def test_items_of_a_run(self, world: PgWorld, admin: Admin) -> None:
        lease = await leased(world)
        first, second = await world.store.intend(lease, "r1", [create(1), create(2)])
        world.clock.advance(5)
        work = Settlement("r1", closed=(Closed(first, ActionState.REFUSED, error="no"),), items=(line(3),))
        await world.store.settle(lease, work)
        found = [
            row for page in await pages(lambda page: admin.list_items("r1", "", 2, page)) for row in page
        ]
        assert [(row.action.binding, row.action.state, row.closed) for row in found] == [
            (1, ActionState.REFUSED, START + 5),
            (2, ActionState.SENT, 0.0),
            (3, ActionState.CONFIRMED, START + 5),
        ]
        sent = await admin.list_items("r1", "sent", 9)
        assert [row.action.id for row in sent.rows] == [second]
        assert (sent.rows[0].link, sent.rows[0].run, sent.rows[0].created) == ("l1", "r1", START)


class TestPlans:
    async def test_a_plan_is_seen_and_decided_on_once(self, world: PgWorld, admin: Admin) -> None:
        lease = await leased(world)
        keys = await world.store.settle(
            lease, Settlement("r1", bindings=(half("a", "A1"), half("b", "B2"), full("A3", "B3")))
        )
        sides: tuple[Side, ...] = ("b", "a", "a")
        actions = [create(key, side, fingerprint=f"f{key}") for key, side in zip(keys, sides, strict=True)]
        plan = await world.store.hold(lease, "held", "customers", "too many", actions)
        other = await world.store.hold(lease, "requested", "customers", "dry run", actions[:1])
        found = await pages(lambda page: admin.list_plans("l1", "", "", 1, page))
        assert [[info.row.id for info in page] for page in found] == [[other], [plan]]
        shown = await pages(lambda page: admin.list_plan_actions(plan, 2, page))
        assert [[action.binding for action in page] for page in shown] == [keys[:2], keys[2:]]
        for rev in (0, 2):
            with pytest.raises(Refused, match=f"no revision {rev}"):
                await admin.approve_plan(plan, rev)
        approved = await admin.approve_plan(plan, 1)
        assert (approved.row.state, approved.row.approved_rev, approved.tenant) == ("approved", 1, "t1")
        due = await world.store.hints("l1", ["customers"], world.clock.now(), 9)
        assert [(row.side, row.id, row.reason) for row in due] == [
            ("a", "A1", "approved"),
            ("b", "B2", "approved"),
            ("b", "B3", "approved"),
        ]
        assert (await admin.reject_plan(plan)).row.state == "rejected"
        for decide in (admin.approve_plan(plan, 1), admin.reject_plan(plan)):
            with pytest.raises(Refused, match="rejected already"):
                await decide
        assert [info.row.id for info in (await admin.list_plans("", "t1", "open", 9)).rows] == [other]
        with pytest.raises(Missing):
            await admin.get_plan("nobody")


class TestRoomsAndRecords:
    async def test_rooms_in_pages(self, world: PgWorld, admin: Admin) -> None:
        rows = [park(n, Room.CONFLICT if n % 2 else Room.WAITING) for n in range(1, 6)]
        await world.store.settle(await leased(world), Settlement("r1", park=tuple(rows)))
        found = await pages(lambda page: admin.list_parked("l1", "", "conflict", 2, page))
        assert [[info.row.binding for info in page] for page in found] == [[1, 3], [5]]
        assert len((await admin.list_parked("", "t1", "", 9)).rows) == 5
        assert (await admin.list_parked("l2", "", "", 9)).rows == ()

    async def test_a_decision_is_bound_to_what_was_seen(self, world: PgWorld, admin: Admin) -> None:
        lease = await leased(world)
        (key,) = await world.store.settle(lease, Settlement("r1", bindings=(full("A1", "B1"),)))
        await world.store.settle(lease, Settlement("r1", park=(park(key, Room.CONFLICT, "phone"),)))
        (seen,) = (await admin.list_parked("l1", "", "", 9)).rows
        await world.store.settle(lease, Settlement("r1", park=(park(key, Room.CONFLICT, "phone", "f2"),)))
        with pytest.raises(Refused, match="has changed meanwhile"):
            await admin.decide(seen.row.id, seen.row.fingerprint, {"choose": "a"}, "ann")
        assert await world.store.next_hint("l1") is None
        decided = await admin.decide(seen.row.id, "f2", {"choose": "value", "value": None}, "ann")
        assert (decided.row.decision, decided.by, decided.at) == (
            {"choose": "value", "value": None},
            "ann",
            START,
        )
        assert await world.store.due_links(START, 1) == ["l2"]
        assert [row.reason for row in await world.store.hints("l1", ["customers"], START, 9)] == ["decided"]
        with pytest.raises(Missing):
            await admin.decide(10**12, "f2", {}, "ann")

    async def test_a_record_with_all_that_is_known_of_it(self, world: PgWorld, admin: Admin) -> None:
        lease = await leased(world)
        (key,) = await world.store.settle(lease, Settlement("r1", bindings=(full("A1", "B1"),)))
        await world.store.settle(
            lease, Settlement("r1", park=(park(key),), items=tuple(line(key) for _ in range(5)))
        )
        found = await admin.find_binding("l1", "customers", "b", "B1", actions=2)
        assert (found.binding.key, [row.binding for row in found.parked]) == (key, [key])
        assert [row.action.id for row in found.actions] == sorted(
            (row.action.id for row in found.actions), reverse=True
        )
        assert len(found.actions) == 2
        with pytest.raises(Missing, match="customers a:B1"):
            await admin.find_binding("l1", "customers", "a", "B1")


class TestSystem:
    async def test_tokens(self, world: PgWorld, admin: Admin) -> None:
        secret, other = (hashlib.sha256(text).digest() for text in (b"one", b"two"))
        token = await admin.create_token("t1", "ci", "operator", secret, START + 3600)
        everywhere = await admin.create_token("", "root", "admin", other)
        assert await admin.verify_token(secret) == token
        found = await admin.verify_token(other)
        assert found is not None
        assert (found.tenant, found.id) == ("", everywhere.id)
        assert await admin.verify_token(b"unknown") is None
        assert [row.last_used for row in (await admin.list_tokens(9)).rows] == [START, START]
        world.clock.advance(3601)
        assert await admin.verify_token(secret) is None
        assert (await admin.revoke_token(everywhere.id)).revoked == START + 3601
        assert await admin.verify_token(other) is None
        with pytest.raises(Missing):
            await admin.revoke_token("nobody")
        with pytest.raises(Taken):
            await admin.create_token("", "again", "admin", secret)
        assert len(await pages(lambda page: admin.list_tokens(1, page))) == 2

    async def test_audit_newest_first(self, admin: Admin) -> None:
        for number in range(3):
            await admin.add_audit(
                "ann\u0000", "approve", f"plan-{number}", tenant="t1", detail={"rev": number}
            )
        await admin.add_audit("root", "create", "t2")
        found = await pages(lambda page: admin.list_audit("t1", 2, page))
        assert [[row.detail["rev"] for row in page] for page in found] == [[2, 1], [0]]
        assert (await admin.list_audit("", 1)).rows[0].target == "t2"

    async def test_figures(self, world: PgWorld, admin: Admin) -> None:
        lease = await leased(world)
        await world.store.begin_run(lease, RunRow("r1", "l1", started=START))
        await world.store.intend(lease, "r1", [create(1), create(2)])
        await world.store.add_hints("l1", [hint("A1")])
        world.clock.advance(60)
        await world.store.add_hints("l1", [hint("A1"), hint("A2")])
        cursor = Cursor("customers", "a", looked=START, completed=START - 5)
        work = Settlement(
            "r1", park=(park(1), park(2)), cursors=(cursor,), items=(line(3, ActionState.UNKNOWN),)
        )
        await world.store.settle(lease, work)
        busy, idle = await admin.stats()
        assert (busy.link, busy.tenant, busy.wish, busy.owner, busy.running) == (
            "l1",
            "t1",
            "run",
            "w1",
            "r1",
        )
        assert 0 < busy.lease_left_s <= 86400
        assert (busy.open_actions, busy.unknown_actions) == (2, 1)
        assert START <= busy.open_oldest <= START + 60 and not idle.open_oldest
        assert (busy.inbox, busy.inbox_oldest) == (2, START)
        assert [(room.room, room.count, room.oldest) for room in busy.rooms] == [
            ("quarantine", 2, START + 60)
        ]
        assert [(look.side, look.looked, look.completed) for look in busy.looks] == [("a", START, START - 5)]
        assert (idle.link, idle.owner, idle.lease_left_s, idle.running, idle.inbox) == ("l2", "", 0.0, "", 0)
        assert await admin.stats("l2") == [idle]
        await world.expire("l1")
        assert (await admin.stats("l1"))[0].owner == ""
        assert await admin.count_settled("l1") == 0

    async def test_what_waits_for_its_schedule_is_counted_apart_and_is_not_late(
        self, world: PgWorld, admin: Admin
    ) -> None:
        lease = await leased(world)
        night = START + 9000
        waiting = [
            hint("A1", reason="scheduled", not_before=night),
            hint("A2", reason="scheduled", not_before=night),
        ]
        await world.store.add_hints("l1", waiting)
        world.clock.advance(60)
        await world.store.add_hints("l1", [hint("B1", "b")])
        cursor = Cursor("customers", "b", delivered=START - 86_400)
        await world.store.settle(lease, Settlement("r1", bindings=(half("a", "A7"),), cursors=(cursor,)))
        stats = (await admin.stats("l1"))[0]
        assert (stats.inbox, stats.inbox_oldest) == (3, START + 60)
        assert [(one.side, one.count, one.oldest) for one in stats.scheduled] == [("b", 2, START)]
        assert stats.looks[0].delivered == START - 86_400
        assert await admin.count_new("l1") == {("customers", "b"): 1}
        world.clock.advance(9000)
        stats = (await admin.stats("l1"))[0]
        assert stats.inbox_oldest == START and not stats.scheduled  # due by now: late if it stays

    async def test_leases_of_the_dead_are_freed_and_their_late_commits_refused(
        self, world: PgWorld, admin: Admin
    ) -> None:
        dead = await leased(world)
        assert await admin.free_leases() == 1
        with pytest.raises(LeaseLost):
            await world.store.renew_lease(dead, 15.0)
        taken = await world.store.take_lease(dead.link, "next", 15.0)
        assert taken is not None
        assert taken.epoch == dead.epoch + 1

    async def test_the_stamp_knows_its_database(self, admin: Admin) -> None:
        fresh = await admin.stamp()
        assert fresh == Stamp(fresh.system_identifier, fresh.timeline)
        assert (int(fresh.system_identifier) > 0, fresh.timeline >= 1) == (True, True)
        counted = [await admin.advance_stamp(least) for least in (0, 0, 7)]
        assert [one.counter for one in counted] == [1, 2, 8]
        noted = await admin.stamp()
        assert (noted.known_system_identifier, noted.known_timeline, noted.counter) == (
            fresh.system_identifier,
            fresh.timeline,
            8,
        )
        assert counted[-1] == noted
