"""The rules of `laws.py`, said to the engine: a compiled blueprint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

import msgspec

from actors.core import schedule
from actors.core.conditions import Condition, Test
from actors.core.lenses import Empty, MapValues, Same, Scale
from actors.core.lenses_one_way import Computed, Constant, OwnId
from actors.core.lenses_text import ListText, NumberText
from actors.core.policy import (
    ATTACHED,
    BUDGET_KINDS,
    MERGES,
    RECORD_ID,
    Budget,
    Choice,
    DeleteEdit,
    DeletePolicy,
    FieldSide,
    FieldSpec,
    FirstContact,
    ForeignEdit,
    InitialCreates,
    LeftBehind,
    Lens,
    LinesSpec,
    LinkSpec,
    ObjectRules,
    Owner,
    OwnerCase,
    StreamSpec,
    Sum,
)
from actors.core.stream_rules import Gate, GateOn, Imports, Ineligible, OnMerge, Reactivation
from actors.core.values import Value
from tests.sim.laws import (
    CELLS,
    DASH,
    ENTRIES,
    MARK,
    MEMO,
    SIDES,
    DerivedLaw,
    FieldLaw,
    Laws,
    Side,
    StreamLaw,
    cell_on,
    other,
)

# What side b makes of a value, by the word of laws.py.
LENSES: Mapping[str, Lens] = {
    "cents": Scale(places=0, factor=Decimal(100)),
    "dash": Empty((DASH,)),
    "map": MapValues(ENTRIES),
    "number": NumberText(),
    "list": ListText(),
}
PLENTY = Budget(count=100_000, percent=100.0, free=100_000)


def blueprint(laws: Laws, budgets: dict[str, Budget]) -> LinkSpec:
    """The whole link; budgets not named are plenty."""
    return LinkSpec(
        name="sim",
        version="1",
        a_connector="memory",
        b_connector="memory",
        streams=tuple(one for law in laws.streams for one in (stream(law, budgets), *effects(law, budgets))),
        poll_s=dict.fromkeys(SIDES, laws.poll_s),
        breaker=laws.breaker,
    )


def stream(law: StreamLaw, budgets: dict[str, Budget]) -> StreamSpec:
    """One stream."""
    plenty = dict.fromkeys(("deletes", "creates", "overwrites", "clears"), PLENTY)
    return StreamSpec(
        name=law.name,
        kind="master",
        a_object=" + ".join(law.objects_on("a")),
        b_object=" + ".join(law.objects_on("b")),
        fields=(*(field(one, law.adds_up, law.ref) for one in law.fields), *more_fields(law)),
        parents=law.parents,
        match=law.match or ((law.key,),),
        creates=law.creates,
        deletes={side: deletion(law, side) for side in SIDES},
        delete_vs_edit=DeleteEdit(law.delete_vs_edit),
        mark={side: {MARK: "yes"} for side in SIDES if is_marked_on(law, side)},
        gates={
            side: Gate(
                one.path,
                one.values,
                GateOn(one.on),
                Ineligible(one.then),
                since=one.since,
                dated=one.dated,
            )
            for side, one in law.gates
        },
        once=law.once,
        stages=law.stages,
        requires=law.requires,
        named={law.requires[0]: dict(law.assigned)} if law.assigned else {},
        imports=Imports(law.imports),
        first_contact=FirstContact(law.first_contact),
        budgets=plenty | budgets | ({MERGES: Budget(0, 0.0, free=0)} if law.on_merge == "follow" else {}),
        complete_read_s=75.0,
        map_ver="1",
        delivery=dict(deliveries(law)),
        clashes=law.clashes,
        initial_load=law.initial_load,
        initial_creates=InitialCreates(law.initial_creates),
        on_merge=OnMerge(law.on_merge),
        objects={side: tuple(object_rules(law, name) for name in names) for side, names in law.objects},
        left_behind=LeftBehind(law.left),
        effects=(f"{law.name}_moves",) if law.effect else (),
    )


def deliveries(law: StreamLaw) -> Iterator[tuple[Side, schedule.Schedule]]:
    """What is delivered by a schedule, and by which."""
    for side, every_s in law.every_s:
        every = schedule.every("every", every_s, 0.0)
        yield side, msgspec.structs.replace(every, load_at_once=law.load_at_once)
    for side in law.command:
        yield side, schedule.COMMAND
    for side in law.by_minute:
        yield side, schedule.cron("by minute", "* * * * *", "UTC", 20.0)


def object_rules(law: StreamLaw, name: str) -> ObjectRules:
    """One of several objects; the same rules in each."""
    return ObjectRules(name, law.creates, {side: deletion(law, side) for side in SIDES})


def effects(law: StreamLaw, budgets: Mapping[str, Budget]) -> Iterator[StreamSpec]:
    """The stream of what is told once more of each document that is made."""
    if not law.effect:
        return
    (there,) = law.stages
    here = other(there)
    read, told = FieldSide((RECORD_ID,), OwnId()), FieldSide(("sale",), Same())
    first, shown = FieldSide((law.fields[0].native(here),), Same()), FieldSide(("told",), Same())
    document = FieldSpec(
        "document",
        *((read, told) if here == "a" else (told, read)),
        owner=Owner(here),
        on_create_only=True,
        required=True,
        reference=law.name,
    )
    says = FieldSpec(
        "says", *((first, shown) if here == "a" else (shown, first)), owner=Owner(here), on_create_only=True
    )
    yield StreamSpec(
        name=f"{law.name}_moves",
        kind="document",
        a_object=law.name if here == "a" else law.effect,
        b_object=law.effect if here == "a" else law.name,
        fields=(document, says),
        match=(("document",),),
        once=law.once,
        creates=frozenset({here}),
        parents=(law.name,),
        budgets=dict.fromkeys(BUDGET_KINDS, PLENTY),
        complete_read_s=75.0,
        map_ver="1",
        delivery=dict(deliveries(law)),
        follows=law.name,
    )


def lines(law: FieldLaw, adds_up: bool) -> LinesSpec | None:
    """How the lines of a record are kept in step; None for any other field."""
    if law.type != "lines":
        return None
    cells = (
        FieldSpec(name, FieldSide((cell_on("a", name),), Same()), FieldSide((cell_on("b", name),), Same()))
        for name in CELLS
    )
    sums = (Sum("sum", CELLS[1], (CELLS[1],)),) if adds_up else ()
    return LinesSpec(tuple(cells), CELLS[:1] if law.keyed else (), law.ordered, sums=sums)


def is_marked_on(law: StreamLaw, side: Side) -> bool:
    """Whether records of a side may have to be marked."""
    left = law.left == "mark" and side == law.several
    return left or other(side) in law.marks or deactivates(law, other(side))


def deactivates(law: StreamLaw, side: Side) -> bool:
    """Whether what no longer takes part on `side` is marked on the other one."""
    gate = law.gate(side)
    return gate is not None and gate.then == "deactivate"


def more_fields(law: StreamLaw) -> Iterator[FieldSpec]:
    """Fields of one side: what only it knows, what a record begins with, what is only read."""
    for side in SIDES:
        if side in law.own:
            yield _of_side(side, MEMO, {})
    for side, name, value in law.starts:
        yield _of_side(side, name, {side: {name: value}}, f"{name}_{side}")
    for one in law.derived:
        there, read = FieldSide((one.name,), Same()), derived(one)
        a, b = (there, read) if one.shown == "a" else (read, there)
        yield FieldSpec(one.name, a, b, owner=Owner(other(one.shown)))


def _of_side(side: Side, path: str, starts: Mapping[str, Mapping[str, Value]], name: str = "") -> FieldSpec:
    place = FieldSide((path,), Same())
    a, b = (place, None) if side == "a" else (None, place)
    return FieldSpec(name or f"{path}_{side}", a, b, owner=Owner.LOCAL, starts_with=starts)


def derived(law: DerivedLaw) -> FieldSide:
    """The side on which it is only read."""
    if law.kind == "constant":
        assert isinstance(law.value, str)
        return FieldSide((), Constant(law.value))
    if law.kind == "id":
        return FieldSide((RECORD_ID,), OwnId())
    return FieldSide((law.of,), Computed(f"{law.of} != null ? '<' + {law.of} + '>' : 'none'", (law.of,)))


def deletion(law: StreamLaw, side: Side) -> DeletePolicy:
    """What a deletion on `side` does on the other one."""
    if side in law.removes:
        return DeletePolicy.REMOVE
    if side in law.marks:
        return DeletePolicy.MARK
    return DeletePolicy.RESTORE if side in law.restores else DeletePolicy.IGNORE


def owners(law: FieldLaw, ref: str) -> tuple[Owner, tuple[OwnerCase, ...]]:
    """Who owns a field: in any case, and in the cases that go before that. `ref`: the field that every record has filled."""
    if law.turns:
        turned = Condition(law.turns, Test.IS, (True,))
        return Owner(law.unless), (OwnerCase(Owner(law.then), when=(turned,)),)
    if law.when:
        asks = Condition(ref, Test.FILLED) if law.when == "filled" else Condition(ref, Test.NOT, ("nobody",))
        return Owner(law.unless), (OwnerCase(Owner(law.owner), when=(asks,), once_bound=law.once_bound),)
    if law.once_bound:
        return Owner.BOTH, (OwnerCase(Owner(law.owner), once_bound=True),)
    return Owner(law.owner), ()


def field(law: FieldLaw, adds_up: bool = False, ref: str = "") -> FieldSpec:
    """One field; `adds_up`: of a stream whose lines add up to its `sum`. `ref`: the field that every record has filled."""
    owner, cases = owners(law, ref)
    mark = ATTACHED if law.type == "bytes" else ""
    return FieldSpec(
        name=law.name,
        a=FieldSide((f"{law.native('a')}{mark}",), Same()),
        b=FieldSide((f"{law.native('b')}{mark}",), LENSES.get(law.lens, Same())),
        owner=owner,
        owner_cases=cases,
        conflict=Choice(law.conflict),
        first_contact=FirstContact(law.first_contact) if law.first_contact else None,
        foreign_edit=ForeignEdit.REPORT if law.reports else ForeignEdit.PUT_BACK,
        group=law.group,
        on_create_only=law.on_create_only,
        required=law.required,
        as_set=law.type == "list",
        reference=law.reference,
        attachment=law.type == "bytes",
        lines=lines(law, adds_up),
        reactivation=Reactivation("ignore" if law.ignores else "follow"),
    )
