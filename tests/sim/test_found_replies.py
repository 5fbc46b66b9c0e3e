"""What long runs of the simulation found about replies that say too little; each as a scenario on whole daemons."""

from __future__ import annotations

from typing import Any

import anyio
import msgspec

from actors.core.policy import DeletePolicy, FirstContact
from actors.root import RootActor
from tests.actors.rig import CUSTOMERS, Rig, customers, loaded, on, until

SHORT = {"phone": "truncate:3"}


def _short_phones(**declared: Any) -> Rig:
    """Side b answers a write with an id alone, and keeps three characters of a phone."""
    rig = Rig(
        customers(
            first_contact=FirstContact.ASK, deletes={"a": DeletePolicy.REMOVE, "b": DeletePolicy.IGNORE}
        ),
        poll_s=10.0,
        **declared,
    )
    rig.declared["b"] = msgspec.structs.replace(rig.declared["b"], reply="id")
    shape = rig.systems["b"].objects[CUSTOMERS]
    rig.systems["b"].objects[CUSTOMERS] = msgspec.structs.replace(shape, rewrites=SHORT)
    return rig


def test_what_a_system_made_of_a_new_record_is_no_edit_and_stops_no_deletion() -> None:
    """B says yes without content and shows a cut phone when it is read back: a deviation, which asks nobody anything.
    Seed 1781: it counted as B's own value, so the deletion on A was listed, and "restore" carried the cut value to A."""

    async def body(rig: Rig, root: RootActor) -> Any:
        id = rig.create("a", "Ada", "12345")
        await until(lambda: loaded(rig) and rig.names("b") == ["Ada"] and not rig.link().inbox)
        await anyio.sleep(60)
        (binding,) = rig.bindings()
        assert binding.b is not None
        shown, asked = {n: (d.value, d.reason) for n, d in binding.b.dev.items()}, rig.parked()
        rig.systems["a"].delete(CUSTOMERS, id, "person")
        await anyio.sleep(60)
        return shown, asked, rig.names("b"), rig.parked()

    assert on(_short_phones, body) == ({"phone": ("123", "differs")}, [], [], [])
