"""What a token says: all that the tap needs, so that it asks nobody and decides nothing again."""

from __future__ import annotations

from collections.abc import Sequence

from checkout_sdk._pb.merchant_pb2 import DeliveryOption
from checkout_sdk._pb.quote_pb2 import CreateQuoteRequest, Line, LineSource, QuotedDelivery
from checkout_server import ids
from checkout_server._pb.lookup_pb2 import LookupAddressResponse, LookupPaymentMethodResponse
from checkout_server._pb.stored_pb2 import ClaimedLine, ClaimedTotals, Hold, QuoteClaims
from checkout_server.protobuf_time import timestamp_ms
from checkout_server.quotes.facts import Facts
from checkout_server.quotes.limits import code_limits, offer_limits
from checkout_server.quotes.pricing import Price, PricedItem
from checkout_server.quotes.token import VERSION

# Long enough to look at a card twice, short enough that a price error costs little.
PRICE_LOCK_MS = 10 * 60 * 1000


def claims_of(
    facts: Facts,
    lines: Sequence[PricedItem],
    price: Price,
    *,
    address: LookupAddressResponse,
    payment: LookupPaymentMethodResponse,
    livemode: bool,
) -> QuoteClaims:
    """Each call makes a new tap key, so two choices of one card are two purchases."""
    offer, request, merchant = facts.offer, facts.request, facts.terms.merchant
    ends_ms = timestamp_ms(offer.ends_at) if offer else 0
    expires_ms = facts.now_ms + PRICE_LOCK_MS
    return QuoteClaims(
        version=VERSION,
        audience=facts.terms.platform_id,
        merchant_id=merchant.merchant_id,
        buyer_id=facts.buyer_id,
        offer_id=offer.offer_id if offer else "",
        epoch=offer.epoch if offer else 0,
        lines=map(_line, lines, price.shares),
        currency=facts.currency,
        totals=price.totals,
        delivery_option_id=price.option.delivery_option_id if price.option else "",
        discount_codes=[terms.code.upper() for terms in price.discounts.applied],
        address_id=address.address.address_id,
        payment_method_id=payment.payment_method.payment_method_id,
        provider_reference=payment.provider_reference,
        provider_customer=payment.provider_customer,
        tap_key=ids.new_id("tap", facts.terms.tag),
        attribution=request.attribution if request.HasField("attribution") else None,
        issued_ms=facts.now_ms,
        expires_ms=min(expires_ms, ends_ms) if offer else expires_ms,
        action_return_url=request.action_return_url or merchant.action_return_url,
        address=address.address,
        payment_method=payment.payment_method,
        delivery=quoted_delivery(price.option) if price.option else None,
        surface=request.surface,
        limits=_limits(facts, lines, price),
        flash=bool(offer and offer.flash),
        livemode=livemode,
        offer_ends_ms=ends_ms,
    )


def request_again(claims: QuoteClaims) -> CreateQuoteRequest:
    """The request that asks for what these claims were made for."""
    request = CreateQuoteRequest(
        buyer_id=claims.buyer_id,
        address_id=claims.address_id,
        payment_method_id=claims.payment_method_id,
        delivery_option_id=claims.delivery_option_id,
        discount_codes=claims.discount_codes,
        attribution=claims.attribution if claims.HasField("attribution") else None,
        surface=claims.surface,
        action_return_url=claims.action_return_url,
    )
    if claims.offer_id:
        request.offer_id = claims.offer_id
        request.sku = claims.lines[0].sku
        request.quantity = claims.lines[0].quantity
    else:
        lines = [Line(sku=line.sku, quantity=line.quantity) for line in claims.lines]
        request.lines.CopyFrom(LineSource(merchant_id=claims.merchant_id, lines=lines))
    return request


def quoted_delivery(option: DeliveryOption) -> QuotedDelivery:
    return QuotedDelivery(
        delivery_option_id=option.delivery_option_id,
        name=option.name,
        price=option.price,
        min_days=option.min_days,
        max_days=option.max_days,
    )


def _line(line: PricedItem, totals: ClaimedTotals) -> ClaimedLine:
    return ClaimedLine(
        sku=line.item.sku,
        quantity=line.quantity,
        unit_price_minor=line.unit_price_minor,
        totals=totals,
    )


def _limits(facts: Facts, lines: Sequence[PricedItem], price: Price) -> list[Hold]:
    quantity = sum(line.quantity for line in lines)
    of_codes = code_limits(price.discounts.applied, facts.buyer_id)
    if facts.offer is None:
        return of_codes
    return offer_limits(facts.offer, quantity=quantity, buyer_id=facts.buyer_id) + of_codes
