"""What supervision promises (docs/ACTORS.md): restarts with backoff and a cap, then degraded, visible, at rest."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import anyio

from actors.runtime.actor import Actor
from actors.runtime.supervisor import Supervisor
from tests.sim import loop

Lives = list[float]


class Fragile(Actor):
    """Notes when it begins; crashes on the poke `crash`, or at once."""

    def __init__(self, lives: Lives, dies_after_s: float | None) -> None:
        super().__init__("fragile")
        lives.append(anyio.current_time())
        self._dies_after_s = dies_after_s

    async def started(self) -> None:
        if self._dies_after_s is not None:
            self.tasks.start_soon(self._die)

    async def _die(self) -> None:
        await anyio.sleep(self._dies_after_s or 0)
        raise RuntimeError("boom")

    async def poked(self, key: str) -> None:
        if key == "crash":
            raise RuntimeError("boom")
        self.mailbox.close()


Body = Callable[[Supervisor, Callable[[], Actor], Lives], Awaitable[Any]]


def supervised(body: Body, dies_after_s: float | None = None, **limits: float) -> tuple[Any, list[int]]:
    """Run the body with a supervisor; what it returns, and the crash numbers that were told."""

    async def main() -> tuple[Any, list[int]]:
        lives: Lives = []
        crashes: list[int] = []

        async def crashed(name: str, error: BaseException, count: int) -> None:
            crashes.append(count)

        async with anyio.create_task_group() as tasks:
            supervisor = Supervisor(tasks, crashed=crashed, clock=anyio.current_time, **limits)  # type: ignore[arg-type]
            out = await body(supervisor, lambda: Fragile(lives, dies_after_s), lives)
            tasks.cancel_scope.cancel()
        return out, crashes

    return loop.run(main)


def test_a_crash_restarts_with_backoff_and_a_cap_and_then_is_degraded() -> None:
    async def body(supervisor: Supervisor, make: Callable[[], Actor], lives: Lives) -> Any:
        supervisor.get("x", make)
        await anyio.sleep(100)
        return [round(after - before, 3) for before, after in itertools.pairwise(lives)]

    pauses, crashes = supervised(body, 0.0, restarts_max=5, backoff_s=1, backoff_max_s=4)
    assert pauses == [1, 2, 4, 4, 4]
    assert crashes == [1, 2, 3, 4, 5, 6]


def test_a_degraded_actor_is_visible_with_its_error_and_left_alone_for_a_while() -> None:
    async def body(supervisor: Supervisor, make: Callable[[], Actor], lives: Lives) -> Any:
        supervisor.get("x", make)
        await anyio.sleep(20)
        states = supervisor.states()
        count = len(lives)
        supervisor.poke("x", make, "work")
        await anyio.sleep(10)
        rested = len(lives) - count
        await anyio.sleep(300)
        supervisor.poke("x", make, "work")
        await anyio.sleep(0.1)
        return states, rested, len(lives) - count

    (states, rested, later), _ = supervised(body, 0.0, restarts_max=2, backoff_s=1, rest_s=300)
    assert [(s["state"], s["restarts"], s["mailbox"]) for s in states] == [("degraded", 3, 0)]
    assert states[0]["error"]
    assert (rested, later) == (0, 1)


def test_the_error_that_is_shown_is_the_one_that_was_raised() -> None:
    async def body(supervisor: Supervisor, make: Callable[[], Actor], lives: Lives) -> Any:
        supervisor.get("x", make)
        await anyio.sleep(0.1)
        return supervisor.states()[0]["error"]

    assert "boom" in supervised(body, 0.0)[0]


def test_a_person_can_have_a_degraded_actor_started_afresh() -> None:
    async def body(supervisor: Supervisor, make: Callable[[], Actor], lives: Lives) -> Any:
        supervisor.get("x", make)
        await anyio.sleep(20)
        count = len(lives)
        supervisor.forget("x")
        supervisor.poke("x", make, "work")
        await anyio.sleep(0.1)
        return len(lives) - count

    assert supervised(body, 0.0, restarts_max=2, backoff_s=1)[0] == 1


def test_crashes_with_calm_in_between_are_forgotten() -> None:
    async def body(supervisor: Supervisor, make: Callable[[], Actor], lives: Lives) -> Any:
        supervisor.get("x", make)
        await anyio.sleep(1000)
        return supervisor.states()[0]["state"]

    state, crashes = supervised(body, 70.0, restarts_max=2, backoff_s=1, calm_s=60)
    assert state != "degraded"
    assert set(crashes) == {1}


def test_an_actor_that_ended_by_itself_is_started_again_when_it_is_asked_for() -> None:
    async def body(supervisor: Supervisor, make: Callable[[], Actor], lives: Lives) -> Any:
        supervisor.poke("x", make, "end")
        await anyio.sleep(1)
        ended = supervisor.states()
        supervisor.get("x", make)
        await anyio.sleep(0.1)
        return ended, supervisor.states()[0]["state"], len(lives)

    (ended, state, count), crashes = supervised(body)
    assert (ended, state, count, crashes) == ([], "idle", 2, [])


def test_a_stopped_actor_is_gone_when_stop_returns() -> None:
    async def body(supervisor: Supervisor, make: Callable[[], Actor], lives: Lives) -> Any:
        child = supervisor.get("x", make)
        await anyio.sleep(1)
        await supervisor.stop("x")
        await supervisor.stop("never there")
        return child.ended.is_set(), supervisor.states()

    assert supervised(body)[0] == (True, [])


def test_while_it_backs_off_an_actor_says_so() -> None:
    async def body(supervisor: Supervisor, make: Callable[[], Actor], lives: Lives) -> Any:
        supervisor.get("x", make)
        await anyio.sleep(0.5)
        supervisor.poke("x", make, "dropped, for the next life looks by itself")
        return supervisor.states()[0]["state"]

    assert supervised(body, 0.0, backoff_s=5)[0] == "backing_off"


def test_a_child_that_came_to_rest_leaves_nothing_and_is_started_afresh() -> None:
    async def body(supervisor: Supervisor, make: Callable[[], Actor], lives: Lives) -> Any:
        seen = []
        for _ in range(2):
            child = supervisor.get("fragile", make)
            await anyio.sleep(1)
            supervisor.poke("fragile", make, "rest")
            await child.ended.wait()
            seen.append((len(lives), dict(supervisor.children), supervisor.states()))
        return seen

    seen, crashes = supervised(body)
    assert seen == [(1, {}, []), (2, {}, [])]
    assert crashes == []
