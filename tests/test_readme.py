"""README's Python is run as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from checkout_sdk import Checkout, Money
from checkout_sdk.testing import FakeCheckout
from checkout_sdk.testing import fake_checkout as fake_checkout

ROOT = Path(__file__).resolve().parent.parent
SNIPPETS = dict(
    re.findall(
        r"<!-- snippet: (\w+) -->\n```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL
    )
)
EXPORT = re.compile(r"export (\w+)=(\S+)\n")


@pytest.fixture
def pasted():
    """The environment of a terminal into which the lines of `checkout-server dev` were pasted."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("CHECKOUT_")},
        "CHECKOUT_LISTEN": "127.0.0.1:0",
    }
    command = [sys.executable, "-m", "checkout_server", "dev", "--ephemeral"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        for line in server.stdout:
            if match := EXPORT.fullmatch(line):
                environment[match[1]] = match[2]
            if "CHECKOUT_DEMO_BUYER" in environment:
                break
        try:
            yield environment
        finally:
            server.terminate()
            server.stdout.read()


def test_every_python_block_is_a_snippet_that_a_test_here_runs():
    blocks = (ROOT / "README.md").read_text().count("```python")
    assert sorted(SNIPPETS) == ["first_tap", "outcomes"]
    assert blocks == len(SNIPPETS)


def test_the_first_tap_places_an_order(pasted):
    done = subprocess.run(
        [sys.executable, "-c", SNIPPETS["first_tap"]],
        env=pasted,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "placed: ord_" in done.stdout


def test_the_match_says_what_a_tap_came_to(fake_checkout: FakeCheckout):
    names: dict[str, object] = {}
    exec(compile(SNIPPETS["outcomes"], "README.md", "exec"), names)
    say = names["say"]
    assert callable(say)
    fake_checkout.add_offer("off_mug", price=Money(1500, "USD"), stock=1)
    with Checkout.from_env() as checkout:
        for buyer_id, said in (("buyer_one", "yours: ord_"), ("buyer_two", "no (SOLD_OUT)")):
            buyer = checkout.for_buyer(buyer_id)
            assert say(buyer.place_order(buyer.quote(offer_id="off_mug"))).startswith(said)
