"""What a tap comes to, by token and without one, and what it costs."""

from __future__ import annotations

from itertools import count

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError

from checkout_sdk._pb import attempt_pb2, order_pb2
from tests.answers import field_of, outcome_of, reason_of, refusal_of, state_of
from tests.buyer import basket
from tests.services.checkout.conftest import OpenWorld
from tests.world import DELIVERY_MINOR, HURRIED_MS, MUG_MINOR, TOTAL_MINOR, World, eventually, usd


async def test_a_tap_places_an_order(world: World):
    offer = await world.offer()
    ann = await world.buyer()
    quote = await ann.quote(offer)
    answer = await ann.tap(quote, client_reference="r-1", metadata={"clip": "7"})
    order = answer.attempt.placed.order
    assert outcome_of(answer) == "placed"
    assert not answer.replayed
    assert order == await world.order(order.order_id)
    assert order.totals.total == usd(TOTAL_MINOR)
    assert order.payment_state == order_pb2.PAYMENT_STATE_CAPTURED
    assert [(line.sku, line.title, line.quantity) for line in order.lines] == [("mug", "A mug", 1)]
    assert (order.client_reference, dict(order.metadata)) == ("r-1", {"clip": "7"})
    assert (order.address, order.payment_method) == (quote.address, quote.payment_method)
    stock = await world.stock()
    assert (stock.held, stock.committed) == (0, 1)


async def test_a_tap_by_token_is_two_commits_and_one_post(world: World):
    offer = await world.offer()
    ann = await world.buyer()
    quote = await ann.quote(offer)
    renewals = len(world.database.commits_of("worker"))
    before = len(world.database.commits) - renewals
    answer = await ann.tap(quote)
    renewals = len(world.database.commits_of("worker"))
    assert outcome_of(answer) == "placed"
    assert len(world.database.commits) - renewals - before == 2
    assert world.book.posts() == 1
    assert world.results(answer.attempt.attempt_id) == [("authorize", "captured")]


async def test_the_answer_tells_its_budget(world: World):
    offer = await world.offer()
    answer = await (await world.buyer()).buy(offer)
    budget = answer.budget
    assert (budget.steps_used, budget.steps_allowed) == (1, 2)
    assert budget.time_allowed.ToMilliseconds() == world.settings.answer_within_ms
    assert 0 < budget.time_used.ToMicroseconds() < budget.time_allowed.ToMicroseconds()
    assert [stage.name for stage in budget.stages] == ["verify", "reserve", "charge", "record"]
    assert answer.mode == attempt_pb2.MODE_FULL


async def test_a_tap_without_a_token_buys_at_the_total_the_buyer_saw(world: World):
    offer = await world.offer()
    ann = await world.buyer()
    of_offer = await ann.tap(
        offer_id=offer.offer_id, idempotency_key="tap-00001", expected_total=usd(TOTAL_MINOR)
    )
    assert outcome_of(of_offer) == "placed"
    assert of_offer.attempt.placed.order.totals.total == usd(TOTAL_MINOR)
    of_lines = await ann.tap(
        lines=basket(("mug", 2), ("tee", 1)),
        idempotency_key="tap-00002",
        expected_total=usd(2 * MUG_MINOR + 2_000 + DELIVERY_MINOR + 1),
    )
    # A cent more than it costs was expected: the buyer pays what it costs.
    assert of_lines.attempt.placed.order.totals.total == usd(2 * MUG_MINOR + 2_000 + DELIVERY_MINOR)
    assert world.book.posts() == 2


async def test_a_total_above_the_expected_one_is_shown_first(world: World):
    offer = await world.offer()
    ann = await world.buyer()
    answer = await ann.tap(
        offer_id=offer.offer_id, idempotency_key="tap-00001", expected_total=usd(TOTAL_MINOR - 1)
    )
    assert outcome_of(answer) == "offer_changed"
    [change] = answer.attempt.offer_changed.changes
    assert (change.field, change.was, change.now) == ("total", "1999 USD", "2000 USD")
    agreed = await ann.tap(answer.attempt.offer_changed.quote, idempotency_key="tap-00001")
    assert outcome_of(agreed) == "placed"


async def test_a_tap_without_a_token_says_what_it_lacks(world: World):
    offer = await world.offer()
    ann = await world.buyer()
    fields = {
        "offer_id": offer.offer_id,
        "idempotency_key": "tap-00001",
        "expected_total": usd(TOTAL_MINOR),
        "buyer_id": ann.buyer_id,
    }
    for left_out in fields:
        with pytest.raises(AioRpcError) as caught:
            await ann.tap(**fields | {left_out: None})
        assert caught.value.code() is StatusCode.INVALID_ARGUMENT
        lacking = "quote_token" if left_out == "offer_id" else left_out
        assert field_of(caught.value) == lacking
    assert await world.count("attempt") == 0


async def test_a_slow_provider_makes_it_accepted_and_then_placed(open_world: OpenWorld):
    async with open_world(answer_within_ms=HURRIED_MS) as world:
        offer = await world.offer()
        ann = await world.buyer()
        quote = await ann.quote(offer)
        world.line.hold()
        answer = await ann.tap(quote)
        assert outcome_of(answer) == "accepted"
        assert state_of(answer.attempt) == "CHARGING"
        assert answer.attempt.accepted.ask_again_after.ToMilliseconds() > 0
        assert answer.attempt.accepted.decided_by.ToMilliseconds() > world.now_ms()
        world.line.release()
        placed = await world.reaches(answer.attempt.attempt_id, "PLACED")
        assert await ann.asks(quote.tap_key) == placed
        assert world.creates(placed.attempt_id) == 1


async def test_a_merchant_may_give_the_provider_more_time(open_world: OpenWorld):
    async with open_world(answer_within_ms=HURRIED_MS) as world:
        await world.open_shop(answer_within_ms=3_000)
        offer = await world.offer()
        answer = await (await world.buyer("pm_sandbox_slow_400")).buy(offer)
        assert outcome_of(answer) == "placed"
        assert answer.budget.time_allowed.ToMilliseconds() == 3_000


async def test_a_declined_tap_says_why_and_what_next(world: World):
    offer = await world.offer()
    ann = await world.buyer("pm_card_chargeDeclinedInsufficientFunds")
    answer = await ann.buy(offer)
    assert refusal_of(answer) == "DECLINED"
    rejected = answer.attempt.rejected
    assert rejected.decline_code == "insufficient_funds"
    assert rejected.next_step == attempt_pb2.NEXT_STEP_OTHER_PAYMENT_METHOD
    assert rejected.next_tap_key.startswith("tap_")
    assert (await world.stock()).held == 0
    assert await world.counter("open", ann.buyer_id) == (0, 0)


async def test_a_declined_buyer_taps_the_same_quote_with_another_card(world: World):
    offer = await world.offer()
    ann = await world.buyer("pm_card_chargeDeclined")
    quote = await ann.quote(offer)
    declined = await ann.tap(quote)
    visa = await ann.add_card("pm_card_visa")
    answer = await ann.tap(
        quote,
        idempotency_key=declined.attempt.rejected.next_tap_key,
        payment_method_id=visa,
    )
    assert outcome_of(answer) == "placed"
    assert answer.attempt.placed.order.payment_method.payment_method_id == visa


async def test_a_bank_that_wants_the_buyer_is_action_required(world: World):
    offer = await world.offer()
    answer = await (await world.buyer("pm_card_threeDSecure2Required")).buy(offer)
    assert outcome_of(answer) == "action_required"
    action = answer.attempt.action_required
    assert action.redirect_url.startswith("https://app.example/back?sandbox_challenge=pi_")
    assert 290_000 < action.expires_in.ToMilliseconds() <= 300_000
    assert answer.budget.steps_used == 2
    assert (await world.stock()).held == 1


async def test_a_flash_offer_gives_the_bank_less_time(world: World):
    offer = await world.offer(flash=True)
    answer = await (await world.buyer("pm_card_threeDSecure2Required")).buy(offer)
    left_ms = answer.attempt.action_required.expires_in.ToMilliseconds()
    assert 80_000 < left_ms <= 90_000


async def test_a_free_order_asks_no_provider(world: World):
    await world.put_delivery(price=usd(0))
    await world.put_code(code="GIFT", percentage_ppm=1_000_000)
    offer = await world.offer()
    for buyer in await world.buyers(2):
        answer = await buyer.tap(await buyer.quote(offer, discount_codes=["gift"]))
        order = answer.attempt.placed.order
        assert (order.totals.total, order.captured) == (usd(0), usd(0))
    assert world.book.journal() == []


async def test_a_shop_that_captures_later_has_it_authorized(world: World):
    await world.open_shop(capture_mode="CAPTURE_MODE_MANUAL")
    offer = await world.offer()
    answer = await (await world.buyer()).buy(offer)
    order = answer.attempt.placed.order
    assert order.payment_state == order_pb2.PAYMENT_STATE_AUTHORIZED
    assert (order.captured, order.totals.total) == (usd(0), usd(TOTAL_MINOR))


async def test_a_suspended_shop_takes_no_new_tap_and_answers_old_keys(world: World):
    offer = await world.offer()
    ann, bob = await world.buyer(), await world.buyer("pm_card_chargeDeclined")
    first, late = await ann.quote(offer), await bob.quote(offer)
    placed = await ann.tap(first)
    await world.open_shop(suspended=True)
    keys = (f"late-{number:05}" for number in count())

    async def refused() -> AioRpcError | None:
        try:
            await bob.tap(late, idempotency_key=next(keys))
        except AioRpcError as error:
            return error
        return None

    # What a tap knows of a merchant may be a second old.
    error = await eventually(refused)
    assert error is not None
    assert reason_of(error) == "MERCHANT_NOT_READY"
    assert (await ann.tap(first)).attempt == placed.attempt
