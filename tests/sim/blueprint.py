"""The rules of `laws.py`, said to the engine: a compiled blueprint."""

from __future__ import annotations

from decimal import Decimal

from actors.core import schedule
from actors.core.lenses import Same, Scale
from actors.core.policy import (
    Budget,
    Choice,
    DeleteEdit,
    DeletePolicy,
    FieldSide,
    FieldSpec,
    FirstContact,
    LinkSpec,
    Owner,
    OwnerCase,
    StreamSpec,
)
from tests.sim.laws import MARK, SIDES, FieldLaw, Laws, Side, StreamLaw, other

CENTS = Scale(places=0, factor=Decimal(100))
PLENTY = Budget(count=100_000, percent=100.0, free=100_000)


def blueprint(laws: Laws, budgets: dict[str, Budget]) -> LinkSpec:
    """The whole link; budgets not named are plenty."""
    return LinkSpec(
        name="sim",
        version="1",
        a_connector="memory",
        b_connector="memory",
        streams=tuple(stream(law, budgets) for law in laws.streams),
        poll_s=dict.fromkeys(SIDES, laws.poll_s),
        breaker=laws.breaker,
    )


def stream(law: StreamLaw, budgets: dict[str, Budget]) -> StreamSpec:
    """One stream."""
    plenty = dict.fromkeys(("deletes", "creates", "overwrites", "clears"), PLENTY)
    return StreamSpec(
        name=law.name,
        kind="master",
        a_object=law.name,
        b_object=law.name,
        fields=tuple(field(one) for one in law.fields),
        parents=law.parents,
        match=law.match or ((law.key,),),
        creates=law.creates,
        deletes={side: deletion(law, side) for side in SIDES},
        delete_vs_edit=DeleteEdit(law.delete_vs_edit),
        mark={other(side): {MARK: "yes"} for side in SIDES if side in law.marks},
        first_contact=FirstContact(law.first_contact),
        budgets=plenty | budgets,
        complete_read_s=75.0,
        map_ver="1",
        delivery={side: schedule.every("every", every_s, 0.0) for side, every_s in law.every_s},
    )


def deletion(law: StreamLaw, side: Side) -> DeletePolicy:
    """What a deletion on `side` does on the other one."""
    if side in law.removes:
        return DeletePolicy.REMOVE
    if side in law.marks:
        return DeletePolicy.MARK
    return DeletePolicy.RESTORE if side in law.restores else DeletePolicy.IGNORE


def field(law: FieldLaw) -> FieldSpec:
    """One field."""
    return FieldSpec(
        name=law.name,
        a=FieldSide((law.native("a"),), Same()),
        b=FieldSide((law.native("b"),), CENTS if law.lens == "cents" else Same()),
        owner=Owner.BOTH if law.once_bound else Owner(law.owner),
        owner_cases=(OwnerCase(Owner(law.owner), once_bound=True),) if law.once_bound else (),
        conflict=Choice(law.conflict),
        group=law.group,
        on_create_only=law.on_create_only,
        required=law.required,
        as_set=law.type == "list",
        reference=law.reference,
    )
