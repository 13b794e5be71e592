"""All that a quote is made of, read before anything is decided.

Five small reads by key, six with discount codes: CreateQuote runs for every card that is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from checkout_sdk._pb.item_pb2 import Item, Stock
from checkout_sdk._pb.offer_pb2 import OFFER_STATE_ENDED, Offer
from checkout_sdk._pb.quote_pb2 import CreateQuoteRequest
from checkout_server import ids
from checkout_server._pb.lookup_pb2 import LookupAddressResponse, LookupPaymentMethodResponse
from checkout_server.call import Caller
from checkout_server.catalog import store as catalog
from checkout_server.database import Reader
from checkout_server.faults import Fault, invalid, not_found
from checkout_server.merchants import store as merchants
from checkout_server.merchants.store import MerchantTerms
from checkout_server.offers import store as offers
from checkout_server.protobuf_time import timestamp_ms
from checkout_server.quotes.buyer import Buyer
from checkout_server.quotes.discounts import GivenCode
from checkout_server.quotes.limits import code_limits
from checkout_server.quotes.store import NOTHING, Counter, Used, used


@dataclass(frozen=True, slots=True)
class Facts:
    request: CreateQuoteRequest
    terms: MerchantTerms
    # None for bare lines.
    offer: Offer | None
    items: Mapping[str, Item]
    stock: Mapping[str, Stock]
    quota_used: Used
    codes: Sequence[GivenCode]
    # Empty: nobody is signed in, and there is no address and no payment method either.
    buyer_id: str
    address: LookupAddressResponse | None
    payment: LookupPaymentMethodResponse | None
    now_ms: int

    @property
    def currency(self) -> str:
        return self.terms.merchant.currency

    @property
    def not_started(self) -> bool:
        return self.offer is not None and self.now_ms < timestamp_ms(self.offer.starts_at)

    @property
    def ended(self) -> bool:
        if self.offer is None:
            return False
        past = timestamp_ms(self.offer.ends_at) <= self.now_ms
        return past or self.offer.state == OFFER_STATE_ENDED

    @property
    def on_sale(self) -> bool:
        return not self.ended and not self.not_started


async def facts_of(
    reader: Reader,
    request: CreateQuoteRequest,
    *,
    caller: Caller,
    buyer: Buyer | None,
    again: bool,
    now_ms: int,
) -> Facts:
    """`again`: the request is what a token was for. What it names may be gone by now, which is news
    for the buyer and no mistake of the caller's."""
    tag, offer = await _source(reader, request, caller)
    terms = await merchants.terms(reader, tag)
    if terms is None or not _is_open_to(caller, terms, request):
        raise not_found()
    if terms.merchant.suspended:
        raise Fault("MERCHANT_NOT_READY")
    skus = list(offer.skus if offer else dict.fromkeys(line.sku for line in request.lines.lines))
    items = await catalog.items(reader, tag, skus)
    if offer is None:
        _check_lines(request, items)
    elif not again and request.sku and request.sku not in items:
        raise invalid("sku", "must be one of the offer's")
    buyer_id = buyer.buyer_id if buyer else ""
    codes, quota_used = await _limits(reader, tag, request, offer, buyer_id)
    return Facts(
        request=request,
        terms=terms,
        offer=offer,
        items=items,
        stock=await catalog.stock(reader, tag, skus),
        quota_used=quota_used,
        codes=codes,
        buyer_id=buyer_id,
        address=buyer.address(request.address_id, must_exist=not again) if buyer else None,
        payment=buyer.payment_method(request.payment_method_id, must_exist=not again)
        if buyer
        else None,
        now_ms=now_ms,
    )


async def _source(
    reader: Reader, request: CreateQuoteRequest, caller: Caller
) -> tuple[str, Offer | None]:
    """The merchant's tag, and the offer if there is one."""
    source = request.WhichOneof("source")
    if source == "cart_id":
        raise Fault("NOT_IMPLEMENTED")
    if source == "lines":
        return caller.merchant_tag(request.lines.merchant_id), None
    tag = ids.tag_of(request.offer_id, "off")
    row = await offers.offer_row(reader, tag, request.offer_id) if tag else None
    if tag is None or row is None or row.platform_id != caller.platform:
        raise not_found()
    return tag, row.offer


def _is_open_to(caller: Caller, terms: MerchantTerms, request: CreateQuoteRequest) -> bool:
    """A tag has 47 bits, so a clash of names can be made on purpose: the names decide."""
    merchant_id = terms.merchant.merchant_id
    if terms.platform_id != caller.platform:
        return False
    if caller.merchants and merchant_id not in caller.merchants:
        return False
    return not request.HasField("lines") or request.lines.merchant_id == merchant_id


def _check_lines(request: CreateQuoteRequest, items: Mapping[str, Item]) -> None:
    for index, line in enumerate(request.lines.lines):
        if line.sku not in items:
            raise invalid(f"lines.lines[{index}].sku", "must be an item of the merchant")


async def _limits(
    reader: Reader, tag: str, request: CreateQuoteRequest, offer: Offer | None, buyer_id: str
) -> tuple[Sequence[GivenCode], Used]:
    """The codes as they stand, and what is used of the offer's quota."""
    given = list(dict.fromkeys(code.upper() for code in request.discount_codes))
    known = await merchants.discount_codes(reader, tag, given) if given else {}
    holds = {code: code_limits([terms], buyer_id) for code, terms in known.items()}
    counters = [Counter(hold.kind, hold.id) for of_code in holds.values() for hold in of_code]
    quota = Counter("quota", offer.offer_id if offer else "")
    if offer and offer.quota:
        counters.append(quota)
    counts = await used(reader, tag, counters)
    codes = [
        GivenCode(
            code=code,
            terms=known.get(code),
            used_up=any(
                sum(counts.get(Counter(hold.kind, hold.id), NOTHING)) + hold.quantity > hold.limit
                for hold in holds.get(code, ())
            ),
        )
        for code in given
    ]
    return codes, counts.get(quota, NOTHING)
