"""Counters: what is held, what is sold, and who hears what when nothing is left."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from grpc.aio import AioRpcError

from checkout_sdk._pb import attempt_pb2, order_pb2
from tests.answers import codes, outcome_of, reason_of, refusal_of
from tests.buyer import Buyer
from tests.services.checkout.conftest import OpenWorld
from tests.world import World, eventually, usd

CHALLENGE = "pm_card_threeDSecure2Required"


async def test_the_last_unit_goes_to_one_of_many(world: World):
    await world.set_stock(3)
    offer = await world.offer()
    buyers = await world.buyers(20)
    quotes = [await buyer.quote(offer) for buyer in buyers]
    answers = await asyncio.gather(
        *(buyer.tap(quote) for buyer, quote in zip(buyers, quotes, strict=True))
    )
    assert Counter(outcome_of(answer) for answer in answers) == {"placed": 3, "rejected": 17}
    assert {refusal_of(one) for one in answers if outcome_of(one) == "rejected"} == {"SOLD_OUT"}
    stock = await world.stock()
    assert (stock.on_hand, stock.held, stock.committed) == (3, 0, 3)
    assert world.book.posts() == 3


async def test_sold_out_tells_what_may_come_back(world: World):
    await world.set_stock(3)
    offer = await world.offer(quantities=[1, 2])
    ann, bob = await world.buyer(CHALLENGE), await world.buyer()
    await ann.tap(await ann.quote(offer, quantity=2))
    answer = await bob.tap(await bob.quote(offer, quantity=2))
    rejected = answer.attempt.rejected
    assert refusal_of(answer) == "SOLD_OUT"
    assert (rejected.sku, rejected.available, rejected.held) == ("mug", 1, 2)
    assert rejected.next_step == attempt_pb2.NEXT_STEP_LOWER_QUANTITY
    assert outcome_of(await bob.tap(await bob.quote(offer, quantity=1))) == "placed"


async def test_a_unit_that_comes_back_can_be_had(world: World):
    await world.set_stock(1)
    offer = await world.offer()
    ann, bob = await world.buyer(CHALLENGE), await world.buyer()
    first = await ann.buy(offer)
    quote = await bob.quote(offer)
    assert refusal_of(await bob.tap(quote)) == "SOLD_OUT"
    await ann.cancels(first.attempt.attempt_id)
    await world.reaches(first.attempt.attempt_id, "CANCELLED")
    # The key was left free, so it is the same tap.
    assert outcome_of(await bob.tap(quote)) == "placed"


async def test_lines_that_share_a_sku_are_summed_first(world: World):
    await world.set_stock(3)
    ann = await world.buyer()
    answer = await ann.tap(await ann.quote_lines(("mug", 2), ("tee", 1), ("mug", 2)))
    assert refusal_of(answer) == "SOLD_OUT"
    assert answer.attempt.rejected.available == 3
    answer = await ann.tap(await ann.quote_lines(("mug", 2), ("tee", 1), ("mug", 1)))
    assert outcome_of(answer) == "placed"
    assert (await world.stock()).committed == 3


async def test_a_purchase_gets_all_of_its_lines_or_none(world: World):
    await world.set_stock(0, "tee")
    ann = await world.buyer()
    answer = await ann.tap(await ann.quote_lines(("mug", 1), ("tee", 1)))
    assert (refusal_of(answer), answer.attempt.rejected.sku) == ("SOLD_OUT", "tee")
    assert (await world.stock("mug")).held == 0


async def test_a_quota_limits_the_offer_whatever_the_stock(world: World):
    offer = await world.offer(quota=2)
    ann, bob, cid = [await world.buyer(CHALLENGE), *await world.buyers(2)]
    await ann.buy(offer)
    assert outcome_of(await bob.buy(offer)) == "placed"
    quote = await cid.quote(offer)
    answer = await cid.tap(quote)
    rejected = answer.attempt.rejected
    assert (refusal_of(answer), rejected.sku) == ("SOLD_OUT", "")
    assert (rejected.available, rejected.held) == (0, 1)
    assert await world.counter("quota", offer.offer_id) == (1, 1)


async def test_a_cap_counts_what_a_buyer_has_and_is_about_to_have(world: World):
    offer = await world.offer(cap_per_buyer=3, quantities=[1, 2, 3])
    ann = await world.buyer()
    placed = await ann.tap(await ann.quote(offer, quantity=2))
    challenged = await ann.tap(
        await ann.quote(offer, payment_method_id=await ann.add_card(CHALLENGE))
    )
    assert outcome_of(challenged) == "action_required"
    assert await world.counter("cap", f"{offer.offer_id}:{ann.buyer_id}") == (1, 2)
    answer = await ann.tap(await ann.quote(offer, quantity=3))
    rejected = answer.attempt.rejected
    assert (refusal_of(answer), rejected.limit) == ("LIMIT", "OFFER_CAP")
    assert rejected.available == 0
    order_id = placed.attempt.placed.order.order_id
    await world.orders.CancelOrder(
        order_pb2.CancelOrderRequest(order_id=order_id), metadata=world.platform
    )

    async def cancelled() -> bool:
        return (await world.order(order_id)).state == order_pb2.ORDER_STATE_CANCELLED

    await eventually(cancelled)
    # Two were given back: it is a new purchase of two, repeated on purpose.
    again = await ann.tap(await ann.quote(offer, quantity=2), repeat_of=order_id)
    assert outcome_of(again) == "placed"


async def test_a_cap_leaves_other_buyers_alone(world: World):
    offer = await world.offer(cap_per_buyer=1)
    answers = [await buyer.buy(offer) for buyer in await world.buyers(2)]
    assert [outcome_of(answer) for answer in answers] == ["placed"] * 2


async def test_a_code_is_used_as_often_as_it_may(world: World):
    await world.put_code(code="SUMMER", percentage_ppm=100_000, max_uses=2, max_uses_per_buyer=1)
    offer = await world.offer()
    ann, bob, cid = await world.buyers(3)
    quotes = {
        buyer.buyer_id: await buyer.quote(offer, discount_codes=["summer"])
        for buyer in (ann, bob, cid)
    }
    twice = await ann.quote_lines(("mug", 1), discount_codes=["summer"])
    assert outcome_of(await ann.tap(quotes[ann.buyer_id])) == "placed"
    answer = await ann.tap(twice)
    assert (refusal_of(answer), answer.attempt.rejected.limit) == ("LIMIT", "CODE_USES")
    assert outcome_of(await bob.tap(quotes[bob.buyer_id])) == "placed"
    assert refusal_of(await cid.tap(quotes[cid.buyer_id])) == "LIMIT"
    assert await world.counter("code", "SUMMER") == (0, 2)
    assert await world.counter("code_buyer", f"SUMMER:{ann.buyer_id}") == (0, 1)
    full_price = await cid.quote(offer, discount_codes=["summer"])
    assert codes(full_price.messages) == ["DISCOUNT_CODE_NOT_APPLIED"]


async def test_a_buyer_has_three_open_attempts_and_no_more(world: World):
    ann = await world.buyer(CHALLENGE)
    quotes = [await ann.quote_lines(("mug", quantity)) for quantity in (1, 2, 3, 4)]
    opened = [await ann.tap(quote) for quote in quotes[:3]]
    assert [outcome_of(answer) for answer in opened] == ["action_required"] * 3
    answer = await ann.tap(quotes[3])
    assert (refusal_of(answer), answer.attempt.rejected.limit) == ("LIMIT", "OPEN_ATTEMPTS")
    world.bank(opened[0].attempt.attempt_id, passed=True)
    await ann.comes_back(opened[0].attempt.attempt_id)
    await world.reaches(opened[0].attempt.attempt_id, "PLACED")
    assert outcome_of(await ann.tap(quotes[3])) == "action_required"


async def test_stock_cannot_be_set_below_what_is_held_and_sold(world: World):
    offer = await world.offer()
    ann, bob = await world.buyer(CHALLENGE), await world.buyer()
    await ann.buy(offer)
    await bob.buy(offer)
    with pytest.raises(AioRpcError) as caught:
        await world.set_stock(1)
    assert reason_of(caught.value) == "STOCK_BELOW_HELD"
    await world.set_stock(2)
    cid = await world.buyer()
    assert refusal_of(await cid.buy(offer)) == "SOLD_OUT"


async def test_a_flash_sale_sells_exactly_what_there_is(open_world: OpenWorld):
    """Declines give their units back while others still tap: in the end all are sold."""
    async with open_world() as world:
        await world.set_stock(5)
        offer = await world.offer(flash=True, quota=5)
        buyers = await world.buyers(30)
        for buyer in buyers[::3]:
            await buyer.add_card("pm_card_chargeDeclined")

        async def wants(buyer: Buyer) -> str:
            card = buyer.cards.get("pm_card_chargeDeclined", "")
            quote = await buyer.quote(offer, payment_method_id=card)

            async def settled() -> str:
                answer = await buyer.tap(quote)
                ended = outcome_of(answer) == "placed" or refusal_of(answer) == "DECLINED"
                sold = answer.attempt.rejected.held == 0
                return outcome_of(answer) if ended or sold else ""

            return await eventually(settled)

        await asyncio.gather(*(wants(buyer) for buyer in buyers))
        stock = await world.stock()
        assert (stock.held, stock.committed) == (0, 5)
        assert await world.counter("quota", offer.offer_id) == (0, 5)
        assert sum(one.is_live for one in world.book.intents()) == 5


async def test_a_discounted_total_is_what_is_charged(world: World):
    await world.put_code(code="TEN", percentage_ppm=100_000)
    offer = await world.offer()
    ann = await world.buyer()
    answer = await ann.tap(await ann.quote(offer, discount_codes=["TEN"]))
    assert answer.attempt.placed.order.totals.total == usd(1_350 + 500)
    [intent] = world.book.intents()
    assert intent.amount_minor == 1_850
