"""The price of some lines for one buyer: pure, exact, the same for a quote and each of its choices.

Every figure of the whole is decided first and then shared over the lines, so that the lines add up
to the whole field by field, whatever the currency (money.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from checkout_sdk._pb.item_pb2 import Item
from checkout_sdk._pb.merchant_pb2 import DeliveryOption
from checkout_server._pb.stored_pb2 import ClaimedTotals
from checkout_server.quotes import delivery, tax
from checkout_server.quotes.discounts import Discounts, GivenCode, discounts
from checkout_server.quotes.money import shares, step_minor


@dataclass(frozen=True, slots=True)
class PricedItem:
    """One line to be: an item at the price it has here (an offer's price wins over the item's)."""

    item: Item
    quantity: int
    unit_price_minor: int

    @property
    def items_minor(self) -> int:
        return self.unit_price_minor * self.quantity


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a price depends on beside the lines."""

    currency: str
    # Where it goes; None when that is not known, and delivery and tax with it.
    country: str | None
    options: Sequence[DeliveryOption]
    delivery_option_id: str
    rates: tax.Rates
    codes: Sequence[GivenCode]
    now_ms: int


@dataclass(frozen=True, slots=True)
class Price:
    totals: ClaimedTotals
    # One per line, in their order.
    shares: tuple[ClaimedTotals, ...]
    # Those that reach, and the one the totals are for.
    options: tuple[DeliveryOption, ...]
    option: DeliveryOption | None
    deliverable: bool
    discounts: Discounts


def price(lines: Sequence[PricedItem], conditions: Conditions) -> Price:
    step = step_minor(conditions.currency)
    items = [line.items_minor for line in lines]
    reaching = _reaching(lines, conditions)
    option = delivery.chosen(reaching, conditions.delivery_option_id)
    delivery_minor = option.price.amount_minor if option else 0
    off = discounts(
        conditions.codes,
        items_minor=sum(items),
        delivery_minor=delivery_minor,
        now_ms=conditions.now_ms,
        step=step,
    )
    off_items = shares(off.items_minor, items, step)
    deliveries = shares(delivery_minor, items, step)
    # A discount on the delivery is all of it or nothing, so its shares are the delivery's own.
    off_delivery = deliveries if off.delivery_minor else [0] * len(lines)
    taxes = tax.per_line(
        conditions.rates,
        tax_classes=[line.item.tax_class for line in lines],
        goods_minor=[gross - less for gross, less in zip(items, off_items, strict=True)],
        delivery_minor=[cost - less for cost, less in zip(deliveries, off_delivery, strict=True)],
        step=step,
    )
    included = tax.included(conditions.rates)
    of_lines = tuple(
        _totals(items[i], off_items[i] + off_delivery[i], deliveries[i], taxes[i], included)
        for i in range(len(lines))
    )
    totals = _totals(sum(items), off.total_minor, delivery_minor, sum(taxes), included)
    _prove(totals, of_lines, step)
    return Price(
        totals=totals,
        shares=of_lines,
        options=reaching,
        option=option,
        deliverable=bool(option) or not conditions.options or conditions.country is None,
        discounts=off,
    )


def _reaching(lines: Sequence[PricedItem], conditions: Conditions) -> tuple[DeliveryOption, ...]:
    if conditions.country is None:
        return ()
    weight_grams = sum(line.item.weight_grams * line.quantity for line in lines)
    return delivery.reaching(
        conditions.options, country=conditions.country, weight_grams=weight_grams
    )


def _totals(items: int, discount: int, delivery: int, tax: int, included: bool) -> ClaimedTotals:
    return ClaimedTotals(
        items_minor=items,
        discount_minor=discount,
        delivery_minor=delivery,
        tax_minor=tax,
        total_minor=items - discount + delivery + (0 if included else tax),
        tax_included=included,
    )


def _prove(totals: ClaimedTotals, of_lines: Sequence[ClaimedTotals], step: int) -> None:
    """Stays on: a cent that belongs to no line is found here or by an auditor."""
    for field in ("items", "discount", "delivery", "tax", "total"):
        whole = getattr(totals, f"{field}_minor")
        parts = [getattr(line, f"{field}_minor") for line in of_lines]
        if sum(parts) != whole or min(parts) < 0 or whole % step:
            raise AssertionError(f"{field}: {parts} for {whole} in steps of {step}")
