"""Blueprints: the rules of one kind of link, from plain data to a compiled `LinkSpec`; all faults at once.

Every entry, with its form and meaning, is in the tables of entries.py, and for people in docs/BLUEPRINTS.md.

Pure: the text is read in daemon/blueprints_yaml.py. Must not: know connectors; stop at the first fault.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from actors.core.blueprint.checks import all_parents, check_streams, working_order
from actors.core.blueprint.chosen import switched_off, without_inactive
from actors.core.blueprint.effects import read_effects
from actors.core.blueprint.entries import BREAKER, LINK, LINK_NAME, POLL, SIDE
from actors.core.blueprint.nodes import BlueprintError, Fault, Faults, Node, Positions, described
from actors.core.blueprint.objects import pointing
from actors.core.blueprint.settings import awaited_settings, read_settings, settled_data
from actors.core.blueprint.setup import read_setup
from actors.core.blueprint.streams import read_stream
from actors.core.blueprint.when import When, read_when
from actors.core.policy import DeletePolicy, FieldSpec, LinkSpec, StreamSpec
from actors.core.types import SIDES
from actors.core.values import fingerprint

__all__ = ["BlueprintError", "Fault", "Positions", "compile_blueprint", "field_versions"]

_NAME: Final = re.compile(LINK_NAME, re.ASCII)
_POLL_S: Final = 60.0  # where nothing is said
_BREAKER: Final = 20


def compile_blueprint(
    data: object, positions: Positions | None = None, settings: Mapping[str, Any] | None = None
) -> LinkSpec:
    """Validate the whole document and compile it.

    `data`: mappings, lists, texts, whole numbers, `Decimal`, booleans and null. `positions`: line and column per path,
    for the faults. `settings`: of the link (plain data, JSON's types); None: there is no link, it is only checked.
    Raises `BlueprintError` with everything that is wrong.
    """
    faults = Faults(positions or {})
    document = Node(data, (), faults)
    asked = read_settings(document.get("settings"))
    awaited = awaited_settings(document.get("setup"))
    whole = settled_data(document, (*awaited, *asked), settings)
    root = Node(whole if settings is None else without_inactive(whole), (), faults).table(LINK)
    name, version, description = root.get("blueprint"), root.get("version"), root.get("description")
    breaker = root.get("breaker")
    sides = {side: _side(root.get(side)) for side in SIDES}
    may_mark = any(DeletePolicy.MARK.value in one.choices for one in asked)
    when = read_when(root.get("zone"), root.get("delivery"))
    streams = _streams(root.get("streams"), when, switched_off(document), may_mark=may_mark)
    called = _name(name) if name else ""
    spec = LinkSpec(
        name=called,
        version=_version(version) if version else "",
        a_connector=sides["a"][0],
        b_connector=sides["b"][0],
        streams=streams,
        poll_s={side: poll_s for side, (_, poll_s) in sides.items()},
        breaker=breaker.integer(BREAKER.lowest, BREAKER.highest, _BREAKER) if breaker else _BREAKER,
        description=description.text() if description else "",
        settings=asked,
        setup=read_setup(root.get("setup"), called, streams),
    )
    faults.check()
    return spec


def field_versions(stream: StreamSpec) -> Mapping[str, str]:
    """One fingerprint per field over what gives its shared values their meaning: paths, lenses, reference, set.

    A field whose fingerprint changed has an unknown base: an old base read with new lenses would look like an edit of
    every record (B16).
    """
    return {field.name: _field_version(field) for field in stream.fields}


def _field_version(field: FieldSpec) -> str:
    places = [place and [place.paths, place.lens] for place in (field.a, field.b)]
    told: list[object] = [places, field.reference, field.as_set]
    if field.lines is not None:
        lines = [[one.name, _field_version(one)] for one in field.lines.fields]
        told.append([lines, field.lines.key, field.lines.ordered, dict(field.lines.position)])
    return fingerprint([msgspec.json.encode(told).decode()])


def _side(node: Node | None) -> tuple[str, float]:
    if node is None:
        return "", _POLL_S
    entries = node.table(SIDE)
    connector, poll = entries.get("connector"), entries.get("poll")
    return connector.text() if connector else "", poll.within(POLL, _POLL_S) if poll else _POLL_S


def _name(node: Node) -> str:
    name = node.text()
    if name and not _NAME.fullmatch(name):
        node.fault(f"{described(name)} is not a name: small letters, digits and -, a letter first")
    return name


def _version(node: Node) -> str:
    if isinstance(node.value, int) and not isinstance(node.value, bool):
        return str(node.value)
    return node.text()


def _streams(node: Node | None, when: When, off: str, *, may_mark: bool) -> tuple[StreamSpec, ...]:
    """`off`: of which streams it is said whether they are active, in words."""
    if node is None:
        return ()
    streams: list[StreamSpec] = []
    for name, entry in node.entries():
        stream = read_stream(name, entry, when)
        effects = list(read_effects(stream, entry.get("effects")))
        streams.append(msgspec.structs.replace(stream, effects=tuple(one.name for one in effects)))
        streams.extend(effects)
    if not streams:
        node.fault(
            f"no stream is active, so there is nothing to keep in step: {off}; switch one of them on"
            if off
            else "a blueprint needs at least one stream"
        )
    streams = list(pointing(streams, node))
    check_streams(streams, node, may_mark=may_mark)
    return tuple(_finished(stream) for stream in working_order(streams))


def _finished(stream: StreamSpec) -> StreamSpec:
    versions = field_versions(stream)
    return msgspec.structs.replace(stream, parents=all_parents(stream), map_ver=fingerprint([versions]))
