"""Orders of Uniconta with their lines, against the contract of connectors that take lines."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from clients.emulators.stand import stand
from clients.emulators.uniconta import System as Uniconta
from tests.connectors.contract_lines import OrderSystem, TakesLines
from tests.connectors.order_lines import DebtorOrders


class TestUniconta(TakesLines):
    @pytest.fixture
    async def orders(self) -> AsyncIterator[OrderSystem]:
        async with stand("uniconta") as erp:
            assert isinstance(erp, Uniconta)
            erp.person.insert("DebtorClient", {"Account": "1", "Name": "A", "Group": "G"})
            erp.person.insert("InvItemClient", *({"Item": item, "Group": "G"} for item in "ABC"))
            yield DebtorOrders(erp)
