"""The effects of a stream's imports: each becomes a stream of its own, over the same object of the documents' side.

Must not: compare streams with each other; that is checks.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from actors.core.blueprint.entries import EFFECT
from actors.core.blueprint.fields import check_name, read_fields
from actors.core.blueprint.nodes import Node
from actors.core.effects import DOCUMENT
from actors.core.lenses import Same
from actors.core.lenses_one_way import OwnId
from actors.core.policy import RECORD_ID, FieldSide, FieldSpec, Owner, StreamSpec
from actors.core.types import SIDES, Side, other


def read_effects(stream: StreamSpec, node: Node | None) -> Iterator[StreamSpec]:
    """The streams of what is written together with a document of `stream`; `node`: its entry `effects`."""
    if node is None:
        return
    sides = [side for side in SIDES if side in stream.once | stream.stages]
    if len(sides) != 1:
        node.fault("effects go with what is made on one side: name just that side in `once` or `stages`")
    there: Side = sides[0] if sides else "b"
    for name, entry in node.entries():
        check_name(entry, name)
        yield _effect(stream, f"{stream.name}_{name}", entry.table(EFFECT), there)


def _effect(stream: StreamSpec, name: str, node: Node, there: Side) -> StreamSpec:
    here = other(there)
    made, place = node.get("object"), node.get("document")
    objects = {here: stream.object(here), there: made.text() if made else ""}
    paths: dict[Side, FieldSide] = {
        here: FieldSide((RECORD_ID,), OwnId()),
        there: FieldSide((place.text() if place else "",), Same()),
    }
    document = FieldSpec(
        name=DOCUMENT,
        a=paths["a"],
        b=paths["b"],
        owner=Owner(here),
        on_create_only=True,
        required=True,
        reference=stream.name,
    )
    fields = read_fields(name, node.get("fields"))
    for spec in fields:
        if spec.name == DOCUMENT:
            node.fault("the document has its own entry `document`", "fields", DOCUMENT)
    return StreamSpec(
        name=name,
        kind="document",
        a_object=objects["a"],
        b_object=objects["b"],
        fields=(document, *(_told_once(spec, here) for spec in fields if spec.name != DOCUMENT)),
        match=((DOCUMENT,),),
        once=frozenset({there}),
        creates=frozenset({here}),
        budgets=stream.budgets,
        complete_read_s=stream.complete_read_s,
        delivery=stream.delivery,
        follows=stream.name,
    )


def _told_once(spec: FieldSpec, here: Side) -> FieldSpec:
    """What an effect holds is told when it is made, and nobody's business after."""
    if spec.owner is Owner.LOCAL:
        return spec
    return msgspec.structs.replace(spec, owner=Owner(here), owner_cases=(), on_create_only=True)
