"""How many units of an offer's variant can be bought, as far as anyone can say before the tap."""

from __future__ import annotations

from checkout_sdk._pb.item_pb2 import Stock
from checkout_sdk._pb.quote_pb2 import Availability


def availability(
    stock: Stock, *, quota: int, quota_held: int, quota_committed: int
) -> Availability:
    """The tighter of stock and quota, and the units held there: only they help if they come back.

    A quota may have been lowered below what is used: then nothing is left.
    """
    left = max(quota - quota_held - quota_committed, 0)
    if quota and left < stock.available:
        return Availability(available=left, held=quota_held)
    return Availability(available=stock.available, held=stock.held)
