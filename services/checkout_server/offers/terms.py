"""What an offer must be as a whole: asked when it is made and again after each update."""

from __future__ import annotations

from checkout_sdk._pb.offer_pb2 import Offer
from checkout_server.catalog import store as catalog
from checkout_server.database import Reader
from checkout_server.faults import invalid
from checkout_server.merchants.currency import check_price
from checkout_server.merchants.store import MerchantRow
from checkout_server.offers.rules import MOST_SKUS, MOST_TITLE
from checkout_server.protobuf_time import timestamp_ms

# 400 days: a year's campaign with a month of notice. Later is more likely a mistyped date.
LONGEST_AHEAD_MS = 400 * 24 * 60 * 60 * 1000


async def check_terms(reader: Reader, row: MerchantRow, offer: Offer, now_ms: int) -> None:
    """Raises INVALID_FIELD. Field paths are those of a request whose `offer` this is."""
    if not offer.title:
        raise invalid("offer.title", f"must have 1 to {MOST_TITLE} characters")
    if offer.HasField("price"):
        check_price(offer.price, row.merchant.currency, "offer.price")
    for index, quantity in enumerate(offer.quantities):
        if quantity in offer.quantities[:index]:
            raise invalid(f"offer.quantities[{index}]", "must be another than those before it")
    _check_times(offer, now_ms)
    await _check_skus(reader, row.tag, offer)


def _check_times(offer: Offer, now_ms: int) -> None:
    if not offer.HasField("ends_at"):
        raise invalid("offer.ends_at", "must be set")
    ends_ms = timestamp_ms(offer.ends_at)
    if ends_ms <= timestamp_ms(offer.starts_at):
        raise invalid("offer.ends_at", "must be later than starts_at")
    if ends_ms > now_ms + LONGEST_AHEAD_MS:
        raise invalid("offer.ends_at", "must be at most 400 days ahead")


async def _check_skus(reader: Reader, tag: str, offer: Offer) -> None:
    if not offer.skus:
        raise invalid("offer.skus", f"must have 1 to {MOST_SKUS} entries")
    for index, sku in enumerate(offer.skus):
        if sku in offer.skus[:index]:
            raise invalid(f"offer.skus[{index}]", "must be another than those before it")
    known = await catalog.items(reader, tag, offer.skus)
    for index, sku in enumerate(offer.skus):
        if sku not in known:
            raise invalid(f"offer.skus[{index}]", "must be an item of the merchant")
