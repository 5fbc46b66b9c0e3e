"""A process with pytest loaded, that gives birth to one process per request: most of a short test run is loading.

Run by runner.py, in the folder of a tree. A request is a line of JSON (arguments, a file for what is said, seconds allowed),
the answer a line with the exit status. Must not: import anything of the product, which each child loads afresh.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from typing import Any

# What every run needs, loaded once. asyncpg is the dearest of what tests import themselves.
import anyio
import asyncpg
import hypothesis
import msgspec
import pytest

LOADED = (anyio, asyncpg, hypothesis, msgspec)
CRASHED = 3  # as pytest calls an internal error
FAILED = 1


def run(request: dict[str, Any]) -> int:
    """The exit status of one run, or FAILED where it did not come to an end in time."""
    child = os.fork()
    if child == 0:
        _test(request)
    until = time.monotonic() + request["timeout_s"]
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return FAILED


def _test(request: dict[str, Any]) -> None:
    """In the child, which it ends."""
    os.setsid()  # so that it can be ended with all that it started
    said = os.open(request["said"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for place, file in ((0, nothing), (1, said), (2, said)):
        os.dup2(file, place)
    status = CRASHED
    try:
        status = int(pytest.main(request["arguments"]))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def main() -> None:
    """Until nobody asks any more."""
    for line in sys.stdin:
        print(run(json.loads(line)), flush=True)


if __name__ == "__main__":
    main()
