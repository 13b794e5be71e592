"""Which lines a quote is for, and which other choices of the offer its card shows."""

from __future__ import annotations

from collections.abc import Sequence

from checkout_sdk._pb.offer_pb2 import Offer
from checkout_sdk._pb.quote_pb2 import Availability
from checkout_server.faults import Fault
from checkout_server.offers.availability import availability
from checkout_server.quotes.facts import Facts
from checkout_server.quotes.pricing import PricedItem

# quote.proto's: a token and five amounts each, and an answer may have 64 KiB.
MOST_CHOICES = 24


def selected(facts: Facts) -> list[PricedItem]:
    """What the request names, the offer's first where it names nothing (or what is gone by now)."""
    if facts.offer is None:
        lines = facts.request.lines.lines
        return [_line(facts, line.sku, line.quantity) for line in lines]
    skus = [sku for sku in facts.offer.skus if sku in facts.items]
    if not skus:
        raise Fault("MERCHANT_NOT_READY")
    sku = facts.request.sku if facts.request.sku in skus else skus[0]
    return [_line(facts, sku, facts.request.quantity or _quantities(facts.offer)[0])]


def choices(facts: Facts, chosen: Sequence[PricedItem]) -> list[PricedItem]:
    """The chosen one among them. Beyond the most, every variant in the offer's first quantity comes
    before any in another: a size that is missing costs a sale, a second unit only one of two."""
    if facts.offer is None:
        return []
    order = [sku for sku in facts.offer.skus if sku in facts.items]
    picked = [(line.item.sku, line.quantity) for line in chosen]
    others = [(sku, quantity) for quantity in _quantities(facts.offer) for sku in order]
    kept = list(dict.fromkeys(picked + others))[:MOST_CHOICES]
    kept.sort(key=lambda choice: (order.index(choice[0]), choice[1]))
    return [_line(facts, sku, quantity) for sku, quantity in kept]


def available(facts: Facts, lines: Sequence[PricedItem]) -> Availability:
    """Of several lines, that of the item with the fewest left."""
    if not facts.on_sale:
        return Availability()
    return min(
        (_available(facts, line.item.sku) for line in lines), key=lambda stock: stock.available
    )


def short_of(facts: Facts, lines: Sequence[PricedItem]) -> list[int]:
    """The positions of lines that ask for more than there is, lines of one SKU summed first."""
    if not facts.on_sale:
        return []
    asked: dict[str, int] = {}
    for line in lines:
        asked[line.item.sku] = asked.get(line.item.sku, 0) + line.quantity
    return [
        position
        for position, line in enumerate(lines)
        if asked[line.item.sku] > _available(facts, line.item.sku).available
    ]


def _quantities(offer: Offer) -> Sequence[int]:
    return offer.quantities or (1,)


def _line(facts: Facts, sku: str, quantity: int) -> PricedItem:
    item = facts.items[sku]
    has_price = facts.offer is not None and facts.offer.HasField("price")
    price = facts.offer.price if facts.offer and has_price else item.price
    return PricedItem(item=item, quantity=quantity, unit_price_minor=price.amount_minor)


def _available(facts: Facts, sku: str) -> Availability:
    return availability(
        facts.stock[sku],
        quota=facts.offer.quota if facts.offer else 0,
        quota_held=facts.quota_used.held,
        quota_committed=facts.quota_used.committed,
    )
