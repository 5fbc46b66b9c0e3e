"""What `once`, `stages` and `imports` owe the other rules of their stream. Must not: read entries."""

from __future__ import annotations

from actors.core.blueprint.nodes import Node
from actors.core.policy import DeletePolicy, StreamSpec
from actors.core.stream_rules import Imports, Ineligible
from actors.core.types import SIDES, other


def check_documents(stream: StreamSpec, at: Node) -> None:
    """Nothing may ask for a second write where one is all; and nothing is staged where nothing is made."""
    if stream.imports is not Imports.ASK and not stream.stages:
        at.fault("nothing is staged, so there is nothing to import; `stages` has to name a side", "imports")
    for side in SIDES:
        origin = other(side)
        if side in stream.stages and origin not in stream.creates:
            at.fault(
                f"nothing is made on {side}, so nothing is staged: `creates` has to name {origin}", "stages"
            )
        if side not in stream.once:
            continue
        if not stream.match:
            at.fault(
                "needs a `match` key of parts that never change, or a record would be made twice", "once"
            )
        if stream.deletes[origin] in (DeletePolicy.REMOVE, DeletePolicy.MARK):
            at.fault(
                f"what is written once on {side} is not changed when its origin is deleted; write ignore",
                *("deletes", origin),
            )
        if stream.deletes[side] is DeletePolicy.RESTORE:
            at.fault(
                f"what was deleted on {side} would be made there a second time; write ignore", "deletes", side
            )
        gate = stream.gates.get(origin)
        if gate is not None and gate.then is Ineligible.DEACTIVATE:
            at.fault(
                f"what is written once on {side} is not marked; write keep or detach", "gate", origin, "then"
            )
