"""What a LinkActor promises (docs/ACTORS.md): one owner, one run, answers during it, and an orderly end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import msgspec
import pytest

from actors.core.errors import Kind, Scope, TandemError
from actors.core.types import ActionState, Outcome
from actors.link import LinkActor
from actors.messages import Cancel, Rest, Status
from actors.ports import Find, RunRow
from actors.root import RootActor
from tests.actors.rig import Rig, fails, takes, until
from tests.sim import loop

Body = Callable[[Rig, RootActor], Awaitable[Any]]
NEVER_RESTS_S = 1e9  # `idle_s` of a link that keeps its actor and its lease all through the test


def living(body: Body, rig_of: Callable[[], Rig] = Rig, **options: Any) -> Any:
    """Run the body with one daemon."""

    async def main() -> Any:
        rig = rig_of()
        async with rig.daemon(**options) as root:
            return await body(rig, root)

    return loop.run(main)


def actor_of(root: RootActor) -> LinkActor:
    """The LinkActor of link "l"."""
    actor = root._actor("link/l")
    assert isinstance(actor, LinkActor)
    return actor


async def running(rig: Rig, root: RootActor) -> LinkActor:
    """The link's actor, once a run of it waits for a write on B that never comes back by itself."""
    rig.on["b", "write"] = takes(8)
    rig.create("a", "Ada")
    await until(lambda: rig.asked("b", "write"))
    return actor_of(root)


# ------------------------------------------------------------------------------------------------------- lease


def test_of_two_owners_one_works() -> None:
    async def main() -> Any:
        rig = Rig()
        rig.create("a", "Ada")
        async with rig.daemon("d1", idle_s=NEVER_RESTS_S), rig.daemon("d2", idle_s=NEVER_RESTS_S):
            await until(lambda: rig.names("b") == ["Ada"])
            for number in range(5):
                rig.create("a", f"n{number}")
                await anyio.sleep(20)
        return rig.link().row.epoch, {row.owner for row in [rig.link().row]}, rig.names("b")

    epoch, owners, names = loop.run(main)
    assert epoch == 1
    assert owners <= {"d1", "d2"}
    assert names == sorted(["Ada", *(f"n{number}" for number in range(5))])


def test_a_lease_is_renewed_well_before_its_end() -> None:
    async def body(rig: Rig, root: RootActor) -> float:
        await until(lambda: rig.link().row.owner == "d1")
        least = 100.0
        for _ in range(600):
            await anyio.sleep(0.1)
            least = min(least, rig.link().lease_until - rig.clock.now())
        return least

    assert living(body, lease_ttl_s=15.0, idle_s=NEVER_RESTS_S) > 9


def test_the_lease_of_a_dead_owner_is_taken_over_when_it_ran_out() -> None:
    async def main() -> Any:
        rig = Rig()
        async with rig.daemon("d1"):
            await until(lambda: rig.link().row.owner == "d1")
        died = anyio.current_time()
        rig.create("a", "Ada")
        async with rig.daemon("d2"):
            await until(lambda: rig.names("b") == ["Ada"])
        return anyio.current_time() - died, rig.link().row.owner

    took_s, owner = loop.run(main)
    assert owner == "d2"
    assert 10 < took_s < 20


def test_a_lost_lease_stops_writes_before_the_next_request() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: rig.said("run.ended"))
        rig.on["a", "read"] = takes(3)
        rig.create("a", "Ada")
        await until(lambda: len(rig.asked("a", "read")) > 0)
        row = rig.link().row
        rig.link().row = msgspec.structs.replace(row, owner="d2", epoch=row.epoch + 1)
        rig.link().lease_until = rig.clock.now() + 1000
        await anyio.sleep(60)
        return rig.asked("b", "write"), len(rig.actions()), rig.names("b")

    assert living(body) == ([], 0, [])


def test_a_link_whose_rules_were_changed_begins_anew_and_nobody_is_said_to_have_taken_it() -> None:
    """Whoever changes rules or settings takes the lease away, and gives it to nobody."""

    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: rig.said("run.ended"))
        row = rig.link().row
        rig.link().row = msgspec.structs.replace(row, owner="", epoch=row.epoch + 1)
        await actor_of(root).poked("")
        await until(lambda: rig.said("link.rules_changed"))
        rig.create("a", "Ada")
        await until(lambda: rig.names("b") == ["Ada"])
        return rig.said("link.lease_lost")

    assert living(body, idle_s=NEVER_RESTS_S) == []


def test_an_owner_that_cannot_renew_stops_when_its_lease_is_over() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: rig.said("run.ended"))

        async def away(name: str) -> None:
            raise TandemError(Kind.TRANSIENT, "the store is away", scope=Scope.LINK)

        rig.store.step = away
        await until(lambda: rig.said("link.lease_lost"))
        lost = anyio.current_time()
        rig.store.step = None
        rig.create("a", "Ada")
        await until(lambda: rig.names("b") == ["Ada"])
        return lost

    assert 5 <= living(body, lease_ttl_s=15.0) <= 25


def test_a_renewal_that_fails_after_the_work_has_lost_the_lease_is_no_crash() -> None:
    """The store is away during a renewal, and meanwhile the run heard that somebody else has the link (seed 209711)."""

    async def body(rig: Rig, root: RootActor) -> Any:
        actor = await running(rig, root)

        async def away(name: str) -> None:
            if name == "renew_lease":
                rig.store.step = None
                actor._lose()  # as its other tasks do when they hear of it
                raise TandemError(Kind.TRANSIENT, "the store is away", scope=Scope.LINK)

        rig.store.step = away
        await until(lambda: rig.said("link.lease_lost"))
        await anyio.sleep(60)
        return rig.said("actor.crashed")

    assert living(body, lease_ttl_s=15.0, idle_s=NEVER_RESTS_S) == []


def test_no_request_of_a_long_batch_leaves_after_the_lease() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        in_time: list[bool] = []

        async def write() -> None:
            in_time.append(rig.clock.now() < rig.link().lease_until)
            await anyio.sleep(4)

        async def no_renewal(name: str) -> None:
            if name == "renew_lease":
                raise TandemError(Kind.TRANSIENT, "the store is away", scope=Scope.LINK)

        rig.store.step = no_renewal
        rig.on["b", "write"] = write
        for number in range(12):
            rig.create("a", f"n{number}")
        await until(lambda: len(rig.names("b")) == 12, timeout_s=900)
        return in_time, rig.link().row.epoch > 1, len(rig.names("b"))

    in_time, taken_again, count = living(body, lambda: Rig(batch_max=1), lease_ttl_s=15.0)
    assert all(in_time)
    assert (taken_again, count) == (True, 12)


def test_a_store_that_is_away_for_a_moment_ends_nobody() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: rig.said("run.ended"))
        epoch = rig.link().row.epoch

        async def away(name: str) -> None:
            raise TandemError(Kind.TRANSIENT, "the store is away", scope=Scope.LINK)

        rig.store.step = away
        rig.create("a", "Ada")
        await anyio.sleep(5)
        rig.store.step = None
        await until(lambda: rig.names("b") == ["Ada"])
        return rig.link().row.epoch - epoch, len(rig.said("actor.crashed"))

    assert living(body, idle_s=NEVER_RESTS_S) == (0, 0)


# -------------------------------------------------------------------------------------------------------- runs


def test_at_most_one_run_at_a_time_however_often_it_is_poked() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        rig.on["b", "write"] = takes(5)
        for number in range(4):
            rig.create("a", f"n{number}")
            for _ in range(100):
                root.wake("l")
            await anyio.sleep(2)
        await until(lambda: len(rig.names("b")) == 4)
        await anyio.sleep(5)
        depth = most = 0
        for _, name, _fields in rig.told:
            depth += (name == "run.started") - (name == "run.ended")
            most = max(most, depth)
        return most, depth, len(rig.said("run.started")) < 20

    assert living(body) == (1, 0, True)


def test_status_is_answered_at_once_during_a_run() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        actor = await running(rig, root)
        began = anyio.current_time()
        status = await actor.mailbox.ask(Status())
        return anyio.current_time() - began, bool(status["run"]), root.running() == {"l": status["run"]}

    assert living(body) == (0.0, True, True)


def test_a_run_that_is_cancelled_stops_at_the_next_safe_point() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        actor = await running(rig, root)
        run = actor.run_id
        asked = await actor.mailbox.ask(Cancel(run)), await actor.mailbox.ask(Cancel("another run"))
        await until(lambda: run in [said["run"] for said in rig.said("run.ended")])
        (outcome,) = [said["outcome"] for said in rig.said("run.ended") if said["run"] == run]
        return asked, outcome, [action.state for action in rig.actions()]

    assert living(body) == ((True, False), Outcome.CANCELLED.value, [ActionState.CONFIRMED])


def test_a_pause_stops_the_run_and_nothing_more_is_done_until_it_ends() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await running(rig, root)
        rig.store.set_wish("l", "paused")
        root.wake("l")
        await until(lambda: not root.running())
        rig.create("a", "Bob")
        before = len(rig.requests)
        await anyio.sleep(300)
        quiet = [what for _, _, what, _ in rig.requests[before:] if what == "write"]
        rig.store.set_wish("l", "run")
        root.wake("l")
        await until(lambda: rig.names("b") == ["Ada", "Bob"])
        return quiet

    assert living(body) == []


def test_a_plan_may_be_asked_for_while_the_link_is_paused() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: rig.said("run.ended") and not root.running())
        rig.store.set_wish("l", "paused")
        rig.create("a", "Ada")
        rig.store.request_run(RunRow("asked", "l", mode="plan"))
        root.wake("l")
        await until(lambda: rig.link().runs["asked"].ended)
        await anyio.sleep(300)
        return rig.link().runs["asked"].outcome, rig.names("b"), len(rig.actions())

    assert living(body) == (Outcome.AWAITING_APPROVAL, [], 0)


def test_a_requested_run_is_executed_and_its_outcome_stored() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: rig.said("run.ended"))
        rig.store.request_run(RunRow("asked", "l"))
        root.wake("l")
        await until(lambda: rig.link().runs["asked"].ended)
        return rig.link().runs["asked"].outcome

    assert living(body) is Outcome.NOTHING_NEW


def test_failed_runs_back_off_and_the_reason_is_kept_and_cleared() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: rig.said("run.ended") and not root.running())
        before = len(rig.said("run.ended"))
        rig.on["b", "*"] = fails(TandemError(Kind.TRANSIENT, "b is away"))
        await anyio.sleep(180)
        failed = [said["outcome"] for said in rig.said("run.ended")[before:]]
        facts = rig.link().row.facts
        del rig.on["b", "*"]
        await until(lambda: not rig.link().row.facts["reasons"], timeout_s=600)
        return set(failed), len(failed), facts["failures"] == len(failed), facts["reasons"]["run"]["kind"]

    outcomes, count, counted, kind = living(body)
    assert (outcomes, counted, kind) == ({"failed"}, True, "transient")
    assert count < 10


# ---------------------------------------------------------------------------------------------------- its end


def test_it_comes_to_rest_within_the_deadline_and_leaves_an_open_intent() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        actor = await running(rig, root)
        began = anyio.current_time()
        rested = await actor.mailbox.ask(Rest(2.0))
        return rested, anyio.current_time() - began, [action.state for action in rig.actions()]

    rested, took_s, states = living(body)
    assert (rested, states) == (False, [ActionState.SENT])
    assert took_s == pytest.approx(2.0, abs=0.1)


def test_it_comes_to_rest_at_once_where_nothing_is_under_way() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: rig.said("run.ended"))
        rested = await actor_of(root).mailbox.ask(Rest(30.0))
        await anyio.sleep(0.1)
        return rested, rig.link().row.owner

    assert living(body) == (True, "")


def test_a_link_at_rest_gives_up_its_actor_and_its_lease() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: rig.link().row.owner == "d1")
        await until(lambda: rig.link().row.owner == "", timeout_s=600)
        await anyio.sleep(0.1)  # the lease goes first, then the actor
        return rig.link().row.owner, [state["name"] for state in root.states() if state["kind"] == "link"]

    assert living(body, lambda: Rig(poll_s=3600.0), idle_s=30.0) == ("", [])


def test_a_link_at_rest_is_left_alone_until_it_is_due() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: rig.link().row.owner == "d1")
        await until(lambda: rig.link().row.owner == "", timeout_s=600)
        epoch, runs = rig.link().row.epoch, len(rig.said("run.started"))
        await anyio.sleep(600)
        return rig.link().row.epoch - epoch, len(rig.said("run.started")) - runs

    assert living(body, lambda: Rig(poll_s=3600.0), idle_s=30.0) == (0, 0)


@pytest.mark.parametrize("moment", ["set_facts", "release_lease"])
def test_a_poke_that_comes_while_a_link_lets_go_is_not_lost(moment: str) -> None:
    async def body(rig: Rig, root: RootActor) -> float:
        await until(lambda: rig.said("run.ended") and not root.running())
        poked = anyio.Event()

        async def edit(name: str) -> None:
            if name == moment and not poked.is_set():
                poked.set()
                rig.create("a", "Ada")
                await anyio.sleep(0.5)

        rig.store.step = edit
        with anyio.fail_after(60):
            await poked.wait()
        began = anyio.current_time()
        return await until(lambda: rig.names("b") == ["Ada"]) - began

    assert living(body, lambda: Rig(poll_s=3600.0, find=(Find.MODIFIED,))) < 3


def test_what_is_asked_for_elsewhere_while_a_link_notes_when_it_is_due_is_not_hidden() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: rig.said("run.ended") and not root.running())

        async def ask(name: str) -> None:
            if name == "set_facts" and "asked" not in rig.link().runs:
                rig.store.request_run(RunRow("asked", "l"))  # on another process: nobody is poked here

        rig.store.step = ask
        await until(lambda: "asked" in rig.link().runs and rig.link().runs["asked"].ended)
        return rig.link().runs["asked"].outcome

    assert living(body, lambda: Rig(poll_s=3600.0)) is Outcome.NOTHING_NEW


def test_a_store_that_is_away_when_a_link_wants_to_rest_ends_nobody() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: rig.said("run.ended") and not root.running())
        away_until = anyio.current_time() + 14

        async def away(name: str) -> None:
            if name == "set_facts" and anyio.current_time() < away_until:
                raise TandemError(Kind.TRANSIENT, "the store is away", scope=Scope.LINK)

        rig.store.step = away
        await until(lambda: rig.link().row.owner == "")
        return len(rig.said("link.store_away")) > 0, len(rig.said("actor.crashed"))

    assert living(body, lambda: Rig(poll_s=3600.0)) == (True, 0)


def test_a_crash_in_a_run_is_restarted_and_the_work_is_derived_again() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        broken = True

        async def crash(name: str) -> None:
            if broken and name == "intend":
                raise RuntimeError("a bug of ours")

        rig.store.step = crash
        rig.create("a", "Ada")
        await until(lambda: len(rig.said("actor.crashed")) == 2)
        broken = False
        await until(lambda: rig.names("b") == ["Ada"])
        restarts = next(state["restarts"] for state in root.states() if state["name"] == "link/l")
        return restarts, "a bug of ours" in rig.said("actor.crashed")[0]["error"]

    assert living(body) == (2, True)
