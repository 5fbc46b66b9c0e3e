"""What a story stands on: a daemon, a link under a built-in blueprint, and waiting until both sides show something.

Must not: know the systems of a pair.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import anyio

from examples.daemon import Daemon, StandError

BLUEPRINTS: Final = Path(__file__).parents[2] / "daemon" / "blueprints"
WITHIN_S: Final = 120.0


class Stage:
    """The daemon, and the link `demo` between the connections `a` and `b`."""

    link: Final = "demo"

    def __init__(self, daemon: Daemon, pair: str) -> None:
        self.daemon = daemon
        self.pair = pair

    def say(self, text: str) -> None:
        """One line of the story."""
        print(text, flush=True)

    async def connect(self, a: tuple[str, Mapping[str, Any]], b: tuple[str, Mapping[str, Any]]) -> None:
        """Tenant and both connections: connector and settings of each."""
        await self.daemon.create_tenant(self.pair)
        for name, (connector, settings) in (("a", a), ("b", b)):
            await self.daemon.create_connection(name, connector, settings)

    async def create_link(self, rules: Mapping[str, Any], **chosen: Any) -> None:
        """The link under the pair's blueprint, with `rules` laid over it; `chosen`: what its set-up asks for."""
        ours = self.daemon.root / "rules.json"  # JSON is YAML
        ours.write_text(json.dumps(rules))
        blueprint = f"@{BLUEPRINTS / f'{self.pair}.yaml'}"
        ctl = self.daemon.ctl
        await ctl("links", "create", self.link, "a", "b", blueprint, *([] if chosen else ["--paused"]))
        await ctl("settings", "change", self.link, "--settings", f"@{ours}")
        if not chosen:
            await ctl("links", "resume", self.link)
            return
        given = [
            word for name, value in chosen.items() for word in ("--settings", f"{name}={json.dumps(value)}")
        ]
        await ctl("links", "prepare", self.link, *given)
        await ctl("links", "activate", self.link)

    async def see(self, condition: Callable[[], object], what: str) -> None:
        """Wait until both sides show it; the story stops where they don't."""
        deadline = time.monotonic() + WITHIN_S
        while not condition():
            if time.monotonic() > deadline:
                raise StandError(f"after {WITHIN_S:g} s there was still not: {what}")
            await anyio.sleep(0.1)
        self.say(f"   {what}")

    async def parked(self, room: str) -> list[Mapping[str, Any]]:
        """What waits in a room."""
        found = await self.daemon.ctl("quarantine", "list-parked", self.link, "--room", room)
        return list(found.get("parked", ()))

    async def ends(self, differences: Callable[[], list[str]], *links: str) -> None:
        """The end: nothing is left to do, and both sides hold what they should. `links`: where they aren't `demo`."""
        left: list[str] = []
        for _ in range(20):
            for link in links or (self.link,):
                await self.daemon.ctl("runs", "start", link, "--watch", check=False)
            if not (left := differences()):
                self.say("Both sides hold what they should. Nothing was lost, nothing stands twice.")
                return
        raise StandError(f"both sides differ: {'; '.join(left)}")
