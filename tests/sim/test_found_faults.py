"""What the simulation's faults found in the engine, each as the smallest story that shows it."""

from __future__ import annotations

from typing import Any

import anyio

from actors.core.policy import DeletePolicy
from actors.root import RootActor
from tests.actors.rig import CUSTOMERS, Rig, customers, on, until


def test_a_record_that_somebody_else_deleted_first_is_not_counted_as_deleted_by_us() -> None:
    """Deleted on A; before our deletion reaches B somebody deletes it there too (found with "rows hidden")."""

    async def body(rig: Rig, root: RootActor) -> Any:
        id = rig.create("a", "Ada")
        await until(lambda: rig.names("b") == ["Ada"] and not rig.link().inbox)
        there = next(iter(rig.rows("b")))

        async def first() -> None:
            if rig.rows("b"):
                rig.systems["b"].delete(CUSTOMERS, there, "person")

        rig.on["b", "write"] = first
        rig.systems["a"].delete(CUSTOMERS, id, "person")
        await until(lambda: rig.asked("b", "write"))
        await until(lambda: not rig.names("b"))
        await anyio.sleep(120)
        counted = sum(row.deleted for row in rig.link().counters.values())
        return counted, [binding.state.value for binding in rig.bindings()]

    spec = customers(deletes={"a": DeletePolicy.REMOVE, "b": DeletePolicy.IGNORE})
    assert on(lambda: Rig(spec), body) == (0, ["tombstone"])
