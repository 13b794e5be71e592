"""What discount codes take off: in the order given, each off what the ones before it have left.

A code that does not apply takes nothing off and says why. It is never an error: a buyer types it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from checkout_sdk._pb.merchant_pb2 import DiscountCode
from checkout_server.quotes.money import half_up
from checkout_server.quotes.tax import PPM


@dataclass(frozen=True, slots=True)
class GivenCode:
    """A code as the request names it, in capitals, and what is known of it."""

    code: str
    terms: DiscountCode | None
    # As far as can be said before the tap, which counts.
    used_up: bool = False


@dataclass(frozen=True, slots=True)
class Discounts:
    items_minor: int
    delivery_minor: int
    applied: tuple[DiscountCode, ...]
    # Code, and why not.
    refused: tuple[tuple[str, str], ...]

    @property
    def total_minor(self) -> int:
        return self.items_minor + self.delivery_minor


NONE = Discounts(items_minor=0, delivery_minor=0, applied=(), refused=())


def discounts(
    codes: Sequence[GivenCode], *, items_minor: int, delivery_minor: int, now_ms: int, step: int
) -> Discounts:
    if not codes:
        return NONE
    items_left, delivery_left = items_minor, delivery_minor
    applied: list[DiscountCode] = []
    refused: list[tuple[str, str]] = []
    for given in codes:
        terms = given.terms
        if terms is None:
            refused.append((given.code, "there is no such code"))
            continue
        off_items, off_delivery = _off(terms, items_left, delivery_left, step)
        why = _objection(terms, items_minor, now_ms) or (given.used_up and "it is used up")
        if not why and not off_items and not off_delivery:
            # It must not be used up for nothing.
            why = "there is nothing that it could take off"
        if why:
            refused.append((given.code, why))
            continue
        items_left -= off_items
        delivery_left -= off_delivery
        applied.append(terms)
    return Discounts(
        items_minor=items_minor - items_left,
        delivery_minor=delivery_minor - delivery_left,
        applied=tuple(applied),
        refused=tuple(refused),
    )


def _objection(terms: DiscountCode, items_minor: int, now_ms: int) -> str | None:
    if terms.HasField("starts_at") and now_ms < terms.starts_at.ToMilliseconds():
        return "it is not valid yet"
    if terms.HasField("ends_at") and terms.ends_at.ToMilliseconds() <= now_ms:
        return "it has expired"
    minimum = terms.minimum_items
    if items_minor < minimum.amount_minor:
        return f"the items must cost {minimum.amount_minor} {minimum.currency} in minor units"
    return None


def _off(terms: DiscountCode, items_left: int, delivery_left: int, step: int) -> tuple[int, int]:
    """What it takes off the items, and off the delivery."""
    kind = terms.WhichOneof("kind")
    if kind == "percentage_ppm":
        return half_up(items_left * terms.percentage_ppm, PPM, step), 0
    if kind == "amount":
        return min(terms.amount.amount_minor // step * step, items_left), 0
    return 0, delivery_left
