"""Settings of a link: entries laid over its blueprint, and what a change of either means for what was settled before.

Settings have the form of a blueprint and say only what is otherwise for this link. What they name replaces what the
blueprint says; `null` takes an entry away; lenses, marks and schedules are replaced as a whole. Both together are checked
as one blueprint. Pure. SPEC U14, U21.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from actors.core.blueprint.compiler import field_versions
from actors.core.blueprint.nodes import Fault, Path, dotted
from actors.core.policy import LinkSpec, StreamSpec
from actors.core.roles import Role
from actors.core.types import SIDES, Side

# Stream -> mapping version -> field -> its version: every mapping under which records of a link were settled.
Mappings = Mapping[str, Mapping[str, Mapping[str, str]]]
WHOLE: Final = frozenset({"lens", "lens_a", "lens_b", "mark", "delivery", "match", "creates"})
MAPPINGS_MAX: Final = 20  # per stream; what was settled under an older one counts as never settled
# What may change without a look at every record.
_LIGHT: Final = ("complete_read_s", "delivery", "stale", "remapped", "triggers")

# Of the entry `setup`: what links are made on, and what nobody changes afterwards (W8, W27).
_FOR_GOOD: Final = ("kind", "roles", "handshake", "irreversible", "access", "in_mode_4", "features")


def overlaid(blueprint: object, settings: object, path: Path = ()) -> tuple[object, frozenset[Path]]:
    """The blueprint's data with the settings laid over it, and the paths that come from the settings."""
    name = path[-1] if path else ""
    if not isinstance(settings, Mapping) or name in WHOLE:
        return settings, frozenset(_paths(settings, path))
    known = isinstance(blueprint, Mapping)
    merged = dict(blueprint) if isinstance(blueprint, Mapping) else {}
    ours: set[Path] = set() if known else {path}
    for key, value in settings.items():
        below = (*path, key)
        if value is None and not _is_value(below):
            merged.pop(key, None)
            continue
        merged[key], found = overlaid(merged.get(key), value, below)
        ours |= found
    return merged, frozenset(ours)


def _is_value(path: Path) -> bool:
    """Whether null says something there: a link whose setting has no value, as in `{active_field: {default: ~}}`."""
    return len(path) == 3 and (path[0], path[2]) == ("settings", "default")


def _paths(value: object, path: Path) -> Iterator[Path]:
    yield path
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield from _paths(below, (*path, key))
    if isinstance(value, list):
        for index, below in enumerate(value):
            yield from _paths(below, (*path, index))


class Changes(msgspec.Struct, frozen=True):
    """What is otherwise under new rules. `reread`: streams of which every record has to be looked at again, `gone`: streams
    that are no more; `retimed`: streams whose schedules changed; `added`: streams that are new."""

    reread: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    retimed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any((self.reread, self.gone, self.retimed, self.added))


def changes(old: LinkSpec, new: LinkSpec) -> Changes:
    """Compare two blueprints of one link."""
    before = {stream.name: stream for stream in old.streams}
    after = {stream.name: stream for stream in new.streams}
    both = [(before[name], stream) for name, stream in after.items() if name in before]
    return Changes(
        reread=tuple(stream.name for was, stream in both if _heavy(was) != _heavy(stream)),
        gone=tuple(name for name in before if name not in after),
        retimed=tuple(stream.name for was, stream in both if dict(was.delivery) != dict(stream.delivery)),
        added=tuple(name for name in after if name not in before),
    )


def _heavy(stream: StreamSpec) -> StreamSpec:
    plain = StreamSpec(name="", kind="", a_object="", b_object="", fields=())
    return msgspec.structs.replace(stream, **{name: getattr(plain, name) for name in _LIGHT})


FIXED = "was chosen when the link was set up, for good; another choice needs a link of its own"


def fixed(spec: LinkSpec, data: Mapping[str, Any], values: Mapping[str, Any]) -> Sequence[Fault]:
    """Settings that an active link would get otherwise than it was set up with. `data`: what the store keeps."""
    had = {one.name: data.get(one.name, one.default) for one in spec.settings if one.fixed}
    return [
        _fault(("settings", name), FIXED)
        for name, value in values.items()
        if name in had and value != had[name]
    ]


def impossible(old: LinkSpec, new: LinkSpec) -> Sequence[Fault]:
    """Changes that would make other records of what is kept in step: a link is for its systems and objects."""
    found = []
    for side, was, now in (("a", old.a_connector, new.a_connector), ("b", old.b_connector, new.b_connector)):
        if was != now:
            found.append(
                _fault((side, "connector"), f"the link is with {was}; another system needs a link of its own")
            )
    for name in _FOR_GOOD:
        of_nobody = name == "kind" and set(old.setup.roles.values()) == {Role.PEER}  # roles are counted by it
        if not of_nobody and getattr(old.setup, name) != getattr(new.setup, name):
            said = "both sides agreed on it when the link was made; another way needs a link of its own"
            found.append(_fault(("setup", name), said))
    for setting in old.settings:
        later = next((one for one in new.settings if one.name == setting.name), setting)
        if setting.fixed and (later.default, later.has_default) != (setting.default, setting.has_default):
            found.append(_fault(("settings", setting.name), FIXED))
    before = {stream.name: stream for stream in old.streams}
    for stream in new.streams:
        known = before.get(stream.name)
        for side in SIDES if known is not None else ():
            assert known is not None
            if stream.object(side) != known.object(side):
                found.append(_moved(stream, known, side))
    return found


def _moved(stream: StreamSpec, known: StreamSpec, side: Side) -> Fault:
    said = f"this stream keeps records of {known.object(side)}; another object needs a stream with a name of its own"
    return _fault(("streams", stream.name, side), said)


def _fault(path: Path, message: str) -> Fault:
    return Fault(0, 0, dotted(path), message)


# ------------------------------------------------------------------------------------------------------ mappings


def remember(known: Mappings, spec: LinkSpec) -> dict[str, dict[str, dict[str, str]]]:
    """`known`, and how the fields of `spec` are mapped; the oldest ones are forgotten."""
    out = {stream: {ver: dict(fields) for ver, fields in vers.items()} for stream, vers in known.items()}
    for stream in spec.streams:
        vers = out.setdefault(stream.name, {})
        vers.pop(stream.map_ver, None)
        vers[stream.map_ver] = dict(field_versions(stream))
        out[stream.name] = dict(list(vers.items())[-MAPPINGS_MAX:])
    return out


def with_stale(spec: LinkSpec, known: Mappings, remapped: Mapping[str, float] | None = None) -> LinkSpec:
    """The spec, each stream with the fields that mean something else now than under an older mapping, and since when."""
    streams = tuple(
        msgspec.structs.replace(
            stream,
            stale=_stale(stream, known.get(stream.name, {})),
            remapped=(remapped or {}).get(stream.name, 0.0),
        )
        for stream in spec.streams
    )
    return msgspec.structs.replace(spec, streams=streams)


def _stale(stream: StreamSpec, known: Mapping[str, Mapping[str, str]]) -> dict[str, frozenset[str]]:
    now = field_versions(stream)
    # A field that was switched off meanwhile holds what it held before: that is good if it never meant anything else.
    ever = {name: {fields[name] for fields in known.values() if name in fields} for name in now}
    return {
        map_ver: frozenset(
            name
            for name, version in now.items()
            if ({fields[name]} if name in fields else ever[name]) != {version}
        )
        for map_ver, fields in known.items()
        if map_ver != stream.map_ver
    }


class Kept(msgspec.Struct, frozen=True):
    """What the store keeps as a link's settings. `rules`: the YAML text; `version`: counts changes, 1 = as created;
    `remapped`: stream -> when it was last to be read again as a whole."""

    rules: str = ""
    version: int = 1
    mappings: Mapping[str, Mapping[str, Mapping[str, str]]] = {}
    remapped: Mapping[str, float] = {}


def chosen(data: Mapping[str, Any]) -> dict[str, Any]:
    """What a link has for what its blueprint asks for by name (blueprint/settings.py), from what the store keeps."""
    return {name: value for name, value in data.items() if name not in Kept.__struct_fields__}


def load(data: Mapping[str, Any]) -> Kept:
    """Settings from what the store keeps."""
    return msgspec.convert(dict(data), Kept)


def dump(kept: Kept) -> dict[str, Any]:
    """Settings as the store keeps them."""
    out: dict[str, Any] = msgspec.to_builtins(kept)
    return out
