"""The laws of the lenses hold for every blueprint of the repository, on generated records."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.lens_laws import law_faults
from actors.core.values import Value
from daemon import blueprints_yaml
from tests.tidy import repository

VALUES: list[Value] = [
    *(
        None,
        "",
        " x ",
        "Ada",
        "Ada B Lovelace",
        "de Vos",
        "D",
        "1",
        "-",
        "a;b",
        "+49 30 1234567",
        "DE",
        "040",
    ),
    *(
        "31.12.2024",
        "1.234,50",
        "12.5",
        0,
        1,
        -3,
        7,
        True,
        False,
        Decimal("12.50"),
        Decimal("0.005"),
        ("x", "y"),
    ),
]


def blueprints() -> list[str]:
    return [
        path
        for path, text in repository.texts().items()
        if path.endswith((".yaml", ".yml")) and "\nblueprint:" in f"\n{text}"
    ]


@pytest.mark.parametrize("path", blueprints())
@given(data=st.data())
def test_the_laws_hold_for_every_blueprint_of_the_repository(path: str, data: st.DataObject) -> None:
    spec = blueprints_yaml.load(repository.texts()[path])
    samples = {}
    for stream in spec.streams:
        rows = []
        for side in ("a", "b"):
            paths = sorted({p for field in stream.fields if (at := field.side(side)) for p in at.paths})
            rows += [(side, {p: data.draw(st.sampled_from(VALUES)) for p in paths}) for _ in range(2)]
        samples[stream.name] = rows
    assert law_faults(spec, samples) == ()  # type: ignore[arg-type]
