"""Names of tenants: one for each test on the daemon that all of them share, whatever their beginnings have in common."""

from __future__ import annotations

import hashlib
import re

import pytest


def own_name(request: pytest.FixtureRequest, size: int = 40) -> str:
    """A name for this test alone, at most `size` characters long."""
    digest = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:7]
    plain = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())
    return f"{plain[: size - 8].strip('-')}-{digest}"
