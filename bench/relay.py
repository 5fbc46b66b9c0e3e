"""The relay that latency is compared with: NOTIFY, read the record, UPDATE the other side. No state, no merge.

Run as `python -m bench.relay SOURCE TARGET`; says "ready" on its standard output.
"""

from __future__ import annotations

import asyncio
import sys

import asyncpg

READ = "SELECT id, name, city, country, email, phone, payment_days, credit, active, since FROM customers WHERE id = $1"
WRITE = (
    "UPDATE customers SET name = $2, city = $3, country = $4, email = $5, phone = $6, payment_days = $7, credit = $8,"
    " active = $9, since = $10 WHERE id = $1"
)


async def main(source: str, target: str) -> None:
    """Relay until the process is ended."""
    one, other = await asyncpg.connect(source), await asyncpg.connect(target)
    queue: asyncio.Queue[int] = asyncio.Queue()
    await one.add_listener("bench_relay", lambda *told: queue.put_nowait(int(told[3])))
    reader = await asyncpg.connect(source)
    print("ready", flush=True)
    while True:
        row = await reader.fetchrow(READ, await queue.get())
        if row is not None:
            await other.execute(WRITE, *row)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
