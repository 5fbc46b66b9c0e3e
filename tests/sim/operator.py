"""The person who steers the link: pauses it, asks for runs, answers what it asks. Works on the store's rows only."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import anyio

from actors.core.types import Outcome, Parked, Room
from actors.ports import RunRow
from tests.fakes.store import MemoryStore
from tests.sim.auditor_latest import FAILED
from tests.sim.evidence import Decision, Span
from tests.sim.view import ids_of

LINK = "sim"
# A run that is under way may take so long to come to its next safe point.
REST_S = 45.0
ANSWERS_MAX = 3  # so often a person decides about one contested field


class Operator:
    """One person. `decisions`, `pauses`, `approved` (by stream and kind of budget): what was done, for the auditor."""

    def __init__(
        self, store: MemoryStore, luck: random.Random, note: Callable[[str], None], link: str = LINK
    ) -> None:
        self._link = link
        self.decisions: list[Decision] = []
        self.pauses: list[Span] = []
        self._store = store
        self._luck = luck
        self._note = note
        self._runs = 0
        self._listed: Counter[tuple[int, str]] = Counter()
        self._paused_at: float | None = None
        self.tells_apart = False  # whether he looks into what is ambiguous
        self.leaves: frozenset[str] = (
            frozenset()
        )  # streams of which he imports what was refused, and nothing else
        self.approved: Counter[tuple[str, str]] = Counter()

    async def work(self, during_s: float) -> None:
        """Do something now and then."""
        until = anyio.current_time() + during_s
        while anyio.current_time() < until:
            await anyio.sleep(self._luck.expovariate(1 / 25))
            deed = self._luck.choices(
                ["run", "plan", "cancel", "pause", "decide", "approve"], [3, 2, 1, 1, 4, 2]
            )[0]
            if deed in ("run", "plan"):
                self.ask_for_run("sync" if deed == "run" else "plan")
            elif deed == "cancel":
                self._cancel()
            elif deed == "pause":
                await self._pause(self._luck.uniform(5, 50))
            elif deed == "decide":
                self.decide(self._luck.choice([0.3, 1.0]))
            else:
                self.approve()

    def ask_for_run(self, mode: str) -> None:
        """Queue a run."""
        self._runs += 1
        self._note(f"operator asks for run {self._runs} ({mode})")
        self._store.request_run(RunRow(id=self._name_of_run(), link=self._link, mode=mode))

    def _name_of_run(self) -> str:
        return f"asked-{self._runs}" if self._link == LINK else f"asked-{self._link}-{self._runs}"

    def _cancel(self) -> None:
        runs = self._store.links[self._link].runs.values()
        live = [run.id for run in runs if run.outcome is Outcome.RUNNING]
        if live:
            self._note(f"operator cancels {live[-1]}")
            self._store.cancel_run(self._link, live[-1])

    async def _pause(self, for_s: float) -> None:
        self.pause()
        await anyio.sleep(for_s)
        self.resume()

    def pause(self) -> None:
        """The link is to rest; said again, it changes nothing."""
        self._note("operator pauses the link")
        self._paused_at = anyio.current_time() if self._paused_at is None else self._paused_at
        self._store.set_wish(self._link, "paused")

    def resume(self) -> None:
        """The link goes on."""
        self._note("operator lets it run")
        self._store.set_wish(self._link, "run")
        if self._paused_at is not None:
            self.pauses.append(Span(self._paused_at + REST_S, anyio.current_time()))
        self._paused_at = None

    def say_again(self) -> None:
        """The state was set back: people say once more whether the link is to run."""
        self._store.set_wish(self._link, "run" if self._paused_at is None else "paused")

    def meddle(self) -> None:
        """Something through the API, at whatever moment this is called."""
        deeds = [
            lambda: self.ask_for_run(self._luck.choice(["sync", "plan"])),
            self._cancel,
            self.pause,
            self.resume,
            self.resume,
            lambda: self.decide(self._luck.choice([0.3, 1.0])),
            self.approve,
        ]
        self._luck.choice(deeds)()

    def decide(self, share: float) -> int:
        """Answer some of what is parked; how many."""
        before = len(self.decisions)
        for row in sorted(self._store.links[self._link].parked.values(), key=lambda row: row.id):
            asked = row.decision is None and self._luck.random() < share and not self._is_tired_of(row)
            if asked and (answer := self._answer(row)):
                self._say(row, answer)
        return len(self.decisions) - before

    def _is_tired_of(self, row: Parked) -> bool:
        """Something answers each write there: after a few times nobody says the same again."""
        self._listed[row.binding, row.field] += row.reason.startswith("contested")
        return self._listed[row.binding, row.field] > ANSWERS_MAX

    def _answer(self, row: Parked) -> str:
        if row.room is Room.CONFLICT and row.field == "*delete*":
            return self._luck.choice(["keep", "restore", "remove"])
        if row.room is Room.CONFLICT:
            return self._luck.choice(["a", "b"])
        if row.room is Room.STAGED:
            return "" if row.stream in self.leaves and not row.reason.startswith(FAILED) else "import"
        if row.room is Room.AMBIGUOUS and self.tells_apart:
            return "different"
        return "retry" if row.room in (Room.QUARANTINE, Room.WAITING) else ""

    def _say(self, row: Parked, choose: str) -> None:
        ids = ids_of(self._store.links[self._link], row.binding)
        if self._store.decide(self._link, row.id, row.fingerprint, {"choose": choose}):
            self._note(f"operator decides {row.stream} {ids} {row.field or row.room.value}: {choose}")
            name = row.field.removeprefix("group ")
            self.decisions.append(Decision(anyio.current_time(), row.stream, ids, name, choose))

    def approve(self) -> int:
        """Say yes to what is held, as it is now; to how many plans."""
        count = 0
        for plan in list(self._store.links[self._link].plans.values()):
            if plan.state == "open" and plan.kind == "held":
                self._note(f"operator approves {plan.id} at revision {plan.rev}")
                self._store.approve_plan(self._link, plan.id, plan.rev)
                for _, action in self._store.links[self._link].held[plan.id].values():
                    self.approved.update((action.stream, kind) for kind in action.kinds)
                count += 1
        return count
