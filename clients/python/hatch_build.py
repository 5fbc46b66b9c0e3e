"""Build hook of tandem-client: puts the generated API code (`tandem`) into the wheel and into the sdist.

Must not: generate anything; the code is taken as committed, or as the sdist already carries it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class GeneratedCode(BuildHookInterface[Any]):
    """Finds `tandem` beside this file (in an unpacked sdist) or in the repository's proto/gen."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        here = Path(self.root)
        found = [path for path in (here / "tandem", here.parents[1] / "proto/gen/tandem") if path.is_dir()]
        if not found:
            raise FileNotFoundError(f"no generated code in {here / 'tandem'} or proto/gen: run `make gen`")
        for path in sorted(found[0].rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                build_data["force_include"][str(path)] = f"tandem/{path.relative_to(found[0])}"
