"""What is generated is fresh; the stubs live where they should and run on what we promise."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HOMES = ("checkout_sdk/_pb", "services/checkout_server/_pb")
STUBS = sorted(path for home in HOMES for path in (ROOT / home).glob("*_pb2*.py*"))


def check(root: Path, generator: str = "generate.py") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "proto" / generator), "--check"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for folder in ("proto", *HOMES):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


def test_the_stubs_are_what_the_protos_say():
    done = check(ROOT)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_blocking_sdk_is_what_the_async_one_says():
    done = check(ROOT, "generate_sync.py")
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    "changed",
    [
        "proto/onetap/checkout/v1/money.proto",
        "proto/requirements.txt",
        "checkout_sdk/_pb/money_pb2.py",
        "checkout_sdk/_pb/money_pb2.pyi",
    ],
)
def test_a_change_of_one_side_alone_is_noticed(copy: Path, changed: str):
    with (copy / changed).open("a") as file:
        file.write("\n")
    done = check(copy)
    assert done.returncode == 1
    assert "checkout_sdk/_pb is not what its protos say" in done.stdout


def imported_roots(path: Path) -> set[str]:
    roots: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            roots.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            roots.add(node.module.split(".")[0])
    return roots


def test_no_stub_needs_a_top_level_onetap():
    # It would collide with anybody else's package of that name.
    assert [path.name for path in STUBS if "onetap" in imported_roots(path)] == []


def test_public_stubs_do_without_internal_ones():
    public = [path for path in STUBS if path.is_relative_to(ROOT / HOMES[0])]
    assert [path.name for path in public if "checkout_server" in imported_roots(path)] == []


def test_stubs_are_made_by_the_oldest_versions_we_promise_to_run_on():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    floors = dict(re.findall(r"(grpcio|protobuf)>=([\d.]+)", " ".join(project["dependencies"])))
    text = "".join(path.read_text() for path in STUBS if path.suffix == ".py")
    assert set(re.findall(r"# Protobuf Python Version: ([\d.]+)", text)) == {floors["protobuf"]}
    assert set(re.findall(r"GRPC_GENERATED_VERSION = '([\d.]+)'", text)) == {floors["grpcio"]}
