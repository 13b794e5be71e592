"""`checkout-server demo`: every story is told and checked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from checkout_server.cli import app
from checkout_server.cli.demo import report
from checkout_server.cli.demo.evidence import Counts
from checkout_server.cli.demo.stories import STORIES
from checkout_server.cli.demo.telling import Told
from tests.services.cli.command import environment


def test_every_story_comes_out_as_it_should(tmp_path: Path):
    told = subprocess.run(
        [sys.executable, "-m", "checkout_server", "demo"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    rows = told.stdout.partition("\n\n")[0].splitlines()[1:]
    otherwise = [row for story, row in zip(STORIES, rows, strict=True) if story.expected not in row]
    assert otherwise == []
    assert told.stdout.endswith("Every order has its one charge.\n")


class Found:
    """Evidence with a script."""

    def __init__(self, *contradictions: str) -> None:
        self._contradictions = list(contradictions)

    def contradictions(self) -> list[str]:
        return self._contradictions

    def counts(self) -> Counts:
        return Counts(orders=1, charges=1)


def told(*problems: str) -> list[Told]:
    return [Told(STORIES[0], "placed", 5.0, None, "0" * 32, problems)]


def test_a_story_that_went_wrong_fails_the_demo(capsys: pytest.CaptureFixture[str]):
    assert not report(told("orders: expected 1, saw 2"), Found())
    assert "orders: expected 1, saw 2" in capsys.readouterr().out


def test_a_charge_without_an_order_fails_the_demo(capsys: pytest.CaptureFixture[str]):
    assert not report(told(), Found("pi_1: a charge without an order"))
    assert "pi_1: a charge without an order" in capsys.readouterr().out


def test_stories_and_books_that_agree_pass(capsys: pytest.CaptureFixture[str]):
    assert report(told(), Found())
    assert "NOT AS IT SHOULD BE" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "value"), [("CHECKOUT_GATEWAY", "stripe"), ("GATEWAY", "stripe"), ("SPLIT", "1")]
)
def test_what_comes_later_is_refused(name: str, value: str):
    refused = CliRunner().invoke(app, ["demo"], env={name: value})
    assert refused.exit_code == 2
    assert "this version" in refused.stderr
