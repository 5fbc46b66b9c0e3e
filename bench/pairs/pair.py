"""What is measured of a pair of products, and what it has to bring for that.

Must not: know a system.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, TypeVar

import aiohttp
import yaml

from bench.pairs.emulated import Called, Emulated, Rows
from bench.stand import End
from bench.tables import WrongResult
from clients.connectors import yaml_nodes
from daemon import blueprints

T = TypeVar("T")


class Pair(ABC):
    """One pair. `systems`: the emulators of a and b with their options; records of a are loaded into b. `turned`: what is
    called a here is side b of the link."""

    name: str
    blueprint: str
    systems: tuple[tuple[str, Mapping[str, str]], tuple[str, Mapping[str, str]]]
    turned = False
    beside = 0  # so many records more are bound
    there: ClassVar[Rows] = {}  # what stands in b before the load
    allowance_s = (
        0.0  # so long it takes until what a plan allows at once is there again: the load begins with that
    )
    # Of b, once it is loaded: how single changes are let through that come in a row, where a plan has its limit.
    without_limit: ClassVar[Mapping[str, Any]] = {}
    rules: ClassVar[Mapping[str, Any]] = {}  # laid over the blueprint

    @abstractmethod
    def rows(self, count: int) -> Rows:
        """What stands in a before the load: so many records."""

    @abstractmethod
    def ends(self, a: Emulated, b: Emulated) -> tuple[End, End]:
        """How the daemon reaches both."""

    @abstractmethod
    async def load(self, http: aiohttp.ClientSession, a: Emulated, b: Emulated) -> None:
        """The plain script: reads all of a and makes it in b, with as many requests at once as the connectors, as large."""

    @abstractmethod
    async def held(self, a: Emulated, b: Emulated) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        """What both hold of each record, comparable."""

    async def check(self, a: Emulated, b: Emulated) -> None:
        """Both hold the same."""
        of_a, of_b = await self.held(a, b)
        if sorted(of_a) != sorted(of_b):
            raise WrongResult(f"{self.name}: {len(of_a)} records in A, {len(of_b)} in B, and they differ")

    def text(self) -> str:
        """The blueprint, without what goes before a first load: handshakes are people's time."""
        rules, _ = yaml_nodes.parse(blueprints.text(self.blueprint))
        assert isinstance(rules, dict)
        rules.pop("setup", None)
        return yaml.dump(_over(rules, self.rules), Dumper=_Dumper, sort_keys=False, allow_unicode=True)


class TellingPair(Pair):
    """One of whose systems tells of changes by a webhook."""

    changes = 200  # so many are timed
    hooked = ""  # the object of which changes are told; "" where the call says it

    @abstractmethod
    def ways(self, a: Emulated, b: Emulated) -> tuple[Emulated, Emulated]:
        """The side whose webhook tells of changes, and the side that they are written to."""

    @abstractmethod
    async def call(self, source: Emulated, url: str, secret: str) -> None:
        """Let changes of `source` be told to this address, and to no other; with the secret, where the vendor has one."""

    @abstractmethod
    async def change(self, source: Emulated, number: int, mark: str) -> None:
        """A person changes the record of that number."""

    @abstractmethod
    async def watch(self, target: Emulated, called: Called) -> AsyncIterator[float]:
        """When something was written to `target` (`time.perf_counter`), each time. `called`: an address for its webhooks."""
        yield 0.0

    @abstractmethod
    async def relay(
        self, http: aiohttp.ClientSession, source: Emulated, target: Emulated, number: int
    ) -> None:
        """What a script does that was told of that record: reads it, and writes it there as the vendor's API wants it."""


class _Dumper(yaml.SafeDumper):
    """Writes exact numbers plainly."""


def _number(dumper: yaml.SafeDumper, value: Decimal) -> yaml.ScalarNode:
    whole = value == int(value)
    return dumper.represent_int(int(value)) if whole else dumper.represent_float(float(value))


_Dumper.add_representer(Decimal, _number)


def _over(rules: Any, given: Any) -> Any:
    if not isinstance(given, Mapping) or not isinstance(rules, Mapping):
        return given
    return {**rules, **{name: _over(rules.get(name), value) for name, value in given.items()}}


async def at_once(items: AsyncIterator[T], one: Callable[[T], Awaitable[None]], most: int) -> None:
    """`one` of each item, so many at once."""
    queue: asyncio.Queue[T | None] = asyncio.Queue(2 * most)

    async def work() -> None:
        while (item := await queue.get()) is not None:
            await one(item)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(most):
            tasks.create_task(work())
        async for item in items:
            await queue.put(item)
        for _ in range(most):
            await queue.put(None)


def picked(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[tuple[Any, ...]]:
    """Some fields of each row."""
    return [tuple(row[name] for name in names) for row in rows]
