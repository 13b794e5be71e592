"""`checkout-server apply merchant.toml`: a merchant as its file says, over gRPC.

Everything is put absolutely, so applying a file again changes nothing. A part that the file leaves
out stays as it is. Offers are not here: they come with videos, not with the set-up of a shop.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from checkout_sdk import Checkout, CheckoutError, ConfigurationError, InvalidRequest
from checkout_server import settings as configuration
from checkout_server.cli.merchant_file import PARTS, Shop, shop_in
from checkout_server.cli.serve import refuse
from checkout_server.cli.toml_messages import WrongKey

NOT_APPLIED = 1


def apply(
    file: Annotated[Path, typer.Argument(help="As examples/merchant.toml, which shows every key.")],
) -> None:
    """Set a merchant up from a file: delivery, tax, discount codes, items. Safe to repeat.

    Goes to CHECKOUT_TARGET with CHECKOUT_TOKEN; the merchant belongs to that token's platform.
    """
    unset = configuration.unset("CHECKOUT_TARGET", "CHECKOUT_TOKEN")
    if unset:
        refuse(
            "apply needs CHECKOUT_TARGET (host:port) and CHECKOUT_TOKEN. "
            f"Not set: {', '.join(unset)}. `checkout-server dev` prints both."
        )
    try:
        shop = shop_in(file.read_text(encoding="utf-8"))
        with Checkout.from_env() as checkout:
            _put(checkout, shop)
    except ConfigurationError as error:
        refuse(error)
    except OSError as error:
        _not_applied(f"cannot read {file}: {error.strerror}")
    except (UnicodeError, tomllib.TOMLDecodeError, WrongKey) as error:
        _not_applied(f"{file}: {error}")
    except CheckoutError as error:
        _not_applied(f"{file} could not be applied: {error}")
    print(f"{file}: merchant {shop.merchant.merchant_id} is set up")
    for part in PARTS[1:]:
        entries = getattr(shop, part)
        print(f"  {part.ljust(16)}  {'as they were' if entries is None else len(entries)}")


def _put(checkout: Checkout, shop: Shop) -> None:
    admin, merchant_id = checkout.admin, shop.merchant.merchant_id
    with _told_by_place("merchant", "merchant"):
        admin.put_merchant(shop.merchant)
    if shop.delivery_options is not None:
        with _told_by_place("delivery_options", "delivery_options"):
            admin.put_delivery_options(merchant_id, shop.delivery_options)
    if shop.tax_rates is not None:
        with _told_by_place("rates", "tax_rates"):
            admin.put_tax_table(merchant_id, shop.tax_rates)
    for index, code in enumerate(shop.discount_codes or ()):
        with _told_by_place("discount_code", f"discount_codes[{index}]"):
            admin.put_discount_code(merchant_id, code)
    # One a call, so that what is refused is named by its place in the file, not in a batch.
    for index, item in enumerate(shop.items or ()):
        with _told_by_place("items[0]", f"items[{index}]"):
            admin.put_items(merchant_id, [item])
        if index in shop.on_hand:
            with _told_by_place("on_hand", f"items[{index}].on_hand"):
                admin.set_stock(merchant_id, item.sku, shop.on_hand[index])


@contextmanager
def _told_by_place(field: str, place: str) -> Iterator[None]:
    """What the server says of a request's `field` is said of its place in the file."""
    try:
        yield
    except InvalidRequest as error:
        violations = error.field_violations
        if not violations:
            raise
        first = violations[0]
        raise WrongKey(place + first.field.removeprefix(field), first.description) from error


def _not_applied(why: str) -> NoReturn:
    print(f"checkout-server: {why}", file=sys.stderr)
    raise typer.Exit(NOT_APPLIED)
