"""The blueprints that come with the daemon: each is sound, and the page that goes with it is up to date."""

from __future__ import annotations

import pytest

from daemon import blueprints, blueprints_yaml, pair_reference
from tests.tidy import repository

PAGE = "docs/pairs/{}.md"


@pytest.mark.parametrize("name", blueprints.names())
def test_a_built_in_blueprint_is_sound_and_called_as_its_file(name: str) -> None:
    spec = blueprints_yaml.load(blueprints.text(name))
    assert spec.name == name and spec.description and spec.streams


@pytest.mark.parametrize(
    "name", [name for name in blueprints.names() if PAGE.format(name) in repository.texts()]
)
def test_the_tables_of_its_page_are_those_of_the_blueprint(name: str) -> None:
    page = repository.texts()[PAGE.format(name)]
    assert "<!-- table: rules -->" in page and "<!-- table: settings -->" in page
    assert pair_reference.page(name, page) == page, "run make docs"


def test_a_name_stands_for_its_text_and_anything_else_for_itself() -> None:
    name = blueprints.names()[0]
    assert blueprints.given(f" {name}\n") == blueprints.text(name)
    assert blueprints.given("no-such-pair") == "no-such-pair"
    assert blueprints.given("blueprint: x") == "blueprint: x"
