"""Every file in examples/ runs, against a server that `checkout-server dev` started."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.cli.dev_server import DevServer, dev_server

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    with dev_server(tmp_path_factory.mktemp("dev")) as server:
        yield server


# A buyer each: the same purchase twice within a minute is taken for a mistake.
@pytest.mark.parametrize(
    ("example", "buyer", "total"),
    [("one_tap.py", "buyer_demo", "USD 24.21"), ("one_tap_async.py", "buyer_berlin", "USD 32.90")],
)
def test_an_example_buys(dev: DevServer, tmp_path: Path, example: str, buyer: str, total: str):
    bought = subprocess.run(
        [sys.executable, EXAMPLES / example],
        cwd=tmp_path,
        env=dev.environment | {"CHECKOUT_DEMO_BUYER": buyer},
        capture_output=True,
        text=True,
        check=False,
    )
    assert bought.returncode == 0, bought.stderr
    card, order = bought.stdout.splitlines()
    assert card == f"Enamel mug: {total}, delivered"
    assert re.fullmatch(r"ord_\w+", order)


def test_no_example_is_without_a_test():
    # merchant.toml has its own, in tests/services/cli/test_apply.py.
    tested = {"one_tap.py", "one_tap_async.py", "merchant.toml"}
    assert {path.name for path in EXAMPLES.iterdir() if path.is_file()} == tested
