"""The entry `attachment` of a field: its paths ask for the description, and nothing else may be said of it."""

from __future__ import annotations

import msgspec

from actors.core.blueprint.nodes import Node
from actors.core.lenses import Same
from actors.core.policy import ATTACHED, RECORD_ID, FieldSide, FieldSpec, Owner
from actors.core.types import SIDES


def read_attachment(node: Node, spec: FieldSpec) -> FieldSpec:
    """The field as an attachment, where it is one."""
    found = node.get("attachment")
    if found is None or not found.flag():
        return spec
    wrong = {
        "set": spec.as_set,
        "reference": bool(spec.reference),
        "lines": node.get("lines") is not None,
        "owner": spec.owner is Owner.LOCAL,
        "starts_with": node.get("starts_with") is not None,
    }
    for entry, is_so in wrong.items():
        if is_so:
            node.fault("an attachment is carried as it is: this can't be said of it", entry)
    sides: dict[str, FieldSide | None] = {}
    for side in SIDES:
        place = spec.side(side)
        sides[side] = place
        if place is None:
            continue
        if len(place.paths) != 1 or RECORD_ID in place.paths:
            node.fault("one path is needed, of what holds the attachment", side)
        elif not isinstance(place.lens, Same):
            node.fault("an attachment is carried as it is: no lens", f"lens_{side}")
        else:
            sides[side] = FieldSide((f"{place.paths[0]}{ATTACHED}",), place.lens)
    return msgspec.structs.replace(spec, attachment=True, a=sides["a"], b=sides["b"])
