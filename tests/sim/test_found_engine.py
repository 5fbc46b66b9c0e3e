"""Holes that a reading of the engine found, each as a scenario on whole daemons."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import msgspec

from actors.core.errors import Kind, Scope, TandemError
from actors.core.policy import Budget, DeletePolicy
from actors.core.types import Hint
from actors.messages import Options
from actors.ports import Find, RunRow
from actors.root import RootActor
from tests.actors.rig import CUSTOMERS, Rig, customers, fails, loaded, on, until
from tests.sim import loop


def _phones(rig: Rig, side: str) -> list[Any]:
    return sorted(row["phone"] for row in rig.rows(side).values())


def test_what_was_held_until_the_totals_are_known_survives_an_interrupted_look() -> None:
    """Page 1 of 2 is held (free allowance 0), page 2 fails once: the held ones are within the budget and must go."""

    async def body(rig: Rig, root: RootActor) -> Any:
        ids = [rig.create("a", f"n{number}") for number in range(6)]
        await until(lambda: loaded(rig) and len(rig.names("b")) == 6 and not rig.link().inbox)
        await anyio.sleep(20)
        calls = {"changes": 0}

        async def second_fails() -> None:
            calls["changes"] += 1
            if calls["changes"] == 2:
                raise TandemError(Kind.TRANSIENT, "a moment", scope=Scope.STREAM)

        rig.on["a", "changes"] = second_fails
        for id in ids:
            rig.edit("a", id, phone="9")
        await anyio.sleep(600)
        return _phones(rig, "b"), [plan.state for plan in rig.link().plans.values()]

    spec = customers(budgets={"overwrites": Budget(100, 100.0, free=0)})
    phones, _ = on(lambda: Rig(spec, find=(Find.MODIFIED,), poll_s=10.0), body, window=3)
    assert phones == ["9"] * 6


def test_held_deletes_survive_a_restart_in_the_middle_of_a_look() -> None:
    """The process dies after page 1 was held: within the budget, so the next owner must do them without a person."""

    async def main() -> Any:
        spec = customers(
            deletes={"a": DeletePolicy.REMOVE, "b": DeletePolicy.IGNORE},
            budgets={"deletes": Budget(100, 100.0, free=0)},
            complete_read_s=600.0,
        )
        rig = Rig(spec, find=(Find.FEED,), poll_s=10.0)
        ids = [rig.create("a", f"n{number}") for number in range(6)]
        held = anyio.Event()
        async with rig.daemon("d1", window=3):
            await until(lambda: loaded(rig) and len(rig.names("b")) == 6 and not rig.link().inbox)

            async def die(name: str) -> None:
                if sum(len(held) for held in rig.link().held.values()) == 6 and not rig.link().inbox:
                    held.set()
                    await anyio.sleep(1000)

            rig.store.step = die
            for id in ids:
                rig.systems["a"].delete(CUSTOMERS, id, "person")
            with anyio.move_on_after(120):
                await held.wait()
        assert held.is_set()
        rig.store.step = _nothing
        async with rig.daemon("d2", window=3):
            await anyio.sleep(7200)
        return rig.names("b"), [plan.state for plan in rig.link().plans.values()]

    names, _ = loop.run(main)
    assert names == []


async def _nothing(name: str) -> None:
    return None


def test_a_decision_is_kept_until_its_write_was_done() -> None:
    """A person decides a conflict, the write does not get through at first: nobody is asked again."""

    async def body(rig: Rig, root: RootActor) -> Any:
        id = rig.create("a", "Ada", "1")
        await until(lambda: rig.names("b") == ["Ada"] and not rig.link().inbox)
        there = next(iter(rig.rows("b")))
        rig.store.set_wish("l", "paused")
        await anyio.sleep(5)
        rig.edit("a", id, phone="a")
        rig.edit("b", there, phone="b")
        rig.store.set_wish("l", "run")
        await until(lambda: rig.parked())
        (row,) = rig.parked()
        rig.on["b", "write"] = fails(TandemError(Kind.TRANSIENT, "down for a moment"))
        rig.store.decide("l", row.id, row.fingerprint, {"choose": "a"})
        root.wake("l")
        await until(lambda: rig.asked("b", "write"))
        await anyio.sleep(1)
        del rig.on["b", "write"]
        await anyio.sleep(600)
        return _phones(rig, "b"), [p.room.value for p in rig.parked()]

    assert on(Rig, body) == (["a"], [])


def test_a_decision_survives_the_guard() -> None:
    """Decided, then held by the budget, then approved: the write is done, and the conflict is not asked again."""

    async def body(rig: Rig, root: RootActor) -> Any:
        id = rig.create("a", "Ada", "1")
        await until(lambda: loaded(rig) and rig.names("b") == ["Ada"] and not rig.link().inbox)
        there = next(iter(rig.rows("b")))
        rig.store.set_wish("l", "paused")
        await anyio.sleep(5)
        rig.edit("a", id, phone="a")
        rig.edit("b", there, phone="b")
        rig.store.set_wish("l", "run")
        await until(lambda: rig.parked())
        (row,) = rig.parked()
        rig.store.decide("l", row.id, row.fingerprint, {"choose": "a"})
        root.wake("l")
        await until(lambda: rig.link().plans)
        await anyio.sleep(5)
        (plan,) = [plan for plan in rig.link().plans.values() if plan.state == "open"]
        rig.store.approve_plan("l", plan.id, plan.rev)
        root.wake("l")
        await anyio.sleep(120)
        return _phones(rig, "b"), [p.room.value for p in rig.parked()]

    spec = customers(budgets={"overwrites": Budget(0, 0.0, free=0)})
    assert on(lambda: Rig(spec), body) == (["a"], [])


def test_a_write_that_was_under_way_when_its_connection_was_closed_is_not_sent_again() -> None:
    """New settings close the connection while a create is being answered: outcome unknown, never retried blind."""

    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: loaded(rig))

        async def done_but_not_answered() -> None:
            if not rig.rows("b"):
                rig.systems["b"].create(CUSTOMERS, {"name": "Ada", "phone": "1"}, "daemon")
                await anyio.sleep(5)

        rig.on["b", "write"] = done_but_not_answered
        rig.create("a", "Ada")
        await until(lambda: rig.rows("b"))
        await root.forget_connection("b")
        await anyio.sleep(1)
        return [
            (action.op.value, action.state.value) for action in rig.actions() if action.op.value == "create"
        ]

    states = on(lambda: Rig(customers(match=()), draws_ids=False, tag=False), body)
    assert states == [("create", "sent")]


def test_a_run_asked_for_on_a_link_with_a_broken_blueprint_does_not_spin() -> None:
    """The blueprint can't be read: the run asked for ends as failed, and is not begun a thousand times."""

    async def main() -> Any:
        rig = Rig()
        ports = msgspec.structs.replace(rig.ports(), blueprint=_broken)
        rig.store.request_run(RunRow("asked", "l", mode="sync"))
        root = RootActor(ports, _options())
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(root.run)
            with anyio.move_on_after(5):
                await anyio.sleep_forever()
            tasks.cancel_scope.cancel()
        return len(rig.said("run.started")) < 20

    assert loop.run(main)


def _options() -> Options:
    return Options(owner="d1")


def _broken(text: str, settings: Any) -> Any:
    raise TandemError(Kind.CONFIG, "the blueprint names no stream", scope=Scope.LINK)


def test_a_hint_of_a_stream_that_is_no_more_does_not_keep_the_link_spinning() -> None:
    """A stream was taken out of the blueprint with a hint in the inbox."""

    async def main() -> Any:
        rig = Rig()
        await rig.store.add_hints("l", [Hint("gone", "a", "x1")])
        async with rig.daemon():
            with anyio.move_on_after(10):
                while len(rig.said("run.started")) < 1000:  # noqa: ASYNC110
                    await anyio.sleep(0.001)
            return len(rig.said("run.started")) < 50

    assert loop.run(main)


def test_one_link_with_a_broken_blueprint_leaves_the_others_of_its_connection_be() -> None:
    """Two links share both connections; the feed is drained for both, though one can't be read."""

    async def main() -> Any:
        rig = Rig(find=(Find.FEED,), links={"l": ("a", "b"), "other": ("a", "b")})
        plain = rig._blueprint

        def some(text: str, settings: Any) -> Any:
            if settings.get("broken"):
                raise TandemError(Kind.CONFIG, "a setting is missing", scope=Scope.LINK)
            return plain(text, settings)

        row = rig.store.links["other"].row
        rig.store.links["other"].row = msgspec.structs.replace(row, settings={"broken": True})
        root = RootActor(msgspec.structs.replace(rig.ports(), blueprint=some), _options())
        rig.create("a", "Ada")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(root.run)
            await anyio.sleep(120)
            tasks.cancel_scope.cancel()
        return rig.names("b")

    assert loop.run(main) == ["Ada"]


def test_a_plan_that_was_asked_for_shows_what_is_to_be_done_now() -> None:
    """A second dry run after the first one's create was done by hand: the plan is computed anew, not added to."""

    async def main() -> Any:
        rig = Rig(poll_s=10_000.0)
        rig.create("a", "Ada")
        rig.store.request_run(RunRow("dry1", "l", mode="plan"))
        rig.store.set_wish("l", "paused")
        root = RootActor(rig.ports(), _options())
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(root.run)
            await anyio.sleep(0.1)
            root.wake("l")
            await until(lambda: rig.link().runs["dry1"].ended)
            rig.create("b", "Ada")
            rig.create("a", "Bob")
            rig.store.request_run(RunRow("dry2", "l", mode="plan"))
            root.wake("l")
            await until(lambda: rig.link().runs["dry2"].ended)
            tasks.cancel_scope.cancel()
        link = rig.link()
        return {
            plan.state: [a.fields["name"] for _, a in link.held[id].values()]
            for id, plan in link.plans.items()
        }

    assert loop.run(main) == {"superseded": ["Ada"], "open": ["Bob"]}


def test_a_plan_that_was_asked_for_and_approved_ends_as_applied() -> None:
    """What it held is done: it is no more among the plans that wait, and its yes covers nothing that comes later."""

    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: loaded(rig))
        rig.store.set_wish("l", "paused")
        rig.create("a", "Ada")
        rig.store.request_run(RunRow("dry", "l", mode="plan"))
        root.wake("l")
        await until(lambda: rig.link().runs["dry"].ended)
        (plan,) = rig.link().plans.values()
        rig.store.approve_plan("l", plan.id, plan.rev)
        rig.store.set_wish("l", "run")
        root.wake("l")
        await until(lambda: rig.names("b") == ["Ada"] and not rig.link().inbox, 300)
        await anyio.sleep(30)
        return [plan.state for plan in rig.link().plans.values()]

    assert on(Rig, body) == ["applied"]
