"""`python -m tests.sim`: see runner.py."""

from __future__ import annotations

import sys

from tests.sim.runner import main

sys.exit(main())
