"""Sage 50 and Sage Sales Management as a test sees them: rows of both, by the account code, and the people in front of them.

Must not: know the daemon.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clients.emulators.description import Row
from clients.emulators.sage50fr import System as Sage
from clients.emulators.sage_sales_management import System as Sales

PROSPECT, CLIENT = 1, 2  # statuses of Sales Management
ADMIN, SELLER = 1, 2  # users
FRANCE = 1


def client(code: str, **changes: Any) -> Row:
    """A customer or prospect of Sage 50."""
    plain = {
        "Code": code,
        "Nom": code.title(),
        "Société": f"Maison {code.title()}",
        "Adresse 1": "1 rue des Vignes",
        "Code Postal": "33000",
        "Ville": "Bordeaux",
        "Pays": "France",
        "Téléphone": "+33 5 56 00 00 01",
        "E-mail": f"{code.lower()}@example.org",
    }
    return {**plain, **changes}


def company(name: str, **changes: Any) -> Row:
    """A company of Sales Management, as a seller enters it."""
    plain = {"name": name, "branchId": 1, "salesRepId1": SELLER, "statusId": PROSPECT, "countryId": FRANCE}
    return {**plain, **changes}


class Both:
    """The two systems of one test."""

    def __init__(self, sage: Sage, sales: Sales) -> None:
        self.sage = sage
        self.sales = sales
        self.sales.person.insert("users", {"name": "Claire", "lastName": "Petit"})

    def enter(self, table: str, *rows: Mapping[str, Any]) -> None:
        """Somebody at Sage 50 enters rows."""
        self.sage.person.insert(table, *rows)

    def companies(self, **values: Any) -> dict[str, Row]:
        """Companies of Sales Management that are not deleted, by code."""
        found = self.sales.person.find("accounts", deleted=False, **values)
        return {str(row["extId"]): row for row in found}

    def company(self, code: str) -> Row:
        """The company with a code, deleted or not, the newest of several; an empty row where there is none."""
        found = self.sales.person.find("accounts", extId=code)
        return found[-1] if found else {}

    def edit(self, code: str, **values: Any) -> None:
        """Somebody at Sales Management changes a company."""
        self.sales.person.edit("accounts", self.company(code)["id"], values)

    def shown(self, table: str, code: str) -> Row:
        """A record of another table of Sales Management by its code; an empty row where there is none."""
        found = self.sales.person.find(table, extId=code)
        return found[-1] if found else {}

    def contacts(self) -> dict[str, Row]:
        """Contacts of Sales Management that are not deleted, by their last name."""
        return {row["lastName"]: row for row in self.sales.person.find("contacts", deleted=False)}

    def rows(self, table: str) -> dict[str, Row]:
        """Rows of Sage 50, by code."""
        return self.sage.rows(table)
