"""Writes the stubs: protoc in its own venv -> the two `_pb` folders. `--check` only compares.

The protos import each other from the root of `proto/`, so protoc writes `from onetap.checkout.v1
import ...`. A wheel with a top-level `onetap` would collide with anybody else's, so the stubs lie
flat in `checkout_sdk._pb` and `checkout_server._pb` and the imports are pointed there.

`generated.sha256` in each folder holds the hash of the protos and of each stub: tests compare it
without needing protoc, CI regenerates and wants a clean tree.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROTO = Path(__file__).resolve().parent
ROOT = PROTO.parent
PUBLIC = ROOT / "checkout_sdk" / "_pb"
INTERNAL = ROOT / "services" / "checkout_server" / "_pb"
HOMES = {
    "onetap/checkout/v1": (PUBLIC, "checkout_sdk._pb"),
    "onetap/internal/v1": (INTERNAL, "checkout_server._pb"),
}
IMPORT = re.compile(r"\bonetap\.(checkout|internal)\.v1(?= import|\.\w+_pb2)")


def protoc(python: Path, out: Path) -> None:
    protos = sorted(str(path.relative_to(PROTO)) for path in PROTO.glob("onetap/**/*.proto"))
    plugins = [
        f"--plugin=protoc-gen-{name}={python.parent / f'protoc-gen-{name}'}"
        for name in ("mypy", "mypy_grpc")
    ]
    outputs = [
        f"--{kind}_out=quiet:{out}" if "mypy" in kind else f"--{kind}_out={out}"
        for kind in ("python", "grpc_python", "mypy", "mypy_grpc")
    ]
    command = [str(python), "-m", "grpc_tools.protoc", f"-I{PROTO}", *plugins, *outputs, *protos]
    subprocess.run(command, check=True)


def relocate(text: str) -> str:
    """Points Python imports at their home; the package names in descriptors stay as they are."""
    return IMPORT.sub(home_module, text)


def home_module(match: re.Match[str]) -> str:
    return HOMES[f"onetap/{match.group(1)}/v1"][1]


def digest(folder: Path) -> str:
    sources = [*sorted(PROTO.glob("onetap/**/*.proto")), PROTO / "requirements.txt"]
    stubs = sorted(path for path in folder.rglob("*_pb2*") if path.suffix in (".py", ".pyi"))
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(ROOT).as_posix()}\n"
        for path in [*sources, *stubs]
    ]
    return "".join(lines)


def generate(python: Path) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary)
        protoc(python, out)
        for package, (home, _) in HOMES.items():
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir(parents=True)
            (home / "__init__.py").write_text("")
            for path in sorted((out / package).iterdir()):
                (home / path.name).write_text(relocate(path.read_text()))
            (home / "generated.sha256").write_text(digest(home))


def stale() -> list[str]:
    """The `_pb` folders whose recorded hashes no longer match protos or stubs."""
    return [
        str(home.relative_to(ROOT))
        for home, _ in HOMES.values()
        if not (home / "generated.sha256").exists()
        or (home / "generated.sha256").read_text() != digest(home)
    ]


def main() -> int:
    if "--check" in sys.argv[1:]:
        for folder in stale():
            print(f"{folder} is not what its protos say: run `make generate`")
        return 1 if stale() else 0
    generate(Path(sys.executable))
    return 0


if __name__ == "__main__":
    sys.exit(main())
