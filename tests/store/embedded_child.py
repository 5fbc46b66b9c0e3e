"""A daemon stand-in for test_embedded.py: starts the embedded PostgreSQL, says so on stdout, lives until killed.

Arguments: DATA_DIR [RUN_AS [UID]]. With a UID it becomes that user first. Prints one JSON line: its own pid, the server's
pid and the DSN; or the message of the EmbeddedError that refused it.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import cast

import anyio

from daemon.store.embedded import EmbeddedError, EmbeddedPostgres
from daemon.store.pgidentity import RunAs


async def _main(data_dir: Path, run_as: RunAs) -> None:
    server = EmbeddedPostgres(data_dir, run_as=run_as)
    try:
        dsn = await server.start()
    except EmbeddedError as error:
        print(json.dumps({"error": str(error)}), flush=True)
        return
    print(json.dumps({"pid": os.getpid(), "server_pid": server.pid, "dsn": dsn}), flush=True)
    # Ends by kill -9, or in order when stdin closes.
    await anyio.to_thread.run_sync(sys.stdin.read)
    await server.stop()


if __name__ == "__main__":
    data_dir, run_as, uid = sys.argv[1], *(*sys.argv[2:], *("auto", "")[len(sys.argv) - 2 :])
    if uid:
        os.setgroups([])
        os.setgid(int(uid))
        os.setuid(int(uid))
    anyio.run(_main, Path(data_dir), cast(RunAs, run_as))
