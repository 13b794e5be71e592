"""The provider in all its moods. No answer is not a no: holds stay, and the same key asks again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from checkout_sdk._pb import attempt_pb2
from checkout_server.charge.sandbox_book import PROCESSING_MS
from tests.answers import codes, outcome_of, refusal_of, state_of
from tests.services.checkout.conftest import OpenWorld
from tests.world import HURRIED_MS, World

# What is asked of the provider, and what it says, until the order is there.
HICCUPS: Mapping[str, list[tuple[str, str]]] = {
    "pm_sandbox_timeout_before": [("authorize", "timeout_before"), ("authorize", "captured")],
    "pm_sandbox_timeout_after": [
        ("authorize", "captured"),
        ("authorize", "captured, replayed"),
        ("retrieve", "captured"),
    ],
    "pm_sandbox_busy_409": [("authorize", "http_409"), ("authorize", "captured")],
    "pm_sandbox_rate_limited_429": [("authorize", "http_429"), ("authorize", "captured")],
    "pm_sandbox_error_500": [("authorize", "http_500"), ("authorize", "captured")],
}


async def test_a_spoiled_answer_ends_as_one_order_and_one_charge(world: World):
    offer = await world.offer()
    buyers = [await world.buyer(method) for method in HICCUPS]
    answers = await asyncio.gather(*(buyer.buy(offer) for buyer in buyers))
    for answer, expected in zip(answers, HICCUPS.values(), strict=True):
        assert outcome_of(answer) in ("accepted", "placed")
        attempt = await world.reaches(answer.attempt.attempt_id, "PLACED", "PARKED", "DECLINED")
        assert outcome_of(attempt) == "placed"
        assert world.results(attempt.attempt_id) == expected
        assert len(world.book.live_charges(attempt.attempt_id)) == 1


async def test_a_stored_fault_is_for_a_person_to_look_into(world: World):
    offer = await world.offer()
    ann = await world.buyer("pm_sandbox_error_500_stored")
    quote = await ann.quote(offer)
    first = await ann.tap(quote)
    parked = await world.reaches(first.attempt.attempt_id, "PARKED")
    assert world.creates(parked.attempt_id) == 3
    assert not parked.accepted.HasField("decided_by")
    again = await ann.tap(quote)
    assert again.replayed
    assert (again.attempt, codes(again.messages)) == (parked, ["UNDER_REVIEW"])
    told = await world.checkout.GetAttempt(
        attempt_pb2.GetAttemptRequest(attempt_id=parked.attempt_id), metadata=world.platform
    )
    assert (outcome_of(told), codes(told.messages)) == ("accepted", ["UNDER_REVIEW"])
    assert (await world.stock()).held == 1
    # Asked to give up, it only takes note: the money may be there.
    assert state_of(await ann.cancels(parked.attempt_id)) == "PARKED"
    assert len(world.book.live_charges(parked.attempt_id)) == 1


async def test_a_charge_of_another_amount_is_given_back_in_full(world: World):
    offer = await world.offer()
    ann = await world.buyer("pm_sandbox_wrong_amount")
    answer = await ann.buy(offer)
    refunded = await world.reaches(answer.attempt.attempt_id, "COMPENSATED")
    assert refusal_of(refunded) == "REFUNDED"
    assert refunded.rejected.next_tap_key
    [intent] = world.book.intents()
    assert intent.captured_minor == intent.refunded_minor == 2_001
    stock = await world.stock()
    assert (stock.held, stock.committed) == (0, 0)
    assert await world.count("intent") == 0


async def test_a_processing_charge_is_unknown_until_the_provider_has_decided(
    open_world: OpenWorld,
):
    async with open_world(answer_within_ms=HURRIED_MS) as world:
        offer = await world.offer()
        ann = await world.buyer("pm_sandbox_processing")
        answer = await ann.buy(offer)
        attempt_id = answer.attempt.attempt_id
        assert outcome_of(answer) == "accepted"
        await world.reaches(attempt_id, "UNKNOWN")
        assert (await world.stock()).held == 1
        assert state_of(await ann.comes_back(attempt_id)) == "UNKNOWN"
        # The provider takes 5 s for it, which are over now.
        [intent] = world.book.intents()
        with world.book.transaction():
            world.book.save(intent._replace(created_ms=intent.created_ms - PROCESSING_MS))
        await ann.comes_back(attempt_id)
        assert outcome_of(await world.reaches(attempt_id, "PLACED")) == "placed"
        assert world.creates(attempt_id) == 1


async def test_after_the_forward_window_a_key_that_never_arrived_is_spent(open_world: OpenWorld):
    """Absence is made, not observed: the tombstone is accepted, so the key can never charge."""
    async with open_world(forward_window_ms=100) as world:
        offer = await world.offer()
        answer = await (await world.buyer("pm_sandbox_timeout_before")).buy(offer)
        expired = await world.reaches(answer.attempt.attempt_id, "EXPIRED")
        assert refusal_of(expired) == "ACTION_EXPIRED"
        assert world.results(expired.attempt_id) == [
            ("authorize", "timeout_before"),
            ("tombstone", "absent"),
            ("void", "cancelled"),
        ]
        assert (await world.stock()).held == 0


async def test_money_found_after_the_forward_window_is_given_back(open_world: OpenWorld):
    async with open_world(forward_window_ms=100) as world:
        offer = await world.offer()
        answer = await (await world.buyer("pm_sandbox_timeout_after")).buy(offer)
        refunded = await world.reaches(answer.attempt.attempt_id, "COMPENSATED")
        assert refusal_of(refunded) == "REFUNDED"
        asked = [operation for operation, _ in world.results(refunded.attempt_id)]
        assert asked == ["authorize", "tombstone", "authorize", "retrieve", "retrieve", "refund"]
        assert not any(one.is_live for one in world.book.intents())
