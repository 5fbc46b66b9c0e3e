"""What a ConnectionActor promises (docs/ACTORS.md): fair slots, the account's budget, pauses, its identity, its feed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from actors.connection import ConnectionActor, Waiting
from actors.core.errors import Kind, Scope, TandemError
from actors.messages import CHANGED, DRAIN, WORK, Call, Class, Drained, Handed, Opened, Status
from actors.ports import Find
from actors.runtime.mailbox import Ask
from tests.actors.rig import CUSTOMERS, Rig, fails, takes
from tests.sim import loop

Body = Callable[[Rig, ConnectionActor], Awaitable[Any]]


def read(link: str = "l", cls: Class = "poll", **more: Any) -> Call:
    """A look that costs a request."""
    return Call("read", (CUSTOMERS, [link], ["name"]), cls, link, **more)


async def nobody_takes(_: str, __: Handed) -> bool:
    """No link is there to work on hints past the inbox."""
    return False


def on_account(
    body: Body,
    *,
    asks: list[tuple[str, str]] | None = None,
    hand: Callable[[str, Handed], Awaitable[bool]] = nobody_takes,
    **declared: Any,
) -> Any:
    """Run the body with a ConnectionActor on account "a"; pokes to links go into `asks`, what a feed brings to `hand`."""

    async def main() -> Any:
        rig = Rig(**declared)
        poked = asks if asks is not None else []
        actor = ConnectionActor("a", rig.ports(), 10.0, lambda *poke: poked.append(poke), hand)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(actor.run)
            out = await body(rig, actor)
            tasks.cancel_scope.cancel()
        return out

    return loop.run(main)


def late_write(rig: Rig, within_s: float) -> Call:
    """A write that must have been answered within that time from now."""
    until = rig.clock.monotonic() + within_s
    return Call("write", (CUSTOMERS, (), []), "instant", "l", writes=True, until=until)


async def failing(actor: ConnectionActor, call: Any) -> TandemError:
    """The error of a call."""
    with pytest.raises(TandemError) as raised:
        await actor.mailbox.ask(call)
    return raised.value


# --------------------------------------------------------------------------------------------------- fair order


def served(waiting: Waiting) -> list[str]:
    """Everything that waits, in the order it is served."""
    return [f"{ask.message.cls}:{ask.message.link}" for ask in waiting.drop()]


def test_links_take_turns_within_a_class() -> None:
    waiting = Waiting()
    for link in ["big"] * 4 + ["small"] * 2:
        waiting.put(Ask(read(link)))
    assert served(waiting) == [f"poll:{link}" for link in ("big", "small", "big", "small", "big", "big")]


def test_classes_go_by_urgency_with_a_floor_for_each() -> None:
    waiting = Waiting()
    for _ in range(30):
        waiting.put(Ask(read("l", "interactive")))
        waiting.put(Ask(read("l", "sweep")))
    order = [line.split(":")[0] for line in served(waiting)]
    assert order[:8] == ["interactive"] * 8
    assert order.index("sweep") == Waiting.PASSES_MAX
    urgent = order[: len(order) - order[::-1].index("interactive")]
    gaps = "".join("s" if cls == "sweep" else "i" for cls in urgent).split("s")
    assert max(map(len, gaps)) == Waiting.PASSES_MAX


def test_never_more_requests_at_once_than_the_account_allows() -> None:
    async def body(rig: Rig, actor: ConnectionActor) -> tuple[int, float]:
        rig.on["a", "read"] = takes(1)
        began = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            for number in range(9):
                tasks.start_soon(actor.mailbox.ask, read(f"l{number}"))
        return rig.active_max["a"], anyio.current_time() - began

    assert on_account(body, concurrency=3) == (3, pytest.approx(3, abs=0.1))


def test_a_request_takes_a_free_slot_while_another_goes_on() -> None:
    async def body(rig: Rig, actor: ConnectionActor) -> float:
        await actor.mailbox.ask(read())  # open, and idle again
        await anyio.sleep(1)
        rig.on["a", "read"] = takes(5)
        began = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(actor.mailbox.ask, read())
                await anyio.sleep(1)
        return anyio.current_time() - began

    assert on_account(body, concurrency=3) == pytest.approx(7, abs=0.1)


def test_a_feed_is_drained_within_the_accounts_slots() -> None:
    async def body(rig: Rig, actor: ConnectionActor) -> int:
        rig.on["a", "read"] = rig.on["a", "drain"] = takes(1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(actor.mailbox.ask, read())
            tasks.start_soon(actor.mailbox.ask, Drained())
        return rig.active_max["a"]

    assert on_account(body, concurrency=1) == 1


def test_a_feed_is_drained_and_told_within_the_accounts_rate() -> None:
    async def body(rig: Rig, actor: ConnectionActor) -> tuple[float, float]:
        await actor.mailbox.ask(Opened())
        rig.create("a", "Ada")
        began = anyio.current_time()
        await actor.mailbox.ask(Drained())
        return rig.asked("a", "drain")[0] - began, rig.asked("a", "ack")[0] - began

    assert on_account(body, rate_per_s=0.2, rate_burst=1) == (0.0, pytest.approx(5, abs=0.1))


def test_all_who_ask_at_once_whether_a_feed_is_drained_share_one_time() -> None:
    async def body(rig: Rig, actor: ConnectionActor) -> Any:
        rig.on["a", "watch"] = takes(1000)
        rig.on["a", "drain"] = takes(1)
        rig.create("a", "Ada")
        counts: list[int] = []

        async def ask() -> None:
            counts.append(await actor.mailbox.ask(Drained()))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await anyio.sleep(0.5)
            rig.create("a", "Bob")
            for _ in range(20):
                tasks.start_soon(ask)
        return counts, len(rig.asked("a", "drain")), len(rig.link().inbox)

    counts, drains, hints = on_account(body)
    assert (len(counts), drains, hints) == (21, 2, 2)


def test_status_is_answered_at_once_while_every_slot_is_taken() -> None:
    async def body(rig: Rig, actor: ConnectionActor) -> tuple[float, Any]:
        rig.on["a", "read"] = takes(9)
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(actor.mailbox.ask, read())
            await anyio.sleep(1)
            began = anyio.current_time()
            status = await actor.mailbox.ask(Status())
            took_s = anyio.current_time() - began
        return took_s, status["active"]

    assert on_account(body, concurrency=1) == (0.0, 1)


# ------------------------------------------------------------------------------------------------- rate budget


def test_requests_wait_for_the_accounts_rate() -> None:
    async def body(rig: Rig, actor: ConnectionActor) -> list[float]:
        async with anyio.create_task_group() as tasks:
            for _ in range(6):
                tasks.start_soon(actor.mailbox.ask, read())
        return rig.asked("a", "read")

    times = on_account(body, rate_per_s=0.5, rate_burst=2, concurrency=6)
    assert [round(at - times[0]) for at in times] == [0, 0, 2, 4, 6, 8]


def test_a_budget_that_is_spent_for_long_is_said_and_nobody_sleeps_on_it() -> None:
    async def body(rig: Rig, actor: ConnectionActor) -> tuple[TandemError, float]:
        await actor.mailbox.ask(read())
        began = anyio.current_time()
        return await failing(actor, read()), anyio.current_time() - began

    error, took_s = on_account(body, rate_per_s=0.01)
    assert (error.kind, took_s) == (Kind.RATE_LIMITED, 0.0)
    assert error.retry_after_s == pytest.approx(100, abs=1)


# ------------------------------------------------------------------------------------------ pauses and recovery


def test_a_pause_and_its_end_are_told_once_each() -> None:
    async def body(rig: Rig, actor: ConnectionActor) -> Any:
        rig.on["a", "read"] = fails(TandemError(Kind.TRANSIENT, "the server is away"))
        for _ in range(20):
            await failing(actor, read())
            await anyio.sleep(0.5)
        during = len(rig.asked("a", "read"))
        del rig.on["a", "read"]
        await anyio.sleep(60)
        await actor.mailbox.ask(read())
        await actor.mailbox.ask(read())
        return during, rig.said("connection.paused"), rig.said("connection.recovered")

    requests, paused, recovered = on_account(body)
    assert requests < 10
    assert [said["kind"] for said in paused] == ["transient"]
    assert len(recovered) == 1


def test_while_it_is_paused_calls_are_refused_at_once_and_say_when_it_goes_on() -> None:
    async def body(rig: Rig, actor: ConnectionActor) -> Any:
        rig.on["a", "read"] = fails(TandemError(Kind.RATE_LIMITED, "too many requests", retry_after_s=30.0))
        await failing(actor, read())
        await anyio.sleep(10)
        refused = await failing(actor, read())
        requests = len(rig.asked("a", "read"))
        del rig.on["a", "read"]
        person = await actor.mailbox.ask(read(cls="interactive"))
        return refused.kind, refused.retry_after_s, requests, person

    kind, retry_s, requests, person = on_account(body)
    assert (kind, retry_s, requests) == (Kind.RATE_LIMITED, pytest.approx(20), 1)
    assert person == []


@pytest.mark.parametrize("session_lives", [True, False])
def test_a_refused_login_counts_only_if_the_session_check_fails_too(session_lives: bool) -> None:
    async def body(rig: Rig, actor: ConnectionActor) -> Any:
        rig.on["a", "read"] = fails(TandemError(Kind.AUTH, "403"))
        if not session_lives:
            rig.on["a", "check"] = fails(TandemError(Kind.AUTH, "403"))
        error = await failing(actor, read())
        return error.kind, error.scope, len(rig.said("connection.paused")), len(rig.asked("a", "check"))

    right = (Kind.REJECTED, Scope.RECORD, 0, 1) if session_lives else (Kind.AUTH, Scope.CONNECTION, 1, 1)
    assert on_account(body) == right


def test_an_error_of_one_record_or_stream_pauses_nobody() -> None:
    async def body(rig: Rig, actor: ConnectionActor) -> int:
        for scope in (Scope.RECORD, Scope.STREAM, Scope.LINK):
            rig.on["a", "read"] = fails(TandemError(Kind.CONFIG, "no such object", scope=scope))
            for _ in range(5):
                await failing(actor, read())
        return len(rig.said("connection.paused"))

    assert on_account(body) == 0


def test_what_a_system_answered_is_told_to_the_log_and_to_nobody_else() -> None:
    async def body(rig: Rig, actor: ConnectionActor) -> Any:
        refused = TandemError(Kind.TRANSIENT, "a answered 200 with no JSON", scope=Scope.STREAM)
        refused.raw = "<html>maintenance</html>"
        rig.on["a", "read"] = fails(refused)
        error = await failing(actor, read())
        rig.on["a", "read"] = fails(TandemError(Kind.TRANSIENT, "the line was cut", scope=Scope.STREAM))
        await failing(actor, read())
        return str(error), [told["answer"] for told in rig.said("call.failed")]

    assert on_account(body) == ("a answered 200 with no JSON", ["<html>maintenance</html>"])


@pytest.mark.parametrize("writes, kind", [(True, Kind.UNKNOWN), (False, Kind.TRANSIENT)])
def test_a_time_out_of_a_write_is_unknown_and_of_a_look_is_not(writes: bool, kind: Kind) -> None:
    async def body(rig: Rig, actor: ConnectionActor) -> Any:
        rig.on["a", "read"] = takes(1000)
        error = await failing(actor, read(writes=writes, until=rig.clock.monotonic() + 4.0))
        return error.kind, anyio.current_time()

    assert on_account(body) == (kind, pytest.approx(4, abs=0.1))


# ----------------------------------------------------------------------------------------------------- identity


def test_another_account_behind_the_connection_is_a_fault_of_the_settings() -> None:
    async def body(rig: Rig, actor: ConnectionActor) -> Any:
        await rig.store.set_identity("a", "memory:yesterday")
        error = await failing(actor, Opened())
        closed = len(rig.asked("a", "aclose"))
        return (
            error.kind,
            "memory:yesterday" in error.message,
            bool(error.hint),
            closed,
            rig.asked("a", "read"),
        )

    assert on_account(body) == (Kind.CONFIG, True, True, 1, [])


def test_the_account_is_noted_at_the_first_use_and_opened_once() -> None:
    async def body(rig: Rig, actor: ConnectionActor) -> Any:
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(actor.mailbox.ask, Opened())
                tasks.start_soon(actor.mailbox.ask, read())
        row = await rig.store.connection("a")
        assert row is not None
        return row.identity, len(rig.asked("a", "identity"))

    assert on_account(body) == ("memory:a", 1)


# --------------------------------------------------------------------------------------------------------- feed


def test_a_feed_is_stored_in_every_links_inbox_before_it_is_acknowledged() -> None:
    asks: list[tuple[str, str]] = []

    async def body(rig: Rig, actor: ConnectionActor) -> Any:
        id = rig.create("a", "Ada")
        inbox: list[list[str]] = []

        async def acknowledged() -> None:
            inbox.append([hint.id for hint in rig.link().inbox.values()])

        rig.on["a", "ack"] = acknowledged
        count = await actor.mailbox.ask(Drained())
        again = await actor.mailbox.ask(Drained())
        return count, again, inbox == [[id]]

    assert on_account(body, asks=asks) == (1, 0, True)
    assert ("l", WORK) in asks


def test_a_feed_whose_hints_could_not_be_stored_is_not_acknowledged() -> None:
    async def body(rig: Rig, actor: ConnectionActor) -> Any:
        await actor.mailbox.ask(Opened())
        rig.create("a", "Ada")

        async def away(name: str) -> None:
            if name == "add_hints":
                raise TandemError(Kind.TRANSIENT, "the store is away", scope=Scope.LINK)

        rig.store.step = away
        await failing(actor, Drained())
        acknowledged = len(rig.asked("a", "ack"))
        rig.store.step = None
        return acknowledged, await actor.mailbox.ask(Drained())

    assert on_account(body) == (0, 1)


def test_a_change_outside_wakes_every_link_of_the_account() -> None:
    asks: list[tuple[str, str]] = []

    async def body(rig: Rig, actor: ConnectionActor) -> None:
        await actor.mailbox.ask(Opened())
        await anyio.sleep(1)
        rig.create("a", "Ada")
        await anyio.sleep(1)

    on_account(body, asks=asks)
    assert ("l", CHANGED) in asks


def test_a_lost_line_costs_latency_and_is_taken_up_again() -> None:
    async def body(rig: Rig, actor: ConnectionActor) -> Any:
        rig.on["a", "watch"] = fails(TandemError(Kind.TRANSIENT, "the line is gone"))
        await actor.mailbox.ask(Opened())
        await anyio.sleep(10)
        tries = len(rig.asked("a", "watch"))
        answered = await actor.mailbox.ask(read())
        return tries, answered, len(rig.said("connection.watch_lost"))

    assert on_account(body) == (4, [], 4)


def test_a_poke_to_drain_survives_a_system_that_is_away() -> None:
    async def body(rig: Rig, actor: ConnectionActor) -> Any:
        rig.on["a", "drain"] = fails(TandemError(Kind.TRANSIENT, "away", scope=Scope.LINK))
        actor.mailbox.poke(DRAIN)
        await anyio.sleep(1)
        return len(rig.said("connection.drain_failed")), await actor.mailbox.ask(read())

    assert on_account(body, find=(Find.FEED, Find.FULL)) == (1, [])


# -------------------------------------------------------------------------------------------------- late writes


def test_a_write_that_waited_too_long_for_a_slot_never_leaves() -> None:
    async def body(rig: Rig, actor: ConnectionActor) -> Any:
        rig.on["a", "read"] = takes(8)
        write = late_write(rig, 5.0)
        errors: list[TandemError] = []

        async def late() -> None:
            await anyio.sleep(0.1)
            errors.append(await failing(actor, write))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(actor.mailbox.ask, read("other"))
            tasks.start_soon(late)
        return rig.asked("a", "write"), [error.kind for error in errors]

    assert on_account(body, concurrency=1) == ([], [Kind.TRANSIENT])


def test_found_by_sim_a_write_that_nobody_waits_for_any_more_never_leaves() -> None:
    """The run that asked for it was cut short while it waited for its turn."""

    async def body(rig: Rig, actor: ConnectionActor) -> Any:
        rig.on["a", "read"] = takes(8)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(actor.mailbox.ask, read("other"))
            await anyio.sleep(0.1)
            with anyio.move_on_after(1):
                await actor.mailbox.ask(late_write(rig, 60.0))
        await anyio.sleep(20)
        left = rig.asked("a", "write")
        await actor.mailbox.ask(late_write(rig, 60.0))
        return left, len(rig.asked("a", "write"))

    assert on_account(body, concurrency=1) == ([], 1)


def test_a_write_that_waited_too_long_for_a_token_never_leaves() -> None:
    async def body(rig: Rig, actor: ConnectionActor) -> Any:
        await actor.mailbox.ask(read())
        error = await failing(actor, late_write(rig, 3.0))
        return rig.asked("a", "write"), error.kind

    assert on_account(body, rate_per_s=0.2, rate_burst=1) == ([], Kind.TRANSIENT)


def test_a_write_that_is_under_way_when_its_time_is_over_is_of_unknown_outcome() -> None:
    async def body(rig: Rig, actor: ConnectionActor) -> Any:
        rig.on["a", "read"] = takes(3)
        rig.on["a", "write"] = takes(9)
        write, errors = late_write(rig, 5.0), list[TandemError]()

        async def late() -> None:
            errors.append(await failing(actor, write))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(actor.mailbox.ask, read("other"))
            await anyio.sleep(0.1)
            tasks.start_soon(late)
        return len(rig.asked("a", "write")), [error.kind for error in errors], anyio.current_time()

    assert on_account(body, concurrency=1) == (1, [Kind.UNKNOWN], pytest.approx(5, abs=0.1))
