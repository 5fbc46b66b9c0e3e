"""All planted faults."""

from __future__ import annotations

from tests.mutants.core import CORE
from tests.mutants.engine import ENGINE
from tests.mutants.life import STANDING
from tests.mutants.store import STORE
from tests.mutants.streams import STREAMS
from tests.mutants.systems import SYSTEMS

MUTANTS = (*CORE, *ENGINE, *STORE, *STANDING, *STREAMS, *SYSTEMS)
