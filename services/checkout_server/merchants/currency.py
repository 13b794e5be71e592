"""Prices a seller sets: in the merchant's currency, and what the provider can charge."""

from __future__ import annotations

from checkout_sdk._pb.money_pb2 import Money
from checkout_server.faults import invalid
from checkout_server.quotes.money import step_minor


def check_price(price: Money, currency: str, field: str) -> None:
    """`field` is the path of `price` in the request."""
    if price.currency != currency:
        raise invalid(f"{field}.currency", f"must be the merchant's: {currency}")
    step = step_minor(currency)
    if price.amount_minor % step:
        raise invalid(
            f"{field}.amount_minor",
            f"must be a multiple of {step}: {currency} is charged in tens of its third decimal",
        )
