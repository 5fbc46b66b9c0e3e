"""Supervision: keeps named actors running, restarts a crashed one with backoff and a cap, then calls it degraded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import anyio.abc

from actors.runtime.actor import Actor

RESTARTS_MAX = 5
Crash = Callable[[str, BaseException, int], Awaitable[None]]


class Child:
    """One supervised name: its current actor (None between two lives), how often it crashed, whether it gave up."""

    def __init__(self, name: str, make: Callable[[], Actor]) -> None:
        self.name = name
        self.make = make
        self.actor: Actor | None = None
        self.kind = "actor"
        self.restarts = 0
        self.error = ""
        self.degraded = False
        self.degraded_at = 0.0
        self.scope = anyio.CancelScope()
        self.ended = anyio.Event()


class Supervisor:
    """Runs actors by name in one task group.

    A crash is restarted after `backoff_s * 2**n`, at most `backoff_max_s`; after `restarts_max` crashes without
    `calm_s` seconds of calm in between the child is degraded and left alone for `rest_s`, or until `forget`.
    """

    def __init__(
        self,
        tasks: anyio.abc.TaskGroup,
        *,
        crashed: Crash,
        clock: Callable[[], float],
        restarts_max: int = RESTARTS_MAX,
        backoff_s: float = 0.5,
        backoff_max_s: float = 30.0,
        calm_s: float = 60.0,
        rest_s: float = 300.0,
    ) -> None:
        self._tasks = tasks
        self._crashed = crashed
        self._clock = clock
        self._restarts_max = restarts_max
        self._backoff_s = backoff_s
        self._backoff_max_s = backoff_max_s
        self._calm_s = calm_s
        self._rest_s = rest_s
        self.children: dict[str, Child] = {}

    def get(self, name: str, make: Callable[[], Actor]) -> Child:
        """The child of that name, started if there is none (or the last one ended by itself)."""
        child = self.children.get(name)
        if child is not None and child.degraded and self._clock() - child.degraded_at < self._rest_s:
            return child
        if child is None or child.ended.is_set():
            child = Child(name, make)
            self.children[name] = child
            child.actor = make()
            child.kind = child.actor.kind
            self._tasks.start_soon(self._keep, child, name=name)
        return child

    def poke(self, name: str, make: Callable[[], Actor], key: str) -> None:
        """Poke the child of that name, starting it if need be; a degraded one stays at rest."""
        child = self.get(name, make)
        if child.actor is not None:
            child.actor.mailbox.poke(key)

    async def stop(self, name: str) -> None:
        """End one child and wait until it is gone."""
        child = self.children.pop(name, None)
        if child is not None and not child.ended.is_set():
            child.scope.cancel()
            await child.ended.wait()

    def forget(self, name: str) -> None:
        """Let a degraded child be started afresh the next time it is asked for."""
        child = self.children.get(name)
        if child is not None and child.degraded:
            del self.children[name]

    def states(self) -> list[dict[str, Any]]:
        """What there is to say of every child: name, kind, state, mailbox, restarts, error."""
        return [
            {
                "name": child.name,
                "kind": child.kind,
                "state": _state(child),
                "mailbox": len(child.actor.mailbox) if child.actor is not None else 0,
                "restarts": child.restarts,
                "error": child.error,
            }
            for child in self.children.values()
            if not child.ended.is_set() or child.degraded
        ]

    async def _keep(self, child: Child) -> None:
        try:
            with child.scope:
                await self._lives(child)
        finally:
            child.ended.set()
            # One that came to rest leaves nothing here; a degraded one is kept, to be left alone and seen.
            if not child.degraded and self.children.get(child.name) is child:
                del self.children[child.name]

    async def _lives(self, child: Child) -> None:
        crashes = 0
        while True:
            began = self._clock()
            actor = child.actor or child.make()
            child.actor = actor
            try:
                await actor.run()
                if not actor.again:
                    return
                child.actor = None
                continue
            except Exception as error:
                child.actor = None
                crashes = 1 if self._clock() - began > self._calm_s else crashes + 1
                child.restarts += 1
                child.error = root_cause(error)
                await self._crashed(child.name, error, crashes)
            if crashes > self._restarts_max:
                child.degraded, child.degraded_at = True, self._clock()
                return
            await anyio.sleep(min(self._backoff_max_s, self._backoff_s * 2.0 ** (crashes - 1)))


def _state(child: Child) -> str:
    if child.degraded:
        return "degraded"
    if child.actor is None:
        return "backing_off"
    return "busy" if child.actor.busy else "idle"


def root_cause(error: BaseException) -> str:
    """What really went wrong: the first error within however many groups."""
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"
