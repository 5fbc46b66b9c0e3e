"""Runs, plans, rooms and single records as people see and steer them through the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from actors.core.types import Action, ActionState, Hint, Side
from actors.ports import Counters, RunRow
from daemon.store.base import Base
from daemon.store.codec import Row, action, binding, clean, pack, parked
from daemon.store.inbox import put_hints
from daemon.store.plans import plan_row
from daemon.store.pool import Connection
from daemon.store.queries import sql
from daemon.store.rows import (
    BindingInfo,
    ItemRow,
    Listing,
    Missing,
    ParkedInfo,
    PlanInfo,
    Refused,
    RunInfo,
    page_place,
    page_token,
)
from daemon.store.runs import run_columns, run_row

NEWEST = 2**63 - 1
LIVE = ("open", "approved")


class AdminWork(Base):
    """What people ask for is stored and the link made due; its owner acts. `link`, `tenant` "" in lists = all."""

    # ------------------------------------------------------------------------------------------------ runs

    async def request_run(
        self,
        link: str,
        mode: str,
        scope: Sequence[str],
        cause: str,
        subject: str = "",
        *,
        commanded: bool = False,
    ) -> tuple[RunInfo, bool]:
        """Queue a run; the run and False, or the one of that mode and subject that is under way or queued and True.

        A queued one is widened to cover the new scope (empty = all streams). `commanded`: one under way that nobody asked
        for won't do, since it leaves what waits for its schedule; nor one that was approved before this approval, whose
        owner may be dead.
        """
        async with self._transaction() as db:
            # Locks the link's row too: of two requests at once the second meets the first.
            if await db.execute(sql("link_poke"), link) != "UPDATE 1":
                raise Missing("link", link)
            row = await db.fetchrow(sql("run_of_mode"), link, mode, subject, commanded)
            if row is None:
                run = f"run-{self._clock.token()}"
                asked = run_columns(
                    RunRow(run, link, mode, tuple(scope), cause, subject=subject), asked=self._clock.now()
                )
                await db.execute(sql("run_insert"), link, *asked)
            else:
                run = row["id"]
                if not row["started"]:
                    wider = sorted({*scope, *row["scope"]}) if scope and row["scope"] else []
                    await db.execute(sql("run_widen"), run, wider)
        return await self.get_run(run), row is not None

    async def get_run(self, run: str) -> RunInfo:
        """With its counters."""
        row = await self._row(sql("run_info"), run)
        if row is None:
            raise Missing("run", run)
        return (await self._with_counters([row]))[0]

    async def list_runs(self, link: str, tenant: str, size: int, page: str = "") -> Listing[RunInfo]:
        """Newest first."""
        found = await self._fetch(sql("runs_list"), link, tenant, *page_place(page, NEWEST), size + 1)
        rows = tuple(await self._with_counters(found[:size]))
        return Listing(rows, page_token(found[size - 1]["number"]) if len(found) > size else "")

    async def _with_counters(self, rows: Sequence[Row]) -> list[RunInfo]:
        counters: dict[str, list[Counters]] = {}
        for found in await self._fetch(sql("counters_of_runs"), [row["id"] for row in rows]):
            fields = dict(found)
            counters.setdefault(fields.pop("run"), []).append(Counters(**fields))
        return [
            RunInfo(
                msgspec.structs.replace(run_row(row), counters=tuple(counters.get(row["id"], ()))),
                row["tenant"],
                row["asked"],
                row["cancel"],
                row["partner"] or "",
            )
            for row in rows
        ]

    async def cancel_run(self, run: str) -> RunInfo:
        """A queued run ends at once, a running one is asked to; one that has ended stays as it is."""
        await self._execute(sql("run_cancel"), run, self._clock.now())
        return await self.get_run(run)

    async def list_items(self, run: str, state: str, size: int, page: str = "") -> Listing[ItemRow]:
        """The actions of a run in order; `state` "" = all."""
        found = await self._fetch(sql("items_list"), run, state, *page_place(page, 0), size + 1)
        rows = tuple(map(_item, found[:size]))
        return Listing(rows, page_token(rows[-1].action.id) if len(found) > size else "")

    # ----------------------------------------------------------------------------------------------- plans

    async def get_plan(self, plan: str) -> PlanInfo:
        """However it stands."""
        row = await self._row(sql("plan_info"), plan)
        if row is None:
            raise Missing("plan", plan)
        return PlanInfo(plan_row(row), row["tenant"], row["partner"] or "")

    async def list_plans(
        self, link: str, tenant: str, state: str, size: int, page: str = ""
    ) -> Listing[PlanInfo]:
        """Newest first; `state` "" = all."""
        found = await self._fetch(sql("plans_list"), link, tenant, state, *page_place(page, NEWEST), size + 1)
        rows = tuple(PlanInfo(plan_row(row), row["tenant"], row["partner"] or "") for row in found[:size])
        return Listing(rows, page_token(found[size - 1]["number"]) if len(found) > size else "")

    async def list_plan_actions(self, plan: str, size: int, page: str = "") -> Listing[Action]:
        """What the plan holds, in order."""
        found = await self._fetch(sql("plan_actions"), plan, *page_place(page, 0), size + 1)
        rows = tuple(action(row, ActionState.PLANNED) for row in found[:size])
        return Listing(rows, page_token(rows[-1].id) if len(found) > size else "")

    async def approve_plan(self, plan: str, rev: int) -> PlanInfo:
        """A yes to what revision `rev` showed and is unchanged since; each of those records is looked at again.

        An older revision than the current one is fine: what came later stays open.
        """
        async with self._transaction() as db:
            row = await _live_plan(db, plan)
            if not 1 <= rev <= row["rev"]:
                raise Refused(
                    f"plan {plan} has no revision {rev}", f"look at it again: it is at revision {row['rev']}"
                )
            await db.execute(sql("plan_approve"), plan, rev)
            await db.fetchval(sql("inbox_lock"), row["link"])
            await db.execute(sql("plan_hints"), plan, rev, self._clock.now())
        return await self.get_plan(plan)

    async def reject_plan(self, plan: str) -> PlanInfo:
        """Close it; what it held is not done, and what it would have deleted is remembered as kept."""
        async with self._transaction() as db:
            row = await _live_plan(db, plan)
            await db.execute(sql("plan_kept"), plan)
            await db.execute(sql("plan_close"), plan, row["link"], "rejected")
        return await self.get_plan(plan)

    # ----------------------------------------------------------------------------------- rooms and records

    async def list_parked(
        self, link: str, tenant: str, room: str, size: int, page: str = ""
    ) -> Listing[ParkedInfo]:
        """Oldest first; `room` "" = all."""
        found = await self._fetch(sql("parked_list"), link, tenant, room, *page_place(page, 0), size + 1)
        rows = tuple(map(_parked, found[:size]))
        return Listing(rows, page_token(rows[-1].row.id) if len(found) > size else "")

    async def get_parked(self, parked_id: int) -> ParkedInfo:
        """One row of any room."""
        row = await self._row(sql("parked_info"), parked_id)
        if row is None:
            raise Missing("parked record", parked_id)
        return _parked(row)

    async def decide(
        self, parked_id: int, fingerprint: str, decision: Mapping[str, Any], by: str
    ) -> ParkedInfo:
        """Store a decision for what the person saw (`fingerprint`); the record is looked at again and the owner acts.

        `Refused` when the row stands there for another reason by now.
        """
        now = self._clock.now()
        async with self._transaction() as db:
            row = await db.fetchrow(sql("parked_lock"), parked_id)
            if row is None:
                raise Missing("parked record", parked_id)
            if row["fingerprint"] != fingerprint:
                raise Refused(
                    f"parked record {parked_id} has changed meanwhile", "look at it again and decide anew"
                )
            await db.execute(sql("parked_decide"), parked_id, pack(decision), clean(by), now)
            hints = await _hints_for(db, row)
            await db.fetchval(sql("inbox_lock"), row["link"])
            await put_hints(db, row["link"], hints, now)
        return await self.get_parked(parked_id)

    async def import_staged(
        self, link: str, stream: str, ids: Sequence[int], by: str, but: Sequence[str] = ()
    ) -> int:
        """Decide to import staged documents as they are shown now: those with these numbers, or all of `stream` ("" = of the
        link), without those of the streams in `but`. How many. `Missing` where one of the numbers is not staged in the link;
        then nothing is decided."""
        decision, now = pack({"choose": "import"}), self._clock.now()
        async with self._transaction() as db:
            await db.execute(sql("link_poke"), link)
            await db.fetchval(sql("inbox_lock"), link)
            asked = (link, stream, list(ids), decision, clean(by), now, list(but))
            done = await db.fetch(sql("staged_import"), *asked)
            found = {row["id"] for row in done}
            if lost := [one for one in ids if one not in found]:
                raise Missing("staged document", ", ".join(map(str, lost)))
        return len(found)

    async def find_binding(
        self, link: str, stream: str, side: Side, id_: str, actions: int = 20
    ) -> BindingInfo:
        """The binding of a record, with what is parked of it and its last actions."""
        row = await self._row(sql("bindings_by_id", side=side), link, stream, [id_])
        if row is None:
            raise Missing("record", f"{stream} {side}:{id_}")
        rooms = await self._fetch(sql("parked_of"), link, [row["key"]])
        last = await self._fetch(sql("actions_of_binding"), link, row["key"], actions)
        return BindingInfo(binding(row), tuple(map(parked, rooms)), tuple(map(_item, last)))

    async def writes_of(self, link: str, stream: str, binding: int, limit: int) -> Sequence[ItemRow]:
        """What was written of a record, the last first."""
        return [
            _item(row) for row in await self._fetch(sql("writes_of_binding"), link, binding, stream, limit)
        ]


async def _live_plan(db: Connection, plan: str) -> Row:
    row = await db.fetchrow(sql("plan_lock_by_id"), plan)
    if row is None:
        raise Missing("plan", plan)
    if row["state"] not in LIVE:
        raise Refused(f"plan {plan} is {row['state']} already", "list the open plans")
    return row


async def _hints_for(db: Connection, row: Row) -> list[Hint]:
    """A look at the record, on the side it was parked for where it has that one."""
    bound = await db.fetchrow(sql("bindings_by_key"), row["link"], [row["binding"]])
    if bound is None:
        return []
    for side in (row["side"] or "a", "a", "b"):
        if bound[f"{side}_id"] is not None:
            return [Hint(row["stream"], side, bound[f"{side}_id"], "decided")]
    return []


def _item(row: Row) -> ItemRow:
    return ItemRow(action(row), row["link"], row["run"], row["created"], row["closed"] or 0.0)


def _parked(row: Row) -> ParkedInfo:
    return ParkedInfo(
        parked(row),
        row["link"],
        row["tenant"],
        row["decided_by"] or "",
        row["decided"] or 0.0,
        row["partner"] or "",
    )
