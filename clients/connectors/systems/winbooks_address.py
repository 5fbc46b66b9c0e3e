"""The address of a customer or supplier: one of those of the third party, read and saved with both.

From WinBooks 2.5 on a third party leads to its addresses by objects of their own (`Third_Address`); up to 2.4 the addresses
themselves stand there. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from clients.connectors.systems.winbooks_objects import ADDRESS, KEY, NOBODY, OBJECTS, THIRD, type_of

LINK: Final = "Third_Address"
LIST: Final = "Addresses"


def with_address(row: Any, codes: Mapping[str, str]) -> Any:
    """A customer's row with his address under `Address`: None where the third party has none; missing where its addresses
    were not delivered. `codes`: of countries, by id."""
    listed = addresses(row)
    if listed is None:
        return row
    found = chosen(listed)
    if found is None:
        return {**row, ADDRESS: None}
    country = found.get("Country_Id")
    code = codes.get(str(country).lower()) if country not in (None, NOBODY) else None
    return {**row, ADDRESS: {**found, "CountryCode": code}}


def addresses(row: Any) -> list[tuple[str, Mapping[str, Any]]] | None:
    """The addresses of a customer's third party, each with the id of what leads to it ("": it stands there itself)."""
    third = row.get(THIRD) if isinstance(row, Mapping) else None
    listed = third.get(LIST) if isinstance(third, Mapping) else None
    if not isinstance(listed, list):
        return None
    found: list[tuple[str, Mapping[str, Any]]] = []
    for one in listed:
        if not isinstance(one, Mapping):
            return None
        if "Address_Id" not in one and ADDRESS not in one:
            found.append(("", one))
        elif isinstance(one.get(ADDRESS), Mapping):
            found.append((str(one.get(KEY)), one[ADDRESS]))
        else:
            return None  # not as deep as was asked
    return found


def chosen(listed: list[tuple[str, Mapping[str, Any]]]) -> Mapping[str, Any] | None:
    """The one that invoices go to, else the first."""
    ranked = sorted(listed, key=lambda item: (not item[1].get("IsInvoicing"), item[1].get("Index") or 0))
    return ranked[0][1] if ranked else None


def saved_with(row: Any, values: Mapping[str, Any], *, linked: bool) -> list[dict[str, Any]]:
    """The entry of the third party's list that saves these fields of its address: the one that is there, or a new one."""
    listed = addresses(row) or []
    there = chosen(listed)
    if there is None:
        new = {"Index": len(listed), "IsInvoicing": True, **_known(values)}
        return [_linked({}, new) if linked else _typed(ADDRESS, 1, new)]
    link = next(id_ for id_, one in listed if one is there)
    body = {KEY: there[KEY], **values}
    return [_linked({KEY: link}, body) if link else _typed(ADDRESS, 1, body)]


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: raw for name, raw in values.items() if raw is not None}


def _linked(link: Mapping[str, Any], address: Mapping[str, Any]) -> dict[str, Any]:
    return _typed(LINK, 2, {**link, ADDRESS: _typed(ADDRESS, 1, address)})


def _typed(name: str, level: int, values: Mapping[str, Any]) -> dict[str, Any]:
    return {"$type": type_of(name, OBJECTS[name]), "TotalLevel": level, **values}
