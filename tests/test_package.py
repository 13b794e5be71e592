"""The wheels hold what they should and nothing else; the SDK's needs nothing of the server's."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from email.parser import HeaderParser
from importlib.metadata import distributions, packages_distributions, requires
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def build(project: Path, out: Path) -> zipfile.ZipFile:
    options = ["--wheel", "--no-isolation", "--outdir", str(out)]
    subprocess.run([sys.executable, "-m", "build", *options, str(project)], check=True)
    [wheel] = out.glob("*.whl")
    return zipfile.ZipFile(wheel)


@pytest.fixture(scope="module")
def sdk(tmp_path_factory: pytest.TempPathFactory):
    with build(ROOT, tmp_path_factory.mktemp("sdk")) as wheel:
        yield wheel


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory):
    with build(ROOT / "services", tmp_path_factory.mktemp("server")) as wheel:
        yield wheel


def roots(wheel: zipfile.ZipFile) -> set[str]:
    return {name.split("/")[0] for name in wheel.namelist() if ".dist-info/" not in name}


def metadata(wheel: zipfile.ZipFile, file: str) -> str:
    [name] = [name for name in wheel.namelist() if name.endswith(f".dist-info/{file}")]
    return wheel.read(name).decode()


def test_the_sdk_wheel_holds_checkout_sdk_alone(sdk: zipfile.ZipFile):
    assert roots(sdk) == {"checkout_sdk"}


def test_the_server_wheel_holds_checkout_server_alone(server: zipfile.ZipFile):
    assert roots(server) == {"checkout_server"}


def test_the_sdk_wheel_has_no_stub_of_an_internal_service(sdk: zipfile.ZipFile):
    shipped = {name for name in sdk.namelist() if name.startswith("checkout_sdk/_pb/")}
    internal = {path.name for path in (ROOT / "proto/onetap/internal").rglob("*.proto")}
    stems = {name.removesuffix(".proto") for name in internal}
    assert [name for name in shipped if Path(name).name.split("_pb2")[0] in stems] == []
    assert b"onetap.internal" not in b"".join(sdk.read(name) for name in shipped)


def test_both_wheels_are_typed_and_licensed(sdk: zipfile.ZipFile, server: zipfile.ZipFile):
    for wheel, package in ((sdk, "checkout_sdk"), (server, "checkout_server")):
        assert f"{package}/py.typed" in wheel.namelist()
        assert metadata(wheel, "licenses/LICENSE") == (ROOT / "LICENSE").read_text()


def test_the_server_wheel_brings_every_migration(server: zipfile.ZipFile):
    written = {path.relative_to(ROOT / "services") for path in ROOT.rglob("services/**/*.sql")}
    assert written
    assert {path.as_posix() for path in written} <= set(server.namelist())


def test_the_server_wheel_wants_the_sdk_of_its_own_version(
    sdk: zipfile.ZipFile, server: zipfile.ZipFile
):
    version = HeaderParser().parsestr(metadata(sdk, "METADATA"))["Version"]
    headers = HeaderParser().parsestr(metadata(server, "METADATA"))
    assert headers["Version"] == version
    assert f"checkout-sdk=={version}" in headers.get_all("Requires-Dist", [])


def test_the_server_wheel_gives_the_command(server: zipfile.ZipFile):
    assert "checkout-server = checkout_server.__main__:main" in metadata(server, "entry_points.txt")


# Imports what is named on the command line and prints the roots of all that came in with it.
# grpc comes first: it imports grpc_health and the like by itself where they are installed.
IMPORT = """
import grpc, importlib, sys
before = set(sys.modules)
for name in sys.argv[2:]:
    importlib.import_module(name)
print(importlib.import_module("checkout_sdk").__file__.startswith(sys.argv[1]))
print(*sorted({name.split(".")[0] for name in set(sys.modules) - before}))
"""


def came_in(unpacked: Path, *modules: str) -> set[str]:
    command = [sys.executable, "-c", IMPORT, str(unpacked), *modules]
    # With `-c` the working directory is searched first: the wheel's files, not the tree's.
    run = subprocess.run(command, check=True, capture_output=True, text=True, cwd=unpacked)
    from_wheel, names = run.stdout.splitlines()
    assert from_wheel == "True"
    return set(names.split()) - set(sys.stdlib_module_names)


def with_all_they_need(distribution: str) -> set[str]:
    """The distribution and, over and over, what it requires without extras.

    As far as it is installed: the rest is for other platforms.
    """
    installed = {normalised(each.name) for each in distributions()}
    found: set[str] = set()
    waiting = [distribution]
    while waiting:
        name = waiting.pop()
        if name in found or name not in installed:
            continue
        found.add(name)
        wanted = [line for line in requires(name) or () if "extra ==" not in line]
        waiting += [normalised(re.split(r"[^\w.-]", line)[0]) for line in wanted]
    return found


def normalised(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


@pytest.fixture(scope="module")
def unpacked(sdk: zipfile.ZipFile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    sdk.extractall(folder)
    return folder


def test_importing_the_sdk_brings_in_what_it_declares_and_no_more(unpacked: Path):
    declared = with_all_they_need("checkout-sdk")
    owners = packages_distributions()
    foreign = {
        root
        for root in came_in(unpacked, "checkout_sdk")
        if not declared & {normalised(owner) for owner in owners.get(root, [])}
    }
    assert foreign - {"checkout_sdk"} == set()


def test_every_module_of_the_sdk_does_without_the_server(sdk: zipfile.ZipFile, unpacked: Path):
    modules = [
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for name in sdk.namelist()
        if name.endswith(".py")
    ]
    # checkout_sdk.testing is for pytest, which brings its own.
    ours = with_all_they_need("checkout-sdk") | with_all_they_need("pytest")
    server_only = with_all_they_need("checkout-server") - ours
    theirs = {
        root
        for root, owners in packages_distributions().items()
        if {normalised(owner) for owner in owners} <= server_only
    }
    assert "apsw" in theirs
    assert came_in(unpacked, *modules) & theirs == set()
