"""What stands in the way of a link: from what was counted to what is said. Pure. Rows W6, W18, W23, W28, T1, T17, S14.

Nothing is decided from a count that was cut short but "at least so many". Must not: read anything.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

import msgspec

from actors.core.policy import SettingSpec
from actors.core.setup import Check, CheckKind, Chosen, Required, SetupSpec, Severity
from actors.core.types import Side
from actors.core.values import Value

CHOICE = "settings"


class Found(msgspec.Struct, frozen=True):
    """What a check found. `count`: records that are in its way (of `some`: records there are); `more`: counting stopped
    there. `sample`: how many of them are sample data. `named`: some of them, for people."""

    count: int
    more: bool = False
    sample: int = 0
    named: tuple[str, ...] = ()


class Obstacle(msgspec.Struct, frozen=True):
    """One thing that stands in the way. `object` "" where it is none of a system. `overridable`: an operator may go on."""

    side: Side | None
    object: str
    text: str
    count: int = 0
    ways_out: tuple[str, ...] = ()
    severity: Severity = Severity.REFUSE
    overridable: bool = False


def chosen(settings: Mapping[str, object], specs: Sequence[SettingSpec], name: str) -> str | None:
    """What a link says for a setting, or its default, as a native value is written; None where it has not been chosen."""
    said = settings.get(name)
    if said is None:
        said = next((one.default for one in specs if one.name == name and one.has_default), None)
    return as_text(said) if isinstance(said, str | int | bool | Decimal) else None


def obstacle(
    spec: SetupSpec,
    check: Check,
    found: Found,
    names: Mapping[Side, str],
    where: Mapping[str, str] | None = None,
) -> Obstacle | None:
    """What stands in the way by this check, None where nothing does. `names`: of the connections. `where`: which records
    count, as it is now."""
    if (found.count == 0) is not (check.kind is CheckKind.SOME):
        return None
    ways = list(check.ways_out)
    said = check.text or _said(check, found, names) + _such(where or {})
    if found.sample:
        said += f"; {found.sample} of them are sample data, which count as data"
    if not ways and check.kind is CheckKind.EMPTY:
        ways = [f"remove the records of {check.object} from {names[check.side]}"]
    asked = sorted({one.setting for one in check.where.values() if isinstance(one, Chosen)})
    if not check.ways_out and asked:
        ways += [
            f"choose another one: tandemctl links prepare <link> --settings {name}=..." for name in asked
        ]
    return Obstacle(
        side=check.side,
        object=check.object,
        text=said,
        count=found.count,
        ways_out=tuple(ways),
        severity=check.severity,
        overridable=spec.custom and check.kind is CheckKind.EMPTY,
    )


def _such(where: Mapping[str, str]) -> str:
    return (
        f", where {' and '.join(f'{field} is {value!r}' for field, value in where.items())}" if where else ""
    )


def _said(check: Check, found: Found, names: Mapping[Side, str]) -> str:
    name, fields = names[check.side], ", ".join(check.by)
    many = f"{'at least ' if found.more else ''}{found.count} record{'' if found.count == 1 else 's'}"
    such = (
        f" ({', '.join(found.named)}{', ...' if found.count > len(found.named) else ''})"
        if found.named
        else ""
    )
    match check.kind:
        case CheckKind.EMPTY:
            return f"{check.object} of {name} has to be empty and holds {many}"
        case CheckKind.NO_CLASH:
            return f"{many} in {check.object} of {name}, by {fields}, stand in {check.against} on the other side too{such}"
        case CheckKind.SOME:
            return (
                f"{check.object} of {name} has no record"
                if check.where
                else f"{check.object} of {name} is empty"
            )
        case CheckKind.FILLED:
            return f"{many} in {check.object} of {name} lack {fields}{such}"
        case CheckKind.UNIQUE:
            return f"{many} in {check.object} of {name} share {fields} with another{such}"


def lacking(
    setting: Required,
    chosen: object,
    keys: Collection[str] | None,
    values: Collection[str] | None,
    names: Mapping[Side, str],
) -> Obstacle | None:
    """What a required setting lacks. `keys`: what needs an entry, `values`: what may be chosen, as found in the systems."""
    known = values if values is not None else setting.choices or None
    if setting.keys is None:
        text = "" if isinstance(chosen, str) and chosen.strip() else "is not chosen"
        if not text and known is not None and chosen not in known:
            text = f"is {chosen!r}, which is not there"
    else:
        entries = chosen if isinstance(chosen, Mapping) else {}
        open_ = sorted(key for key in keys or () if not str(entries.get(key) or "").strip())
        lost = sorted(
            f"{key}: {entries[key]}"
            for key in keys or ()
            if key not in open_ and known is not None and str(entries[key]) not in known
        )
        parts = [f"lacks an entry for {', '.join(open_)}"] if open_ else []
        parts += [f"names what is not there ({', '.join(lost)})"] if lost else []
        text = "; ".join(parts)
    if not text:
        return None
    about = f" ({setting.doc})" if setting.doc else ""
    offer = f"choose from {', '.join(sorted(map(str, known))[:20])}" if known else "choose one"
    way = f"{offer}: tandemctl links prepare <link> --settings {setting.name}=..."
    return Obstacle(None, CHOICE, f"the setting {setting.name}{about} {text}", ways_out=(way,))


def lacking_value(name: str, doc: str) -> Obstacle:
    """A setting whose value stands in rules of the blueprint, and that no link can do without."""
    about = f" ({doc})" if doc else ""
    way = f"choose one: tandemctl links prepare <link> --settings {name}=..."
    return Obstacle(None, CHOICE, f"the setting {name}{about} is not chosen", ways_out=(way,))


def moved(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """What the settings rest on and is no longer as it was when they were looked at; () where all is."""
    return tuple(
        f"{name} was {before[name]!r} and is {now.get(name, '')!r}"
        for name in sorted(before)
        if before[name] != now.get(name, "")
    )


def as_text(value: Value) -> str:
    """A native value as people write it; nothing is ""."""
    if value is None:
        return ""
    return value.strip() if isinstance(value, str) else str(value).lower()


def refusing(found: Sequence[Obstacle], override: bool = False) -> list[Obstacle]:
    """Those that stop it; `override`: an operator goes on where the rules let him."""
    return [one for one in found if one.severity is Severity.REFUSE and not (override and one.overridable)]


def warning(found: Sequence[Obstacle]) -> list[Obstacle]:
    """Those that are only said."""
    return [one for one in found if one.severity is Severity.WARN]
