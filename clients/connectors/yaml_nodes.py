"""YAML text as plain data, read safely, with the line of every node: blueprints, and declarations of the connector `rest`.

Reads less than YAML allows, because these texts are written by hand: `NO`, `on` and `01067` are texts, only true and
false are booleans, no tags, no key twice. Must not: know what a text means; open files.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

import yaml

from actors.core.blueprint.nodes import BlueprintError, Fault

SIZE_MAX: Final = 256 * 1024  # characters
NODES_MAX: Final = 50_000  # aliases count as often as they are used
DEPTH_MAX: Final = 40

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STANDARD: Final = "tag:yaml.org,2002:"
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]{0,27})(\.[0-9]{1,28})?")
_WORDS: Final = {"": None, "~": None, "null": None, "true": True, "false": False}

Path = tuple[object, ...]
Place = tuple[int, int]


def parse(text: str, what: str = "the blueprint") -> tuple[object, dict[Path, Place]]:
    """Plain data, and line and column (from 1) per path. Raises `BlueprintError` where the text is no such YAML. `what`
    the text is, for the message about an empty one."""
    if len(text) > SIZE_MAX:
        raise _refused(1, 1, f"the text has {len(text)} characters; {SIZE_MAX} is the most")
    try:
        _check_depth(text)
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise _refused(line, column, f"this is no YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        raise _refused(1, 1, f"this is no YAML: {error}") from error
    if root is None:
        raise _refused(1, 1, f"{what} is empty")
    reading = _Reading()
    data = reading.plain(root, (), 0)
    if reading.faults:
        raise BlueprintError(tuple(sorted(reading.faults)))
    return data, reading.positions


def _check_depth(text: str) -> None:
    # Before composing, which calls itself once per level and would end in a stack overflow.
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEPTH_MAX:
            raise _refused(*_place(event), f"nested deeper than {DEPTH_MAX} levels")


def _refused(line: int, column: int, message: str) -> BlueprintError:
    return BlueprintError((Fault(line, column, "", message),))


class _Reading:
    """One walk over the composed nodes."""

    def __init__(self) -> None:
        self.positions: dict[Path, Place] = {}
        self.faults: list[Fault] = []
        self._count = 0

    def plain(self, node: yaml.Node, path: Path, depth: int) -> object:
        """The data of `node`; its place is noted unless its key's already is."""
        self._count += 1
        if self._count > NODES_MAX or depth > DEPTH_MAX:
            # An alias within itself, or aliases of aliases that grow without end.
            raise _refused(
                *_place(node), f"more than {NODES_MAX} entries or {DEPTH_MAX} levels, aliases counted"
            )
        self.positions.setdefault(path, _place(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, depth)
        if isinstance(node, yaml.SequenceNode):
            self._check_tag(node, "seq")
            return [self.plain(item, (*path, index), depth + 1) for index, item in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: Path, depth: int) -> dict[object, object]:
        self._check_tag(node, "map")
        found: dict[object, object] = {}
        merged: dict[object, object] = {}
        for key_node, value_node in node.value:
            if key_node.tag == f"{_STANDARD}merge":
                merged |= self._merged(value_node, path, depth)
                continue
            key = self._key(key_node)
            if key in found:
                self._fault(key_node, f'"{key}" stands twice here; the second would hide the first')
            below = (*path, key)
            self.positions[below] = _place(key_node)
            found[key] = self.plain(value_node, below, depth + 1)
        return merged | found

    def _merged(self, node: yaml.Node, path: Path, depth: int) -> dict[object, object]:
        # Places within are those of this use, found before or after: a key of our own overwrites them.
        value = self.plain(node, path, depth + 1)
        parts = value if isinstance(value, list) else [value]
        merged: dict[object, object] = {}
        for part in reversed(parts):
            if isinstance(part, dict):
                merged |= part
            else:
                self._fault(node, "<< needs a mapping, as in <<: *name")
        return merged

    def _key(self, node: yaml.Node) -> object:
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        self._fault(node, "a list or mapping can't be a name")
        return ""

    def _scalar(self, node: yaml.Node) -> object:
        text = str(node.value)
        known = ("str", "null", "bool", "int", "float", "timestamp", "merge", "value")
        self._check_tag(node, *known)
        # The two loaders name the plain style None and "".
        if getattr(node, "style", None) or node.tag == f"{_STANDARD}str":
            return text
        if text in _WORDS:
            return _WORDS[text]
        number = _NUMBER.fullmatch(text)
        if number is None:
            return text
        return Decimal(text) if number[2] else int(text)

    def _check_tag(self, node: yaml.Node, *known: str) -> None:
        if node.tag not in {_STANDARD + name for name in known}:
            self._fault(node, f"{node.tag} is a tag; tags have no meaning here")

    def _fault(self, node: yaml.Node, message: str) -> None:
        line, column = _place(node)
        self.faults.append(Fault(line, column, "", message))


def _place(node: yaml.Node | yaml.Event) -> Place:
    # Every node and event of a text has a mark; only hand-made ones have none.
    assert node.start_mark is not None
    return node.start_mark.line + 1, node.start_mark.column + 1
