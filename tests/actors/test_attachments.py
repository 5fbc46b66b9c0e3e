"""Images through the real actors: their bytes cross once, when the hash changed, and are those that were seen (G16)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from actors.core.attachments import SIZE_MAX, describe
from actors.core.lenses import Same
from actors.core.policy import FieldSide, FieldSpec, Owner
from actors.core.types import ActionState, Room, Side
from actors.ports import Find
from actors.root import RootActor
from tests.actors.odds import CRASHES, MIRRORED, at_rest, dies
from tests.actors.rig import CUSTOMERS, Rig, customers, field, on, until

PNG = b"\x89PNG\r\n\x1a\n"


def rig_of(here: Side, owner: str = "") -> Rig:
    place = FieldSide(("image#",), Same())
    image = FieldSpec("image", place, place, owner=Owner(owner or here), attachment=True)
    return Rig(customers(fields=(field("name"), field("phone"), image)), find=(Find.FEED,), poll_s=5.0)


def images(rig: Rig, side: str) -> dict[str, Any]:
    return {row["name"]: row["image"] for row in rig.rows(side).values()}


def played(here: Side, body: Any, owner: str = "") -> Any:
    async def main(rig: Rig, root: RootActor) -> Any:
        return await body(rig)

    return on(lambda: rig_of(here, owner), main)


@MIRRORED
def test_the_bytes_cross_when_the_hash_changed_and_not_otherwise(here: Side, there: Side) -> None:
    async def body(rig: Rig) -> Any:
        id_ = rig.create(here, "Ada", "1", image=PNG + b"one")
        rig.create(here, "Bob", "2", image=None)
        await until(lambda: images(rig, there) == {"Ada": PNG + b"one", "Bob": None}, timeout_s=600)
        await at_rest(rig, 60)
        fetched = [len(rig.asked(here, "fetch_attachment"))]
        rig.edit(here, id_, phone="9")
        await until(lambda: "9" in [row["phone"] for row in rig.rows(there).values()])
        fetched.append(len(rig.asked(here, "fetch_attachment")))
        rig.edit(here, id_, image=PNG + b"two")
        await until(lambda: images(rig, there)["Ada"] == PNG + b"two")
        fetched.append(len(rig.asked(here, "fetch_attachment")))
        rig.edit(here, id_, image=None)
        await until(lambda: images(rig, there)["Ada"] is None)
        await at_rest(rig, 60)
        fetched.append(len(rig.asked(here, "fetch_attachment")))
        return fetched, rig.parked(), len(rig.asked(there, "fetch_attachment"))

    assert played(here, body) == ([1, 1, 2, 2], [], 0)


@MIRRORED
def test_no_content_stands_in_what_is_kept(here: Side, there: Side) -> None:
    async def body(rig: Rig) -> Any:
        rig.create(here, "Ada", "1", image=PNG + b"secret" * 1000)
        await until(lambda: images(rig, there).get("Ada") is not None, timeout_s=600)
        await at_rest(rig, 30)
        kept = msgspec.msgpack.encode([repr(one) for one in (*rig.bindings(), *rig.actions())])
        return b"secret" in kept, max(len(repr(one)) for one in rig.actions()) < 5000

    assert played(here, body) == (False, True)


@MIRRORED
def test_an_image_that_changes_between_look_and_fetch_is_looked_at_again(here: Side, there: Side) -> None:
    async def body(rig: Rig) -> Any:
        async def changed() -> None:
            del rig.on[here, "fetch_attachment"]
            (id_,) = rig.rows(here)
            rig.edit(here, id_, image=PNG + b"newer")

        rig.on[here, "fetch_attachment"] = changed
        rig.create(here, "Ada", "1", image=PNG + b"older")
        await until(lambda: images(rig, there).get("Ada") == PNG + b"newer", timeout_s=600)
        await at_rest(rig, 30)
        # What was written is what the protocol says, not what came to stand there meanwhile.
        told = {one.fields.get("image") for one in rig.actions() if one.state is ActionState.CONFIRMED}
        return len(rig.rows(there)), rig.parked(), told - {None}

    assert played(here, body) == (1, [], {describe(PNG + b"newer")})


@MIRRORED
def test_what_is_too_large_is_listed_and_nothing_is_fetched(here: Side, there: Side) -> None:
    async def body(rig: Rig) -> Any:
        rig.create(here, "Ada", "1", image=b"\x00" * (SIZE_MAX + 1))
        rig.create(here, "Bob", "2", image=PNG)
        await until(lambda: images(rig, there) == {"Bob": PNG} and rig.parked(), timeout_s=600)
        return (
            [row.room for row in rig.parked()],
            rig.parked()[0].reason,
            len(rig.asked(here, "fetch_attachment")),
        )

    rooms, reason, fetched = played(here, body)
    assert (rooms, fetched) == ([Room.QUARANTINE], 1)
    assert f"{SIZE_MAX + 1} bytes" in reason


@MIRRORED
def test_an_image_that_is_edited_on_the_wrong_side_is_put_back(here: Side, there: Side) -> None:
    async def body(rig: Rig) -> Any:
        rig.create(here, "Ada", "1", image=PNG + b"mine")
        await until(lambda: images(rig, there).get("Ada") == PNG + b"mine", timeout_s=600)
        await at_rest(rig, 30)
        (id_,) = rig.rows(there)
        rig.systems[there].edit(CUSTOMERS, id_, {"image": b"theirs"}, "person")
        await until(lambda: images(rig, there)["Ada"] == PNG + b"mine")
        return images(rig, here)["Ada"]

    assert played(here, body) == PNG + b"mine"


@MIRRORED
@CRASHES
def test_a_daemon_that_is_killed_while_it_carries_an_image_carries_it(
    here: Side, there: Side, crash: tuple[str, int]
) -> None:
    async def body(rig: Rig) -> Any:
        id_ = rig.create(here, "Ada", "1", image=PNG + b"one")
        await until(lambda: images(rig, there).get("Ada") == PNG + b"one", timeout_s=600)
        await at_rest(rig, 30)
        dies(rig, crash)
        rig.edit(here, id_, image=PNG + b"two")
        rig.create(here, "Bob", "2", image=PNG + b"bob")
        both = {"Ada": PNG + b"two", "Bob": PNG + b"bob"}
        await until(lambda: images(rig, there) == both, timeout_s=7200)
        await at_rest(rig, 60)
        return len(rig.rows(there)), rig.parked()

    assert played(here, body) == (2, [])


@pytest.mark.parametrize("side", ["a", "b"])
def test_of_two_edits_the_rule_decides_and_its_image_crosses(side: Side) -> None:
    async def body(rig: Rig) -> Any:
        rig.create("a", "Ada", "1", image=PNG)
        await until(lambda: images(rig, "b").get("Ada") == PNG, timeout_s=600)
        await at_rest(rig, 30)
        (a,), (b,) = rig.rows("a"), rig.rows("b")
        rig.systems["a"].edit(CUSTOMERS, a, {"image": PNG + b"a"}, "person")
        rig.systems["b"].edit(CUSTOMERS, b, {"image": PNG + b"b"}, "person")
        await until(lambda: rig.parked())
        (row,) = rig.parked()
        assert rig.store.decide("l", row.id, row.fingerprint, {"choose": side})
        wanted = PNG + side.encode()
        await until(lambda: images(rig, "a")["Ada"] == wanted and images(rig, "b")["Ada"] == wanted)
        return True

    assert played("a", body, "both")
