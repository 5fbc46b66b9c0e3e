"""`python -m tests.sim`: see runner.py."""

from __future__ import annotations

import sys

from tests.sim.runner import main

if __name__ == "__main__":  # a process of the pool imports this file too
    sys.exit(main())
