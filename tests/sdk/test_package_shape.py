"""What importing the SDK costs and what it is made from."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import checkout_sdk

ROOT = Path(__file__).resolve().parents[2]


def test_the_sync_twins_are_what_the_async_code_says():
    result = subprocess.run(
        [sys.executable, "proto/generate_sync.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stdout + result.stderr


def loaded_by(module: str) -> set[str]:
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import {module}; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True
    )
    modules = {name.partition(".")[0] for name in result.stdout.split()}
    return modules - sys.stdlib_module_names


def test_importing_brings_in_little_beside_grpc():
    brought = loaded_by("checkout_sdk") - loaded_by("grpc")

    assert brought <= {
        "checkout_sdk",
        "google",
        "_opentelemetry",
        "opentelemetry",
        "tenacity",
        "typing_extensions",
    }


def test_the_version_is_the_packages():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert checkout_sdk.__version__ == project["version"]


def test_all_names_what_is_public():
    assert sorted(checkout_sdk.__all__) == sorted(set(checkout_sdk.__all__))
    assert all(hasattr(checkout_sdk, name) for name in checkout_sdk.__all__)
