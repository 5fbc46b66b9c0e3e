"""The contract that every connector passes. A connector's test module is a `System` and one class of cases:

    class PeopleSystem(System): ...             # the other person: insert, edit, delete, rows; and open()

    class TestContract(DrawsIds, Feeds, ConnectorContract):
        @pytest.fixture
        async def system(self) -> AsyncIterator[PeopleSystem]: ...

The groups `DrawsIds`, `FindsModified`, `Feeds`, `FindsByField`, `FindsTagged`, `CrossesAsRows`, `FindsModifiedAsRows` are
added where the declaration promises the ability; a class that leaves one out, or has one too many, fails. Cases that can't
be passed are waived by name with a reason (`waivers`), and a waiver that is no longer needed fails.
"""

from __future__ import annotations

from actors.ports import Connector, Declaration, Find
from tests.connectors.contract_abilities import DrawsIds, Feeds, FindsByField, FindsModified, FindsTagged
from tests.connectors.contract_base import (
    FIELDS,
    TYPES,
    Case,
    System,
    change,
    check_same,
    create,
    look,
    mapped,
    opened,
    removal,
    row,
    scan,
    write,
    write_done,
)
from tests.connectors.contract_looks import Looks
from tests.connectors.contract_rows import CrossesAsRows, FindsModifiedAsRows
from tests.connectors.contract_writes import Writes

__all__ = [
    "FIELDS",
    "TYPES",
    "Case",
    "ConnectorContract",
    "CrossesAsRows",
    "DrawsIds",
    "Feeds",
    "FindsByField",
    "FindsModified",
    "FindsModifiedAsRows",
    "FindsTagged",
    "System",
    "change",
    "check_same",
    "create",
    "look",
    "mapped",
    "opened",
    "removal",
    "row",
    "scan",
    "write",
    "write_done",
]


def promised(declaration: Declaration) -> set[type[Case]]:
    """The groups of cases that a declaration asks for."""
    groups: dict[type[Case], bool] = {
        DrawsIds: declaration.draws_ids,
        FindsModified: Find.MODIFIED in declaration.find,
        Feeds: Find.FEED in declaration.find,
        FindsByField: declaration.find_by_field,
        FindsTagged: declaration.tag,
        CrossesAsRows: declaration.rows,
        FindsModifiedAsRows: declaration.rows and Find.MODIFIED in declaration.find,
    }
    return {group for group, asked in groups.items() if asked}


class ConnectorContract(Looks, Writes):
    """What every connector promises; add the groups of its abilities."""

    async def test_every_promise_is_tested(self, connector: Connector) -> None:
        groups = {
            DrawsIds,
            FindsModified,
            Feeds,
            FindsByField,
            FindsTagged,
            CrossesAsRows,
            FindsModifiedAsRows,
        }
        tested = {group for group in groups if issubclass(type(self), group)}
        assert tested == promised(connector.declaration)

    def test_waivers_name_cases(self) -> None:
        assert not [name for name in self.waivers if not hasattr(self, name.partition("[")[0])]
        assert all(reason.strip() for reason in self.waivers.values())
