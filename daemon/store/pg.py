"""`PgStore`: the Store port on PostgreSQL through asyncpg, put together from its parts.

Under contract with the in-memory store of the simulation (tests/store/contract.py). Every method is one transaction.
"""

from __future__ import annotations

from daemon.store.bindings import Bindings
from daemon.store.inbox import Inbox
from daemon.store.links import Links
from daemon.store.loading import Loading
from daemon.store.plans import Plans
from daemon.store.runs import Runs


class PgStore(Links, Bindings, Inbox, Loading, Runs, Plans):
    """The Store port. The pool (daemon/store/pool.py) belongs to the caller; the schema is there (migrate.py)."""
