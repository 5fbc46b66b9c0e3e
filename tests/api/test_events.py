"""Triggers that never come are refused with the place, whether the event is misspelt or the system calls nobody."""

from __future__ import annotations

import pytest

from actors.ports import Webhook
from daemon.api.fitting import strange_events
from tests.core.blueprint_samples import compiled

CALLS = Webhook(events=("created", "changed"))


@pytest.mark.parametrize(
    "events, webhook, said",
    [
        (["created"], CALLS, ""),
        ([], None, ""),
        (["anything"], Webhook(), ""),  # which events come is not known
        (["change"], CALLS, "there is no event 'change'; it has changed; known are created, changed"),
        (["created"], None, "the system of side a calls nobody, so nothing triggers"),
    ],
)
def test_triggers_that_never_come(events: list[str], webhook: Webhook | None, said: str) -> None:
    spec = compiled(lambda data: data["streams"]["customers"].update(triggers={"a": events}))
    found = strange_events(spec, {"a": webhook, "b": None})
    assert [(one.field, one.message) for one in found] == (
        [("streams.customers.triggers.a", said)] if said else []
    )
