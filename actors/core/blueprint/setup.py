"""The entry `setup` of a blueprint: plain data -> `SetupSpec`, all faults noted.

Every entry is in the tables of setup_entries.py, and for people in docs/LINKS.md.

Where one side is the Primary, every object of a stream has to be empty on the Secondary's side, unless a check of the same
object says otherwise. Must not: know connectors; stop at the first fault.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from actors.core.blueprint.nodes import Node
from actors.core.blueprint.settings import named_setting
from actors.core.blueprint.setup_entries import CHECK, EXPIRES, IN_MODE_4, NEEDED, PLACE, SETTING, SETUP
from actors.core.policy import StreamSpec
from actors.core.roles import Role, first_role
from actors.core.setup import (
    Check,
    CheckKind,
    Chosen,
    Moment,
    Place,
    Required,
    Scalar,
    SetupSpec,
    Severity,
    Wanted,
)
from actors.core.types import SIDES, Side, other

_EXPIRES_S: Final = 7 * 86400.0  # where nothing is said
_AT: Final = {CheckKind.EMPTY: Moment.PROPOSAL, CheckKind.NO_CLASH: Moment.PROPOSAL}


# Kept beside the values of a link's settings, by these names: settings.Kept, which can't be imported here.
TAKEN: Final = ("rules", "version", "mappings", "remapped")


def read_setup(node: Node | None, name: str, streams: Sequence[StreamSpec]) -> SetupSpec:
    """The compiled entry; what holds for every link where there is none. `name`: of the blueprint."""
    if node is None:
        return SetupSpec(kind=name)
    entries = node.table(SETUP)
    roles = _roles(entries.get("roles"))
    proposed_by = entries.get("proposed_by")
    checks = [_check(item) for item in _items(entries.get("checks"))]
    found = SetupSpec(
        kind=_text(entries.get("kind"), name),
        roles=roles,
        handshake=_flag(entries.get("handshake")),
        proposed_by=_side(proposed_by) if proposed_by else None,
        irreversible=_flag(entries.get("irreversible")),
        expires_s=_seconds(entries.get("expires")),
        features=_texts(entries.get("features")),
        access=_word(entries.get("access"), NEEDED) == "required",
        in_mode_4=_word(entries.get("in_mode_4"), IN_MODE_4) == "allow",
        custom=_flag(entries.get("custom")),
        checks=(*checks, *_by_roles(roles, streams, checks)),
        settings=tuple(_required(key, at) for key, at in _entries(entries.get("settings"))),
        rests_on={key: _place(at) for key, at in _entries(entries.get("rests_on"))},
    )
    if found.access and not found.handshake:
        node.fault(
            "`access: required` needs `handshake: true`: connected accounts agree on a link by a proposal"
        )
    if found.proposed_by is not None and not found.handshake:
        node.fault("nobody proposes without `handshake: true`", "proposed_by")
    return found


def _roles(node: Node | None) -> dict[Side, Role]:
    if node is None:
        return dict.fromkeys(SIDES, Role.PEER)
    entries = node.mapping(SIDES, SIDES)
    found: dict[Side, Role] = {}
    for side in SIDES:
        at = entries.get(side)
        found[side] = at.choice(Role, Role.PEER) if at else Role.PEER
    if set(found.values()) not in ({Role.PEER}, {Role.PRIMARY, Role.SECONDARY}):
        node.fault("roles are peer on both sides, or primary on one and secondary on the other")
    return found


def _by_roles(
    roles: dict[Side, Role], streams: Sequence[StreamSpec], checks: Sequence[Check]
) -> tuple[Check, ...]:
    secondary = first_role(roles, Role.SECONDARY)
    if secondary is None:
        return ()
    said = {check.object for check in checks if check.side == secondary and check.at is Moment.PROPOSAL}
    objects = dict.fromkeys(name for stream in streams for name in stream.objects_on(secondary))
    return tuple(Check(secondary, name, CheckKind.EMPTY) for name in objects if name not in said)


def _check(node: Node) -> Check:
    entries = node.table(CHECK)
    which, side, name = entries.get("check"), entries.get("side"), entries.get("object")
    kind = which.choice(CheckKind, CheckKind.EMPTY) if which else CheckKind.EMPTY
    by, against = _texts(entries.get("by")), _text(entries.get("against"))
    severity, at = entries.get("severity"), entries.get("at")
    if kind in (CheckKind.NO_CLASH, CheckKind.FILLED, CheckKind.UNIQUE) and not by:
        node.fault(f"`by: [field]` is missing: by which fields is {kind.value} asked?")
    if (kind is CheckKind.NO_CLASH) != bool(against):
        node.fault(
            "`against` is the object on the other side that a check no_clash compares with, and belongs to it"
        )
    default = _AT.get(kind, Moment.ACTIVATION)
    return Check(
        side=_side(side) if side else "a",
        object=name.text() if name else "",
        kind=kind,
        by=by,
        against=against,
        severity=severity.choice(Severity, Severity.REFUSE) if severity else Severity.REFUSE,
        at=at.choice(Moment, default) if at else default,
        sample=_sample(entries.get("sample")),
        text=_text(entries.get("text")),
        ways_out=_texts(entries.get("ways_out")),
        where={field: _wanted(at) for field, at in _entries(entries.get("where"))},
    )


def _sample(node: Node | None) -> tuple[str, Scalar] | None:
    if node is None:
        return None
    found = list(node.entries())
    if len(found) != 1 or not isinstance(found[0][1].value, str | int | bool):
        node.fault("sample data are known by one field and its value, as in `sample: {demo: true}`")
        return None
    return found[0][0], found[0][1].value


def _required(name: str, node: Node) -> Required:
    entries = node.table(SETTING)
    keys, values = entries.get("keys"), entries.get("values")
    found = Required(
        name=name,
        doc=_text(entries.get("doc")),
        choices=_texts(entries.get("choices")),
        keys=_place(keys) if keys else None,
        values=_place(values) if values else None,
        where={field: _wanted(at) for field, at in _entries(entries.get("where"))},
    )
    if name in TAKEN:
        node.fault(f"\"{name}\" can't be the name of a setting: it is the daemon's own")
    if found.where and found.keys is None:
        node.fault("`where` says which of the `keys` count, and there are none", "where")
    return found


def _place(node: Node) -> Place:
    entries = node.table(PLACE)
    side, name, field = (entries.get(key) for key in ("side", "object", "field"))
    return Place(_side(side) if side else "a", name.text() if name else "", field.text() if field else "")


def _wanted(node: Node) -> Wanted:
    """What a field has to equal; a setting stays its name here, since it may be chosen later than this is read."""
    setting = named_setting(node)
    if setting is not None:
        return Chosen(setting)
    if isinstance(node.value, str | int | bool):
        return node.value
    return _place(node)


def _side(node: Node) -> Side:
    return "b" if node.word(SIDES, "a") == "b" else "a"


def _text(node: Node | None, fallback: str = "") -> str:
    return node.text(fallback) if node else fallback


def _texts(node: Node | None) -> tuple[str, ...]:
    return tuple(item.text() for item in _items(node))


def _items(node: Node | None) -> Sequence[Node]:
    return list(node.items()) if node else ()


def _entries(node: Node | None) -> Sequence[tuple[str, Node]]:
    return list(node.entries()) if node else ()


def _flag(node: Node | None) -> bool:
    return node.flag() if node else False


def _word(node: Node | None, words: tuple[str, ...]) -> str:
    return node.word(words, words[0]) if node else words[0]


def _seconds(node: Node | None) -> float:
    return node.within(EXPIRES, _EXPIRES_S) if node else _EXPIRES_S


def objects_of(spec: SetupSpec) -> dict[Side, dict[str, set[str]]]:
    """Every object and native field that the entry names, by side: they have to be there."""
    found: dict[Side, dict[str, set[str]]] = {side: {} for side in SIDES}

    def note(side: Side, name: str, *fields: str) -> None:
        found[side].setdefault(name, set()).update(fields)

    def there(where: Mapping[str, Wanted]) -> None:
        for place in where.values():
            if isinstance(place, Place):
                note(place.side, place.object, place.field)

    for check in spec.checks:
        note(check.side, check.object, *check.by, *check.where, *([check.sample[0]] if check.sample else ()))
        there(check.where)
        if check.against:
            note(other(check.side), check.against, *check.by)
    for setting in spec.settings:
        for place in (setting.keys, setting.values):
            if place is not None:
                note(place.side, place.object, place.field)
        there(setting.where)
        if setting.keys is not None:
            note(setting.keys.side, setting.keys.object, *setting.where)
    for place in spec.rests_on.values():
        note(place.side, place.object, place.field)
    return found
