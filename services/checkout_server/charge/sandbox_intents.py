"""What the sandbox's operations do to an intent, within a transaction of the book.

Each says what to answer and whether it did anything. One that the intent is past answers with what
the intent is now and does nothing: a void of a captured charge is answered with the charge.
"""

from __future__ import annotations

from hashlib import sha256
from urllib.parse import urlsplit

from checkout_sdk._pb import merchant_pb2
from checkout_sdk._pb.attempt_pb2 import ActionRequired
from checkout_sdk._pb.money_pb2 import Money
from checkout_server._pb import charge_pb2
from checkout_server._pb.charge_pb2 import (
    AuthorizeRequest,
    AuthorizeResponse,
    CaptureRequest,
    CaptureResponse,
    Charge,
    RefundRequest,
    RefundResponse,
    VoidRequest,
    VoidResponse,
)
from checkout_server.charge.gateway import STATUS_OF, unknown
from checkout_server.charge.sandbox_book import PROCESSING_MS, Book, Intent
from checkout_server.charge.sandbox_methods import AFTER_EFFECT, Hiccup, SandboxMethod
from checkout_server.faults import invalid
from checkout_server.protobuf_time import duration

# What Stripe cancels. A processing intent it does not, and a succeeded one is refunded.
CANCELLABLE = frozenset(
    {"requires_confirmation", "requires_action", "requires_payment_method", "requires_capture"}
)
# 409 passes with the request that is at work, 429 with the second it counts.
RETRY_AFTER_MS = {Hiccup.HTTP_409: 200, Hiccup.HTTP_429: 1_000}


def create(
    book: Book, request: AuthorizeRequest, method: SandboxMethod | None, now_ms: int
) -> tuple[AuthorizeResponse, bool]:
    if method is None:
        status = charge_pb2.CHARGE_STATUS_DECLINED
        declined = Charge(status=status, decline_code="resource_missing", account=request.account)
        return AuthorizeResponse(charge=declined), False
    intent = _new_intent(book, request, now_ms)
    if request.tombstone:
        book.save(intent)
        return AuthorizeResponse(charge=charge_of(intent)), True
    hiccup = method.hiccup
    if hiccup and hiccup not in AFTER_EFFECT and not book.tried(request.account, request.key):
        return AuthorizeResponse(charge=turned_away(hiccup)), False
    intent = _confirm(book, intent, method, now_ms)
    if hiccup is Hiccup.HTTP_500_STORED:
        return AuthorizeResponse(charge=unknown(hiccup)), True
    return AuthorizeResponse(charge=charge_of(intent)), True


def capture(book: Book, request: CaptureRequest, now_ms: int) -> tuple[CaptureResponse, bool]:
    intent = find(book, request.account, request.provider_intent, now_ms)
    if intent is None or intent.status != "requires_capture":
        return CaptureResponse(charge=charge_of(intent)), False
    amount_minor = _within(request.amount, intent.amount_minor, intent.currency)
    captured = intent._replace(status="succeeded", captured_minor=amount_minor)
    book.save(captured)
    book.move(captured, "captured", amount_minor, now_ms)
    if amount_minor < intent.amount_minor:
        book.move(captured, "released", intent.amount_minor - amount_minor, now_ms)
    return CaptureResponse(charge=charge_of(captured)), True


def void(book: Book, request: VoidRequest, now_ms: int) -> tuple[VoidResponse, bool]:
    intent = find(book, request.account, request.provider_intent, now_ms)
    if intent is None or intent.status not in CANCELLABLE:
        return VoidResponse(charge=charge_of(intent)), False
    cancelled = intent._replace(status="canceled")
    book.save(cancelled)
    if intent.status == "requires_capture":
        book.move(cancelled, "released", intent.amount_minor, now_ms)
    return VoidResponse(charge=charge_of(cancelled)), True


def refund(book: Book, request: RefundRequest, now_ms: int) -> tuple[RefundResponse, bool]:
    intent = find(book, request.account, request.provider_intent, now_ms)
    left_minor = intent.captured_minor - intent.refunded_minor if intent else 0
    if intent is None or left_minor == 0:
        return RefundResponse(charge=charge_of(intent)), False
    amount_minor = _within(request.amount, left_minor, intent.currency)
    refunded = intent._replace(refunded_minor=intent.refunded_minor + amount_minor)
    book.save(refunded)
    book.move(refunded, "refunded", amount_minor, now_ms)
    refund_id = _made_id("re_sbx_", request.account, request.key, intent.intent_id)
    return RefundResponse(charge=charge_of(refunded), provider_refund=refund_id), True


def find(book: Book, account: str, intent_id: str, now_ms: int) -> Intent | None:
    """The intent as it is now: a processing one may have made up its mind."""
    intent = book.intent(intent_id)
    if intent is None or intent.account != account:
        return None
    if intent.status == "processing" and now_ms >= intent.created_ms + PROCESSING_MS:
        return book.take(intent, now_ms)
    return intent


def charge_of(intent: Intent | None) -> Charge:
    if intent is None:
        return unknown("no_such_intent")
    status = STATUS_OF[intent.status]
    if intent.captured_minor and intent.refunded_minor == intent.captured_minor:
        status = charge_pb2.CHARGE_STATUS_REFUNDED
    amount_minor = intent.captured_minor or intent.amount_minor
    charge = Charge(
        status=status,
        provider_intent=intent.intent_id,
        amount=Money(amount_minor=amount_minor, currency=intent.currency),
        account=intent.account,
        decline_code=intent.decline_code,
    )
    if intent.status == "requires_action":
        charge.action.CopyFrom(ActionRequired(redirect_url=_challenge_url(intent)))
    if intent.refunded_minor:
        given_back = Money(amount_minor=intent.refunded_minor, currency=intent.currency)
        charge.refunded.CopyFrom(given_back)
    return charge


def turned_away(hiccup: Hiccup) -> Charge:
    """Nothing was done. Busy where the provider said so, else nobody knows."""
    retry_after_ms = RETRY_AFTER_MS.get(hiccup)
    if retry_after_ms is None:
        return unknown(hiccup)
    return Charge(
        status=charge_pb2.CHARGE_STATUS_BUSY, reason=hiccup, retry_after=duration(retry_after_ms)
    )


def _new_intent(book: Book, request: AuthorizeRequest, now_ms: int) -> Intent:
    manual = request.capture_mode == merchant_pb2.CAPTURE_MODE_MANUAL
    return Intent(
        intent_id=_intent_id(book, request.account, request.key),
        account=request.account,
        key=request.key,
        merchant_id=request.merchant_id,
        attempt_id=request.attempt_id,
        payment_method=request.provider_reference,
        amount_minor=request.amount.amount_minor,
        currency=request.amount.currency,
        capture_method="manual" if manual else "automatic",
        return_url=request.return_url,
        status="requires_confirmation",
        decline_code="",
        captured_minor=0,
        refunded_minor=0,
        created_ms=now_ms,
    )


def _confirm(book: Book, intent: Intent, method: SandboxMethod, now_ms: int) -> Intent:
    intent = intent._replace(
        amount_minor=intent.amount_minor + method.extra_minor, decline_code=method.decline_code
    )
    if method.comes_to == "succeeded":
        return book.take(intent, now_ms)
    confirmed = intent._replace(status=method.comes_to)
    book.save(confirmed)
    return confirmed


def _within(amount: Money, most_minor: int, currency: str) -> int:
    if amount.currency != currency:
        raise invalid("amount.currency", "must be the currency of the charge")
    if not 0 < amount.amount_minor <= most_minor:
        raise invalid("amount.amount_minor", "must be from 1 to what is left of the charge")
    return amount.amount_minor


def _intent_id(book: Book, account: str, key: str) -> str:
    """Made from the key, so that a replay after any crash names the same one. A key that is used
    anew after it was forgotten makes another intent: there is one a day at the most."""
    life = 0
    while book.intent(intent_id := _made_id("pi_sbx_", account, key, str(life))) is not None:
        life += 1
    return intent_id


def _made_id(prefix: str, *parts: str) -> str:
    return prefix + sha256("\0".join(parts).encode()).hexdigest()[:24]


def _challenge_url(intent: Intent) -> str:
    if not intent.return_url:
        return f"https://sandbox.invalid/challenge/{intent.intent_id}"
    url = urlsplit(intent.return_url)
    query = f"{url.query}&" if url.query else ""
    return url._replace(query=f"{query}sandbox_challenge={intent.intent_id}").geturl()
