"""The SDK as it is shipped: its twins, its version, its names."""

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


def test_the_version_is_the_packages():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert checkout_sdk.__version__ == project["version"]


def test_all_names_what_is_public():
    assert sorted(checkout_sdk.__all__) == sorted(set(checkout_sdk.__all__))
    assert all(hasattr(checkout_sdk, name) for name in checkout_sdk.__all__)
