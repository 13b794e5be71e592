"""The limits that one purchase counts against, beside the stock of its lines.

What has no limit is not counted: a limit that is set later counts from then on. The tap takes these
holds as they were signed, so a quote and its tap agree on them whatever is changed in between.
"""

from __future__ import annotations

from collections.abc import Iterable

from checkout_sdk._pb.merchant_pb2 import DiscountCode
from checkout_sdk._pb.offer_pb2 import Offer
from checkout_server._pb.stored_pb2 import Hold


def offer_limits(offer: Offer, *, quantity: int, buyer_id: str) -> list[Hold]:
    holds = []
    if offer.quota:
        holds.append(Hold(kind="quota", id=offer.offer_id, quantity=quantity, limit=offer.quota))
    if offer.cap_per_buyer and buyer_id:
        cap = f"{offer.offer_id}:{buyer_id}"
        holds.append(Hold(kind="cap", id=cap, quantity=quantity, limit=offer.cap_per_buyer))
    return holds


def code_limits(codes: Iterable[DiscountCode], buyer_id: str) -> list[Hold]:
    holds = []
    for terms in codes:
        code = terms.code.upper()
        if terms.max_uses:
            holds.append(Hold(kind="code", id=code, quantity=1, limit=terms.max_uses))
        if terms.max_uses_per_buyer and buyer_id:
            one = f"{code}:{buyer_id}"
            limit = terms.max_uses_per_buyer
            holds.append(Hold(kind="code_buyer", id=one, quantity=1, limit=limit))
    return holds
