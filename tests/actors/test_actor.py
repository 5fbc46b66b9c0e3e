"""What an actor promises (docs/ACTORS.md): one message at a time, whose exception is whose, and its end."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest

from actors.runtime.actor import Actor
from actors.runtime.mailbox import MailboxClosed
from tests.sim import loop


class Diary(Actor):
    """Writes down what happens to it; every message takes a second."""

    def __init__(self) -> None:
        super().__init__("diary")
        self.lines: list[str] = []
        self.inside = 0

    async def started(self) -> None:
        self.lines.append("started")

    async def stopped(self) -> None:
        self.lines.append("stopped")

    async def poked(self, key: str) -> None:
        if key == "crash":
            raise RuntimeError("boom")
        await self._work(key)

    async def asked(self, message: Any) -> Any:
        if message == "fail":
            raise ValueError("no such thing")
        await self._work(f"?{message}")
        return message

    async def _work(self, name: str) -> None:
        self.inside += 1
        assert self.inside == 1, "two messages at a time"
        await anyio.sleep(1)
        self.inside -= 1
        self.lines.append(name)


def test_one_message_at_a_time() -> None:
    async def main() -> list[str]:
        diary = Diary()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(diary.run)
            for number in range(3):
                diary.mailbox.poke(f"p{number}")
                tasks.start_soon(diary.mailbox.ask, number)
            await anyio.sleep(10)
            assert anyio.current_time() == 10
            diary.mailbox.close()
        return diary.lines

    assert loop.run(main) == ["started", "p0", "?0", "p1", "?1", "p2", "?2", "stopped"]


def test_what_a_question_raises_belongs_to_the_asker() -> None:
    async def main() -> list[str]:
        diary = Diary()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(diary.run)
            with pytest.raises(ValueError, match="no such thing"):
                await diary.mailbox.ask("fail")
            assert await diary.mailbox.ask("still here") == "still here"
            diary.mailbox.close()
        return diary.lines

    assert loop.run(main) == ["started", "?still here", "stopped"]


def test_a_crash_ends_the_actor_and_answers_everybody_who_waits() -> None:
    async def main() -> tuple[list[str], list[str]]:
        diary, heard = Diary(), []

        async def ask(message: str) -> None:
            try:
                await diary.mailbox.ask(message)
            except MailboxClosed:
                heard.append(message)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, "first")
            await anyio.lowlevel.checkpoint()
            diary.mailbox.poke("crash")
            with pytest.raises(ExceptionGroup) as raised:
                await diary.run()
            assert "boom" in repr(raised.value.exceptions)
        return diary.lines, heard

    assert loop.run(main) == (["started", "stopped"], ["first"])


def test_a_cancelled_actor_lets_go_and_answers_the_question_it_was_at() -> None:
    async def main() -> tuple[list[str], list[str]]:
        diary, heard = Diary(), []

        async def ask() -> None:
            try:
                await diary.mailbox.ask("long")
            except MailboxClosed:
                heard.append("closed")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            with anyio.move_on_after(0.5):
                await diary.run()
        return diary.lines, heard

    assert loop.run(main) == (["started", "stopped"], ["closed"])


def test_the_tasks_of_an_actor_end_with_it() -> None:
    async def main() -> bool:
        ended = anyio.Event()

        class Busy(Diary):
            async def started(self) -> None:
                self.tasks.start_soon(self._forever)

            async def _forever(self) -> None:
                try:
                    await anyio.sleep_forever()
                finally:
                    ended.set()

        busy = Busy()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(busy.run)
            await anyio.sleep(1)
            assert not ended.is_set()
            busy.mailbox.close()
        return ended.is_set()

    assert loop.run(main)
