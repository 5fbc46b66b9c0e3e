"""Start the OData server of the tests by hand."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from tests.connectors import odata_server


def main() -> int:
    """Run it until Ctrl-C."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, default=0, help="0: a free one")
    options.add_argument("--install", action="store_true", help="install what it needs, and end")
    given = options.parse_args()
    ended = threading.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, lambda *_: ended.set())
    try:
        if given.install:
            odata_server.installed()
            return 0
        with odata_server.running(given.port) as url:
            print(
                f"{url}/odata/v4/shop  user {odata_server.USER}, password '{odata_server.PASSWORD}'",
                flush=True,
            )
            ended.wait()
    except odata_server.NotInstallable as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
