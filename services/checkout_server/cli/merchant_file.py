"""What a merchant's file says; examples/merchant.toml shows every key."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from google.protobuf.message import Message

from checkout_sdk import DeliveryOption, DiscountCode, Item, Merchant, TaxRate
from checkout_sdk._pb import item_pb2, merchant_pb2
from checkout_server.cli.toml_messages import WrongKey, read

M = TypeVar("M", bound=Message)
V = TypeVar("V")

PARTS = ("merchant", "delivery_options", "tax_rates", "discount_codes", "items")
# The one key that is no field of the API's message of that name: how many there are of an item.
ON_HAND = "on_hand"


@dataclass(frozen=True, slots=True)
class Shop:
    """A part that the file leaves out is None."""

    merchant: Merchant
    delivery_options: list[DeliveryOption] | None
    tax_rates: list[TaxRate] | None
    discount_codes: list[DiscountCode] | None
    items: list[Item] | None
    # By the item's index.
    on_hand: Mapping[int, int]


def shop_in(text: str) -> Shop:
    """Raises WrongKey, or tomllib.TOMLDecodeError."""
    document = tomllib.loads(text)
    for key in document:
        if key not in PARTS:
            raise WrongKey(key, f"is no key here; there are: {', '.join(PARTS)}")
    if not isinstance(document.get("merchant"), dict):
        raise WrongKey("merchant", "must be there, as a table: [merchant]")
    on_hand = _without_on_hand(document)
    currency = str(document["merchant"].get("currency", ""))

    def entries(part: str, message: type[M], value: Callable[[M], V]) -> list[V] | None:
        if part not in document:
            return None
        return [
            value(read(message, entry, path=f"{part}[{index}]", currency=currency))
            for index, entry in enumerate(_tables(document, part))
        ]

    merchant = read(merchant_pb2.Merchant, document["merchant"], path="merchant", currency=currency)
    return Shop(
        merchant=Merchant.from_pb(merchant),
        delivery_options=entries(
            "delivery_options", merchant_pb2.DeliveryOption, DeliveryOption.from_pb
        ),
        tax_rates=entries("tax_rates", merchant_pb2.TaxRate, TaxRate.from_pb),
        discount_codes=entries("discount_codes", merchant_pb2.DiscountCode, DiscountCode.from_pb),
        items=entries("items", item_pb2.Item, Item.from_pb),
        on_hand=on_hand,
    )


def _without_on_hand(document: dict[str, Any]) -> dict[int, int]:
    """Takes the key out of the items; what they said."""
    said = {}
    for index, item in enumerate(_tables(document, "items")):
        if isinstance(item, dict) and ON_HAND in item:
            said[index] = item.pop(ON_HAND)
            if type(said[index]) is not int:
                raise WrongKey(f"items[{index}].{ON_HAND}", "must be a whole number")
    return said


def _tables(document: Mapping[str, Any], part: str) -> list[Any]:
    entries = document.get(part, [])
    if not isinstance(entries, list):
        raise WrongKey(part, f"must be a list of tables: [[{part}]]")
    return entries
