from __future__ import annotations

from datetime import timedelta

import pytest

from checkout_sdk import (
    Accepted,
    ActionRequired,
    IdempotencyConflict,
    InvalidRequest,
    Line,
    Money,
    NextStep,
    NotFound,
    OfferChanged,
    OutcomeUnknown,
    Placed,
    PreconditionFailed,
    QuoteInvalid,
    Rejected,
    RejectedCode,
    Throttled,
    Unrecognized,
)

OFFER = "off_demo_mug"


async def test_one_call_places_an_order(checkout, fake_checkout):
    buyer = checkout.for_buyer("u_1")
    quote = await buyer.quote(offer_id=OFFER)

    outcome = await buyer.place_order(quote)

    assert isinstance(outcome, Placed)
    assert outcome.order.total == quote.total == Money(1250, "USD")
    assert outcome.idempotency_key == quote.tap_key
    assert outcome.attempt_id == outcome.order.attempt_id
    assert fake_checkout.orders_of("u_1") == 1


async def test_the_token_alone_is_enough(checkout, fake_checkout):
    buyer = checkout.for_buyer("u_1")
    quote = await buyer.quote(offer_id=OFFER)

    outcome = await buyer.place_order(quote.quote_token, expected_total=quote.total)

    assert outcome.idempotency_key == quote.tap_key


async def test_the_same_tap_again_replays_the_order(checkout, fake_checkout):
    buyer = checkout.for_buyer("u_1")
    quote = await buyer.quote(offer_id=OFFER)
    first = await buyer.place_order(quote)

    again = await buyer.place_order(quote)

    assert again.replayed
    assert not first.replayed
    assert again.order.order_id == first.order.order_id
    assert fake_checkout.orders_of("u_1") == 1


async def test_another_request_under_the_key_is_a_conflict(checkout):
    buyer = checkout.for_buyer("u_1")
    quote = await buyer.quote(offer_id=OFFER)
    other = await buyer.quote(offer_id=OFFER, quantity=2)
    await buyer.place_order(quote)

    with pytest.raises(IdempotencyConflict) as caught:
        await buyer.place_order(other, idempotency_key=quote.tap_key)

    assert caught.value.idempotency_key == quote.tap_key


@pytest.mark.parametrize("times", [1, 10], ids=["one answer lost", "all answers lost"])
async def test_a_lost_answer_does_not_buy_twice(checkout, fake_checkout, times):
    buyer = checkout.for_buyer("u_1")
    quote = await buyer.quote(offer_id=OFFER)
    fake_checkout.lose_next_answer(after_effect=True, times=times)

    outcome = await buyer.place_order(quote)

    assert isinstance(outcome, Placed)
    assert fake_checkout.orders_of("u_1") == 1


async def test_a_tap_nobody_has_seen_is_unknown_and_carries_its_key(checkout, fake_checkout):
    buyer = checkout.for_buyer("u_1")
    quote = await buyer.quote(offer_id=OFFER)
    fake_checkout.lose_next_answer(after_effect=False, times=4)

    with pytest.raises(OutcomeUnknown) as caught:
        await buyer.place_order(quote.quote_token, expected_total=quote.total)

    assert caught.value.idempotency_key == quote.tap_key
    assert caught.value.asked
    assert isinstance(await buyer.place_order(quote), Placed)


async def test_a_token_from_elsewhere_without_a_key_is_unknown_without_one(
    checkout, client_class, fake_checkout
):
    async with client_class.from_env() as other_pod:
        quote = await other_pod.for_buyer("u_1").quote(offer_id=OFFER)
    fake_checkout.lose_next_answer(after_effect=True, times=4)

    with pytest.raises(OutcomeUnknown) as caught:
        await checkout.for_buyer("u_1").place_order(quote.quote_token)

    assert caught.value.idempotency_key is None
    assert not caught.value.asked


async def test_a_decline_says_what_to_do_next(checkout):
    buyer = checkout.for_buyer("u_1")
    await buyer.wallet.save("pm_card_chargeDeclinedInsufficientFunds", make_default=True)

    outcome = await buyer.place_order(await buyer.quote(offer_id=OFFER))

    assert isinstance(outcome, Rejected)
    assert outcome.code is RejectedCode.DECLINED
    assert outcome.next_step is NextStep.OTHER_PAYMENT_METHOD
    assert outcome.decline_code == "insufficient_funds"
    assert outcome.next_tap_key


async def test_a_challenge_is_answered_and_then_placed(checkout):
    buyer = checkout.for_buyer("u_1")
    await buyer.wallet.save("pm_card_threeDSecure2Required", make_default=True)

    asked = await buyer.place_order(await buyer.quote(offer_id=OFFER))

    assert isinstance(asked, ActionRequired)
    assert asked.challenge["kind"] == "redirect"
    assert isinstance(await buyer.complete_action(asked.attempt_id), Placed)


async def test_an_accepted_tap_is_asked_for_until_it_is_placed(checkout, fake_checkout):
    buyer = checkout.for_buyer("u_1")
    fake_checkout.next_outcome("accepted")
    accepted = await buyer.place_order(await buyer.quote(offer_id=OFFER))

    assert isinstance(accepted, Accepted)
    assert accepted.ask_again_after == timedelta(seconds=1)
    fake_checkout.settle()
    asked = await buyer.ask(idempotency_key=accepted.idempotency_key)
    assert isinstance(asked, Placed)
    assert asked.idempotency_key == accepted.idempotency_key


async def test_a_higher_price_is_a_new_quote_and_no_charge(checkout, fake_checkout):
    buyer = checkout.for_buyer("u_1")
    quote = await buyer.quote(offer_id=OFFER)
    fake_checkout.set_price(OFFER, Money(1300, "USD"))

    changed = await buyer.place_order(quote)

    assert isinstance(changed, OfferChanged)
    assert changed.changes == ({"field": "total", "was": "USD 12.50", "now": "USD 13.00"},)
    assert fake_checkout.orders_of("u_1") == 0
    assert isinstance(await buyer.place_order(changed.quote), Placed)


async def test_what_is_sold_out_says_so(checkout, fake_checkout):
    fake_checkout.add_offer("off_last", price=Money(100, "JPY"), stock=1)
    buyer = checkout.for_buyer("u_1")

    outcome = await buyer.place_order(await buyer.quote(offer_id="off_last", quantity=2))

    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.available) == (RejectedCode.SOLD_OUT, 1)
    assert outcome.attempt_id is None


async def test_the_same_purchase_again_shows_the_order_there_is(checkout, fake_checkout):
    buyer = checkout.for_buyer("u_1")
    first = await buyer.place_order(await buyer.quote(offer_id=OFFER))

    second = await buyer.place_order(await buyer.quote(offer_id=OFFER))

    assert isinstance(second, Rejected)
    assert second.next_step is NextStep.SHOW_EXISTING_ORDER
    assert second.existing_order_id == first.order.order_id
    on_purpose = await buyer.place_order(
        await buyer.quote(offer_id=OFFER), repeat_of=first.order.order_id
    )
    assert isinstance(on_purpose, Placed)
    assert fake_checkout.orders_of("u_1") == 2


@pytest.mark.parametrize(
    ("name", "kind"), [("throttled", Throttled), ("unrecognized", Unrecognized)]
)
async def test_scripted_outcomes_arrive_as_their_class(checkout, fake_checkout, name, kind):
    buyer = checkout.for_buyer("u_1")
    fake_checkout.next_outcome(name)

    assert isinstance(await buyer.place_order(await buyer.quote(offer_id=OFFER)), kind)


async def test_a_first_purchase_needs_no_quote(checkout):
    outcome = await checkout.for_buyer("u_1").place_order(
        offer_id=OFFER, expected_total=Money(1250, "USD"), idempotency_key="purchase-1"
    )

    assert isinstance(outcome, Placed)
    assert outcome.idempotency_key == "purchase-1"


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"expected_total": Money(1250, "USD")}, "idempotency_key"),
        ({"idempotency_key": "purchase-1"}, "expected_total"),
    ],
)
async def test_without_a_quote_key_and_total_are_required(checkout, options, field):
    with pytest.raises(InvalidRequest) as caught:
        await checkout.for_buyer("u_1").place_order(offer_id=OFFER, **options)

    assert caught.value.field_violations[0].field == field


async def test_two_sources_are_refused_before_one_is_lost(checkout):
    with pytest.raises(InvalidRequest, match="offer_id, lines"):
        await checkout.for_buyer("u_1").quote(offer_id=OFFER, lines=[Line(sku="mug")])


async def test_a_quote_with_blockers_cannot_be_tapped(checkout):
    buyer = checkout.for_buyer("u_1")
    for address in (await buyer.addresses.list()).items:
        await buyer.addresses.delete(address.address_id)

    with pytest.raises(PreconditionFailed, match="blockers"):
        await buyer.place_order(await buyer.quote(offer_id=OFFER))


async def test_a_forged_token_is_an_invalid_quote(checkout):
    with pytest.raises(QuoteInvalid):
        await checkout.for_buyer("u_1").place_order("forged", expected_total=Money(1, "USD"))


async def test_asking_for_an_unseen_key_is_none_and_for_an_unknown_id_not_found(checkout):
    buyer = checkout.for_buyer("u_1")

    assert await buyer.ask(idempotency_key="tap_unseen") is None
    with pytest.raises(NotFound):
        await buyer.ask(attempt_id="att_unknown")
    with pytest.raises(InvalidRequest):
        await buyer.ask()


async def test_a_cancelled_attempt_gives_its_unit_back(checkout, fake_checkout):
    fake_checkout.add_offer("off_last", price=Money(100, "JPY"), stock=1)
    buyer = checkout.for_buyer("u_1")
    fake_checkout.next_outcome("accepted")
    accepted = await buyer.place_order(await buyer.quote(offer_id="off_last"))

    cancelled = await buyer.cancel_attempt(accepted.attempt_id)

    assert isinstance(cancelled, Rejected)
    assert cancelled.code is RejectedCode.CANCELLED
    assert isinstance(
        await checkout.for_buyer("u_2").place_order(
            await checkout.for_buyer("u_2").quote(offer_id="off_last")
        ),
        Placed,
    )


async def test_an_attempt_is_watched_until_it_is_final(checkout, fake_checkout):
    buyer = checkout.for_buyer("u_1")
    fake_checkout.next_outcome("accepted")
    accepted = await buyer.place_order(await buyer.quote(offer_id=OFFER))

    kinds = []
    async for outcome in buyer.watch(accepted.attempt_id):
        kinds.append(type(outcome))
        fake_checkout.settle()

    assert kinds == [Accepted, Placed]
