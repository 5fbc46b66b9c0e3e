"""`make run`: bring up the quickstart, show the first load, say where everything is, and stay."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import anyio

from examples.quickstart.stand import LINK, Stand, StandError

ROOT = Path("var/quickstart")
WHERE = """
The link '{link}' is up: customers both ways, articles from the ERP to the CRM.

  ERP    {erp}/KUNDEN.csv, ARTIKEL.csv   (open them in any editor; Windows-1252, semicolons)
  CRM    python -m examples.quickstart.sql "SELECT number, name, phone FROM customers LIMIT 5"
  rules  examples/quickstart/erp-crm.yaml
  gRPC   {grpc}      metrics, health  http://{http}/metrics  http://{http}/healthz
  log    {log}

Try it, in another terminal:
  export TANDEM_DATA_DIR={data_dir} TANDEM_TENANT=quickstart PATH="$PWD/.venv/bin:$PATH"
  python -m examples.quickstart.sql "UPDATE customers SET phone = '+49 30 555555' WHERE number = 'K00007'"
  grep -a K00007 {erp}/KUNDEN.csv              # a moment later it is there
  tandemctl links get {link}                # state, freshness, what waits
  tandemctl conflicts list {link}           # names that differ on both sides: a person decides
  tandemctl runs list {link}

Ctrl-C stops the daemon and the CRM. `make run` goes on where it stopped; delete {root} to start afresh.
"""


async def main() -> int:
    """Bring everything up and stay until Ctrl-C (or until the daemon ends)."""
    stand = Stand(ROOT)
    print("Starting the CRM and the ERP folder ...", flush=True)
    await stand.open_systems()
    try:
        print("Starting tandemd ...", flush=True)
        await stand.start_daemon()
        await stand.connect()
        await _watch_first_load(stand)
        print(WHERE.format(link=LINK, root=stand.root, **_places(stand)), flush=True)
        return await _stay(stand)
    except StandError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        with anyio.CancelScope(shield=True):
            await stand.stop_daemon()
            await stand.close_systems()


async def _watch_first_load(stand: Stand) -> None:
    last = ""
    while True:
        link = await stand.link()
        line = f"  {link['state']}: {link.get('bindings', 0)} pairs in step"
        rooms = ", ".join(f"{r['count']} in {r['room']}" for r in link.get("rooms", ()) if int(r["count"]))
        line += f"; {rooms}" if rooms else ""
        if line != last:
            print(line, flush=True)
        last = line
        if link.get("loaded") and not link.get("run"):
            return
        if link["state"] in ("misconfigured", "degraded"):
            print("  " + "; ".join(link.get("reasons", ())), flush=True)
        await anyio.sleep(0.3)


async def _stay(stand: Stand) -> int:
    assert stand.daemon is not None
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with anyio.create_task_group() as tasks:

            async def until_signal() -> None:
                async for _ in signals:
                    tasks.cancel_scope.cancel()
                    return

            tasks.start_soon(until_signal)
            while stand.daemon.poll() is None:
                await anyio.sleep(0.2)
            print(f"tandemd ended by itself; see {stand.log}", file=sys.stderr)
            tasks.cancel_scope.cancel()
            return 1
    return 0


def _places(stand: Stand) -> dict[str, str]:
    return {
        "erp": str(stand.erp),
        "grpc": str(stand.ready["grpc"]),
        "http": str(stand.ready["http"]),
        "log": str(stand.log),
        "data_dir": str(stand.data_dir),
    }


if __name__ == "__main__":
    sys.exit(anyio.run(main))
