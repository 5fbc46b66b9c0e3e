"""The Runs service: start, watch, cancel, history. One run of a mode per link; a second start is answered with the first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from actors.core import lifecycle
from actors.core.lifecycle import Establishment
from actors.core.policy import LinkSpec
from actors.core.types import Mode, Outcome
from actors.ports.stored import WRITING
from actors.undoing import Subject
from daemon.api import convert, rules
from daemon.api.desk import Desk
from daemon.api.errors import Violation, invalid, precondition
from daemon.store.rows import LinkInfo, RunInfo
from tandem.v1 import runs_pb2 as pb
from tandem.v1 import runs_pb2_grpc

WATCH_INTERVAL_S: Final = 0.2
_KINDS: Final[Mapping[int, str]] = {pb.SCOPE_MASTER: "master", pb.SCOPE_DOCUMENT: "document"}


class Runs(runs_pb2_grpc.RunsServicer):
    """See proto/tandem/v1/runs.proto."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def StartRun(self, request: pb.StartRunRequest, context: Any) -> pb.StartRunResponse:
        info = await self._desk.link(request.link, request.tenant)
        refuse_inactive(info, request.dry_run)
        if info.row.facts.get("wish") == "paused" and not request.dry_run:  # a plan only looks
            raise precondition(
                "PAUSED",
                f"link {info.row.name} is paused",
                f"let it go on first: tandemctl links resume {info.row.name}",
                link=info.row.name,
            )
        spec = self._desk.blueprints.for_engine(info.row.blueprint, info.row.settings)
        scope, waits = _scope(spec, request), any(stream.delivery for stream in spec.streams)
        mode = "plan" if request.dry_run else "sync"
        run, already = await self._desk.admin.request_run(
            info.row.id, mode, scope, "command", commanded=waits
        )
        self._desk.engine.wake(info.row.id)
        if not already:
            await self._desk.audit("run.start", run.row.id, info.row.tenant, link=info.row.id, mode=mode)
        return pb.StartRunResponse(run=convert.run(run.row), already_running=already)

    async def WatchRun(self, request: pb.WatchRunRequest, context: Any) -> AsyncIterator[pb.Run]:
        last: pb.Run | None = None
        while True:
            info = await self._desk.run(request.run)
            now = convert.run(info.row)
            if now != last:
                yield now
                last = now
            if info.row.outcome is not Outcome.RUNNING:
                return
            await self._desk.news.wait(info.row.link, WATCH_INTERVAL_S)

    async def CancelRun(self, request: pb.CancelRunRequest, context: Any) -> pb.Run:
        info = await self._desk.run(request.run)
        if info.row.outcome is Outcome.RUNNING:
            info = await self._cancelled(info)
        return convert.run(info.row)

    async def _cancelled(self, info: RunInfo) -> RunInfo:
        found = await self._desk.admin.cancel_run(info.row.id)
        await self._desk.engine.cancel(info.row.link, info.row.id)
        await self._desk.audit("run.cancel", info.row.id, info.tenant, link=info.row.link)
        return found

    async def UndoRun(self, request: pb.UndoRunRequest, context: Any) -> pb.Run:
        undone = await self._desk.run(request.run)
        if undone.row.mode not in WRITING:
            raise precondition(
                "NOTHING_WRITTEN",
                f"run {undone.row.id} only looked: there is nothing to take back",
                "runs that wrote have the mode sync or apply: tandemctl runs list <link>",
            )
        if undone.row.outcome is Outcome.RUNNING:
            raise precondition(
                "RUNNING",
                f"run {undone.row.id} is under way",
                f"wait for its end, or stop it first: tandemctl runs cancel {undone.row.id}",
            )
        info = await self._desk.link(undone.row.link, undone.tenant)
        subject = msgspec.json.encode(Subject(run=undone.row.id)).decode()
        run = await ask_for(self._desk, info, Mode.UNDO, request.streams, subject)
        return convert.run(run.row)

    async def GetRun(self, request: pb.GetRunRequest, context: Any) -> pb.Run:
        return convert.run((await self._desk.run(request.run)).row)

    async def ListRuns(self, request: pb.ListRunsRequest, context: Any) -> pb.ListRunsResponse:
        link: LinkInfo = await self._desk.link(request.link, request.tenant)
        size = rules.page_size(request)
        found = await self._desk.admin.list_runs(link.row.id, "", size, request.page_token)
        return pb.ListRunsResponse(
            runs=[convert.run(info.row) for info in found.rows], next_page_token=found.next_page
        )

    async def ListRunItems(self, request: pb.ListRunItemsRequest, context: Any) -> pb.ListRunItemsResponse:
        run = await self._desk.run(request.run)
        size = rules.page_size(request)
        found = await self._desk.admin.list_items(run.row.id, request.state, size, request.page_token)
        return pb.ListRunItemsResponse(
            items=[convert.action(item.action) for item in found.rows], next_page_token=found.next_page
        )


async def ask_for(
    desk: Desk, info: LinkInfo, mode: Mode, streams: Sequence[str] = (), subject: str = ""
) -> RunInfo:
    """Queue a run that only looks; the one that is there already where it is the same."""
    refuse_inactive(info, looks_only=True)
    known = [stream.name for stream in desk.blueprints.of(info.row).streams]
    run, already = await desk.admin.request_run(info.row.id, mode, _named(known, streams), "command", subject)
    desk.engine.wake(info.row.id)
    if not already:
        await desk.audit("run.start", run.row.id, info.row.tenant, link=info.row.id, mode=mode.value)
    return run


def refuse_inactive(info: LinkInfo, looks_only: bool) -> None:
    facts = lifecycle.load(info.row.facts)
    if facts.establishment is Establishment.ESTABLISHED or (looks_only and lifecycle.plans(facts)):
        return
    name = info.row.name
    said = "is turned off" if facts.establishment is Establishment.OFF else "is being set up"
    raise precondition(
        "NOT_ACTIVE",
        f"link {name} {said}",
        f"tandemctl links list-preparations {name} says what it needs; then tandemctl links activate {name}",
        link=name,
    )


def _scope(spec: LinkSpec, request: pb.StartRunRequest) -> tuple[str, ...]:
    """Streams by name, else by kind; empty = all."""
    known = [stream.name for stream in spec.streams]
    if request.streams:
        return _named(known, request.streams)
    kind = _KINDS.get(request.scope)
    if kind is None:
        return ()
    found = tuple(stream.name for stream in spec.streams if stream.kind == kind)
    if not found:
        raise invalid([Violation("scope", f"the link has no stream of kind {kind}")])
    return found


def _named(known: Sequence[str], streams: Sequence[str]) -> tuple[str, ...]:
    """These streams, each once; refused where the link has no such stream."""
    unknown = [name for name in streams if name not in known]
    if unknown:
        said = f"the link has no stream {', '.join(unknown)}; it has {', '.join(known)}"
        raise invalid([Violation("streams", said)])
    return tuple(dict.fromkeys(streams))
