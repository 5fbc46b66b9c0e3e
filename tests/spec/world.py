"""The world of a spec test: an ERP that is a folder of CSV files, a CRM that is a PostgreSQL database, a real daemon between.

Owns the two systems as their own users see them (files read and swapped, SQL), the caller's side of the API, and waiting
with a deadline. Must not: reach into the daemon's state, or know how it does what it does.
"""

from __future__ import annotations

import csv
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import asyncpg
import yaml
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct

from tandem.v1 import (
    common_pb2,
    connections_pb2,
    links_pb2,
    plans_pb2,
    rooms_pb2,
    runs_pb2,
    system_pb2,
)
from tandem_client import RunHandle, Tandem, TandemError
from tests.daemon.process import DaemonProcess

LINK = "erp-crm"
CALL_TIMEOUT_S = 60.0
SCHEMA = """
CREATE TABLE customers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number text UNIQUE, name text NOT NULL, phone text, email text, city text, credit numeric(12, 2), notes text,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number text UNIQUE, customer_id bigint NOT NULL REFERENCES customers (id), total numeric(12, 2),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at := now(); RETURN NEW; END $$;
CREATE TRIGGER touched BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TABLE written (id bigint GENERATED ALWAYS AS IDENTITY, what text, number text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO written (what, number) VALUES (TG_OP, coalesce(NEW.number, OLD.number)); RETURN NULL;
END $$;
CREATE TRIGGER noted AFTER INSERT OR UPDATE OR DELETE ON customers FOR EACH ROW EXECUTE FUNCTION note();
"""
CUSTOMERS = ("KUNDENNR", "NAME", "TELEFON", "EMAIL", "ORT", "KREDIT", "INTERN")
ORDERS = ("AUFTRAGNR", "KUNDENNR", "SUMME")
OBJECTS = {
    "KUNDEN": {"file": "KUNDEN.csv", "key": "KUNDENNR", "new_id": "K{number:05d}"},
    "AUFTRAEGE": {"file": "AUFTRAEGE.csv", "key": "AUFTRAGNR", "new_id": "B{number:05d}"},
}
MONEY = {"number": {"decimal": ",", "thousands": ".", "places": 2}}
ORDER_STREAM: Mapping[str, Any] = {
    "kind": "document",
    "a": "AUFTRAEGE",
    "b": "orders",
    "parents": ["customers"],
    "match": [["number"]],
    "creates": ["a"],
    "complete_read": "1h",
    "fields": {
        "number": {"a": "AUFTRAGNR", "b": "number", "owner": "a"},
        "customer": {"a": "KUNDENNR", "b": "customer_id", "owner": "a", "reference": "customers", "required": True},
        "total": {"a": "SUMME", "b": "total", "owner": "a", "lens_a": MONEY},
    },
}


def blueprint(poll: str = "1s", orders: bool = False, **changed: Any) -> str:
    """Customers both ways (and orders from the ERP); `changed`: other entries of the stream of customers."""
    customers = {
        "kind": "master",
        "a": "KUNDEN",
        "b": "customers",
        "match": [["number"], ["email"]],
        "deletes": {"a": "ignore", "b": "ignore"},
        "first_contact": "fill_empty",
        "complete_read": "1h",
        "fields": {
            "number": {"a": "KUNDENNR", "b": "number", "owner": "a", "lens": "trim"},
            "name": {"a": "NAME", "b": "name", "lens": "trim", "required": True},
            "phone": {"a": "TELEFON", "b": "phone", "lens": {"phone": "DE"}},
            "email": {"a": "EMAIL", "b": "email", "lens": ["trim", {"case": "lower"}]},
            "city": {"a": "ORT", "b": "city", "lens": "trim"},
            "credit": {"a": "KREDIT", "b": "credit", "owner": "a", "lens_a": MONEY},
            "intern": {"owner": "local", "a": "INTERN"},
            "notes": {"owner": "local", "b": "notes"},
        },
        **changed,
    }
    streams = {"customers": customers, **({"orders": dict(ORDER_STREAM)} if orders else {})}
    whole = {
        "blueprint": LINK,
        "version": 1,
        "a": {"connector": "csv", "poll": poll},
        "b": {"connector": "postgres", "poll": poll},
        "streams": streams,
    }
    return yaml.safe_dump(whole, sort_keys=False, allow_unicode=True)


def customer(number: int, **values: str) -> dict[str, str]:
    """A customer as the ERP writes it."""
    made = {
        "KUNDENNR": f"K{number:05d}",
        "NAME": f"Weinhandel Müßig {number}",
        "TELEFON": f"030 / {number:06d}",
        "EMAIL": f"kontakt{number}@haus.example",
        "ORT": "Köln",
        "KREDIT": f"1.{number % 1000:03d},50",
        "INTERN": "bleibt hier",
    }
    return {**made, **values}


async def until[T](
    condition: Callable[[], Awaitable[T]], what: str = "it", timeout_s: float = 40.0
) -> T:
    """Ask again and again until the answer is true, and return it; what it said last is in the failure."""
    give_up = time.monotonic() + timeout_s
    while not (found := await condition()):
        assert time.monotonic() < give_up, f"waited {timeout_s:g} s for {what}; last answer: {found!r}"
        await anyio.sleep(0.05)
    return found
