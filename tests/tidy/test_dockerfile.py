"""The Dockerfile, read step by step: no Docker is needed to know that its sources exist and that its habits are sound."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from fnmatch import fnmatch

from tests.tidy import repository


def instructions() -> list[tuple[str, str]]:
    """(INSTRUCTION, arguments) in order, with continued lines joined and comments dropped."""
    text = (repository.ROOT / "Dockerfile").read_text()
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [
        (word, rest)
        for line in joined.splitlines()
        if line.strip()
        for word, _, rest in [line.partition(" ")]
    ]


def arguments(name: str, steps: list[tuple[str, str]] | None = None) -> list[str]:
    return [rest for word, rest in steps or instructions() if word == name]


def final_stage() -> list[tuple[str, str]]:
    steps = instructions()
    last = max(number for number, (word, _) in enumerate(steps) if word == "FROM")
    return steps[last:]


def copied() -> list[str]:
    """Every source that a COPY takes from the repository."""
    return [
        source
        for rest in arguments("COPY")
        if "--from=" not in rest
        for source in [part for part in shlex.split(rest) if not part.startswith("--")][:-1]
    ]


def pip_commands() -> list[list[str]]:
    """Every pip command line, as words."""
    commands = [part.strip() for rest in arguments("RUN") for part in rest.split("&&")]
    return [words[words.index("pip") :] for command in commands if "pip" in (words := shlex.split(command))]


def excluded(path: str) -> bool:
    """Whether .dockerignore keeps `path` out; later lines win, `!` takes back."""
    result = False
    for line in (repository.ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        if line and not line.startswith("#") and (fnmatch(path, pattern) or path.startswith(f"{pattern}/")):
            result = not line.startswith("!")
    return result


def test_every_copied_source_exists_and_is_in_the_build_context() -> None:
    sources = copied()
    assert sources
    tracked = repository.files()
    for source in sources:
        assert any(path == source or path.startswith(f"{source}/") for path in tracked), source
        assert not excluded(source), f"{source} is in .dockerignore"


def test_the_build_context_has_all_that_the_wheel_needs() -> None:
    """pyproject.toml names files and folders; one that is not copied breaks the build of the wheel."""
    project = tomllib.loads((repository.ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = [*wheel["packages"], project["project"]["readme"], *project["project"]["license-files"]]
    sources = copied()
    assert not [path for path in needed if not any(path == s or path.startswith(f"{s}/") for s in sources)]


def test_nothing_private_reaches_the_build_context() -> None:
    for path in (".git", ".venv", "var", "tests", ".ci", "clients/python"):
        assert excluded(path), path


def test_it_has_two_stages_with_pinned_bases_and_fetches_no_url() -> None:
    bases = arguments("FROM")
    assert len(bases) == 2
    assert all(re.match(r"python:3\.1[1-3]-slim\b", base) for base in bases)
    assert not arguments("ADD")
    assert not [rest for _, rest in instructions() if re.search(r"\b(curl|wget)\b", rest)]


def test_pip_installs_only_what_is_locked() -> None:
    """Each pip command checks hashes against a lock file, or fetches nothing."""
    commands = pip_commands()
    assert len(commands) == 4
    for words in commands:
        if "--require-hashes" in words:
            assert words[words.index("-r") + 1] in {"requirements.lock", "requirements-build.lock"}
        elif "--no-index" not in words:
            assert {"--no-deps", "--no-build-isolation"} <= set(words), words
        assert "--no-cache-dir" in words


def test_the_final_stage_runs_as_an_ordinary_user() -> None:
    steps = final_stage()
    assert arguments("USER", steps) == ["10001:10001"]
    assert "--uid 10001" in " ".join(arguments("RUN", steps))
    # What comes after USER must not need root.
    after = steps[[word for word, _ in steps].index("USER") :]
    assert not arguments("RUN", after)
    assert arguments("VOLUME", after) == ["/var/lib/tandem"]


def test_the_final_stage_has_health_check_ports_and_entry_point() -> None:
    steps = final_stage()
    (check,) = arguments("HEALTHCHECK", steps)
    assert "/livez" in check
    assert set(" ".join(arguments("EXPOSE", steps)).split()) == {"7443", "9464"}
    (entry,) = arguments("ENTRYPOINT", steps)
    project = tomllib.loads((repository.ROOT / "pyproject.toml").read_text())["project"]
    assert entry == '["tandemd"]'
    assert "tandemd" in project["scripts"]


def test_the_health_check_is_a_program_that_parses() -> None:
    (check,) = arguments("HEALTHCHECK", final_stage())
    program = re.search(r'"-c", "(.*)"\]', check)
    assert program
    assert ast.parse(program[1]).body
