"""All planted faults."""

from __future__ import annotations

from tests.mutants.core import CORE
from tests.mutants.engine import ENGINE
from tests.mutants.fields import FIELDS
from tests.mutants.life import STANDING
from tests.mutants.newest import NEWEST
from tests.mutants.store import STORE
from tests.mutants.streams import STREAMS
from tests.mutants.systems import SYSTEMS
from tests.mutants.units import UNITS

MUTANTS = (*CORE, *FIELDS, *ENGINE, *STORE, *STANDING, *STREAMS, *SYSTEMS, *UNITS, *NEWEST)
