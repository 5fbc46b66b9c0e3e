"""Writes the tables of rules and settings in docs/pairs/*.md from the built-in blueprints.

A page has the name of its blueprint. Where a pair has several, the page has what their names have in common, and its tables
say which: `<!-- table: rules customers -->` on winestro-accounts.md are those of winestro-accounts-customers.
`python -m daemon.pair_reference`; a test compares.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import yaml

from actors.core.attachments import own_path
from actors.core.policy import (
    RECORD_OBJECT,
    DeletePolicy,
    FieldSide,
    FieldSpec,
    LinkSpec,
    Owner,
    OwnerCase,
    SettingSpec,
    StreamSpec,
)
from actors.core.roles import Role
from daemon import blueprints, blueprints_yaml

PAIRS: Final = Path(__file__).parents[1] / "docs" / "pairs"
# What the two sides are called on the pages.
NAMES: Final = {
    "cloudkasse": "CloudKasse",
    "sage50fr": "Sage 50",
    "sage_sales_management": "Sage Sales Management",
    "selectline": "SelectLine",
    "tribe": "Tribe",
    "uniconta": "Uniconta",
    "webcrm": "webCRM",
    "winbooks": "Winbooks",
    "winestro": "Winestro",
}
_MARKED: Final = re.compile(r"<!-- table: (rules|settings)(?: ([a-z0-9-]+))? -->\n.*?<!-- end -->", re.DOTALL)


def page(name: str, text: str) -> str:
    """The page of a pair with its marked tables written anew."""

    def table(found: re.Match[str]) -> str:
        kind, part = found[1], found[2]
        spec = _filled(blueprints.text(f"{name}-{part}" if part else name))
        rows = _rules(spec) if kind == "rules" else _settings(spec)
        return f"<!-- table: {kind}{f' {part}' if part else ''} -->\n{rows}<!-- end -->"

    return _MARKED.sub(table, text)


def described(name: str, text: str) -> set[str]:
    """The blueprints whose rules and settings both stand on a page."""
    found = {(kind, f"{name}-{part}" if part else name) for kind, part in _MARKED.findall(text)}
    return {one for kind, one in found if {(kind, one), ("rules", one), ("settings", one)} <= found}


def _filled(text: str) -> LinkSpec:
    """The rules as a link has them that says nothing of its own; what it has to say stands there by its name."""
    asked = [one for one in blueprints_yaml.load(text).settings if not one.has_default]
    given = {one.name: {"default": 1 if one.form == "number" else one.name} for one in asked}
    return blueprints_yaml.load(text, yaml.safe_dump({"settings": given}) if given else "", {})


def _rules(spec: LinkSpec) -> str:
    return "\n".join(line for stream in spec.streams for line in _stream(stream, _sides(spec))) + "\n"


def _sides(spec: LinkSpec) -> tuple[str, ...]:
    """What both sides are called: the systems, or what two accounts of one system are to each other."""
    names = tuple(NAMES.get(one, one) for one in (spec.a_connector, spec.b_connector))
    if names[0] != names[1]:
        return names
    return tuple(
        f"account {side}" if role is Role.PEER else role.value.title()
        for side, role in spec.setup.roles.items()
    )


def _stream(stream: StreamSpec, names: tuple[str, ...]) -> Iterator[str]:
    a, b = names
    yield f"\n### {stream.name}: `{stream.a_object}` ({a}) and `{stream.b_object}` ({b})\n"
    yield f"New ones: {_creates(stream, a, b)}. {_deletes(stream, a, b)} The same record: {_match(stream)}.\n"
    yield f"| field | {a} | {b} | who may change it | |"
    yield "|---|---|---|---|---|"
    for field in stream.fields:
        if field.lines is not None:
            yield from (
                f"| {field.name}: {one.name} | {_place(one.a)} | {_place(one.b)} | {_owner(field, a, b)} | of each line |"
                for one in field.lines.fields
            )
            continue
        yield f"| {field.name} | {_place(field.a)} | {_place(field.b)} | {_owner(field, a, b)} | {_notes(field, a, b)} |"


def _creates(stream: StreamSpec, a: str, b: str) -> str:
    ways = [f"{one} -> {two}" for side, one, two in (("a", a, b), ("b", b, a)) if side in stream.creates]
    gates = [
        f"those of {name} whose `{gate.path}` is {' or '.join(map(str, gate.values)) or 'set'}"
        for side, name in (("a", a), ("b", b))
        if (gate := stream.gates.get(side))
    ]
    return "; ".join((" and ".join(ways) or "none", *gates))


def _deletes(stream: StreamSpec, a: str, b: str) -> str:
    sides = (("a", a, b), ("b", b, a))
    return " ".join(f"Deleted in {one}: {_becomes(stream.deletes[side], two)}." for side, one, two in sides)


def _becomes(policy: DeletePolicy, other: str) -> str:
    if policy is DeletePolicy.RESTORE:
        return "put back"
    words = {DeletePolicy.IGNORE: "stays", DeletePolicy.MARK: "marked", DeletePolicy.REMOVE: "removed"}
    return f"{words[policy]} in {other}"


def _match(stream: StreamSpec) -> str:
    keys = [" and ".join(key) for key in stream.match]
    return "equal " + ", else equal ".join(keys) if keys else "never by itself"


def _place(place: FieldSide | None) -> str:
    if place is None:
        return ""
    # Where each object of a side calls the field otherwise, the object itself is read only to know which.
    paths = [path for path in place.paths if path != RECORD_OBJECT or len(place.paths) == 1]
    return ", ".join(_path(path) for path in paths) or "(always the same)"


def _path(path: str) -> str:
    return "(where it stands)" if path == RECORD_OBJECT else f"`{own_path(path)}`"


def _owner(field: FieldSpec, a: str, b: str) -> str:
    words = {Owner.A: a, Owner.B: b, Owner.BOTH: "both", Owner.LOCAL: "stays where it is"}
    cases = [f"{words[case.owner]} {_when(case)}" for case in field.owner_cases]
    return "; else ".join((*cases, words[field.owner]))


def _when(case: OwnerCase) -> str:
    return "once both are bound" if case.once_bound else "under a condition"


def _notes(field: FieldSpec, a: str, b: str) -> str:
    notes = []
    if field.required:
        notes.append("needed")
    if field.on_create_only:
        notes.append("when made, never after")
    if field.reference:
        notes.append(f"refers to {field.reference}")
    if field.group:
        notes.append(f"with {field.group}")
    for side, name in (("a", a), ("b", b)):
        if start := field.starts_with.get(side):
            notes.append(f"begins with {', '.join(map(str, start.values()))} in {name}")
    return ", ".join(notes)


def _settings(spec: LinkSpec) -> str:
    rows = [f"| `{one.name}` | {one.doc or _form(one)} | {_default(one)} |" for one in spec.settings]
    return "\n".join(("| setting | meaning | where nothing is said |", "|---|---|---|", *rows, ""))


def _form(setting: SettingSpec) -> str:
    return {"flag": "true or false", "map": "a map"}.get(setting.form, "")


def _default(setting: SettingSpec) -> str:
    if setting.default == setting.name:
        return "required"
    if setting.form in ("map", "fields"):
        return f"{len(setting.default)} entries" if setting.default else "none"
    if setting.choices:
        return f"`{setting.default}`, of {', '.join(setting.choices)}"
    text = (
        msgspec.json.encode(setting.default).decode()
        if not isinstance(setting.default, str)
        else setting.default
    )
    return f"`{text}`"


def main() -> None:
    """Write every page that there is."""
    for path in PAIRS.glob("*.md"):
        path.write_text(page(path.stem, path.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
