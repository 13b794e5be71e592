"""`checkout-server show`: a stored row, while the server runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from checkout_sdk import Checkout, Order, Placed, PostalAddress
from tests.services.cli.command import run
from tests.services.cli.dev_server import DevServer

ADDRESS = PostalAddress(
    name="Zebulon Quagmire",
    country="US",
    region="CA",
    city="San Francisco",
    postal_code="94107",
    lines=("711 Xylophone Alley",),
    phone="+14155550134",
)


@pytest.fixture
def order(checkout: Checkout, dev: DevServer) -> Order:
    """Of a buyer who also took it back."""
    buyer = checkout.for_buyer("buyer_shown")
    buyer.addresses.save(ADDRESS, request_id="1")
    buyer.wallet.save("pm_card_visa", request_id="1")
    bought = list(buyer.orders.iter())
    if bought:
        return bought[0]
    outcome = buyer.place_order(buyer.quote(offer_id=dev.exports["CHECKOUT_DEMO_OFFER"]))
    assert isinstance(outcome, Placed)
    return buyer.orders.cancel(outcome.order.order_id)


def test_an_order_comes_with_its_money_and_its_events(dev: DevServer, order: Order):
    shown = run("show", order.order_id, **dev.settings)
    assert shown.exit_code == 0
    assert f'order_id: "{order.order_id}"' in shown.stdout
    assert 'operation: "refund"' in shown.stdout
    assert "order.placed" in shown.stdout


def test_an_attempt_comes_with_its_outcome(dev: DevServer, order: Order):
    shown = run("show", order.attempt_id, **dev.settings)
    assert "state: ATTEMPT_STATE_PLACED" in shown.stdout
    assert "attempt.charging" in shown.stdout


def test_an_offer_is_shown(dev: DevServer):
    shown = run("show", dev.exports["CHECKOUT_DEMO_OFFER"], **dev.settings)
    assert 'title: "The mug"' in shown.stdout


@pytest.mark.parametrize("told_by", ["address_id", "order_id", "attempt_id"])
def test_personal_data_is_not_shown(dev: DevServer, order: Order, told_by: str):
    shown = run("show", getattr(order, told_by), **dev.settings).stdout
    assert getattr(order, told_by) in shown
    for secret in ("Zebulon", "Quagmire", "Xylophone", "94107", "5550134"):
        assert secret not in shown


def test_an_unknown_id_is_a_no(dev: DevServer, order: Order):
    shown = run("show", order.order_id[:-3] + "zzz", **dev.settings)
    assert shown.exit_code == 1
    assert "there is no ord_" in shown.stderr


def test_what_is_no_id_is_told_what_an_id_looks_like():
    shown = run("show", "order-7")
    assert shown.exit_code == 1
    assert "ord_..." in shown.stderr


def test_a_database_that_is_not_there_is_named(tmp_path: Path, order: Order):
    shown = run("show", order.order_id, database=f"sqlite:{tmp_path / 'none'}")
    assert shown.exit_code == 2
    assert str(tmp_path / "none") in shown.stderr
