"""What files may say: no addresses or paths of one machine, links that resolve, a changelog in form."""

from __future__ import annotations

import re
import tomllib
from pathlib import PurePosixPath

import pytest

from tests.tidy import repository

# Put together from parts, so that this file does not find itself.
MACHINE_WORDS: tuple[tuple[str, str], ...] = (
    (r"(?<![\w./-])/" + r"work\b", "a path of one machine"),
    (r"(?<![\w./-])/" + r"(root|home/\w+|Users/\w+)/", "a path of one machine"),
    (r"(?<![\w.-])/" + r"tmp/", "a path of one machine; use tempfile or tmp_path"),
    ("pypi" + r"\.org|python" + r"hosted\.org|npm" + r"js\.(org|com)", "a registry's address"),
    (r"(deb|archive)\." + r"(debian|ubuntu)\.", "a registry's address"),
    (r"(--(extra-)?index" + r"-url|PIP_(EXTRA_)?INDEX" + r"_URL)[= ]", "a registry setting"),
)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
IMAGE = re.compile(r"!\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
CHANGELOG_SECTIONS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def prose(path: str) -> str:
    """A markdown file without its code blocks and inline code."""
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", repository.texts()[path]))


def markdown_files() -> list[str]:
    return [path for path in repository.texts() if path.endswith(".md")]


def anchors(path: str) -> set[str]:
    """The anchors that a forge derives from the headings of a markdown file."""
    found: dict[str, int] = {}
    for heading in re.findall(
        r"^#{1,6}\s+(.+?)\s*#*$", FENCE.sub("", repository.texts()[path]), re.MULTILINE
    ):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        count = found[slug] = found.get(slug, 0) + 1
        if count > 1:
            found[f"{slug}-{count - 1}"] = 1
    return set(found)


def broken_link(page: str, target: str) -> str | None:
    """Why a relative link of `page` leads nowhere, or None."""
    name, _, anchor = target.partition("#")
    base = PurePosixPath(page).parent
    path = (repository.ROOT / base / name).resolve() if name else repository.ROOT / page
    if not path.exists():
        return f"{page}: {target}: no such file"
    if not path.is_relative_to(repository.ROOT):
        return f"{page}: {target}: outside the repository"
    relative = str(path.relative_to(repository.ROOT))
    if anchor and relative.endswith(".md") and anchor not in anchors(relative):
        return f"{page}: {target}: no such heading"
    return None


def changelog_faults(text: str) -> list[str]:
    """What is wrong with a changelog: `## [version] - date` newest first, `### Added` and so on, one bullet a change."""
    faults = []
    if not text.startswith("# Changelog\n"):
        faults.append("starts with anything but '# Changelog'")
    versions = re.findall(r"^## (.*)$", text, re.MULTILINE)
    if not versions or versions[0] != "[Unreleased]":
        faults.append("the first section is '## [Unreleased]'")
    dates = []
    for version in versions[1:]:
        if match := re.fullmatch(r"\[\d+\.\d+\.\d+\] - (\d{4}-\d\d-\d\d)", version):
            dates.append(match[1])
        else:
            faults.append(f"'## {version}' is not '## [1.2.3] - 2000-01-31'")
    if dates != sorted(dates, reverse=True):
        faults.append("the newest version comes first")
    sections = re.findall(r"^### (.*)$", text, re.MULTILINE)
    faults += [
        f"'### {name}' is none of {sorted(CHANGELOG_SECTIONS)}"
        for name in sections
        if name not in CHANGELOG_SECTIONS
    ]
    return faults


@pytest.mark.parametrize("pattern, what", MACHINE_WORDS)
def test_no_file_names_a_machine_or_a_registry(pattern: str, what: str) -> None:
    found = [
        f"{path}:{number}: {what}: {line.strip()[:100]}"
        for path, text in repository.texts().items()
        for number, line in enumerate(text.splitlines(), 1)
        if re.search(pattern, line)
    ]
    assert not found, "\n".join(found)


def test_relative_links_of_the_docs_resolve() -> None:
    broken = [
        fault
        for page in markdown_files()
        for target in (*LINK.findall(prose(page)), *IMAGE.findall(prose(page)))
        if "://" not in target and not target.startswith("mailto:") and (fault := broken_link(page, target))
    ]
    assert not broken, "\n".join(broken)


def test_the_changelog_is_in_form() -> None:
    assert changelog_faults(repository.texts()["CHANGELOG.md"]) == []


@pytest.mark.parametrize(
    "text, fault",
    [
        (
            "# Changelog\n## [Unreleased]\n### Added\n- x\n## [0.2.0] - 2026-02-01\n## [0.1.0] - 2026-01-01\n",
            None,
        ),
        ("# Changelog\n## [0.1.0] - 2026-01-01\n", "the first section"),
        ("# Changelog\n## [Unreleased]\n## 0.1.0\n", "'## 0.1.0' is not"),
        ("# Changelog\n## [Unreleased]\n### News\n", "'### News' is none of"),
        (
            "# Changelog\n## [Unreleased]\n## [0.1.0] - 2026-01-01\n## [0.2.0] - 2026-02-01\n",
            "the newest version",
        ),
    ],
)
def test_changelog_faults_are_named(text: str, fault: str | None) -> None:
    faults = changelog_faults(text)
    assert (not faults) if fault is None else any(found.startswith(fault) for found in faults)


def test_no_tracked_file_is_large() -> None:
    """Pictures, dumps and binaries make every clone slow for ever."""
    large = [path for path in repository.files() if (repository.ROOT / path).stat().st_size > 500_000]
    assert not large, f"over 500 kB: {large}"


def test_the_ci_script_fails_at_the_first_fault() -> None:
    lines = (repository.ROOT / ".ci/run").read_text().splitlines()
    assert lines[0] == "#!/usr/bin/env bash"
    assert "set -euo pipefail" in lines


def test_both_distributions_have_the_same_version_and_licence() -> None:
    daemon = tomllib.loads((repository.ROOT / "pyproject.toml").read_text())["project"]
    client = tomllib.loads((repository.ROOT / "clients/python/pyproject.toml").read_text())["project"]
    for key in ("version", "license", "requires-python"):
        assert client[key] == daemon[key], key
    texts = repository.texts()
    assert texts["clients/python/LICENSE"] == texts["LICENSE"]
