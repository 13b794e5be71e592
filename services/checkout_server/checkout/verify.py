"""Who taps, what for, under which key: read from the request alone. No clock, no database.

A key that was seen before must be answered from its attempt before anything that depends on time is
looked at, so nothing here asks whether the quote is still good.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from checkout_sdk._pb import attempt_pb2
from checkout_server import ids
from checkout_server._pb import stored_pb2
from checkout_server.call import Call
from checkout_server.checkout import intent
from checkout_server.faults import Fault, invalid, not_found


@dataclass(frozen=True, slots=True)
class Tapped:
    """`claims` is what the token says; None for a tap without one, which is quoted inside the
    call."""

    merchant: str
    buyer_id: str
    idempotency_key: str
    fingerprint: bytes
    claims: stored_pb2.QuoteClaims | None


def read(
    request: attempt_pb2.PlaceOrderRequest,
    call: Call,
    unseal: Callable[[str], stored_pb2.QuoteClaims],
) -> Tapped:
    for later in ("cart_id", "new_address", "new_payment"):
        if request.HasField(later):
            raise Fault("NOT_IMPLEMENTED", metadata={"field": later})
    buyer_id = call.caller.required_buyer(request.buyer_id)
    if request.quote_token:
        return _with_token(request, call, buyer_id, unseal(request.quote_token))
    if request.WhichOneof("source") is None:
        raise invalid("quote_token", "is required, or one of offer_id and lines")
    if not request.idempotency_key:
        raise invalid("idempotency_key", "is required without a quote_token, which carries one")
    if not request.HasField("expected_total"):
        raise invalid(
            "expected_total", "is required without a quote_token: the total the buyer saw"
        )
    return Tapped(
        merchant=_merchant_of(request, call),
        buyer_id=buyer_id,
        idempotency_key=request.idempotency_key,
        fingerprint=intent.fingerprint_of_request(request, buyer_id),
        claims=None,
    )


def _with_token(
    request: attempt_pb2.PlaceOrderRequest,
    call: Call,
    buyer_id: str,
    claims: stored_pb2.QuoteClaims,
) -> Tapped:
    if claims.audience != call.caller.platform:
        raise Fault("QUOTE_INVALID")
    if claims.buyer_id != buyer_id:
        raise Fault("BUYER_MISMATCH")
    _agree(request, claims)
    payment = request.payment_method_id or claims.payment_method_id
    return Tapped(
        merchant=call.caller.merchant_tag(claims.merchant_id),
        buyer_id=buyer_id,
        idempotency_key=request.idempotency_key or claims.tap_key,
        fingerprint=intent.fingerprint_of_claims(claims, payment),
        claims=claims,
    )


def _agree(request: attempt_pb2.PlaceOrderRequest, claims: stored_pb2.QuoteClaims) -> None:
    """What stands beside a token must say what the token says, or the buyer saw something else."""
    line = claims.lines[0] if len(claims.lines) == 1 else stored_pb2.ClaimedLine()
    codes = [code.upper() for code in request.discount_codes]
    beside: list[tuple[str, object, object]] = [
        ("offer_id", request.offer_id, claims.offer_id),
        ("sku", request.sku, line.sku),
        ("quantity", request.quantity, line.quantity),
        ("address_id", request.address_id, claims.address_id),
        ("delivery_option_id", request.delivery_option_id, claims.delivery_option_id),
        # Codes are compared without case, and a token names them in capitals.
        ("discount_codes", codes, list(claims.discount_codes)),
        ("action_return_url", request.action_return_url, claims.action_return_url),
        ("surface", request.surface, claims.surface),
    ]
    for name, given, signed in beside:
        if given and given != signed:
            raise invalid(name, "differs from the quote: leave it out, or make a new quote")
    total = (claims.totals.total_minor, claims.currency)
    seen = request.expected_total
    if request.HasField("expected_total") and (seen.amount_minor, seen.currency) != total:
        raise invalid("expected_total", "differs from the quote's total: make a new quote")
    if request.HasField("lines"):
        lines = [(line.sku, line.quantity) for line in request.lines.lines]
        if claims.offer_id or lines != [(line.sku, line.quantity) for line in claims.lines]:
            raise invalid("lines", "differ from the quote: leave them out, or make a new quote")
    if request.HasField("attribution") and request.attribution != claims.attribution:
        raise invalid("attribution", "differs from the quote: leave it out")


def _merchant_of(request: attempt_pb2.PlaceOrderRequest, call: Call) -> str:
    if request.HasField("lines"):
        return call.caller.merchant_tag(request.lines.merchant_id)
    tag = ids.tag_of(request.offer_id, "off")
    if tag is None or not call.caller.serves(tag):
        raise not_found()
    return tag
