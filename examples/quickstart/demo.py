"""`make demo`: the quickstart as a story that ends. Exits 0 only if both systems agree at its end.

Loads, edits both sides (different fields of one record, and the same field), shows the plan, syncs, decides the
conflict, kills the daemon with SIGKILL in the middle of a run, starts it again, and compares both systems itself.
"""

from __future__ import annotations

import random
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import anyio

from examples.quickstart.compare import differences
from examples.quickstart.stand import LINK, Stand, StandError

QUIET_WITHIN_S = 90.0


def say(text: str) -> None:
    """One line of the story."""
    print(text, flush=True)


async def main() -> int:
    """Play the story in a fresh folder and take everything down again."""
    root = Path(tempfile.mkdtemp(prefix="tandem-demo-"))
    stand = Stand(root, listen="127.0.0.1:0", http="127.0.0.1:0")
    try:
        await stand.open_systems()
        await stand.start_daemon()
        left = await _story(stand)
    except StandError as error:
        say(f"\nThe demo stopped: {error}")
        left = [str(error)]
    finally:
        with anyio.CancelScope(shield=True):
            await stand.stop_daemon()
            await stand.close_systems()
    if left:
        say(f"\nNOT in step ({len(left)} differences); everything is kept in {root}:")
        for line in left[:20]:
            say(f"  {line}")
        return 1
    shutil.rmtree(root, ignore_errors=True)
    say("\nBoth systems hold the same customers and articles. Nothing was lost, nothing stands twice.")
    return 0


async def _story(stand: Stand) -> list[str]:
    await _load(stand)
    await _plan_then_sync(stand)
    await _decide(stand)
    await _kill_in_the_middle(stand)
    return await differences(stand)


async def _load(stand: Stand) -> None:
    say("1. The ERP holds 240 customers and 300 articles, the CRM 192 customers; some are the same.")
    await stand.connect()
    await _in_step(stand)
    link = await stand.link()
    rooms = {room["room"]: int(room["count"]) for room in link.get("rooms", ()) if int(room["count"])}
    say(f"   First load done: {link['bindings']} pairs are in step.")
    say(f"   Waiting for a person: {rooms.get('conflict', 0)} names that differ, and one e-mail address that")
    say(f"   three customers share ({rooms.get('ambiguous', 0)} records in the list): nobody guesses.")


async def _plan_then_sync(stand: Stand) -> None:
    say("2. Paused, so that the plan can be read first. Then people edit both sides:")
    await stand.ctl("links", "pause", LINK)
    rows = stand.erp_rows("KUNDEN")
    rows[9]["TELEFON"] = "030 / 777001"
    rows[11]["NAME1"] = "Weinhandel Alt & Neu KG"
    stand.save_erp("KUNDEN", rows)
    await stand.sql("UPDATE customers SET email = 'neu@mail.example' WHERE number = $1", rows[9]["KUNDENNR"])
    await stand.sql(
        "UPDATE customers SET name = 'Weinhandel Neu & Alt' WHERE number = $1", rows[11]["KUNDENNR"]
    )
    say(f"   {rows[9]['KUNDENNR']}: phone in the ERP, e-mail in the CRM: different fields, no conflict.")
    say(f"   {rows[11]['KUNDENNR']}: another name on both sides: a conflict.")
    await stand.ctl("runs", "start", LINK, "--dry-run", "--watch", check=False)
    await _show_plan(stand)
    await stand.ctl("links", "resume", LINK)
    await _in_step(stand)
    say("   Synced. Both edits of the first are on both sides; the second waits for a decision.")


async def _show_plan(stand: Stand) -> None:
    for plan in (await stand.ctl("plans", "list", LINK)).get("plans", ()):
        actions = (await stand.ctl("plans", "list-actions", plan["id"])).get("actions", ())
        for action in actions[:5]:
            side = {"SIDE_A": "ERP", "SIDE_B": "CRM"}.get(action["side"], action["side"])
            changes = ", ".join(
                f"{d['field']} -> {d['chosen'].get('value')}" for d in action.get("decisions", ())
            )
            say(
                f"   plan: {action['op']} {action['stream']} {action.get('record', '')} in the {side}: {changes}"
            )


async def _decide(stand: Stand) -> None:
    conflicts = (await stand.ctl("conflicts", "list", LINK)).get("conflicts", ())
    say(
        f"3. {len(conflicts)} conflicts, each with the value of both sides. A person says: the ERP's name stays."
    )
    for conflict in conflicts:
        await stand.ctl("conflicts", "resolve", str(conflict["id"]), "--choose", "a")
    await _in_step(stand, conflicts=0)


async def _kill_in_the_middle(stand: Stand) -> None:
    say(
        "4. Month's end: the ERP changes 200 credit limits, the CRM gets 150 new customers and 80 new phones."
    )
    rows = stand.erp_rows("KUNDEN")
    for row in rows[:200]:
        row["KREDITLIMIT"] = "3.333,00"
    stand.save_erp("KUNDEN", rows)
    await stand.sql(
        "INSERT INTO customers (name, city, email, country)"
        " SELECT 'Neukunde ' || n, 'Hamburg', 'neu' || n || '@kunden.example', 'DE' FROM generate_series(1, 150) n"
    )
    await stand.sql(
        "UPDATE customers SET phone = '+49 40 88' || id WHERE number BETWEEN 'K00020' AND 'K00099'"
    )
    luck = random.Random()  # noqa: S311 -- the moment of the kill, no secret
    for kill in range(1, 4):
        await _until_writing(stand)
        await anyio.sleep(luck.uniform(0.0, 0.4))
        await stand.stop_daemon(signal.SIGKILL)
        say(f"   kill -9 number {kill} in the middle of a run. Starting tandemd again ...")
        await stand.start_daemon()
    await _in_step(stand)
    await _approve(stand)
    await _in_step(stand)
    say("   It went on where it was. Comparing both systems record by record:")


async def _until_writing(stand: Stand) -> None:
    """Wait for a run that has begun, or a moment if everything is done already."""
    for _ in range(20):
        link = await stand.link()
        if link.get("run"):
            return
        await anyio.sleep(0.05)


async def _approve(stand: Stand) -> None:
    """A guard may ask for a yes: that many changes at once are no everyday thing."""
    for plan in (await stand.ctl("plans", "list", LINK, "--state", "open")).get("plans", ()):
        if plan["kind"] == "held":
            say(f"   The guard asks for a yes: {plan.get('reason')}. Approved.")
            await stand.ctl("plans", "approve", plan["id"], str(plan.get("revision", 0)))


async def _in_step(stand: Stand, conflicts: int | None = None) -> None:
    """Wait until the daemon says that nothing is left to do, and a fresh run finds nothing new."""
    with anyio.move_on_after(QUIET_WITHIN_S):
        while True:
            run = await stand.ctl("runs", "start", LINK, "--watch", check=False)
            if run.get("outcome") in ("nothing_new", "awaiting_approval") and await _settled(
                stand, conflicts
            ):
                return
            await anyio.sleep(0.2)
    raise StandError(f"the link was not in step within {QUIET_WITHIN_S:g} s; see {stand.log}")


async def _settled(stand: Stand, conflicts: int | None) -> bool:
    link = await stand.link()
    if not link.get("loaded") or float(link.get("freshnessS", link.get("freshness_s", 0)) or 0) > 0:
        return False
    if conflicts is None:
        return True
    counts = {room["room"]: int(room["count"]) for room in link.get("rooms", ())}
    return counts.get("conflict", 0) == conflicts


if __name__ == "__main__":
    sys.exit(anyio.run(main))
