"""Whether a blueprint fits two accounts: what it names has to be there, and nothing else may keep the same records in step.

Pure. Everything that is missing is listed, not the first of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches

from actors.core.blueprint.setup import objects_of
from actors.core.places import lacking
from actors.core.policy import RECORD_ID, RECORD_OBJECT, LinkSpec, StreamSpec
from actors.core.types import SIDES, Side
from actors.core.unit_lines import IN_LINES, asked
from actors.ports import ObjectInfo, Webhook
from daemon.api.errors import Violation


def missing(
    spec: LinkSpec, offers: Mapping[Side, Sequence[ObjectInfo]], names: Mapping[Side, str]
) -> list[Violation]:
    """Objects and native fields that the blueprint names and the account does not have. `names`: of the connections."""
    found: list[Violation] = []
    for stream in spec.streams:
        for side in SIDES:
            known = {info.name: info for info in offers[side]}
            for name in stream.objects_on(side):
                info = known.get(name)
                if info is None:
                    said = f"connection {names[side]} has no object {name!r}{_meant(name, known)}"
                    found.append(Violation(f"streams.{stream.name}.{side}", said))
                else:
                    found += _missing_fields(stream, side, info, names[side])
    return found + list(_missing_in_setup(spec, offers, names))


def strange_events(spec: LinkSpec, webhooks: Mapping[Side, Webhook | None]) -> list[Violation]:
    """Triggers that never come: no such event is known of the system, or it calls nobody."""
    found: list[Violation] = []
    for stream in spec.streams:
        for side, events in stream.triggers.items():
            webhook = webhooks[side]
            known = webhook.events if webhook is not None else ()
            if events and webhook is None:
                said = f"the system of side {side} calls nobody, so nothing triggers"
                found.append(Violation(f"streams.{stream.name}.triggers.{side}", said))
            for event in events if known else ():
                if event not in known:
                    said = f"there is no event {event!r}{_meant(event, known)}; known are {', '.join(known)}"
                    found.append(Violation(f"streams.{stream.name}.triggers.{side}", said))
    return found


def _missing_in_setup(
    spec: LinkSpec, offers: Mapping[Side, Sequence[ObjectInfo]], names: Mapping[Side, str]
) -> Iterator[Violation]:
    for side, wanted in objects_of(spec.setup).items():
        known = {info.name: {field.name for field in info.fields} for info in offers[side]}
        for name, fields in wanted.items():
            if name not in known:
                said = f"connection {names[side]} has no object {name!r}{_meant(name, known)}"
                yield Violation("setup", said)
            for path in sorted(fields - known.get(name, fields)):
                there = _meant(path, known[name])
                yield Violation("setup", f"{name} of connection {names[side]} has no field {path!r}{there}")


def _missing_fields(stream: StreamSpec, side: Side, info: ObjectInfo, name: str) -> Iterator[Violation]:
    known = {field.name for field in info.fields}
    for where, path in _paths(stream, side):
        if path in lacking(stream, side, info.name):
            continue  # a field that stands elsewhere in each of several objects
        of_lines, _, cell = path.partition(IN_LINES)
        if cell and not any(name.startswith(of_lines + IN_LINES) for name in known):
            continue  # a system that says nothing of its lines' cells
        if path not in known:
            said = f"{info.name} of connection {name} has no field {path!r}{_meant(path, known)}"
            yield Violation(f"streams.{stream.name}.{where}", said)


def _paths(stream: StreamSpec, side: Side) -> Iterator[tuple[str, str]]:
    for field in stream.fields:
        place = field.side(side)
        for path in place.paths if place is not None else ():
            if path in (RECORD_ID, RECORD_OBJECT):
                continue  # every record has its id, and stands somewhere
            yield f"fields.{field.name}.{side}", path
            if field.lines is not None:
                for within in asked(path, field.lines, side):
                    yield f"fields.{field.name}.lines", within
    for path in stream.mark.get(side, {}):
        yield f"mark.{side}", path


def _meant(name: str, known: Iterable[str]) -> str:
    there = sorted(known)
    close = get_close_matches(name, there, n=3) or there[:5]
    return f"; it has {', '.join(close)}" if close else "; it has none at all"


def overlap(spec: LinkSpec, other: LinkSpec, mirrored: bool) -> tuple[str, str] | None:
    """The first pair of objects that both would keep in step; `mirrored`: the other's side a is our side b."""
    theirs = {(b, a) if mirrored else (a, b) for stream in other.streams for a, b in shares(stream)}
    ours = (pair for stream in spec.streams for pair in shares(stream))
    return next((pair for pair in ours if pair in theirs), None)


def shares(stream: StreamSpec) -> list[tuple[str, str]]:
    """Every pair of objects (of a, of b) that a stream keeps in step."""
    return [(a, b) for a in stream.objects_on("a") for b in stream.objects_on("b")]
