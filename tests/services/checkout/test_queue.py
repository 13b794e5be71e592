"""Waiting for a place at the provider, giving up meanwhile, and being sent away before it."""

from __future__ import annotations

import asyncio

from checkout_sdk._pb import attempt_pb2, order_pb2
from tests.answers import outcome_of, refusal_of, state_of
from tests.services.checkout.conftest import OpenWorld
from tests.world import HURRIED_MS, World, eventually, usd


async def test_a_tap_without_a_place_waits_its_turn(open_world: OpenWorld):
    async with open_world(provider_concurrency=1, answer_within_ms=HURRIED_MS) as world:
        offer = await world.offer()
        first, second = await world.buyers(2)
        world.line.hold()
        charging = await first.buy(offer)
        queued = await second.buy(offer)
        assert outcome_of(queued) == "accepted"
        assert state_of(queued.attempt) == "RESERVED"
        assert queued.mode == attempt_pb2.MODE_QUEUED
        attempt_id = queued.attempt.attempt_id
        assert world.results(attempt_id) == []
        assert (await world.stock()).held == 2
        world.line.release()
        await world.reaches(attempt_id, "PLACED")
        assert outcome_of(await world.attempt(charging.attempt.attempt_id)) == "placed"


async def test_a_queued_tap_that_is_cancelled_was_never_sent(open_world: OpenWorld):
    async with open_world(provider_concurrency=1, answer_within_ms=HURRIED_MS) as world:
        offer = await world.offer()
        first, second, third = await world.buyers(3)
        world.line.hold()
        await first.buy(offer)
        answers = await asyncio.gather(second.buy(offer), third.buy(offer))
        queued, behind = (answer.attempt.attempt_id for answer in answers)
        cancelled = await second.cancels(queued)
        assert refusal_of(cancelled) == "CANCELLED"
        assert (await world.stock()).held == 2
        world.line.release()
        await world.reaches(behind, "PLACED")
        assert await world.attempt(queued) == cancelled
        assert world.results(queued) == []


async def test_a_cancel_while_the_charge_is_out_undoes_the_order_when_it_comes(
    open_world: OpenWorld,
):
    async with open_world(answer_within_ms=HURRIED_MS) as world:
        offer = await world.offer()
        ann = await world.buyer()
        world.line.hold()
        attempt_id = (await ann.buy(offer)).attempt.attempt_id
        noted = await ann.cancels(attempt_id)
        assert (outcome_of(noted), state_of(noted)) == ("accepted", "CHARGING")
        world.line.release()
        placed = await world.reaches(attempt_id, "PLACED")
        order_id = placed.placed.order.order_id

        async def cancelled() -> order_pb2.Order | None:
            order = await world.order(order_id)
            return order if order.state == order_pb2.ORDER_STATE_CANCELLED else None

        order = await eventually(cancelled)
        assert order is not None
        assert order.payment_state == order_pb2.PAYMENT_STATE_REFUNDED
        assert order.refunded == order.captured == usd(2_000)
        [intent] = world.book.intents()
        assert intent.refunded_minor == intent.captured_minor == 2_000
        assert (await world.stock()).committed == 0


async def test_a_free_order_waits_for_no_place(open_world: OpenWorld):
    async with open_world(provider_concurrency=1, answer_within_ms=HURRIED_MS) as world:
        await world.put_delivery(price=usd(0))
        await world.put_code(code="GIFT", percentage_ppm=1_000_000)
        offer = await world.offer()
        first, second = await world.buyers(2)
        world.line.hold()
        await first.buy(offer)
        answer = await second.tap(await second.quote(offer, discount_codes=["GIFT"]))
        assert outcome_of(answer) == "placed"


async def test_a_full_line_sends_taps_away_before_anything_is_written(open_world: OpenWorld):
    async with open_world(provider_concurrency=1, answer_within_ms=HURRIED_MS) as world:
        offer = await world.offer()
        world.line.hold()
        await (await world.buyer()).buy(offer)
        # Before anything was measured a charge counts for half a second: 120 drain in a minute.
        # Three attempts are as many as a buyer may have open.
        line = await world.buyers(40)
        for quantity in (1, 2, 3):
            quotes = [await buyer.quote_lines(("mug", quantity)) for buyer in line]
            await world.set_stock(1_000)
            taps = [buyer.tap(quote) for buyer, quote in zip(line, quotes, strict=True)]
            answers = await asyncio.gather(*taps)
            assert {state_of(answer.attempt) for answer in answers} == {"RESERVED"}
        rows = await world.counts()
        late = await world.buyer()
        quote = await late.quote(offer)
        answer = await late.tap(quote)
        assert outcome_of(answer) == "throttled"
        assert answer.attempt.attempt_id == ""
        assert answer.attempt.throttled.retry_after.ToMilliseconds() > 0
        assert answer.attempt.throttled.place_in_line == 120
        assert await world.counts() == rows
        assert await world.counter("open", late.buyer_id) == (0, 0)


async def test_stopping_lets_the_line_go_and_the_next_process_takes_it_up(open_world: OpenWorld):
    async with open_world(provider_concurrency=1, answer_within_ms=HURRIED_MS) as world:
        offer = await world.offer()
        first, second = await world.buyers(2)
        world.line.hold()
        charging = (await first.buy(offer)).attempt.attempt_id
        queued = (await second.buy(offer)).attempt.attempt_id
        await world.stop()
        next_world = await World.start(world.settings)
        try:
            # What was at the provider had its end before the process had.
            assert state_of(await next_world.attempt(charging)) == "PLACED"
            placed = await next_world.reaches(queued, "PLACED")
            assert next_world.creates(placed.attempt_id) == 1
        finally:
            await next_world.stop()
