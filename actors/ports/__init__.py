"""What the engine needs from outside: Connector, Store, Clock, Telemetry. Protocols and the data they pass; no code.

Implementations: `clients/connectors` and `daemon/store`; in-memory ones for the simulation in `tests/sim`. All
times called `..._s` are seconds; `now()` is wall clock (epoch seconds), `monotonic()` never goes back.
"""

from __future__ import annotations

from actors.ports.connector import (
    WROTE,
    Connector,
    Declaration,
    FieldInfo,
    Find,
    HoldsAttachments,
    ObjectInfo,
    Page,
    Rows,
    RowUpdates,
    Setting,
    TellsBacklog,
    Touched,
    Webhook,
    Write,
    WriteResult,
    WriteStatus,
)
from actors.ports.outside import (
    Clock,
    Telemetry,
)
from actors.ports.store import Store
from actors.ports.stored import (
    COUNTER,
    ChangeIntents,
    Closed,
    ConnectionRow,
    Counters,
    Cursor,
    KeyGroup,
    Known,
    Lease,
    Lines,
    LinkRow,
    NewRows,
    PlanRow,
    RunRow,
    Settlement,
    Turn,
)

__all__ = [
    "COUNTER",
    "WROTE",
    "ChangeIntents",
    "Clock",
    "Closed",
    "ConnectionRow",
    "Connector",
    "Counters",
    "Cursor",
    "Declaration",
    "FieldInfo",
    "Find",
    "HoldsAttachments",
    "KeyGroup",
    "Known",
    "Lease",
    "Lines",
    "LinkRow",
    "NewRows",
    "ObjectInfo",
    "Page",
    "PlanRow",
    "RowUpdates",
    "Rows",
    "RunRow",
    "Setting",
    "Settlement",
    "Store",
    "Telemetry",
    "TellsBacklog",
    "Touched",
    "Turn",
    "Webhook",
    "Write",
    "WriteResult",
    "WriteStatus",
]
