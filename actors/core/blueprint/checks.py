"""What the parts of a blueprint owe each other, and the order of its streams.

Each check notes all it finds. Must not: read entries; by now everything is compiled.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from actors.core.blueprint.documents import check_documents
from actors.core.blueprint.gates import check_gates
from actors.core.blueprint.lines import check_lines
from actors.core.blueprint.nodes import Node, guess, listed
from actors.core.blueprint.objects import check_objects
from actors.core.blueprint.owners import check_conditions, check_values
from actors.core.blueprint.requires import check_requires
from actors.core.lenses import written_paths
from actors.core.owners import may_change
from actors.core.policy import DeletePolicy, FieldSpec, LeftBehind, Owner, StreamSpec
from actors.core.stream_rules import Ineligible, OnMerge
from actors.core.types import SIDES, Side, other


def check_streams(streams: Sequence[StreamSpec], node: Node, *, may_mark: bool) -> None:
    """Everything that holds between fields and between streams. `node` is the document's `streams`. `may_mark`: a setting
    offers the word `mark`, so that a mark which nothing uses may be there for a link that chooses it."""
    names = [stream.name for stream in streams]
    for stream in streams:
        at = Node(stream, (*node.path, *_place(stream)), node.faults)
        if names.count(stream.name) > 1:
            at.fault(f'there is another stream "{stream.name}"; call the effect otherwise')
        _check_match(stream, at)
        _check_groups(stream, at)
        _check_writers(stream, at)
        _check_marks(stream, at, may_mark=may_mark)
        _check_merges(stream, at)
        check_objects(stream, at)
        check_gates(stream, at)
        check_documents(stream, at)
        check_conditions(stream, at)
        check_values(stream, at)
        check_lines(stream, at)
        _check_names(stream, names, at)
        check_requires(stream, streams, at)
    _check_circles(streams, node)


def _place(stream: StreamSpec) -> tuple[str, ...]:
    """Where its entries stand, below `streams`."""
    if not stream.follows:
        return (stream.name,)
    return stream.follows, "effects", stream.name.removeprefix(f"{stream.follows}_")


def working_order(streams: Sequence[StreamSpec]) -> tuple[StreamSpec, ...]:
    """Parents before children, otherwise as written. Optional references count where they make no circle."""
    needed = {stream.name: _needed(stream) for stream in streams}
    wished = {stream.name: needed[stream.name] | _referenced(stream) for stream in streams}
    ordered = _sorted(wished) or _sorted(needed) or list(needed)
    by_name = {stream.name: stream for stream in streams}
    return tuple(by_name[name] for name in ordered)


def all_parents(stream: StreamSpec) -> tuple[str, ...]:
    """Listed parents, then referenced streams; a stream is not its own parent."""
    referenced = (name for field in stream.fields for name in field.references)
    return tuple(name for name in dict.fromkeys((*stream.parents, *referenced)) if name != stream.name)


def _check_match(stream: StreamSpec, at: Node) -> None:
    fields = {field.name: field for field in stream.fields}
    for level, key in enumerate(stream.match):
        for place, name in enumerate(key):
            first = len(stream.match) - stream.clashes
            where = ("match", level, place) if level < first else ("clash", level - first, place)
            field = fields.get(name)
            if field is None:
                at.fault(f'"{name}" is not a field of this stream{guess(name, fields)}', *where)
            elif field.owner is Owner.LOCAL or not _tells_apart(field, key, fields):
                at.fault(f'"{name}" is not on both sides, so nothing can be matched by it', *where)
    if stream.kind == "document" and not stream.match:
        at.fault("a document needs a `match` key, or it would be booked twice after a reset")


def _tells_apart(field: FieldSpec, key: Sequence[str], fields: Mapping[str, FieldSpec]) -> bool:
    """Whether records can be matched by it: a constant narrows a key that has another field as well (T7)."""
    others = (fields[name] for name in key if name in fields and name != field.name)
    return _on_both(field) or (field.a is not None and field.b is not None and any(map(_on_both, others)))


def _on_both(field: FieldSpec) -> bool:
    return all(place is not None and place.paths for place in (field.a, field.b))


def _check_groups(stream: StreamSpec, at: Node) -> None:
    heads: dict[str, FieldSpec] = {}
    for field in stream.fields:
        head = heads.setdefault(field.group, field) if field.group else field
        if field.owner_cases != head.owner_cases:
            at.fault(
                f'the fields of group "{field.group}" are decided as one, but not all have the same owners '
                f"under conditions: {field.name} and {head.name} differ",
                *("fields", field.name),
            )
        for rule in ("owner", "conflict", "first_contact", "foreign_edit"):
            ours, theirs = (getattr(one, rule) or "the stream's" for one in (field, head))
            if ours != theirs:
                at.fault(
                    f'the fields of group "{field.group}" are decided as one, but {rule} is {ours} here '
                    f"and {theirs} in {head.name}",
                    *("fields", field.name),
                )


def _written(field: FieldSpec, side: Side) -> tuple[str, ...]:
    place = field.side(side)
    if (
        place is None
        or place.lens.one_way
        or field.owner is Owner.LOCAL
        or not may_change(field, other(side))
    ):
        return ()
    return written_paths(place.lens, place.paths)


def _check_writers(stream: StreamSpec, at: Node) -> None:
    for side in SIDES:
        writers: dict[str, list[str]] = defaultdict(list)
        for field in stream.fields:
            for path in _written(field, side):
                writers[path].append(field.name)
        for path, names in writers.items():
            for name in names[1:]:
                at.fault(
                    f'"{path}" on side {side} is written by {listed(names)}; one field only', "fields", name
                )


def _check_marks(stream: StreamSpec, at: Node, *, may_mark: bool) -> None:
    for side in SIDES:
        marked = stream.mark.get(other(side), {})
        if DeletePolicy.MARK in stream.policies(side) and not marked:
            at.fault(
                f"`mark: {{{other(side)}: ...}}` is missing: which values mark a record as deleted there",
                "deletes",
                side,
            )
        gate = stream.gates.get(side)
        deactivates = gate is not None and gate.then is Ineligible.DEACTIVATE
        left = stream.several == other(side) and stream.left_behind is LeftBehind.MARK
        used = DeletePolicy.MARK in stream.policies(side) or deactivates or left
        if marked and not used and not may_mark:
            at.fault(
                f"nothing is marked on side {other(side)}; deletes: {{{side}: mark}} is missing",
                "mark",
                other(side),
            )
        values = stream.mark.get(side, {})
        for field in stream.fields:
            place = field.side(side)
            if place is not None and may_change(field, side):
                for path in sorted(set(place.paths) & set(values)):
                    at.fault(
                        f'"{path}" is also the field {field.name}: the mark would count as an edit',
                        "mark",
                        side,
                        path,
                    )


def _check_merges(stream: StreamSpec, at: Node) -> None:
    followed = {DeletePolicy.MARK, DeletePolicy.REMOVE}
    every = stream.policies("a") | stream.policies("b")
    if stream.on_merge is OnMerge.FOLLOW and not every & followed:
        at.fault("nothing follows a merge: `deletes: {a: mark}` (or remove, or of b) is missing", "on_merge")


def _check_names(stream: StreamSpec, names: Sequence[str], at: Node) -> None:
    for entry, needed in (("parents", stream.parents), ("requires", stream.requires)):
        for place, name in enumerate(needed):
            if name not in names:
                at.fault(f'there is no stream "{name}"{guess(name, names)}', entry, place)
    for field in stream.fields:
        below = [(one, ("lines", "fields", one.name)) for one in field.lines.fields] if field.lines else []
        for one, where in [(field, ()), *below]:
            if one.reference and one.reference not in names:
                message = f'there is no stream "{one.reference}"{guess(one.reference, names)}'
                at.fault(message, "fields", field.name, *where, "reference")


def _check_circles(streams: Sequence[StreamSpec], node: Node) -> None:
    needed = {stream.name: _needed(stream) for stream in streams}
    if _sorted(needed) is not None:
        return
    circle = _circle(needed)
    node.fault(
        f"these streams need each other first: {' -> '.join(circle)}; one reference has to do without required: true",
        circle[0],
    )


def _needed(stream: StreamSpec) -> frozenset[str]:
    lines = (one for field in stream.fields if field.lines is not None for one in field.lines.fields)
    required = (one.reference for one in (*stream.fields, *lines) if one.reference and one.required)
    return frozenset((*stream.parents, *stream.requires, *required))


def _referenced(stream: StreamSpec) -> frozenset[str]:
    return frozenset(name for field in stream.fields for name in field.references) - {stream.name}


def _sorted(edges: Mapping[str, frozenset[str]]) -> list[str] | None:
    """Names with what they need before them, stable; None where there is a circle. Unknown names don't count."""
    ordered: list[str] = []
    waiting = list(edges)
    while waiting:
        name = next((name for name in waiting if not (edges[name] & set(waiting))), None)
        if name is None:
            return None
        waiting.remove(name)
        ordered.append(name)
    return ordered


def _circle(edges: Mapping[str, frozenset[str]]) -> list[str]:
    """One circle, first name again at its end."""
    rest = dict(edges)
    while free := [name for name, needs in rest.items() if not needs & rest.keys()]:
        for name in free:
            del rest[name]
    walk = [next(iter(rest))]
    while walk[-1] not in walk[:-1]:
        walk.append(min(edges[walk[-1]] & rest.keys()))
    return walk[walk.index(walk[-1]) :]
