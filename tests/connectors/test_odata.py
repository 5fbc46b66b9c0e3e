"""The odata connector passes the contract on a real service, SAP CAP: by time, by link, with each form of batches."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.connectors.contract import ConnectorContract, DrawsIds, FindsByField, FindsModified, System
from tests.connectors.odata_people import odata_url, people

__all__ = ["odata_url"]


class TestModified(FindsModified, FindsByField, ConnectorContract):
    """find: modified; the service draws the ids, batches are JSON."""

    @pytest.fixture
    async def system(self, odata_url: str) -> AsyncIterator[System]:
        async with people(odata_url, {"modified": "modifiedAt"}) as system:
            yield system


class TestModifiedByLink(FindsModified, FindsByField, ConnectorContract):
    """find: modified where keys can't be compared, and the service cuts pages to three."""

    waivers = {  # noqa: RUF012
        "test_scan_while_others_delete": "this service's next links count records: who deletes one shifts them"
    }

    @pytest.fixture
    async def system(self, odata_url: str) -> AsyncIterator[System]:
        settings = {"modified": "modifiedAt", "paging": "link"}
        async with people(odata_url, settings, set="paged") as system:
            yield system


class TestGuarded(DrawsIds, FindsByField, ConnectorContract):
    """Where changes need a CSRF token and batches are multipart."""

    @pytest.fixture
    async def system(self, odata_url: str) -> AsyncIterator[System]:
        async with people(odata_url, {"ids": "client"}, path="/odata/v4/guarded") as system:
            yield system


class TestSingle(FindsByField, ConnectorContract):
    """Where there are no batches, and the service cuts pages to three."""

    @pytest.fixture
    async def system(self, odata_url: str) -> AsyncIterator[System]:
        async with people(odata_url, {}, path="/odata/v4/single", set="paged") as system:
            yield system
