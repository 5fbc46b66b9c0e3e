"""All planted faults."""

from __future__ import annotations

from tests.mutants.core import CORE
from tests.mutants.engine import ENGINE
from tests.mutants.life import STANDING
from tests.mutants.rules import OF_RULES
from tests.mutants.store import STORE
from tests.mutants.systems import SYSTEMS

MUTANTS = (*CORE, *OF_RULES, *ENGINE, *STORE, *STANDING, *SYSTEMS)
