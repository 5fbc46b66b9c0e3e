"""What a blueprint asks of its link's settings, and those settings put in their places before the blueprint is read.

    settings:
      vat_codes:    {form: map, doc: "VAT group -> VAT code"}
      gate_word:    {form: text, default: Kunde}
      own_fields:   {form: fields}
    streams:
      customers:
        custom: {setting: own_fields}
        fields:
          vat:   {a: vat_group, b: vat_code, lens_a: {map: {setting: vat_codes}}}
          score: {a: {setting: score_path}, b: SCORE}

`{setting: name}` stands for the link's value wherever a value may stand: a path, a value map, a flag, a policy. A setting
with a default has that where the link has none; value maps and fields begin empty (a missing entry holds back only the
records that need it, T19); any other has to be set. A field whose path is a setting without a value (`default: null`) is
left out (U12, U15). Where nothing is known of a link (a blueprint is only checked), a stand-in of the declared form is used.

Pure. Must not: know a setting; store one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from actors.core.blueprint.entries_rules import SETTING, SETTING_FORMS, SETTING_NAME
from actors.core.blueprint.nodes import Node, Path, guess
from actors.core.policy import SettingSpec
from actors.core.types import SIDES

REFERENCE: Final = "setting"
SETTINGS_MAX: Final = 200
ENTRIES_MAX: Final = 10_000
_NAME: Final = re.compile(SETTING_NAME, re.ASCII)
_STAND_INS: Final[Mapping[str, Any]] = {"text": "text", "number": 1, "flag": False, "list": []}
_EMPTY: Final = ("map", "fields")
_DEPTH_MAX: Final = 20
_NOTHING: Final = object()


class FromSetting(dict[Any, Any]):
    """A mapping that came from a setting: it may be empty, and messages name the setting."""

    def __init__(self, name: str, value: Mapping[Any, Any]) -> None:
        super().__init__(value)
        self.name = name


def read_settings(node: Node | None) -> tuple[SettingSpec, ...]:
    """The entry `settings` of a blueprint."""
    if node is None:
        return ()
    asked = [name for name, entry in node.entries() if entry.get("form") is not None]
    for name, entry in node.entries():
        if name not in asked and isinstance(entry.value, Mapping) and "default" in entry.value:
            entry.fault(f"the blueprint asks for no setting {name}{guess(name, asked)}")
    found = tuple(_setting(name, entry) for name, entry in node.entries())
    if len(found) > SETTINGS_MAX:
        node.fault(f"a blueprint has at most {SETTINGS_MAX} settings")
    return found


def _setting(name: str, entry: Node) -> SettingSpec:
    if not _NAME.fullmatch(name):
        entry.fault(f'"{name}" is not a name: small letters, digits and _, a letter first')
    node = entry.table(SETTING)
    form, doc, choices, fixed = (node.get(key) for key in ("form", "doc", "choices", "fixed"))
    given = isinstance(entry.value, Mapping) and "default" in entry.value
    spec = SettingSpec(
        name=name,
        form=form.word(SETTING_FORMS, "text") if form else "text",
        doc=doc.text() if doc else "",
        choices=tuple(item.text() for item in choices.items()) if choices else (),
        fixed=fixed.flag() if fixed else False,
    )
    if not given:
        return msgspec.structs.replace(spec, default={}, has_default=True) if spec.form in _EMPTY else spec
    default = entry.value["default"] if isinstance(entry.value, Mapping) else None
    spec = msgspec.structs.replace(spec, default=default, has_default=True)
    wrong = default is not None and _fault(spec, default)
    if wrong:
        entry.fault(wrong, "default")
    return spec


def awaited_settings(setup: Node | None) -> tuple[SettingSpec, ...]:
    """The settings that `setup` has a link wait for: what is chosen is put in its places likewise."""
    asked = setup.get("settings") if setup is not None else None
    if asked is None or not isinstance(asked.value, Mapping):
        return ()
    found = []
    for name, entry in asked.value.items():
        said = entry if isinstance(entry, Mapping) else {}
        choices = said.get("choices")
        found.append(
            SettingSpec(
                name=str(name),
                form="map" if said.get("keys") else "text",
                awaited=True,
                choices=tuple(map(str, choices)) if isinstance(choices, list) else (),
            )
        )
    return tuple(found)


def settled_data(root: Node, specs: tuple[SettingSpec, ...], values: Mapping[str, Any] | None) -> object:
    """The document with every `{setting: name}` replaced. `values`: of the link, None where there is no link yet.

    Faults: a setting that is not declared or has the wrong form, one that has to be set and is not.
    """
    found: dict[str, object] = {}
    for spec in specs:
        found[spec.name] = _value(spec, values, root)
    return _replaced(root, found)


def _value(spec: SettingSpec, values: Mapping[str, Any] | None, root: Node) -> object:
    given = (values or {}).get(spec.name)
    if given is not None:
        plain = _plain(given, 0)
        wrong = _fault(spec, plain)
        if not wrong:
            return _marked(spec, plain)
        root.fault(f"the link's setting {spec.name}: {wrong}", "settings", spec.name)
    elif values is not None and spec.needed:
        told = f" ({spec.doc})" if spec.doc else ""
        root.fault(f"the link has no setting {spec.name}{told}; it has to be set", "settings", spec.name)
    if spec.has_default:
        return _marked(spec, spec.default)
    return spec.choices[0] if spec.choices else _marked(spec, _STAND_INS.get(spec.form, {}))


def _marked(spec: SettingSpec, value: object) -> object:
    return FromSetting(spec.name, value) if isinstance(value, Mapping) else value


def _fault(spec: SettingSpec, value: object) -> str:
    """What is wrong with a value of that form, "" where nothing is."""
    fits = {
        "text": isinstance(value, str) and bool(value.strip()),
        "number": isinstance(value, int | Decimal) and not isinstance(value, bool),
        "flag": isinstance(value, bool),
        "list": isinstance(value, list) and not any(isinstance(item, dict | list) for item in value),
        "map": isinstance(value, Mapping) and not any(isinstance(one, dict | list) for one in value.values()),
        "fields": isinstance(value, Mapping) and all(isinstance(one, dict) for one in value.values()),
    }[spec.form]
    if not fits:
        return f"a {spec.form} is needed"
    if isinstance(value, Mapping | list) and len(value) > ENTRIES_MAX:
        return f"it has {len(value)} entries; {ENTRIES_MAX} is the most"
    if spec.choices and value not in spec.choices:
        return f'"{value}" is not one of {", ".join(spec.choices)}'
    return ""


def _plain(value: Any, depth: int) -> Any:
    """A setting as a blueprint's text would have given it: exact numbers, and nothing without end."""
    if depth > _DEPTH_MAX:
        return None
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, Mapping):
        return {key: _plain(one, depth + 1) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, depth + 1) for one in value]
    return value


def _replaced(node: Node, found: Mapping[str, object]) -> object:
    name = named_setting(node)
    if name is not None:
        if name not in found:
            node.fault(f'there is no setting "{name}"{guess(name, found)}; it is declared under `settings`')
        if _is_read_later(node.path):
            return node.value
        node.faults.comes_from(node.path, name, empty=found.get(name) is None)
        return found.get(name)
    if isinstance(node.value, Mapping):
        entries = {
            key: _replaced(below, found)
            for key, below in _below(node)
            if not (_is_field(below.path) and _is_left_out(below, found))
        }
        if isinstance(node.value, FromSetting):
            return FromSetting(node.value.name, entries)
        return _with_custom(node, entries) if _has_fields(node.path) else entries
    if isinstance(node.value, list):
        return [_replaced(item, found) for item in node.items()]
    return node.value


def _below(node: Node) -> Iterator[tuple[object, Node]]:
    assert isinstance(node.value, Mapping)
    for key, value in node.value.items():
        if node.path or key != "settings":
            yield key, Node(value, (*node.path, key), node.faults)


def named_setting(node: Node) -> str | None:
    """The setting that stands here in place of a value, if one does."""
    if not isinstance(node.value, Mapping) or set(node.value) != {REFERENCE}:
        return None
    name = node.value[REFERENCE]
    return name if isinstance(name, str) else None


def _has_fields(path: Path) -> bool:
    """Whether a stream stands there, or the lines of a field."""
    if not path or path[0] != "streams":
        return False
    return len(path) == 2 or (len(path) == 5 and (path[2], path[4]) == ("fields", "lines"))


def _is_field(path: Path) -> bool:
    return len(path) > 2 and path[-2] == "fields" and _has_fields(path[:-2])


def _is_read_later(path: Path) -> bool:
    """Whether it says which records count at set-up (`where` of a check, or of a required setting): there it matters whether
    somebody has chosen yet."""
    return len(path) == 5 and path[0] == "setup" and path[1] in ("checks", "settings") and path[3] == "where"


def _is_left_out(field: Node, found: Mapping[str, object]) -> bool:
    """Whether a path of the field is a setting that has no value."""
    paths = (field.get(side) for side in SIDES)
    names = [named_setting(place) for place in paths if place is not None]
    return any(name is not None and found.get(name, _NOTHING) is None for name in names)


def _with_custom(stream: Node, entries: dict[object, object]) -> dict[object, object]:
    """The stream, or the lines, with the fields that their link adds (U12, U15)."""
    custom = entries.pop("custom", None)
    if custom is None:
        return entries
    if not isinstance(custom, FromSetting):
        stream.fault("`custom: {setting: name}` is needed, with a setting of form fields", "custom")
        return entries
    fields = entries.get("fields")
    own = fields if isinstance(fields, dict) else {}
    for name in custom:
        if name in own:
            stream.fault(
                f'the setting {custom.name} has a field "{name}", which the blueprint has already', "custom"
            )
    return {
        **entries,
        "fields": {**own, **{name: value for name, value in custom.items() if name not in own}},
    }
