"""Blueprints: the rules of one kind of link, from plain data to a compiled `LinkSpec`; all faults at once.

The format (every entry, with an example, in docs/BLUEPRINTS.md; `*` = has to be there):

    blueprint*: name            version*: 1           description: text      breaker: 20
    a*, b*:  {connector*: csv, poll: 60s}
    zone: UTC          delivery: instant, or {a_to_b: instant, b_to_a: nightly} (command, every 15m, 30 2 * * *)
    streams*:
      <stream>:
        kind: master | document         a*, b*: object on that side       complete_read*: 1h
        parents: [stream]               match: [[field, ...], ...]        creates: [a, b]
        deletes: {a: ignore, b: ignore} (ignore | mark | remove | restore: what a deletion there does on the other side)
        delete_vs_edit: keep | restore | remove                           mark: {b: {native path: value}}
        first_contact: a | b | fill_empty | ask
        delivery: as above, for this stream
        budgets: {deletes: 10 or 5%, creates: unlimited, overwrites: 200 or 20%, clears: 20 or 5%}
        fields*:
          <field>:
            a, b: native path, or [path, path] with the lens `join`
            lens: both sides; lens_a, lens_b: one side, nearer to its native value
            owner: a | b | both | local           first_contact: as above, for this field
            conflict: a | b | ask | strictest | newest_else_a | newest_else_b | newest_else_ask
            group: name    reference: stream    required, on_create_only, set, lossy: true

Pure: the text is read in daemon/blueprints_yaml.py. Must not: know connectors; stop at the first fault.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from actors.core.blueprint_checks import all_parents, check_streams, working_order
from actors.core.blueprint_nodes import BlueprintError, Fault, Faults, Node, Positions, described
from actors.core.blueprint_settings import read_settings, settled_data
from actors.core.blueprint_streams import read_stream
from actors.core.blueprint_when import When, read_when
from actors.core.policy import FieldSpec, LinkSpec, StreamSpec
from actors.core.types import SIDES
from actors.core.values import fingerprint

__all__ = ["BlueprintError", "Fault", "Positions", "compile_blueprint", "field_versions"]

_KEYS: Final = (
    "blueprint",
    "version",
    "description",
    "a",
    "b",
    "breaker",
    "zone",
    "delivery",
    "settings",
    "streams",
)
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,62}", re.ASCII)
_POLL_S: Final = (0.1, 7 * 86400.0, 60.0)  # shortest, longest, where nothing is said
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
    root = Node(settled_data(document, asked, settings), (), faults)
    root = root.mapping(_KEYS, ("blueprint", "version", "a", "b", "streams"))
    name, version, description = root.get("blueprint"), root.get("version"), root.get("description")
    breaker = root.get("breaker")
    sides = {side: _side(root.get(side)) for side in SIDES}
    spec = LinkSpec(
        name=_name(name) if name else "",
        version=_version(version) if version else "",
        a_connector=sides["a"][0],
        b_connector=sides["b"][0],
        streams=_streams(root.get("streams"), read_when(root.get("zone"), root.get("delivery"))),
        poll_s={side: poll_s for side, (_, poll_s) in sides.items()},
        breaker=breaker.integer(1, 100_000, _BREAKER) if breaker else _BREAKER,
        description=description.text() if description else "",
        settings=asked,
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
    return fingerprint([msgspec.json.encode([places, field.reference, field.as_set]).decode()])


def _side(node: Node | None) -> tuple[str, float]:
    if node is None:
        return "", _POLL_S[2]
    entries = node.mapping(("connector", "poll"), ("connector",))
    connector, poll = entries.get("connector"), entries.get("poll")
    return connector.text() if connector else "", poll.seconds(*_POLL_S) if poll else _POLL_S[2]


def _name(node: Node) -> str:
    name = node.text()
    if name and not _NAME.fullmatch(name):
        node.fault(f"{described(name)} is not a name: small letters, digits and -, a letter first")
    return name


def _version(node: Node) -> str:
    if isinstance(node.value, int) and not isinstance(node.value, bool):
        return str(node.value)
    return node.text()


def _streams(node: Node | None, when: When) -> tuple[StreamSpec, ...]:
    if node is None:
        return ()
    streams = [read_stream(name, entry, when) for name, entry in node.entries()]
    if not streams:
        node.fault("a blueprint needs at least one stream")
    check_streams(streams, node)
    return tuple(_finished(stream) for stream in working_order(streams))


def _finished(stream: StreamSpec) -> StreamSpec:
    versions = field_versions(stream)
    return msgspec.structs.replace(stream, parents=all_parents(stream), map_ver=fingerprint([versions]))
