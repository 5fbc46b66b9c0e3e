"""Names of groups, commands and options, made from the names in the proto files by rule. Must not: hold a table of names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from clients.cli.api import Api, Method, Service

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*|[a-z0-9]+")


def words(name: str) -> list[str]:
    """`ListRunItems` -> list, run, items."""
    return [word.lower() for word in _WORD.findall(name)]


def kebab(name: str) -> str:
    return "-".join(words(name))


def group_names(schema: Api) -> dict[str, Service]:
    """Group name -> service; two services of one name (v1, v2) are told apart by their package."""
    count = Counter(kebab(service.name) for service in schema.services)
    return {
        kebab(service.name) if count[kebab(service.name)] == 1 else _full(service): service
        for service in schema.services
    }


def _full(service: Service) -> str:
    return kebab(service.descriptor.full_name.replace(".", "-"))


def command_names(service: Service) -> dict[str, Method]:
    """Command name -> method: the method's words without the service's noun, or all of them where two would be the same.

    Links: CreateLink -> create. Connections: ListConnectors -> list-connectors. Runs: ListRunItems -> list-items.
    """
    short = {method.name: _without_noun(method.name, service.name) for method in service.methods}
    count = Counter(short.values())
    return {
        short[method.name] if count[short[method.name]] == 1 else kebab(method.name): method
        for method in service.methods
    }


def _without_noun(method: str, service: str) -> str:
    plural = kebab(service)
    verb, *rest = words(method)
    left = "-".join(rest)
    for noun in (plural, singular(plural)):
        if left == noun:
            return verb
        if left.startswith(f"{noun}-"):
            return f"{verb}-{left.removeprefix(f'{noun}-')}"
    return "-".join((verb, *rest))


def singular(plural: str) -> str:
    """Singular of a service's name: connections -> connection, entities -> entity, accesses -> access, quarantine ->
    quarantine."""
    if plural.endswith("ies"):
        return plural.removesuffix("ies") + "y"
    if plural.endswith("sses"):
        return plural.removesuffix("es")
    return plural.removesuffix("s")


def spell_methods(text: str, commands: Mapping[str, str]) -> str:
    """Comments name methods; help names commands. `commands`: method name -> `group command`."""
    return re.sub(
        r"\b[A-Z][a-z]+[A-Z]\w+\b",
        lambda match: f"`{commands[match[0]]}`" if match[0] in commands else match[0],
        text,
    )


def spelled_methods(schema: Api) -> dict[str, str]:
    """Method name -> `group command`, for `spell_methods`."""
    return {
        method.name: f"{group} {command}"
        for group, service in group_names(schema).items()
        for command, method in command_names(service).items()
    }
