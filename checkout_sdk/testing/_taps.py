"""The fake's taps and orders.

The rules are those of the API that show outside: a key answers for ever with what became of it;
only attempts and final answers take a key; nobody pays more than they saw; stock never goes below
zero; the same purchase under another key joins the open attempt or, for a minute, shows the order
there is.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, TypeAlias

from checkout_sdk._pb import attempt_pb2, order_pb2, quote_pb2
from checkout_sdk._values import duration
from checkout_sdk.money import Money
from checkout_sdk.testing._offers import FakeOffer, Offers, Purchase, line, totals
from checkout_sdk.testing._refusal import Refusal, not_found

OutcomeName: TypeAlias = Literal[
    "placed",
    "accepted",
    "action_required",
    "declined",
    "sold_out",
    "limit",
    "throttled",
    "unrecognized",
]
Ending: TypeAlias = Literal["placed", "declined", "cancelled"]

# What a charge comes to, by the reference that the payment method was saved under: the names of
# Stripe and of the server's sandbox. Every other reference pays.
MAGIC: Mapping[str, tuple[OutcomeName, str]] = {
    "pm_card_chargeDeclined": ("declined", "generic_decline"),
    "pm_card_chargeDeclinedInsufficientFunds": ("declined", "insufficient_funds"),
    "pm_card_chargeDeclinedExpiredCard": ("declined", "expired_card"),
    "pm_card_authenticationRequired": ("action_required", ""),
    "pm_card_threeDSecure2Required": ("action_required", ""),
    "pm_sandbox_processing": ("accepted", ""),
}
INTENT_BLOCKED_S = 60.0
FINAL = ("placed", "rejected")


@dataclass(slots=True)
class FakeAttempt:
    purchase: Purchase
    shown: attempt_pb2.Attempt

    @property
    def is_open(self) -> bool:
        return self.shown.WhichOneof("outcome") not in FINAL


class Taps:
    def __init__(self, offers: Offers) -> None:
        self._offers = offers
        self.scripted: list[OutcomeName] = []
        self.attempts: dict[str, FakeAttempt] = {}
        self.orders: dict[str, order_pb2.Order] = {}
        self._by_key: dict[tuple[str, str], FakeAttempt] = {}
        self._placed: dict[tuple[str, str, int], tuple[float, str]] = {}

    def place_order(self, request: attempt_pb2.PlaceOrderRequest) -> attempt_pb2.PlaceOrderResponse:
        purchase, key = self._offers.purchase(request)
        known = self._by_key.get((purchase.buyer_id, key))
        if known is not None:
            if known.purchase != purchase:
                raise Refusal("FAILED_PRECONDITION", "IDEMPOTENCY_CONFLICT", "Another request's.")
            return _answer(known.shown, replayed=True)
        joined = self._open(purchase)
        if joined is not None:
            return _answer(joined.shown, message="JOINED_OPEN_ATTEMPT")
        shown = self._tap(purchase, request)
        if shown.attempt_id:
            attempt = FakeAttempt(purchase, shown)
            self.attempts[shown.attempt_id] = attempt
            self._by_key[purchase.buyer_id, key] = attempt
        return _answer(shown)

    def get_attempt(self, request: attempt_pb2.GetAttemptRequest) -> attempt_pb2.GetAttemptResponse:
        if request.attempt_id:
            return attempt_pb2.GetAttemptResponse(attempt=self.find(request.attempt_id).shown)
        found = self._by_key.get((request.buyer_id, request.idempotency_key))
        if found is None:
            raise not_found()
        return attempt_pb2.GetAttemptResponse(attempt=found.shown)

    def complete_action(
        self, request: attempt_pb2.CompleteActionRequest
    ) -> attempt_pb2.CompleteActionResponse:
        shown = self.settle(self.find(request.attempt_id), "placed")
        return attempt_pb2.CompleteActionResponse(attempt=shown)

    def cancel_attempt(
        self, request: attempt_pb2.CancelAttemptRequest
    ) -> attempt_pb2.CancelAttemptResponse:
        shown = self.settle(self.find(request.attempt_id), "cancelled")
        return attempt_pb2.CancelAttemptResponse(attempt=shown)

    def find(self, attempt_id: str) -> FakeAttempt:
        if attempt_id not in self.attempts:
            raise not_found()
        return self.attempts[attempt_id]

    def settle(self, attempt: FakeAttempt, ending: Ending) -> attempt_pb2.Attempt:
        """Decides an attempt that is still open."""
        if attempt.is_open:
            shown = attempt_pb2.Attempt()
            shown.CopyFrom(attempt.shown)
            shown.version += 1
            if ending == "placed":
                shown.placed.order.CopyFrom(self._order(attempt.purchase, shown.attempt_id))
            else:
                self._offers.find(attempt.purchase.offer_id).take(-attempt.purchase.quantity)
                shown.rejected.CopyFrom(_rejected(ending.upper(), "TAP_AGAIN", new_key=True))
            attempt.shown = shown
        return attempt.shown

    def get_order(self, request: order_pb2.GetOrderRequest) -> order_pb2.GetOrderResponse:
        return order_pb2.GetOrderResponse(order=self.order(request.order_id))

    def list_orders(self, request: order_pb2.ListOrdersRequest) -> order_pb2.ListOrdersResponse:
        found = [each for each in self.orders.values() if each.buyer_id == request.buyer_id]
        found.reverse()
        start = int(request.page_token or 0)
        end = start + (request.page_size or 50)
        return order_pb2.ListOrdersResponse(
            orders=found[start:end], next_page_token=str(end) if end < len(found) else ""
        )

    def cancel_order(self, request: order_pb2.CancelOrderRequest) -> order_pb2.CancelOrderResponse:
        order = self.order(request.order_id)
        if order.state != order_pb2.ORDER_STATE_CANCELLED:
            self._offers.find(order.offer_id).take(-order.lines[0].quantity)
            order.state = order_pb2.ORDER_STATE_CANCELLED
            order.payment_state = order_pb2.PAYMENT_STATE_REFUNDED
            order.refunded.CopyFrom(order.captured)
            order.version += 1
        return order_pb2.CancelOrderResponse(order=order)

    def order(self, order_id: str) -> order_pb2.Order:
        if order_id not in self.orders:
            raise not_found()
        return self.orders[order_id]

    def _open(self, purchase: Purchase) -> FakeAttempt | None:
        for attempt in self.attempts.values():
            if attempt.is_open and attempt.purchase.intent == purchase.intent:
                return attempt
        return None

    def _tap(
        self, purchase: Purchase, request: attempt_pb2.PlaceOrderRequest
    ) -> attempt_pb2.Attempt:
        offer = self._offers.find(purchase.offer_id)
        total_minor = offer.price.amount_minor * purchase.quantity
        seen_minor = request.expected_total.amount_minor or purchase.total_minor
        if total_minor > seen_minor:
            return self._changed(purchase, seen_minor, offer)
        placed_at, order_id = self._placed.get(purchase.intent, (0.0, ""))
        recently = order_id and time.monotonic() - placed_at < INTENT_BLOCKED_S
        if recently and request.repeat_of != order_id:
            shown = _attempt(purchase)
            shown.rejected.CopyFrom(_rejected("DUPLICATE_INTENT", "SHOW_EXISTING_ORDER"))
            shown.rejected.existing_order_id = order_id
            return shown
        return self._charged(purchase, offer)

    def _charged(self, purchase: Purchase, offer: FakeOffer) -> attempt_pb2.Attempt:
        reference = self._offers.people.reference(purchase.payment_method_id)
        name, decline_code = MAGIC.get(reference, ("placed", ""))
        if self.scripted:
            name, decline_code = self.scripted.pop(0), "generic_decline"
        if offer.stock < purchase.quantity:
            name = "sold_out"
        free = _without_a_trace(name, purchase, offer)
        if free is not None:
            return free
        shown = _attempt(purchase)
        if name == "declined":
            step = "OTHER_PAYMENT_METHOD"
            shown.rejected.CopyFrom(_rejected("DECLINED", step, new_key=True))
            shown.rejected.decline_code = decline_code
            return shown
        offer.take(purchase.quantity)
        if name == "placed":
            shown.placed.order.CopyFrom(self._order(purchase, shown.attempt_id))
        elif name == "accepted":
            shown.accepted.ask_again_after.CopyFrom(duration(timedelta(seconds=1)))
        elif name == "action_required":
            shown.action_required.redirect_url = f"https://bank.example/{shown.attempt_id}"
            shown.action_required.expires_in.CopyFrom(duration(timedelta(minutes=5)))
        return shown

    def _changed(
        self, purchase: Purchase, seen_minor: int, offer: FakeOffer
    ) -> attempt_pb2.Attempt:
        quote = self._offers.quote(
            quote_pb2.CreateQuoteRequest(
                buyer_id=purchase.buyer_id,
                offer_id=purchase.offer_id,
                quantity=purchase.quantity,
            )
        )
        was = str(Money(seen_minor, offer.price.currency))
        now = str(Money.from_pb(quote.totals.total))
        change = attempt_pb2.Change(field="total", was=was, now=now)
        changed = attempt_pb2.OfferChanged(quote=quote, changes=[change])
        return attempt_pb2.Attempt(buyer_id=purchase.buyer_id, offer_changed=changed)

    def _order(self, purchase: Purchase, attempt_id: str) -> order_pb2.Order:
        offer = self._offers.find(purchase.offer_id)
        total = totals(offer, purchase.quantity)
        order = order_pb2.Order(
            order_id=f"ord_{secrets.token_hex(15)}",
            attempt_id=attempt_id,
            merchant_id=offer.merchant_id,
            buyer_id=purchase.buyer_id,
            offer_id=offer.offer_id,
            state=order_pb2.ORDER_STATE_PLACED,
            payment_state=order_pb2.PAYMENT_STATE_CAPTURED,
            version=1,
            lines=[line(offer, purchase.quantity)],
            totals=total,
            address_id=purchase.address_id,
            captured=total.total,
        )
        self.orders[order.order_id] = order
        self._placed[purchase.intent] = time.monotonic(), order.order_id
        return order


def _without_a_trace(
    name: OutcomeName, purchase: Purchase, offer: FakeOffer
) -> attempt_pb2.Attempt | None:
    """The outcomes that write nothing: no attempt id, and the key stays free."""
    shown = attempt_pb2.Attempt(buyer_id=purchase.buyer_id)
    if name == "throttled":
        shown.throttled.retry_after.CopyFrom(duration(timedelta(seconds=1)))
    elif name == "sold_out":
        step = "LOWER_QUANTITY" if offer.stock else "NONE"
        shown.rejected.CopyFrom(_rejected("SOLD_OUT", step))
        shown.rejected.available = offer.stock
        shown.rejected.sku = offer.sku
    elif name == "limit":
        shown.rejected.CopyFrom(_rejected("LIMIT", "NONE"))
        shown.rejected.limit = "OFFER_CAP"
    else:
        return None
    return shown


def _attempt(purchase: Purchase) -> attempt_pb2.Attempt:
    attempt_id = f"att_{secrets.token_hex(15)}"
    return attempt_pb2.Attempt(attempt_id=attempt_id, buyer_id=purchase.buyer_id, version=1)


def _rejected(code: str, next_step: str, *, new_key: bool = False) -> attempt_pb2.Rejected:
    return attempt_pb2.Rejected(
        code=attempt_pb2.RejectedCode.Value(f"REJECTED_CODE_{code}"),
        next_step=attempt_pb2.NextStep.Value(f"NEXT_STEP_{next_step}"),
        next_tap_key=f"tap_{secrets.token_hex(15)}" if new_key else "",
    )


def _answer(
    shown: attempt_pb2.Attempt, *, replayed: bool = False, message: str = ""
) -> attempt_pb2.PlaceOrderResponse:
    return attempt_pb2.PlaceOrderResponse(
        attempt=shown,
        replayed=replayed,
        mode=attempt_pb2.MODE_FULL,
        budget=attempt_pb2.Budget(
            steps_used=1, steps_allowed=2, time_allowed=duration(timedelta(milliseconds=800))
        ),
        messages=[quote_pb2.Message(code=message)] if message else [],
    )
