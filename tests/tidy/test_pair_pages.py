"""The blueprints that come with the daemon: each is sound, and the page that goes with it is up to date."""

from __future__ import annotations

from pathlib import PurePath

import pytest

from actors.core.errors import TandemError
from daemon import blueprints, blueprints_yaml, pair_reference
from tests.tidy import repository


@pytest.mark.parametrize("name", blueprints.names())
def test_a_built_in_blueprint_is_sound_and_called_as_its_file(name: str) -> None:
    spec = blueprints_yaml.load(blueprints.text(name))
    assert spec.name == name and spec.description and spec.streams


@pytest.mark.parametrize("path", [path for path in repository.texts() if path.startswith("docs/pairs/")])
def test_the_tables_of_a_page_are_those_of_its_blueprints(path: str) -> None:
    text = repository.texts()[path]
    assert pair_reference.page(PurePath(path).stem, text) == text, "run make docs"


def test_every_built_in_blueprint_has_its_rules_and_settings_on_a_page() -> None:
    pages = {
        PurePath(path).stem: text
        for path, text in repository.texts().items()
        if path.startswith("docs/pairs/")
    }
    shown = {one for name, text in pages.items() for one in pair_reference.described(name, text)}
    assert shown == set(blueprints.names())


def test_a_name_stands_for_its_text_another_word_for_nothing_and_anything_else_for_itself() -> None:
    name = blueprints.names()[0]
    assert blueprints.given(f" {name}\n") == blueprints.text(name)
    with pytest.raises(TandemError, match="there is no built-in blueprint 'no-such-pair'"):
        blueprints.given("no-such-pair")
    assert blueprints.given("blueprint: x") == "blueprint: x"
