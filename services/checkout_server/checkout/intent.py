"""What two taps must share to be the same request, and to be the same wish. Pure.

The fingerprint guards a key: the same key with another fingerprint is a mistake of the caller. It
is made of named, decoded fields, so that a re-encoded, re-signed or re-traced request stays the
same request; token bytes, attribution, consents, journey, risk and trace are not in it.

The intent guards the buyer: an app that loses its key and makes a new one still means the same
purchase.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from checkout_sdk._pb import attempt_pb2
from checkout_server._pb import stored_pb2


def fingerprint_of_claims(claims: stored_pb2.QuoteClaims, payment_method_id: str) -> bytes:
    return _digest(
        "quote",
        claims.buyer_id,
        claims.offer_id,
        claims.cart_id,
        _lines((line.sku, line.quantity, line.unit_price_minor) for line in claims.lines),
        claims.totals.total_minor,
        claims.currency,
        claims.address_id,
        payment_method_id,
        claims.delivery_option_id,
        _texts(claims.discount_codes),
    )


def fingerprint_of_request(request: attempt_pb2.PlaceOrderRequest, buyer_id: str) -> bytes:
    """Of a tap without a token: what it asks for. What it came to is in `expected_total`."""
    return _digest(
        "request",
        buyer_id,
        request.offer_id,
        request.cart_id,
        request.lines.merchant_id,
        _lines((line.sku, line.quantity, 0) for line in request.lines.lines),
        request.sku,
        request.quantity,
        request.expected_total.amount_minor,
        request.expected_total.currency,
        request.address_id,
        request.payment_method_id,
        request.delivery_option_id,
        _texts(request.discount_codes),
    )


def intent_of(claims: stored_pb2.QuoteClaims) -> bytes:
    """The hash of offer and lines: the order of lines, prices and payment do not make it another
    wish."""
    wanted: dict[str, int] = {}
    for line in claims.lines:
        wanted[line.sku] = wanted.get(line.sku, 0) + line.quantity
    lines = _lines((sku, quantity, 0) for sku, quantity in sorted(wanted.items()))
    return _digest("intent", claims.offer_id, claims.cart_id, lines)


def _lines(lines: Iterable[tuple[str, int, int]]) -> str:
    return _texts(f"{len(sku)}:{sku}*{quantity}@{price}" for sku, quantity, price in lines)


def _texts(texts: Iterable[str]) -> str:
    return "".join(f"{len(text)}:{text}," for text in texts)


def _digest(*fields: str | int) -> bytes:
    """Each field with its length before it: no two lists of fields read the same."""
    return hashlib.sha256(_texts(str(field) for field in fields).encode()).digest()
