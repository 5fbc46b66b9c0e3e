"""The Plans service: read what a run would do, say yes or no to it."""

from __future__ import annotations

from typing import Any

import msgspec

from actors import undoing
from actors.core.types import Mode
from actors.rehearsing import KIND
from daemon.api import convert, rules
from daemon.api.desk import Desk
from daemon.api.errors import precondition
from daemon.store.rows import PlanInfo
from tandem.v1 import plans_pb2 as pb
from tandem.v1 import plans_pb2_grpc


class Plans(plans_pb2_grpc.PlansServicer):
    """See proto/tandem/v1/plans.proto."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def ListPlans(self, request: pb.ListPlansRequest, context: Any) -> pb.ListPlansResponse:
        link = await self._desk.link(request.link, request.tenant)
        size = rules.page_size(request)
        found = await self._desk.admin.list_plans(link.row.id, "", request.state, size, request.page_token)
        return pb.ListPlansResponse(
            plans=[convert.plan(info.row) for info in found.rows], next_page_token=found.next_page
        )

    async def GetPlan(self, request: pb.GetPlanRequest, context: Any) -> pb.Plan:
        return convert.plan((await self._desk.plan(request.plan)).row)

    async def ListPlanActions(
        self, request: pb.ListPlanActionsRequest, context: Any
    ) -> pb.ListPlanActionsResponse:
        plan = await self._desk.plan(request.plan)
        size = rules.page_size(request)
        found = await self._desk.admin.list_plan_actions(plan.row.id, size, request.page_token)
        return pb.ListPlanActionsResponse(
            actions=[convert.action(one, planned=True) for one in found.rows], next_page_token=found.next_page
        )

    async def ApprovePlan(self, request: pb.ApprovePlanRequest, context: Any) -> pb.Plan:
        plan = await self._desk.plan(request.plan)
        if plan.row.kind == KIND:
            raise precondition(
                "REHEARSAL",
                f"plan {plan.row.id} shows what other rules would do: it can't be carried out",
                "let the rules hold: tandemctl settings change; what is beyond the budgets waits as a plan then",
            )
        found = await self._desk.admin.approve_plan(plan.row.id, request.revision)
        if plan.row.kind == undoing.KIND:
            await self._apply(plan)
        await self._settled(found.row.link)
        await self._desk.audit("plan.approve", plan.row.id, plan.tenant, revision=request.revision)
        return convert.plan(found.row)

    async def RejectPlan(self, request: pb.RejectPlanRequest, context: Any) -> pb.Plan:
        plan = await self._desk.plan(request.plan)
        found = await self._desk.admin.reject_plan(plan.row.id)
        await self._settled(found.row.link)
        await self._desk.audit("plan.reject", plan.row.id, plan.tenant)
        return convert.plan(found.row)

    async def _apply(self, plan: PlanInfo) -> None:
        """Nobody derives an undo: a run of its own carries it out."""
        subject = undoing.Subject(plan=plan.row.id, stream=plan.row.stream)
        text = msgspec.json.encode(subject).decode()
        streams = (plan.row.stream,)
        await self._desk.admin.request_run(
            plan.row.link, Mode.APPLY, streams, "approval", text, commanded=True
        )

    async def _settled(self, link: str) -> None:
        await self._desk.admin.poke_link(link)
        self._desk.engine.wake(link)
