"""A run says what a system has still to get itself: asked before it is looked at, kept with the run and the stream (S9)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from actors.core.backlog import Backlog, Report, packed, unpacked
from actors.core.errors import Kind, Scope, TandemError
from actors.core.types import Outcome
from actors.ports import Find, RunRow
from actors.root import RootActor
from clients.connectors.systems.memory import MemoryConnector
from tests.actors.rig import CUSTOMERS, Rig, fails, loaded, on, until

AT = 1_780_000_000.0


class Telling(MemoryConnector):
    """A system that gets records later."""

    told: ClassVar[list[Report] | None] = []

    async def backlog(self, object_name: str) -> Sequence[Report] | None:
        return self.told


def rig_of() -> Rig:
    rig = Rig(find=(Find.MODIFIED,), poll_s=10.0, backlog=True)
    rig.connector = Telling
    return rig


def told(*reports: Report) -> Callable[[], None]:
    def tell() -> None:
        Telling.told = list(reports)

    return tell


async def ran(rig: Rig, root: RootActor, name: str, mode: str = "sync") -> RunRow:
    """One run that was asked for, when it has ended."""
    rig.store.request_run(RunRow(name, "l", mode=mode))
    root.wake("l")
    await until(lambda: rig.link().runs[name].outcome is not Outcome.RUNNING, timeout_s=600)
    return rig.link().runs[name]


def test_a_run_says_what_is_outstanding_and_the_stream_what_was_last() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: loaded(rig))
        told(Report("1", AT, 2), Report("2", AT - 5, 0))()
        row = await ran(rig, root, "one")
        first = Backlog(CUSTOMERS, "a", (Report("1", AT, 2), Report("2", AT - 5, 0)))
        assert unpacked(row.backlog)[0] == first
        assert [one.side for one in unpacked(row.backlog)] == ["a", "b"]
        assert rig.link().cursors[CUSTOMERS, "a"].backlog == packed([first])
        # A look that finds nothing new leaves no run, and what was told then is with the stream all the same.
        runs = len(rig.link().runs)
        told(Report("1", AT + 60, 0))()
        await until(lambda: "60" in rig.link().cursors[CUSTOMERS, "a"].backlog, timeout_s=100)
        assert len(rig.link().runs) == runs
        # A dry run says it, too, and keeps nothing.
        told(Report("1", AT + 90))()
        before = rig.link().cursors[CUSTOMERS, "a"].backlog
        dry = await ran(rig, root, "dry", "plan")
        assert unpacked(dry.backlog)[0].outstanding is None
        return before

    told()()
    on(rig_of, body)


def test_it_is_asked_before_anything_is_read() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: loaded(rig))
        rig.requests.clear()
        await ran(rig, root, "one")
        methods = [method for _, connection, method, _ in rig.requests if connection == "a"]
        reads = [place for place, method in enumerate(methods) if method.startswith("change")]
        assert methods.index("backlog") < min(reads)

    told(Report("1", AT, 0))()
    on(rig_of, body)


def test_records_that_are_made_in_the_system_itself_have_no_backlog() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: loaded(rig))
        Telling.told = None
        assert (await ran(rig, root, "one")).backlog == ""

    told()()
    on(rig_of, body)


def test_a_system_that_does_not_answer_is_not_taken_for_one_that_has_all() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: loaded(rig))
        rig.on["a", "backlog"] = fails(TandemError(Kind.TRANSIENT, "no line", scope=Scope.CONNECTION))
        row = await ran(rig, root, "one")
        assert row.outcome is not Outcome.NOTHING_NEW
        assert "no line" in row.error and row.backlog == ""

    told(Report("1", AT, 0))()
    on(rig_of, body)
