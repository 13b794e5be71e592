"""After T1 every answer is an outcome: whatever becomes of the time, the caller, the database."""

from __future__ import annotations

import asyncio

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError
from structlog.testing import capture_logs

from checkout_sdk._pb.attempt_pb2 import PlaceOrderResponse
from checkout_sdk._pb.quote_pb2 import Quote
from checkout_server.database import StorageFull, StorageUnavailable
from checkout_server.faults import Fault
from tests.answers import outcome_of, reason_of
from tests.buyer import Buyer
from tests.services.checkout.conftest import OpenWorld
from tests.world import HURRIED_MS, World

T1 = "INSERT INTO attempt"
T2 = "INSERT INTO orders"
TROUBLE = (
    (StorageUnavailable("scripted"), StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE"),
    (StorageFull("scripted"), StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE"),
    (Fault("OVER_CAPACITY"), StatusCode.RESOURCE_EXHAUSTED, "OVER_CAPACITY"),
    (AssertionError("scripted"), StatusCode.INTERNAL, "INTERNAL"),
)


async def test_a_tap_with_too_little_time_is_not_begun(world: World):
    offer = await world.offer()
    ann = await world.buyer()
    quote = await ann.quote(offer)
    for timeout in (0.001, 0.09):
        with pytest.raises(AioRpcError) as caught:
            await ann.tap(quote, timeout=timeout)
        assert caught.value.code() is StatusCode.DEADLINE_EXCEEDED
    assert outcome_of(await ann.tap(quote)) == "placed"
    assert await world.count("attempt") == 1


async def in_a_hurry(buyer: Buyer, quote: Quote) -> PlaceOrderResponse:
    """50 ms is all the answer has to travel in; on a busy machine it may take another tap."""
    for _ in range(9):
        try:
            return await buyer.tap(quote, timeout=0.5)
        except AioRpcError as error:
            if error.code() is not StatusCode.DEADLINE_EXCEEDED:
                raise
    return await buyer.tap(quote, timeout=0.5)


async def test_a_caller_in_a_hurry_is_answered_before_its_deadline(world: World):
    offer = await world.offer()
    ann = await world.buyer()
    quote = await ann.quote(offer)
    world.line.hold()
    answer = await in_a_hurry(ann, quote)
    assert outcome_of(answer) == "accepted"
    assert answer.budget.time_allowed.ToMilliseconds() <= 450
    # Joining is waiting, too.
    assert outcome_of(await in_a_hurry(ann, quote)) == "accepted"
    world.line.release()
    await world.reaches(answer.attempt.attempt_id, "PLACED")


async def test_a_caller_who_hangs_up_has_bought_all_the_same(world: World):
    offer = await world.offer()
    ann = await world.buyer()
    quote = await ann.quote(offer)
    world.line.hold()
    call = ann.tapping(quote)
    await world.sent()
    call.cancel()
    world.line.release()
    attempt_id = (await ann.asks(quote.tap_key)).attempt_id
    placed = await world.reaches(attempt_id, "PLACED")
    answer = await ann.tap(quote)
    assert (answer.replayed, answer.attempt) == (True, placed)
    assert world.creates(attempt_id) == 1


async def test_an_order_that_cannot_be_written_yet_is_accepted_and_written_later(
    open_world: OpenWorld,
):
    async with open_world(answer_within_ms=HURRIED_MS) as world:
        offer = await world.offer()
        ann = await world.buyer()
        quote = await ann.quote(offer)
        world.database.break_at(T2, StorageUnavailable("scripted"), times=100)
        answer = await ann.tap(quote)
        assert outcome_of(answer) == "accepted"
        world.database.mend()
        placed = await world.reaches(answer.attempt.attempt_id, "PLACED")
        assert world.creates(placed.attempt_id) == 1


async def test_an_order_whose_acknowledgement_was_lost_is_written_once(world: World):
    offer = await world.offer()
    ann = await world.buyer()
    world.database.lose_commit_of(T2, times=2)
    answer = await ann.buy(offer)
    assert outcome_of(answer) == "placed"
    assert len(world.database.commits_of("orders")) == 1
    assert await world.count("orders") == world.book.posts() == 1


async def test_a_tap_whose_acknowledgement_was_lost_is_found_by_its_key(world: World):
    offer = await world.offer()
    ann = await world.buyer()
    world.database.lose_commit_of(T1)
    answer = await ann.buy(offer)
    assert (outcome_of(answer), answer.replayed) == ("placed", False)
    assert await world.count("attempt") == world.book.posts() == 1


async def test_a_tap_that_could_not_be_written_says_whose_trouble_it_is(world: World):
    offer = await world.offer()
    ann = await world.buyer()
    quote = await ann.quote(offer)
    for error, code, reason in TROUBLE:
        world.database.break_at(T1, error, times=2)  # once in the group, once alone
        with capture_logs(), pytest.raises(AioRpcError) as caught:
            await ann.tap(quote)
        world.database.mend()
        assert caught.value.code() is code
        assert reason_of(caught.value) == reason
        assert "scripted" not in str(caught.value)
    assert await world.counts() == {"attempt": 0, "orders": 0, "outbox": 0}
    # The key was left free.
    assert outcome_of(await ann.tap(quote)) == "placed"


async def test_places_are_not_lost_with_taps_that_fail(open_world: OpenWorld):
    async with open_world(provider_concurrency=1) as world:
        offer = await world.offer()
        ann = await world.buyer()
        quote = await ann.quote(offer)
        world.database.break_at(T1, StorageUnavailable("scripted"))
        with pytest.raises(AioRpcError):
            await ann.tap(quote)
        await world.set_stock(0)
        assert outcome_of(await ann.tap(quote)) == "rejected"
        await world.set_stock(1)
        assert outcome_of(await ann.tap(quote)) == "placed"


async def test_a_poisoned_tap_harms_nobody_in_its_group(world: World):
    offer = await world.offer()
    buyers = await world.buyers(5)
    quotes = [await buyer.quote(offer) for buyer in buyers]
    # The group fails, and then the first of its units alone.
    world.database.break_at(T1, AssertionError("scripted"), times=2)
    with capture_logs():
        answers = await asyncio.gather(
            *(buyer.tap(quote) for buyer, quote in zip(buyers, quotes, strict=True)),
            return_exceptions=True,
        )
    failed = [answer for answer in answers if isinstance(answer, AioRpcError)]
    assert len(failed) in (1, 2)  # two, when the first came with a group of its own
    placed = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert {outcome_of(answer) for answer in placed} == {"placed"}
    assert await world.count("orders") == len(placed)
