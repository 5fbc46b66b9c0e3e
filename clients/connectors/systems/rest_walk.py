"""A declaration's data against its tables: every fault with its place, and typed plain values out of it.

`${name}` in any text is a variable or secret of the connection. Pure. Must not: know what an entry means.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from actors.core.blueprint.forms import (
    Anything,
    Duration,
    Either,
    Entries,
    Entry,
    Flag,
    Form,
    Listing,
    Named,
    Number,
    Scalar,
    Shared,
    Sign,
    Text,
    Whole,
    Words,
)
from actors.core.blueprint.nodes import Node

_VARIABLE: Final = re.compile(r"\$\{(\w+)\}")


class Walk:
    """One reading. `variables`: what `${name}` stands for. Not `strict`: a missing one stands for itself."""

    def __init__(self, variables: Mapping[str, str], *, strict: bool = True) -> None:
        self._variables = variables
        self._strict = strict

    def entries(self, node: Node, entries: Sequence[Entry]) -> dict[str, Any]:
        """The entries that are there, typed; durations in seconds."""
        checked = node.table(entries)
        found: dict[str, Any] = {}
        for entry in entries:
            child = checked.get(entry.name)
            if child is not None:
                found[entry.name] = self.value(child, entry.form)
        return found

    def value(self, node: Node, form: Form) -> Any:
        """The value of a node that has to have this form."""
        node = Node(self._filled(node), node.path, node.faults)
        match form:
            case Shared(of=of):
                return self.value(node, of)
            case Entries(of=entries):
                return self.entries(node, entries)
            case Named(of=of, least=least):
                found = {name: self.value(child, of) for name, child in node.entries()}
                if len(found) < least:
                    node.fault("at least one entry is needed")
                return found
            case Listing(of=of, least=least):
                items = [self.value(child, of) for child in node.items()]
                if len(items) < least:
                    node.fault("at least one item is needed")
                return items
            case Either(of=of):
                return self.value(node, _fitting(node.value, of))
            case Anything():
                return self._deep(node.value, node)
        return _single(node, form)

    def _filled(self, node: Node) -> object:
        if not isinstance(node.value, str):
            return node.value

        def put(found: re.Match[str]) -> str:
            name = found[1]
            if name not in self._variables and not self._strict:
                return found[0]
            if name not in self._variables:
                known = ", ".join(sorted(self._variables)) or "none"
                node.fault(f"there is no variable or secret '{name}'; given are: {known}")
                return ""
            return self._variables[name]

        return _VARIABLE.sub(put, node.value)

    def _deep(self, value: object, node: Node) -> Any:
        if isinstance(value, Mapping):
            return {
                str(name): self._deep(one, Node(one, (*node.path, name), node.faults))
                for name, one in value.items()
            }
        if isinstance(value, list):
            return [
                self._deep(one, Node(one, (*node.path, place), node.faults))
                for place, one in enumerate(value)
            ]
        return self._filled(Node(value, node.path, node.faults))


def _fitting(value: object, forms: Sequence[Form]) -> Form:
    """The form that a value of this kind may have."""
    kinds: tuple[type[Form], ...] = (Text, Sign, Words, Flag, Whole, Number, Duration, Scalar)
    if isinstance(value, Mapping):
        kinds = (Entries, Named)
    elif isinstance(value, list):
        kinds = (Listing,)
    return next((form for form in forms if isinstance(form, kinds)), forms[0])


def _single(node: Node, form: Form) -> Any:
    match form:
        case Text(pattern=pattern):
            if isinstance(node.value, int) and not isinstance(node.value, bool):
                return str(node.value)
            text = node.text()
            if text and pattern and not re.fullmatch(pattern, text):
                node.fault(f"'{text}' does not look like {pattern}")
            return text
        case Sign():
            return node.value if isinstance(node.value, str) and node.value else node.text()
        case Words(words=words):
            return node.word(words, words[0])
        case Flag():
            return node.flag()
        case Whole(lowest=lowest, highest=highest):
            return node.integer(lowest, highest, lowest)
        case Number(lowest=lowest, highest=highest):
            return node.number(lowest, highest, lowest)
        case Duration():
            return node.within(form, form.lowest_s)
        case Scalar():
            return node.scalar()
    raise TypeError(f"no reading of {form!r}")
