"""What the settings of one account say over a connector's own description of its objects.

Pure. A wrong word is told with the object it stands at and the words there are. Must not: know a system.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from actors.core.errors import Kind, TandemError

Thing = TypeVar("Thing", bound=msgspec.Struct)


def overlaid(known: Mapping[str, Thing], said: Mapping[str, Any], kind: type[Thing]) -> dict[str, Thing]:
    """`known` with what the setting `objects` says of each object over it; objects of other names are added. CONFIG where
    that is no `kind`."""
    found = dict(known)
    for name, raw in said.items():
        base = msgspec.to_builtins(found[name]) if name in found else {}
        try:
            found[name] = msgspec.convert({**base, **dict(raw)}, kind)
        except (msgspec.ValidationError, TypeError, ValueError) as error:
            raise TandemError(
                Kind.CONFIG,
                f"the setting 'objects' can't be used for {name}: {error}",
                hint=f"what can be said of an object: {', '.join(kind.__struct_fields__)}",
            ) from error
    return found
