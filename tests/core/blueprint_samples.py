"""A blueprint that uses every entry, as plain data, and ways to change it. Must not: hold tests."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from actors.core.blueprint.compiler import compile_blueprint
from actors.core.policy import LinkSpec

Document = dict[str, Any]


def customers() -> Document:
    """The stream of that blueprint with most entries."""
    return {
        "kind": "master",
        "a": "KUNDEN",
        "b": "customers",
        "match": [["number"], ["name", "zip"]],
        "creates": ["a"],
        "deletes": {"a": "mark", "b": "restore"},
        "delete_vs_edit": "restore",
        "on_merge": "keep",
        "mark": {"b": {"status": "deleted"}},
        "first_contact": "fill_empty",
        "budgets": {
            "deletes": {"count": 10, "percent": 5},
            "overwrites": "100 or 20%",
            "creates": 50,
        },
        "complete_read": "1h",
        "fields": {
            "number": {"a": "NR", "b": "number", "owner": "a"},
            "name": {
                "a": ["VORNAME", "NACHNAME"],
                "b": "name",
                "lens_a": {"join": " "},
                "lens": "trim",
            },
            "street": {
                "a": "STRASSE",
                "b": "street",
                "group": "address",
                "conflict": "newest else a",
            },
            "zip": {"a": "PLZ", "b": "zip", "group": "address", "conflict": "newest_else_a"},
            "price": {
                "a": "PREIS",
                "b": "price",
                "lens_b": {"scale": 2},
                "owner": "a",
                "first_contact": "a",
            },
            "vat": {"a": "MWST", "b": "vat", "lens_a": ["trim", {"map": {"1": "full", "2": "full"}}]},
            "tags": {"a": "TAGS", "b": "tags", "lens_a": {"list": ";"}, "set": True},
            "short": {"a": "KURZ", "b": "short", "lens_b": {"length": 5}, "lossy": True},
            "notes": {
                "owner": "local",
                "b": "notes",
                "on_create_only": True,
                "starts_with": {"b": "new"},
            },
            **ruled(),
        },
        "custom": {"setting": "own_fields"},
    }


def ruled() -> Document:
    """Its fields whose rules are more than a word."""
    return {
        "mark": {"b": "read_only", "constant": True},
        "id": {"a": "@id", "b": "erp_id", "owner": "a", "foreign_edit": "report"},
        "phone": {
            "a": "TEL",
            "b": {"setting": "phone_path"},
            "owner": [
                {"when": {"number": {"filled": True}, "zip": {"not": ["0"]}}, "is": "a"},
                {"once": "bound", "is": "b"},
                "both",
            ],
        },
        "mobile": {
            "a": "MOBIL",
            "b": "mobile",
            "owner": {"when": {"zip": "1"}, "is": "a", "else": "b"},
        },
        "gross": {
            "a": ["NETTO", "MWST"],
            "b": "gross",
            "lens_a": {"gross": {"rates": {"setting": "rates"}, "rounding": "half_even"}},
        },
        "stock": {
            "a": ["ART", "BESTAND"],
            "b": "stock",
            "owner": "a",
            "lens_a": {"formula": "ART == 1 ? text(BESTAND) : '-'"},
        },
        "photo": {"a": "BILD", "b": "photo", "owner": "a", "attachment": True},
        "prices": {"a": "PREISE", "b": "prices", "owner": "a", "lines": lines()},
    }


def lines() -> Document:
    """A list of lines."""
    return {
        "fields": {
            "place": {"a": "STAFFEL", "b": "place", "required": True},
            "customer": {"a": "KUNDE", "b": "customer_id", "reference": "customers"},
            "price": {"a": "PREIS", "b": "price", "lens_a": {"number": ","}, "lens_b": {"scale": 2}},
            "unit": {"a": "ME", "b": "unit", "lens_b": {"default": "Stk"}, "lossy": True, "lens": "trim"},
        },
        "key": ["place"],
        "ordered": True,
        "position": {"b": "line_no"},
        "sums": {"price": "round(price, 2)"},
        "tolerance": Decimal("0.05"),
        "custom": {"setting": "own_cells"},
    }


def setup() -> Document:
    """How its links come to stand."""
    country = {"side": "a", "object": "FIRMA", "field": "LAND"}
    return {
        "kind": "customers",
        "roles": {"a": "primary", "b": "secondary"},
        "handshake": True,
        "proposed_by": "b",
        "irreversible": False,
        "expires": "2d",
        "features": ["data-sync"],
        "access": "required",
        "in_mode_4": "allow",
        "custom": True,
        "checks": [
            {
                "side": "b",
                "object": "customers",
                "check": "empty",
                "severity": "warn",
                "at": "activation",
                "sample": {"demo": True},
                "text": "set up first",
                "ways_out": ["remove them"],
            },
            {"side": "b", "object": "groups", "check": "no_clash", "by": ["name"], "against": "GRUPPEN"},
        ],
        "settings": {
            "journal": {"doc": "the journal", "values": {"side": "b", "object": "journals", "field": "code"}},
            "size": {"choices": ["small", "large"]},
            "vat": {"keys": {"side": "a", "object": "MWST", "field": "NR"}, "where": {"LAND": country}},
        },
        "rests_on": {"country": country},
    }


def document() -> Document:
    """A blueprint that uses every entry."""
    return {
        "blueprint": "erp-crm",
        "version": 3,
        "description": "Customers and orders",
        "a": {"connector": "csv", "poll": "2s"},
        "b": {"connector": "postgres"},
        "breaker": 7,
        "settings": {
            "phone_path": {"form": "text", "doc": "where the CRM has it", "default": "phone"},
            "rates": {"form": "map"},
            "own_cells": {"form": "fields", "default": {"lot": {"a": "CHARGE", "b": "lot"}}},
            "own_fields": {"form": "fields", "default": {"score": {"a": "SCORE", "b": "score"}}},
            "gate": {"form": "text", "choices": ["type", "status"]},
        },
        "setup": setup(),
        "streams": {
            "orders": {
                "kind": "document",
                "a": "AUFTRAG",
                "b": "orders",
                "match": [["number"]],
                "gate": {"a": {"path": "STATUS", "in": ["Sent", "Paid"], "on": "edge", "then": "put_back"}},
                "complete_read": "1d",
                "fields": {
                    "number": {"a": "NR", "b": "number"},
                    "customer": {
                        "a": "KUNDE",
                        "b": "customer_id",
                        "reference": "customers",
                        "required": True,
                    },
                },
            },
            "customers": customers(),
        },
    }


def compiled(change: Callable[[Document], object] = lambda _: None) -> LinkSpec:
    data = document()
    change(data)
    return compile_blueprint(data)


def fields(data: Document) -> Document:
    found: Document = data["streams"]["customers"]["fields"]
    return found
