"""What long runs of the simulation found about records that cross as lines; each as a scenario on whole daemons."""

from __future__ import annotations

from typing import Any

import msgspec

from actors.root import RootActor
from tests.actors.rig import CUSTOMERS, Rig, customers, field, loaded, on, until


def _with_lists() -> Rig:
    """Both sides give and take lines, but for lists; and a customer has one."""
    spec = customers(fields=(field("name"), field("phone"), field("tags", as_set=True)))
    rig = Rig(spec, rows=True, version="none", draws_ids=True)
    for system in rig.systems.values():
        shape = system.objects[CUSTOMERS]
        system.objects[CUSTOMERS] = msgspec.structs.replace(shape, fields={**shape.fields, "tags": "list"})
    return rig


def test_a_record_with_a_list_is_loaded_the_general_way_though_the_side_speaks_lines() -> None:
    """Before the first load the other side is asked for a line, to see whether it is empty. Seed 4240: it held a list,
    which has no line, so the stream failed in every run and nothing was ever carried."""

    async def body(rig: Rig, root: RootActor) -> Any:
        rig.create("a", "Ada", tags=("x", "y"))
        rig.create("b", "Bob", tags=("z",))
        await until(lambda: loaded(rig) and len(rig.rows("a")) == len(rig.rows("b")) == 2, 300)
        return sorted((row["name"], row["tags"]) for row in rig.rows("b").values())

    assert on(_with_lists, body) == [("Ada", ("x", "y")), ("Bob", ("z",))]
