"""Pairs of products that are measured between emulators: their records, a plain script, and a relay without state."""

from __future__ import annotations

from collections.abc import Mapping

from bench.pairs.pair import Pair
from bench.pairs.sage50fr_sage_sales_management import SageSalesManagement
from bench.pairs.selectline_cloudkasse import SelectlineCloudkasse
from bench.pairs.tribe_winbooks import TribeWinbooks
from bench.pairs.webcrm_uniconta import WebcrmUniconta
from bench.pairs.winestro_accounts import WinestroAccounts

PAIRS: Mapping[str, type[Pair]] = {
    one.name: one
    for one in (WebcrmUniconta, SageSalesManagement, WinestroAccounts, TribeWinbooks, SelectlineCloudkasse)
}
