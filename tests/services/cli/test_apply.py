"""`checkout-server apply`: a merchant from its file."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from google.protobuf.message import Message

from checkout_sdk import Checkout
from checkout_sdk._pb import item_pb2, merchant_pb2
from checkout_server.cli.toml_messages import SET_BY_THE_SERVER, WrongKey, read
from tests.services.cli.command import run
from tests.services.cli.dev_server import DevServer

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "merchant.toml"
TEXT = EXAMPLE.read_text()
MESSAGES = {
    "merchant": merchant_pb2.Merchant,
    "delivery_options": merchant_pb2.DeliveryOption,
    "tax_rates": merchant_pb2.TaxRate,
    "discount_codes": merchant_pb2.DiscountCode,
    "items": item_pb2.Item,
}


def test_applying_the_example_twice_sets_it_up_once(dev: DevServer, checkout: Checkout):
    assert run("apply", str(EXAMPLE), **dev.settings).exit_code == 0
    once = checkout.admin.get_item("mugs-and-more", "mug-blue")
    again = run("apply", str(EXAMPLE), **dev.settings)
    assert again.exit_code == 0
    assert "merchant mugs-and-more is set up" in again.stdout
    assert once.stock.on_hand == 200
    assert checkout.admin.get_item("mugs-and-more", "mug-blue") == once


@pytest.mark.parametrize("part", MESSAGES)
def test_the_example_shows_every_key(part: str):
    shown = tomllib.loads(TEXT)[part]
    keys = set().union(*([shown] if part == "merchant" else shown))
    fields = {field.name for field in MESSAGES[part].DESCRIPTOR.fields}
    assert fields - SET_BY_THE_SERVER - keys == set()


# What is wrong, and what is said; the first four by the file's reader, the others by the server.
WRONG = [
    ("price = 490", "prise = 490", "delivery_options[0].prise is no key here"),
    ("price = 490", 'price = "4.90"', "delivery_options[0].price must be minor units"),
    ('"AUTOMATIC"', '"SOMETIMES"', "merchant.capture_mode must be one of: AUTOMATIC, MANUAL"),
    ("max_uses = 1_000", "amount = 1", "discount_codes[0].amount cannot stand beside percentage"),
    ('country = "US" ', 'country = "us" ', "merchant.country must be an ISO 3166-1"),
    ("rate_ppm = 190_000", "rate_ppm = -1", "tax_rates[1].rate_ppm must be"),
    ("amount = 500", "amount = 0", "discount_codes[1].amount"),
    ('sku = "mug-red"', 'sku = "mug red"', "items[1].sku must have 1 to 64 letters"),
    ('{ colour = "red" }\non_hand = 200', "{}\non_hand = -1", "items[1].on_hand must be"),
]


@pytest.mark.parametrize(("right", "wrong", "said"), WRONG, ids=[said for _, _, said in WRONG])
def test_what_is_wrong_is_told_by_its_key(
    dev: DevServer, tmp_path: Path, right: str, wrong: str, said: str
):
    assert right in TEXT
    file = tmp_path / "merchant.toml"
    file.write_text(TEXT.replace(right, wrong))
    refused = run("apply", str(file), **dev.settings)
    assert refused.exit_code == 1
    assert said in refused.stderr


def test_without_a_server_to_go_to_it_says_so():
    refused = run("apply", str(EXAMPLE))
    assert refused.exit_code == 2
    assert "Not set: CHECKOUT_TARGET, CHECKOUT_TOKEN. `checkout-server dev`" in refused.stderr


def test_a_token_that_is_refused_is_named(dev: DevServer):
    refused = run("apply", str(EXAMPLE), **dev.settings | {"token": "stale"})
    assert refused.exit_code == 1
    assert "CHECKOUT_TOKEN" in refused.stderr


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
def test_a_value_of_a_wrong_type_is_always_told_by_its_key(message: type[Message]):
    odd = tomllib.loads("a = [[1]]\nb = 2026-01-01\nc = 07:30:00\nd = 1.5\ne = { x = 1 }\nf = nan")
    for field in message.DESCRIPTOR.fields:
        for value in odd.values():
            with pytest.raises(WrongKey, match=rf"^part\.{field.name} "):
                read(message, {field.name: value}, path="part", currency="USD")
