"""`python -m tests.mutants`: see runner.py."""

from __future__ import annotations

import sys

from tests.mutants.runner import main

sys.exit(main())
