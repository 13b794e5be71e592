"""What a stranger finds in a fresh clone: pinned, documented, no trace of where it was made."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECTS = (ROOT / "pyproject.toml", ROOT / "services" / "pyproject.toml")
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()


def ignored() -> list[str]:
    lines = (ROOT / ".gitignore").read_text().splitlines()
    return [".git", *(line.strip("/") for line in lines if line and not line.startswith("#"))]


def tree(folder: Path = ROOT) -> Iterator[Path]:
    """Every file but what git ignores, without asking git: a tarball of the tree has none."""
    for path in sorted(folder.iterdir()):
        if any(fnmatch(path.name, pattern) for pattern in IGNORED):
            continue
        if path.is_dir():
            yield from tree(path)
        else:
            yield path


IGNORED = ignored()
FILES = {path.relative_to(ROOT).as_posix(): path for path in tree()}


def text(name: str) -> str:
    return FILES[name].read_text(errors="ignore")


def lines_with(pattern: str, suffix: str = "") -> str:
    """`file:line: text` for each match, one a line."""
    return "\n".join(
        f"{name}:{number}: {line.strip()}"
        for name in FILES
        if name.endswith(suffix) and "/_pb/" not in name
        for number, line in enumerate(text(name).splitlines(), 1)
        if re.search(pattern, line)
    )


# One regular expression each: an installer's option, a registry's page, a path of the machine.
TRACES = (
    r"(index-url|registry) *[=:]",
    r'https?://[^ "]+/(simple|packages|pool|debian)/',
    r'(^|[" =(])/(work|farm|root|tmp/[a-z]+)/',
)


@pytest.mark.parametrize("pattern", TRACES)
def test_no_file_tells_where_it_was_made(pattern: str):
    assert lines_with(pattern) == ""


@pytest.mark.parametrize(
    ("pattern", "trace"),
    [
        (TRACES[0], "--index" + "-url=https://pypi.example"),
        (TRACES[1], "https://pypi.example/" + "simple/"),
        (TRACES[2], "home = /" + "work/main"),
    ],
)
def test_a_trace_is_recognised(pattern: str, trace: str):
    assert re.search(pattern, trace)


def requirements() -> list[str]:
    body = (ROOT / "constraints.txt").read_text().replace("\\\n", " ")
    return [line for line in body.splitlines() if line and not line.startswith("#")]


def test_every_constraint_is_one_version_with_hashes():
    one_version = re.compile(r"[\w.-]+==[\w.]+( ;[^#]+?)?( +--hash=sha256:[0-9a-f]{64})+")
    assert requirements()
    assert [line for line in requirements() if not one_version.fullmatch(line)] == []


def test_every_dependency_is_pinned():
    pinned = {line.partition("==")[0] for line in requirements()}
    declared = set()
    for path in PROJECTS:
        project = tomllib.loads(path.read_text())["project"]
        declared.update(project["dependencies"])
        for extra in project.get("optional-dependencies", {}).values():
            declared.update(extra)
    names = {re.split(r"[^\w.-]", line)[0] for line in declared} - {"checkout-sdk"}
    assert names - pinned == set()


def test_what_is_installed_satisfies_every_requirement():
    command = [sys.executable, "-m", "pip", "check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_changelog_keeps_a_changelog():
    headings = re.findall(r"^## (.*)$", CHANGELOG, re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    released = r"\[(\d+)\.(\d+)\.(\d+)\] - \d{4}-\d{2}-\d{2}"
    versions = [re.fullmatch(released, heading) for heading in headings[1:]]
    assert all(versions)
    numbers = [tuple(map(int, version.groups())) for version in versions if version]
    assert all(newer > older for newer, older in pairwise(numbers))
    kinds = set(re.findall(r"^### (.*)$", CHANGELOG, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_every_make_command_that_a_page_names_exists():
    makefile = text("Makefile")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    pages = "\n".join(text(name) for name in FILES if name.endswith((".md", ".ci/run")))
    named = set(re.findall(r"(?:^|`|\n *|\$ )make ([a-z]+)\b(?! [a-z])", pages))
    assert named - targets == set()


def test_every_make_command_is_listed_by_make_help():
    makefile = text("Makefile")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony
    done = subprocess.run(["make", "-C", ROOT, "help"], capture_output=True, text=True, check=True)
    assert set(re.findall(r"^  make ([a-z]+) +\S", done.stdout, re.MULTILINE)) == set(
        phony.group(1).split()
    )


def test_no_test_is_skipped():
    # What a test needs is part of the set-up; where it is missing, the test fails and says so.
    quietly = r"pytest\.(skip|importorskip|xfail)\b|mark\.(skip|skipif|xfail)\b"
    assert lines_with(quietly, ".py") == ""


def test_every_silenced_check_has_its_reason_beside_it():
    bare = r"# (type: ignore(\[[\w, -]+\])?|noqa(: [A-Z0-9, ]+)?|pragma: no cover) *$"
    assert lines_with(bare, ".py") == ""
