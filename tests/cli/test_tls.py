"""TLS with certificates on both sides, for the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from clients.cli.api import Api
from tandem.v1 import links_pb2
from tests.cli import certificates
from tests.cli.conftest import Run
from tests.cli.fakes import Answer, FakeDaemon, serving

pytestmark = pytest.mark.anyio

ANSWERS: dict[str, Answer] = {"Links.ListLinks": lambda request: links_pb2.ListLinksResponse()}


async def test_certificates_on_both_sides(schema: Api, tandemctl: Run, tmp_path: Path) -> None:
    made = certificates.make(tmp_path)
    ours = ("--cert", str(made.client.cert), "--key", str(made.client.key))
    async with serving(FakeDaemon(schema, ANSWERS), made.server_credentials()) as daemon:
        where = ("--address", daemon.address, "--ca", str(made.ca))
        good = await tandemctl(*where, *ours, "links", "list")
        without_ours = await tandemctl(*where, "links", "list")
        without_tls = await tandemctl("--address", daemon.address, "links", "list")
    assert (good.exit_code, good.stdout.strip()) == (0, "no links")
    assert without_ours.exit_code == 6
    assert without_tls.exit_code == 6
    assert len(daemon.asked) == 1


async def test_an_unknown_authority_is_refused(schema: Api, tandemctl: Run, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    made, other = certificates.make(tmp_path), certificates.make(tmp_path / "other")
    async with serving(FakeDaemon(schema, ANSWERS), made.server_credentials()) as daemon:
        result = await tandemctl("--address", daemon.address, "--ca", str(other.ca), "links", "list")
    assert result.exit_code == 6
    assert daemon.asked == []
