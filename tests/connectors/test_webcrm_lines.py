"""Deliveries of webCRM with their lines, against the contract of connectors that take lines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import ClassVar

import pytest

from clients.emulators.stand import stand
from clients.emulators.webcrm import System as Webcrm
from tests.connectors.contract_lines import OrderSystem, TakesLines
from tests.connectors.order_lines import Deliveries, no_refused


class TestWebcrm(TakesLines):
    no_delete = "webCRM has no way to delete a delivery, so what was begun can't be undone: PARTLY"
    waivers: ClassVar[Mapping[str, str]] = {
        "test_a_refused_line_leaves_no_half_order": no_delete,
        "test_an_order_that_is_gone_is_gone_and_one_is_deleted_with_its_lines": no_delete,
    }

    @pytest.fixture
    async def orders(self) -> AsyncIterator[OrderSystem]:
        async with stand("webcrm") as crm:
            assert isinstance(crm, Webcrm)
            crm.person.insert("Organisations", {"OrganisationName": "A"})
            crm.data.guards.append(no_refused)
            yield Deliveries(crm)
