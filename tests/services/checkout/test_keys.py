"""What a key stands for: PROTOCOL.md 2, row by row."""

from __future__ import annotations

import asyncio

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError

from checkout_sdk._pb import attempt_pb2
from checkout_server import ids
from tests.answers import codes, outcome_of, reason_of, refusal_of
from tests.buyer import Buyer, basket
from tests.services.checkout.conftest import OpenWorld
from tests.world import HURRIED_MS, PLATFORM, TOTAL_MINOR, World, aged, usd

MINUTE_MS = 60_000


def kept(attempt: attempt_pb2.Attempt) -> bytes:
    return attempt.SerializeToString(deterministic=True)


async def test_a_second_tap_replays_the_order_byte_for_byte(world: World):
    offer = await world.offer()
    ann = await world.buyer()
    quote = await ann.quote(offer)
    first = await ann.tap(quote)
    rows = await world.counts()
    second = await ann.tap(quote, idempotency_key=quote.tap_key)
    assert (first.replayed, second.replayed) == (False, True)
    assert kept(second.attempt) == kept(first.attempt) == kept(await ann.asks(quote.tap_key))
    assert await world.counts() == rows
    assert world.book.posts() == 1


async def test_a_key_is_answered_whatever_has_become_of_its_quote_and_offer(world: World):
    offer = await world.offer()
    ann = await world.buyer()
    quote = aged(await ann.quote(offer), 9 * MINUTE_MS)
    first = await ann.tap(quote)
    await world.end(offer)
    for later in (quote, aged(quote, 60 * MINUTE_MS)):
        again = await ann.tap(later)
        assert again.replayed
        assert kept(again.attempt) == kept(first.attempt)


async def test_a_declined_tap_is_kept_under_its_key(world: World):
    offer = await world.offer()
    ann = await world.buyer("pm_card_chargeDeclined")
    quote = await ann.quote(offer)
    first = await ann.tap(quote)
    second = await ann.tap(quote)
    assert refusal_of(second) == "DECLINED"
    assert second.replayed
    assert kept(second.attempt) == kept(first.attempt)
    assert world.creates(first.attempt.attempt_id) == 1


async def test_a_key_under_way_answers_what_has_become_of_it_by_now(open_world: OpenWorld):
    async with open_world(answer_within_ms=HURRIED_MS) as world:
        offer = await world.offer()
        ann = await world.buyer()
        quote = await ann.quote(offer)
        world.line.hold()
        first = await ann.tap(quote)
        second = await ann.tap(quote)
        assert [outcome_of(first), outcome_of(second)] == ["accepted", "accepted"]
        assert second.replayed
        world.line.release()
        placed = await world.reaches(first.attempt.attempt_id, "PLACED")
        third = await ann.tap(quote)
        assert (third.replayed, third.attempt) == (True, placed)
        assert world.book.posts() == 1


async def test_a_joiner_waits_for_the_outcome_as_long_as_a_tap_does(world: World):
    offer = await world.offer()
    ann = await world.buyer()
    quote = await ann.quote(offer)
    world.line.hold()
    taps = asyncio.gather(ann.tap(quote), ann.tap(quote), ann.tap(quote))
    await world.sent()
    world.line.release()
    answers = await taps
    assert [outcome_of(answer) for answer in answers] == ["placed"] * 3
    assert len({kept(answer.attempt) for answer in answers}) == 1
    assert sorted(answer.replayed for answer in answers) == [False, True, True]


async def test_twenty_taps_at_once_are_one_order_and_one_post(world: World):
    offer = await world.offer()
    ann = await world.buyer()
    quote = await ann.quote(offer)
    answers = await asyncio.gather(*(ann.tap(quote) for _ in range(20)))
    assert len({kept(answer.attempt) for answer in answers}) == 1
    assert [answer.replayed for answer in answers].count(False) == 1
    assert await world.count("orders") == await world.count("attempt") == world.book.posts() == 1


async def sold_out(world: World, ann: Buyer) -> attempt_pb2.PlaceOrderResponse:
    await world.set_stock(0)
    return await ann.tap(await ann.quote(await world.offer()), idempotency_key="the-key-1")


async def over_the_cap(world: World, ann: Buyer) -> attempt_pb2.PlaceOrderResponse:
    offer = await world.offer(cap_per_buyer=1)
    quote = await ann.quote(offer, quantity=2)
    return await ann.tap(quote, idempotency_key="the-key-1")


async def not_deliverable(world: World, ann: Buyer) -> attempt_pb2.PlaceOrderResponse:
    quote = await ann.quote(await world.offer())
    await world.put_delivery(countries=["DE"])
    return await ann.tap(aged(quote, 11 * MINUTE_MS), idempotency_key="the-key-1")


async def changed(world: World, ann: Buyer) -> attempt_pb2.PlaceOrderResponse:
    offer = await world.offer()
    quote = await ann.quote(offer)
    await world.update(offer, price=usd(9_900))
    return await ann.tap(quote, idempotency_key="the-key-1")


@pytest.mark.parametrize("refusal", [sold_out, over_the_cap, not_deliverable, changed])
async def test_a_tap_that_wrote_nothing_leaves_its_key_free(world: World, refusal):
    ann = await world.buyer()
    answer = await refusal(world, ann)
    assert outcome_of(answer) in ("rejected", "offer_changed")
    assert answer.attempt.attempt_id == ""
    assert await world.counts() == {"attempt": 0, "orders": 0, "outbox": 0}
    with pytest.raises(AioRpcError) as caught:
        await ann.asks("the-key-1")
    assert reason_of(caught.value) == "NOT_FOUND"
    await world.put_delivery()
    await world.set_stock(100)
    placed = await ann.tap(await ann.quote_lines(("tee", 1)), idempotency_key="the-key-1")
    assert (outcome_of(placed), placed.replayed) == ("placed", False)


async def test_the_refusals_say_what_they_are(world: World):
    ann, bob, cid = await world.buyers(3)
    assert refusal_of(await over_the_cap(world, ann)) == "LIMIT"
    assert refusal_of(await sold_out(world, bob)) == "SOLD_OUT"
    assert refusal_of(await not_deliverable(world, cid)) == "NOT_DELIVERABLE"


async def test_a_key_with_another_request_is_a_conflict_and_does_nothing(world: World):
    offer = await world.offer()
    ann = await world.buyer()
    other_card = await ann.add_card("pm_card_mastercard")
    quote = await ann.quote(offer)
    first = await ann.tap(quote)
    rows = await world.counts()
    others = [
        (quote, {"payment_method_id": other_card}),
        (await ann.quote(offer, quantity=2), {}),
        (await ann.quote_lines(("tee", 1)), {}),
        (None, {"offer_id": offer.offer_id, "expected_total": usd(TOTAL_MINOR)}),
    ]
    for other, fields in others:
        with pytest.raises(AioRpcError) as caught:
            await ann.tap(other, **{"idempotency_key": quote.tap_key} | fields)
        assert caught.value.code() is StatusCode.FAILED_PRECONDITION
        assert reason_of(caught.value) == "IDEMPOTENCY_CONFLICT"
    assert await world.counts() == rows
    assert world.book.posts() == 1
    assert (await ann.tap(quote)).attempt == first.attempt


async def test_a_newer_quote_of_the_same_thing_is_the_same_request(world: World):
    """Token bytes, journey, risk, consents and attribution are not what a buyer agrees to."""
    offer = await world.offer()
    ann = await world.buyer()
    quote = await ann.quote(offer)
    first = await ann.tap(quote)
    newer = await ann.quote(offer, attribution={"video_id": "v2"})
    again = await ann.tap(
        newer,
        idempotency_key=quote.tap_key,
        journey={"steps": 3},
        position_ms=9,
        consents=[{"name": "terms", "version": "2"}],
        risk={"device_id": "d"},
    )
    assert again.replayed
    assert again.attempt == first.attempt


async def test_another_buyers_token_is_refused(world: World):
    offer = await world.offer()
    ann, bob = await world.buyers(2)
    quote = await ann.quote(offer)
    attempts = [
        bob.tapping(quote),
        world.checkout.PlaceOrder(
            attempt_pb2.PlaceOrderRequest(quote_token=quote.quote_token),
            metadata=world.token("buyer", buyer=bob.buyer_id),
        ),
    ]
    for attempt in attempts:
        with pytest.raises(AioRpcError) as caught:
            await attempt
        assert caught.value.code() is StatusCode.PERMISSION_DENIED
        assert reason_of(caught.value) == "BUYER_MISMATCH"
    assert await world.count("attempt") == 0


async def test_another_platforms_token_is_no_token(world: World):
    quote = await (await world.buyer()).quote(await world.offer())
    request = attempt_pb2.PlaceOrderRequest(quote_token=quote.quote_token, buyer_id="buyer-1")
    with pytest.raises(AioRpcError) as caught:
        await world.checkout.PlaceOrder(
            request, metadata=world.token("platform", platform="clipper")
        )
    assert reason_of(caught.value) == "QUOTE_INVALID"


async def test_a_buyers_own_token_needs_no_name(world: World):
    quote = await (await world.buyer()).quote(await world.offer())
    answer = await world.checkout.PlaceOrder(
        attempt_pb2.PlaceOrderRequest(quote_token=quote.quote_token),
        metadata=world.token("buyer", buyer="buyer-1"),
    )
    assert outcome_of(answer) == "placed"


async def test_the_same_key_means_another_tap_to_another_buyer_or_shop(world: World):
    await world.open_shop("hats")
    ann, bob = await world.buyers(2)
    key = "one-and-the-same"
    answers = [
        await ann.tap(await ann.quote_lines(("mug", 1)), idempotency_key=key),
        await bob.tap(await bob.quote_lines(("mug", 1)), idempotency_key=key),
        await ann.tap(
            await ann.quote(lines=basket(("mug", 1), merchant_id="hats")), idempotency_key=key
        ),
    ]
    assert [outcome_of(answer) for answer in answers] == ["placed"] * 3
    assert len({answer.attempt.attempt_id for answer in answers}) == 3
    tags = [ids.tag_of(answer.attempt.attempt_id, "att") for answer in answers]
    assert tags == [ids.tag(PLATFORM, "mugs")] * 2 + [ids.tag(PLATFORM, "hats")]
    assert not any(codes(answer.messages) for answer in answers)


async def test_a_key_whose_answer_is_gone_is_retired(world: World):
    offer = await world.offer()
    ann = await world.buyer()
    quote = await ann.quote(offer)
    placed = await ann.tap(quote)
    name = {"attempt_id": placed.attempt.attempt_id}

    async def forget(tx):
        await tx.run("UPDATE attempt SET outcome = NULL WHERE attempt_id = :attempt_id", **name)

    async def remember(tx):
        answer = kept(placed.attempt)
        sql = "UPDATE attempt SET outcome = :answer WHERE attempt_id = :attempt_id"
        await tx.run(sql, answer=answer, **name)

    await world.database.transact(forget)
    with pytest.raises(AioRpcError) as caught:
        await ann.tap(quote)
    assert reason_of(caught.value) == "KEY_RETIRED"
    await world.database.transact(remember)
