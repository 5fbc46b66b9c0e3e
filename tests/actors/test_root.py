"""What the RootActor promises (docs/ACTORS.md): due links are woken, slow accounts delay their own, all comes to rest."""

from __future__ import annotations

from typing import Any

import anyio
import msgspec

from actors.core.errors import Kind, Scope, TandemError
from actors.core.types import ActionState
from actors.ports import Find
from actors.root import FORGET_EVERY_S, RootActor
from actors.state import REMEMBERED_S
from tests.actors.rig import Rig, customers, takes, until
from tests.sim import loop
from tests.sim.capacity import capacity_1


def test_a_lost_poke_costs_one_scan_never_work() -> None:
    async def main() -> float:
        rig = Rig()
        async with rig.daemon(scan_interval_s=1.0):
            began = anyio.current_time()
            rig.create("a", "Ada")
            await until(lambda: rig.names("b") == ["Ada"])
            return anyio.current_time() - began

    assert loop.run(main) < 3


def test_a_link_that_becomes_due_is_found_without_any_poke() -> None:
    async def main() -> Any:
        rig = Rig()
        rig.store.set_wish("l", "paused")
        async with rig.daemon():
            await anyio.sleep(30)
            before = rig.link().row.epoch
            rig.store.set_wish("l", "run")
            return before, await until(lambda: rig.link().row.owner == "d1") - 30

    before, took_s = loop.run(main)
    assert before == 0
    assert took_s < 2


def test_a_slow_connection_delays_only_its_own_links() -> None:
    async def main() -> Any:
        links = {"slow": ("a", "b"), "fast": ("c", "d")}
        rig = Rig(systems=("a", "b", "c", "d"), links=links)
        rig.on["b", "*"] = takes(9)
        rig.create("a", "Ada")
        rig.create("c", "Carl")
        async with rig.daemon():
            fast = await until(lambda: rig.names("d") == ["Carl"])
            slow = await until(lambda: rig.names("b") == ["Ada"], timeout_s=600)
        return fast, slow

    fast, slow = loop.run(main)
    assert fast < 3
    assert slow > 15


def test_redteam_36_capacity_one_everywhere_does_not_deadlock() -> None:
    """One request at a time per account, one record per window, links that use the same accounts crosswise."""

    async def main() -> Any:
        rig = Rig(
            customers(),
            customers(name="articles", a_object="articles", b_object="articles"),
            links={"there": ("a", "b"), "back": ("b", "a")},
            streams_of={"there": ("customers",), "back": ("articles",)},
            concurrency=1,
            batch_max=1,
            rate_per_s=50.0,
        )
        for system in ("a", "b"):
            rig.on[system, "*"] = takes(0.2)
        for number in range(4):
            rig.create("a", f"c{number}")
            rig.create("b", f"i{number}", object_name="articles")
        async with rig.daemon(window=1):
            await until(lambda: len(rig.names("b")) == len(rig.rows("a", "articles")) == 4, timeout_s=900)
            await anyio.sleep(60)
        return len(rig.names("a")), len(rig.rows("b", "articles"))

    assert loop.run(main) == (4, 4)


def test_who_finds_a_mailbox_full_asks_again_in_a_moment() -> None:
    """Seed 310685: looks that go out at once, of which one has a place; the run failed, and so did each one after it."""

    async def main() -> Any:
        rig = Rig()
        answers: list[str] = []

        async def ask(root: RootActor) -> None:
            answers.extend(info.name for info in await root.call("a", "describe"))

        async with rig.daemon() as root, anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(ask, root)
        return answers

    with capacity_1():
        assert loop.run(main) == ["customers"] * 4


def test_drain_brings_links_to_rest_at_once_where_nothing_is_under_way() -> None:
    async def main() -> Any:
        rig = Rig()
        async with rig.daemon() as root:
            await until(lambda: rig.said("run.ended"))
            left = await root.drain(30.0)
            await anyio.sleep(2)
            rig.create("a", "Ada")
            root.wake("l")
            await anyio.sleep(60)
        return left, rig.link().row.owner, rig.names("b")

    assert loop.run(main) == (0, "", [])


def test_drain_lets_a_run_come_to_a_safe_point_within_its_time() -> None:
    async def main() -> Any:
        rig = Rig()
        rig.on["b", "write"] = takes(5)
        rig.create("a", "Ada")
        async with rig.daemon() as root:
            await until(lambda: rig.asked("b", "write"))
            left = await root.drain(30.0)
        return left, [action.state for action in rig.actions()]

    assert loop.run(main) == (0, [ActionState.CONFIRMED])


def test_drain_counts_the_runs_that_did_not_come_to_rest() -> None:
    async def main() -> int:
        rig = Rig()
        rig.on["b", "write"] = takes(9)
        rig.create("a", "Ada")
        async with rig.daemon() as root:
            await until(lambda: rig.asked("b", "write"))
            return await root.drain(3.0)

    assert loop.run(main) == 1


def test_changed_settings_are_used_from_the_next_request_on() -> None:
    async def main() -> Any:
        rig = Rig()
        async with rig.daemon() as root:
            await root.call("a", "check")
            await root.forget_connection("a")
            closed = len(rig.asked("a", "aclose"))
            await root.call("a", "check")
        return closed, len(rig.asked("a", "identity"))

    assert loop.run(main) == (1, 2)


def test_a_store_that_is_away_stops_no_scan_for_good() -> None:
    async def main() -> Any:
        rig = Rig()

        async def away(name: str) -> None:
            raise TandemError(Kind.TRANSIENT, "the store is away", scope=Scope.LINK)

        rig.store.step = away
        async with rig.daemon() as root:
            await anyio.sleep(10)
            told = len(rig.said("root.store_away"))
            rig.store.step = None
            await until(lambda: rig.link().row.owner == "d1")
            return told, root.scanned_at

    told, scanned_at = loop.run(main)
    assert told >= 10
    assert scanned_at >= 10


def test_every_actor_is_visible() -> None:
    async def main() -> Any:
        rig = Rig()
        async with rig.daemon() as root:
            await until(lambda: rig.said("run.ended"))
            return sorted((state["name"], state["kind"], state["state"]) for state in root.states())

    states = loop.run(main)
    assert [name for name, _, _ in states] == ["connection/a", "connection/b", "link/l", "root"]
    assert {kind for _, kind, _ in states} == {"connection", "link", "root"}


def test_a_call_for_a_person_goes_through_the_connection() -> None:
    async def main() -> Any:
        rig = Rig()
        async with rig.daemon() as root:
            objects = await root.call("a", "describe")
            declared = await root.declaration("a")
            return [info.name for info in objects], declared.name, await root.cancel("l", "no such run")

    assert loop.run(main) == (["customers"], "memory", False)


def test_a_link_at_rest_forgets_its_writes_after_an_hour_and_works_on() -> None:
    async def main() -> Any:
        rig = Rig()
        async with rig.daemon() as root:
            rig.create("a", "Ada")
            await until(lambda: rig.names("b") == ["Ada"])
            rig.store.set_wish("l", "paused")
            await until(lambda: "l" in root._memories)
            memory, _ = root._memories["l"]
            just_now = len(memory)
            await anyio.sleep(REMEMBERED_S + 2 * FORGET_EVERY_S)
            later = len(memory)
            rig.store.set_wish("l", "run")
            rig.create("a", "Bob")
            await until(lambda: sorted(rig.names("b")) == ["Ada", "Bob"])
            return just_now, later

    just_now, later = loop.run(main)
    assert just_now == 1
    assert later == 0


def test_hundreds_of_links_of_one_account_that_are_woken_at_once_come_to_rest() -> None:
    """Each look asked who else uses the account: with ten thousand links on it, 500 were not at rest after five minutes."""
    links = {f"l{number:03}": ("a", "b") for number in range(300)}
    told: list[str] = []

    async def main() -> Any:
        rig = Rig(links=links, find=(Find.FEED,), poll_s=3600.0)
        async with rig.daemon() as root:
            await until(lambda: len(root._memories) == len(links), timeout_s=300)
            rig.store.step = noted
            for state in rig.store.links.values():
                state.row = msgspec.structs.replace(state.row, next_due=0.0)
            await until(lambda: len(root.running()) > 0)
            await until(lambda: all(not one.row.owner for one in rig.store.links.values()), timeout_s=300)
            return [state.row.facts["failures"] for state in rig.store.links.values()]

    async def noted(name: str) -> None:
        told.append(name)

    assert set(loop.run(main)) == {0}
    assert told.count("turn") >= len(links)
    assert told.count("links_of") <= 10
