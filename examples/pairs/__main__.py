"""`python -m examples.pairs PAIR` (`make demo PAIR=...`): the story of one pair.

Status 0 only if both sides hold what they should.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Final

import anyio

from examples.daemon import Daemon, StandError
from examples.pairs.stage import Stage

# One line per pair; its module has a coroutine `play(stage)`.
STORIES: Final = {
    "sage50fr-sage-sales-management": "examples.pairs.sage50fr_sage_sales_management",
    "selectline-cloudkasse": "examples.pairs.selectline_cloudkasse",
    "tribe-winbooks": "examples.pairs.tribe_winbooks",
    "webcrm-uniconta": "examples.pairs.webcrm_uniconta",
    "winestro-accounts": "examples.pairs.winestro_accounts",
}


async def perform(pair: str) -> int:
    """Bring everything up, play, take everything down."""
    root = Path(tempfile.mkdtemp(prefix=f"tandem-{pair}-"))
    daemon = Daemon(root, "demo")
    stage = Stage(daemon, pair)
    try:
        stage.say("Starting tandemd and both systems ...")
        await daemon.start_daemon()
        try:
            await import_module(STORIES[pair]).play(stage)
        finally:
            with anyio.CancelScope(shield=True):
                await daemon.stop_daemon()
    except StandError as error:
        stage.say(f"\nThe story stopped: {error}\nEverything is kept in {root}")
        return 1
    shutil.rmtree(root, ignore_errors=True)
    return 0


def main() -> int:
    """The command line."""
    if len(sys.argv) != 2 or sys.argv[1] not in STORIES:
        print(
            f"usage: python -m examples.pairs PAIR, where PAIR is one of: {', '.join(STORIES)}",
            file=sys.stderr,
        )
        return 2
    return anyio.run(perform, sys.argv[1])


if __name__ == "__main__":
    sys.exit(main())
