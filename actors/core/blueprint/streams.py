"""One stream of a blueprint: from its entries to a `StreamSpec`, budgets and their defaults included.

Must not: compare streams with each other; that is checks.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from actors.core.blueprint.chosen import WORDS
from actors.core.blueprint.entries import (
    BUDGET,
    BUDGET_ENTRIES,
    COMPLETE_READ,
    COUNT,
    FREE,
    KINDS,
    PERCENT,
    STREAM,
    UNLIMITED,
)
from actors.core.blueprint.fields import check_name, read_fields
from actors.core.blueprint.gates import read_gates
from actors.core.blueprint.nodes import Node, described
from actors.core.blueprint.objects import object_name, read_creates, read_deletes, read_objects, read_sides
from actors.core.blueprint.requires import read_requires
from actors.core.blueprint.rules import read_first_contact
from actors.core.blueprint.when import When, read_delivery
from actors.core.policy import (
    BUDGET_KINDS,
    INITIAL_CREATES,
    MERGES,
    Budget,
    DeleteEdit,
    InitialCreates,
    LeftBehind,
    StreamSpec,
)
from actors.core.stream_rules import Imports, OnMerge
from actors.core.types import SIDES, Side
from actors.core.values import Value

# What holds where a blueprint says nothing. No entry (creates): no limit, a first load is nothing but creates.
DEFAULT_BUDGETS: Final[Mapping[str, Budget]] = MappingProxyType(
    {
        "deletes": Budget(10, 5.0, free=10),
        "overwrites": Budget(200, 20.0),
        "clears": Budget(20, 5.0),
    }
)
_LIMITED: Final = ("deletes", "clears")
_FREE: Final = 20
_BUDGET: Final = re.compile(BUDGET, re.ASCII)
_COMPLETE_READ_S: Final = 3600.0  # stand-in for a faulty one


def read_stream(name: str, entry: Node, when: When) -> StreamSpec:
    """The stream `name`; `parents` are the listed ones only and `map_ver` is open still."""
    check_name(entry, name)
    node = entry.table(STREAM)
    kind, read, edit = node.get("kind"), node.get("complete_read"), node.get("delete_vs_edit")
    left, active = node.get("left_behind"), node.get("active")
    contact, contact_cases = read_first_contact(node.get("first_contact"))
    merge, imports = node.get("on_merge"), node.get("imports")
    on_merge = merge.choice(OnMerge, OnMerge.ASK) if merge else OnMerge.ASK
    if active is not None and not isinstance(active.value, bool):
        active.word(WORDS, "yes")
    creates, deletes = read_creates(node.get("creates")), read_deletes(node.get("deletes"))
    clash = _match(node.get("clash"))
    requires, named = read_requires(node.get("requires"))
    newcomers = node.get("initial_creates")
    initial_creates = newcomers.choice(InitialCreates, InitialCreates.ON) if newcomers else InitialCreates.ON
    return StreamSpec(
        name=name,
        kind=kind.word(KINDS, "master") if kind else "master",
        a_object=object_name(node.get("a")),
        b_object=object_name(node.get("b")),
        objects=read_objects(node, creates, deletes),
        left_behind=left.choice(LeftBehind, LeftBehind.REMOVE) if left else LeftBehind.REMOVE,
        fields=read_fields(name, node.get("fields")),
        match=(*_match(node.get("match")), *clash),
        clashes=len(clash),
        parents=_texts(node.get("parents")),
        requires=requires,
        named=named,
        once=read_sides(node.get("once")),
        stages=read_sides(node.get("stages")),
        imports=imports.choice(Imports, Imports.ASK) if imports else Imports.ASK,
        initial_load=read_creates(node.get("initial_load")),
        initial_creates=initial_creates,
        creates=creates,
        deletes=deletes,
        on_merge=on_merge,
        delete_vs_edit=edit.choice(DeleteEdit, DeleteEdit.KEEP) if edit else DeleteEdit.KEEP,
        mark=_mark(node.get("mark")),
        gates=read_gates(node.get("gate")),
        first_contact=contact,
        contact_cases=contact_cases,
        budgets=_budgets(node.get("budgets"), initial_creates, on_merge),
        complete_read_s=read.within(COMPLETE_READ, _COMPLETE_READ_S) if read else _COMPLETE_READ_S,
        delivery=read_delivery(node.get("delivery"), when),
        triggers=_triggers(node.get("triggers")),
    )


def _texts(node: Node | None) -> tuple[str, ...]:
    return tuple(item.text() for item in node.items()) if node else ()


def _match(node: Node | None) -> tuple[tuple[str, ...], ...]:
    if node is None:
        return ()
    keys = []
    for item in node.items():
        if isinstance(item.value, list) and item.value:
            keys.append(tuple(part.text() for part in item.items()))
        elif isinstance(item.value, str) and item.value.strip():
            keys.append((item.text(),))
        else:
            item.fault(
                f"{described(item.value)} is not a match key; each is a field or a list of fields, as in [nr, [name, zip]]"
            )
    return tuple(keys)


def _triggers(node: Node | None) -> Mapping[Side, tuple[str, ...]]:
    if node is None:
        return {}
    entries = node.mapping(SIDES)
    return {side: _texts(found) for side in SIDES if (found := entries.get(side)) is not None}


def _mark(node: Node | None) -> Mapping[str, Mapping[str, Value]]:
    if node is None:
        return {}
    sides = ((side, node.mapping(SIDES).get(side)) for side in SIDES)
    return {side: {path: value.scalar() for path, value in found.entries()} for side, found in sides if found}


def _budgets(node: Node | None, newcomers: InitialCreates, on_merge: OnMerge) -> Mapping[str, Budget]:
    budgets = dict(DEFAULT_BUDGETS)
    if newcomers is InitialCreates.PLAN:
        budgets[INITIAL_CREATES] = Budget(0, 0.0, free=0)  # not one goes without a yes
    if on_merge is OnMerge.FOLLOW:
        budgets[MERGES] = Budget(0, 0.0, free=0)
    if node is None:
        return budgets
    for kind in BUDGET_KINDS:
        given = node.mapping(BUDGET_KINDS).get(kind)
        if given is None:
            continue
        budget = _budget(given, kind)
        if budget is None:
            budgets.pop(kind, None)
        else:
            budgets[kind] = budget
    return budgets


def _budget(node: Node, kind: str) -> Budget | None:
    if node.value == UNLIMITED:
        if kind in _LIMITED:
            node.fault(f"{kind} can't be unlimited; write a limit, as in 100 or 20%")
        return None
    if isinstance(node.value, Mapping):
        return _budget_entries(node)
    found = _BUDGET.fullmatch(str(node.value).strip())
    if found is None or isinstance(node.value, bool) or float(found[3] or 0) > 100:
        node.fault(f"{described(node.value)} is not a budget; write 100, 20%, 100 or 20%, or unlimited")
        return Budget(0, 0.0, free=0)
    count = int(found[1] or found[2] or 0)
    return Budget(count, float(found[3] or 0), free=min(_FREE, count))


def _budget_entries(node: Node) -> Budget:
    entries = node.table(BUDGET_ENTRIES)
    count, percent, free = entries.get("count"), entries.get("percent"), entries.get("free")
    if count is None and percent is None:
        node.fault("`count` or `percent` is missing")
    limit = count.integer(COUNT.lowest, COUNT.highest, 0) if count else 0
    return Budget(
        limit,
        percent.number(PERCENT.lowest, PERCENT.highest, 0) if percent else 0.0,
        free.integer(FREE.lowest, FREE.highest, 0) if free else min(_FREE, limit),
    )
