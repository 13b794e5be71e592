"""What can become of a tap, one story each: what happens in it, and what must come of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from checkout_sdk import Journey, Money, Placed, Quote, Rejected
from checkout_server.cli.demo.shop import PRICE, Shop
from checkout_server.cli.demo.taps import NotAsExpected, Taps, attempt_of

CHEAPER = Money(PRICE.amount_minor - 500, PRICE.currency)
DEARER = Money(PRICE.amount_minor + 500, PRICE.currency)
# An offer's clock is read off a worker's last sign of life, up to 1 s old: what is left is enough
# for a quote.
SHORT_OFFER = timedelta(seconds=3)
HOUR = timedelta(hours=1)
# The first tap was one; choosing another card, which is the second tap, is one more.
SECOND_STEP = Journey(steps=2)


@dataclass(frozen=True, slots=True)
class Story:
    name: str
    play: Callable[[Shop, Taps], None]
    expected: str
    orders: int = 1
    charges: int = 1
    steps: int = 1


def placed(shop: Shop, taps: Taps) -> None:
    buyer = shop.buyer()
    quote = buyer.quote(offer_id=shop.offer().offer_id)
    taps.note(lambda: buyer.place_order(quote))


def same_key(shop: Shop, taps: Taps) -> None:
    buyer = shop.buyer()
    quote = buyer.quote(offer_id=shop.offer().offer_id)
    first = taps.note(lambda: buyer.place_order(quote))
    again = taps.note(lambda: buyer.place_order(quote))
    _same("the order", _order_id(again), _order_id(first))


def declined(shop: Shop, taps: Taps) -> None:
    buyer = shop.buyer("pm_card_chargeDeclined", "pm_card_visa")
    other = next(method for method in buyer.wallet.iter() if not method.is_default)
    quote = buyer.quote(offer_id=shop.offer().offer_id)
    no = taps.note(lambda: buyer.place_order(quote))
    if not isinstance(no, Rejected):
        raise NotAsExpected("the card was not declined")
    taps.note(
        lambda: buyer.place_order(
            quote,
            idempotency_key=no.next_tap_key,
            payment_method_id=other.payment_method_id,
            journey=SECOND_STEP,
        )
    )


def sold_out(shop: Shop, taps: Taps) -> None:
    offer = shop.offer(stock=1)
    quick, slow = shop.buyer(), shop.buyer()
    seen_by_both = [buyer.quote(offer_id=offer.offer_id) for buyer in (quick, slow)]
    quick.place_order(seen_by_both[0])
    taps.note(lambda: slow.place_order(seen_by_both[1]))


def challenge(shop: Shop, taps: Taps) -> None:
    buyer = shop.buyer("pm_card_threeDSecure2Required")
    quote = buyer.quote(offer_id=shop.offer().offer_id)
    attempt_id = attempt_of(taps.note(lambda: buyer.place_order(quote)))
    at_the_bank = shop.evidence.intent_of(attempt_id).intent_id
    now_ms = shop.evidence.now().ms
    shop.evidence.book.complete_challenge(at_the_bank, passed=True, now_ms=now_ms)
    taps.note(lambda: buyer.complete_action(attempt_id))


def dearer(shop: Shop, taps: Taps) -> None:
    offer, buyer = shop.offer(), shop.buyer()
    quote = buyer.quote(offer_id=offer.offer_id)
    shop.checkout.admin.update_offer(offer.offer_id, price=DEARER)
    taps.note(lambda: buyer.place_order(quote))


def cheaper(shop: Shop, taps: Taps) -> None:
    offer, buyer = shop.offer(), shop.buyer()
    quote = buyer.quote(offer_id=offer.offer_id)
    shop.checkout.admin.update_offer(offer.offer_id, price=CHEAPER)
    outcome = taps.note(lambda: buyer.place_order(quote))
    if isinstance(outcome, Placed) and outcome.order.total.amount_minor >= quote.total.amount_minor:
        raise NotAsExpected(f"charged {outcome.order.total}, quoted {quote.total}")


def expired(shop: Shop, taps: Taps) -> None:
    """A quote lives no longer than its offer, which here is prolonged after the quote."""
    offer, buyer = shop.offer(lasts=SHORT_OFFER), shop.buyer()
    quote = buyer.quote(offer_id=offer.offer_id)
    ends_at = shop.evidence.now().utc + HOUR
    shop.checkout.admin.update_offer(offer.offer_id, ends_at=ends_at)
    _wait_until_expired(quote)
    outcome = taps.note(lambda: buyer.place_order(quote))
    if isinstance(outcome, Placed):
        _same("the total", str(outcome.order.total), str(quote.total))


def slow_provider(shop: Shop, taps: Taps) -> None:
    buyer = shop.buyer("pm_sandbox_slow_1500")
    quote = buyer.quote(offer_id=shop.offer().offer_id)
    accepted = taps.note(lambda: buyer.place_order(quote))
    taps.note_the_end(buyer, attempt_of(accepted))


def duplicate(shop: Shop, taps: Taps) -> None:
    offer, buyer = shop.offer(), shop.buyer()
    first_quote = buyer.quote(offer_id=offer.offer_id)
    first = taps.note(lambda: buyer.place_order(first_quote))
    second_quote = buyer.quote(offer_id=offer.offer_id)
    second = taps.note(lambda: buyer.place_order(second_quote))
    if isinstance(second, Rejected):
        _same("the order to show", second.existing_order_id, _order_id(first))


def killed(shop: Shop, taps: Taps) -> None:
    """The provider has charged; the server dies before it knows."""
    buyer = shop.buyer("pm_sandbox_slow_2000")
    quote = buyer.quote(offer_id=shop.offer().offer_id)
    attempt_id = attempt_of(taps.note(lambda: buyer.place_order(quote)))
    shop.server.kill()
    _same("the state at the crash", shop.evidence.state_of(attempt_id), "CHARGING")
    _same("the charge at the crash", shop.evidence.intent_of(attempt_id).status, "succeeded")
    shop.server.start()
    taps.note_the_end(buyer, attempt_id)


STORIES = (
    Story("placed", placed, "placed"),
    Story("same key replayed", same_key, "placed, then placed (replayed)"),
    Story(
        "declined, then another card",
        declined,
        "rejected (DECLINED), then placed",
        steps=2,
    ),
    # The one order is the quicker buyer's.
    Story("sold out", sold_out, "rejected (SOLD_OUT)"),
    Story("challenge completed", challenge, "challenge, then placed", steps=2),
    Story(
        "offer repriced: dearer",
        dearer,
        "offer changed (total)",
        orders=0,
        charges=0,
    ),
    Story("offer repriced: cheaper", cheaper, "placed (quote refreshed)"),
    Story("quote expired, not dearer", expired, "placed (quote refreshed)"),
    Story("slow provider", slow_provider, "accepted, then placed"),
    Story("duplicate intent", duplicate, "placed, then rejected (DUPLICATE_INTENT)"),
    Story("killed in mid-charge, restarted", killed, "accepted, then placed"),
)


def _same(what: str, seen: object, expected: object) -> None:
    if seen != expected:
        raise NotAsExpected(f"{what} is {seen}, not {expected}")


def _order_id(outcome: object) -> str | None:
    return outcome.order.order_id if isinstance(outcome, Placed) else None


def _wait_until_expired(quote: Quote) -> None:
    if quote.expires_at is None or quote.server_time is None:
        raise NotAsExpected("the quote does not say when it expires")
    time.sleep((quote.expires_at - quote.server_time).total_seconds())
