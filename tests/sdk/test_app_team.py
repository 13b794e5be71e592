"""SDK_TARGET: the code an app team wants to write, run and type-checked."""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from checkout_sdk import Money, Placed

SOURCE = Path(__file__).with_name("app_team.py")
ROOT = Path(__file__).resolve().parents[2]
OFFER = "off_demo_mug"


@pytest.fixture
async def app(fake_checkout):
    """The app, imported when the environment names the fake service."""
    spec = importlib.util.spec_from_file_location("app_team", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    await module.checkout.close()


async def tapped(app, fake_checkout):
    """A card and a tap, as JSON between page and app."""
    card = json.loads(json.dumps(await app.card("u_42", OFFER)))
    seen = Money.from_json(card["total"])
    answer = await app.tap("u_42", card["quote_token"], card["tap_key"], seen)
    return card, json.loads(json.dumps(answer))


async def test_a_card_and_a_tap_place_an_order(app, fake_checkout):
    card, answer = await tapped(app, fake_checkout)

    assert answer["state"] == "placed"
    assert await app.after("u_42", card["tap_key"]) == answer


async def test_a_lost_answer_does_not_buy_twice(app, fake_checkout):
    fake_checkout.lose_next_answer(after_effect=True)

    _, answer = await tapped(app, fake_checkout)

    assert answer["state"] == "placed"
    assert fake_checkout.orders_of("u_42") == 1


async def test_a_tap_nobody_answers_is_checked_later_with_its_key(app, fake_checkout):
    fake_checkout.lose_next_answer(after_effect=False, times=4)

    card, answer = await tapped(app, fake_checkout)

    assert answer == {"state": "checking", "tap_key": card["tap_key"]}
    assert await app.after("u_42", card["tap_key"]) == {"state": "not_seen"}


@pytest.mark.parametrize(
    ("scripted", "state"),
    [
        ("accepted", "confirming"),
        ("action_required", "challenge"),
        ("declined", "rejected"),
        ("throttled", "busy"),
        ("unrecognized", "checking"),
    ],
)
async def test_every_outcome_is_json_for_the_page(app, fake_checkout, scripted, state):
    fake_checkout.next_outcome(scripted)

    _, answer = await tapped(app, fake_checkout)

    assert answer["state"] == state


async def test_a_changed_offer_is_a_new_card(app, fake_checkout):
    card = await app.card("u_42", OFFER)
    fake_checkout.set_price(OFFER, Money(9900, "USD"))

    seen = Money.from_json(card["total"])
    answer = await app.tap("u_42", card["quote_token"], card["tap_key"], seen)

    assert answer["state"] == "changed"
    assert answer["total"]["text"] == "USD 99.00"
    assert answer["tap_key"] != card["tap_key"]


async def test_the_blocking_client_uses_the_same_words(app, fake_checkout):
    assert isinstance(await asyncio.to_thread(app.script), Placed)


def mypy(path: Path) -> str:
    result = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return result.stdout + result.stderr


def test_it_passes_mypy_strict():
    assert "Success" in mypy(SOURCE)


def test_dropping_a_case_is_a_type_error(tmp_path):
    names = ["Placed", "Accepted", "ActionRequired", "OfferChanged", "Rejected", "Throttled"]
    names.append("Unrecognized")
    module = ast.parse(SOURCE.read_text())
    view = next(node for node in module.body if getattr(node, "name", "") == "view")
    mutants = [without(ast.unparse(view), name) for name in names]
    mutated = tmp_path / "mutated.py"
    mutated.write_text("\n".join([SOURCE.read_text(), *mutants]))

    errors = [line for line in mypy(mutated).splitlines() if "error:" in line]

    assert [name for name in names if not any(f'"{name}"' in line for line in errors)] == []
    assert len(errors) == len(names)


def without(source: str, name: str) -> str:
    """`view` under another name, without the cases of one outcome."""
    view = ast.parse(source.replace("def view", f"def view_without_{name}")).body[0]
    match = view.body[0]
    match.cases = [case for case in match.cases if class_of(case) != name]
    return ast.unparse(view)


def class_of(case: ast.match_case) -> str | None:
    pattern = case.pattern
    return pattern.cls.id if isinstance(pattern, ast.MatchClass) else None
