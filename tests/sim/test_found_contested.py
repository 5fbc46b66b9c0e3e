"""Fields that are written too often, on whole daemons: where they are listed, and how they come out of the list again."""

from __future__ import annotations

from typing import Any

import anyio
import msgspec
import pytest

from actors.core.types import Room
from actors.root import RootActor
from tests.actors.rig import Rig, loaded, on, until


def _patient(breaker: int) -> Rig:
    rig = Rig()
    rig.spec = msgspec.structs.replace(rig.spec, breaker=breaker)
    return rig


def _phones(rig: Rig) -> tuple[Any, Any]:
    (a,), (b,) = rig.rows("a").values(), rig.rows("b").values()
    return a["phone"], b["phone"]


@pytest.mark.parametrize("choose, phones", [("a", ("4", "4")), ("b", ("3", "3"))])
def test_a_contested_field_waits_in_the_list_and_goes_on_from_a_persons_word(
    choose: str, phones: tuple[str, str]
) -> None:
    """Somebody changes a phone on A more often than the breaker lets pass. The last change is listed, named by A's
    record, with both values; what a person says is written, once: on that day the next change is listed again."""

    async def body(rig: Rig, root: RootActor) -> Any:
        id = rig.create("a", "Ada", "0")
        await until(lambda: loaded(rig) and rig.names("b") == ["Ada"] and not rig.link().inbox)
        for phone in ("1", "2", "3", "4"):
            rig.edit("a", id, phone=phone)
            await anyio.sleep(120)
        (row,) = rig.parked()
        stood = (
            row.room,
            row.record == id,
            row.field,
            dict(row.detail["a"]),
            dict(row.detail["b"]),
            _phones(rig),
        )
        rig.store.decide("l", row.id, row.fingerprint, {"choose": choose})
        root.wake("l")
        await anyio.sleep(120)
        decided = _phones(rig), rig.parked()
        rig.edit("a", id, phone="9")
        await anyio.sleep(120)
        return stood, decided, (_phones(rig), [row.detail["a"] for row in rig.parked()])

    stood, decided, after = on(lambda: _patient(breaker=3), body)
    assert stood == (Room.CONFLICT, True, "phone", {"phone": "4"}, {"phone": "3"}, ("4", "3"))
    assert decided == (phones, [])
    assert after == (("9", phones[1]), [{"phone": "9"}])
