"""`checkout-server apply merchant.toml`: a merchant as its file says, over gRPC.

Everything is put absolutely, so applying a file again changes nothing. A part that the file leaves
out stays as it is. Offers are not here: they come with videos, not with the set-up of a shop.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from checkout_sdk import (
    Checkout,
    CheckoutError,
    ConfigurationError,
    DeliveryOption,
    DiscountCode,
    Item,
    Merchant,
    TaxRate,
)
from checkout_sdk._pb import item_pb2, merchant_pb2
from checkout_server.cli.serve import refuse
from checkout_server.cli.toml_messages import WrongKey, read

NOT_APPLIED = 1
PARTS = ("merchant", "delivery_options", "tax_rates", "discount_codes", "items")
# A key of an item that is not the item's own: how many there are.
ON_HAND = "on_hand"


@dataclass(frozen=True, slots=True)
class Shop:
    """What a file says. None: it says nothing of that."""

    merchant: Merchant
    delivery_options: list[DeliveryOption] | None
    tax_rates: list[TaxRate] | None
    discount_codes: list[DiscountCode]
    items: list[Item]
    on_hand: dict[str, int]


def apply(
    file: Annotated[Path, typer.Argument(help="As examples/merchant.toml, which shows every key.")],
) -> None:
    """Set a merchant up from a file: delivery, tax, discount codes, items. Safe to repeat.

    Goes to CHECKOUT_TARGET with CHECKOUT_TOKEN, whose platform the merchant is on.
    """
    try:
        shop = shop_in(file.read_text())
        with Checkout.from_env() as checkout:
            _put(checkout, shop)
    except ConfigurationError as error:
        refuse(error)
    except (OSError, tomllib.TOMLDecodeError, WrongKey, CheckoutError) as error:
        _not_applied(file, error)
    print(f"{file}: merchant {shop.merchant.merchant_id} is set up")
    for part in ("delivery_options", "tax_rates", "discount_codes", "items"):
        entries = getattr(shop, part)
        print(f"  {part.ljust(16)}  {len(entries) if entries else 'left as they are'}")


def _not_applied(file: Path, why: Exception) -> NoReturn:
    print(f"checkout-server: {file}: {why}", file=sys.stderr)
    raise typer.Exit(NOT_APPLIED)
