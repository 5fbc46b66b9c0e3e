"""The command line as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TANDEMCTL = (sys.executable, "-m", "clients.cli.main")


def environment(**more: str) -> dict[str, str]:
    """The variables of this process, and where the code is."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "proto/gen"))), **more}


def tandemctl(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run to the end; `more` are further environment variables."""
    return subprocess.run(
        [*TANDEMCTL, *arguments], env=environment(**more), capture_output=True, text=True, check=False
    )
