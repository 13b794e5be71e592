"""The bank wants the buyer: passed, failed, forgotten, given up."""

from __future__ import annotations

import asyncio

from checkout_sdk._pb import order_pb2
from tests.answers import outcome_of, refusal_of, state_of
from tests.services.checkout.conftest import OpenWorld
from tests.world import World, eventually

CHALLENGE = "pm_card_threeDSecure2Required"
FAILING = "pm_sandbox_challenge_fails"


async def at_the_bank(world: World, method: str = CHALLENGE):
    ann = await world.buyer(method)
    answer = await ann.buy(await world.offer())
    assert outcome_of(answer) == "action_required"
    return ann, answer.attempt.attempt_id


async def test_a_buyer_who_comes_back_with_the_challenge_passed_has_bought(world: World):
    ann, attempt_id = await at_the_bank(world)
    world.bank(attempt_id, passed=True)
    placed = await ann.comes_back(attempt_id)
    assert outcome_of(placed) == "placed"
    # Never a second create: an intent that is known is only asked for.
    assert world.results(attempt_id) == [("authorize", "action_required"), ("retrieve", "captured")]


async def test_a_challenge_that_was_failed_is_cancelled_at_the_provider_first(world: World):
    ann, attempt_id = await at_the_bank(world, FAILING)
    world.bank(attempt_id, passed=True)
    failed = await ann.comes_back(attempt_id)
    assert refusal_of(failed) == "ACTION_FAILED"
    assert failed.rejected.decline_code == ""
    assert world.results(attempt_id)[1:] == [("retrieve", "declined"), ("void", "cancelled")]
    stock = await world.stock()
    assert (stock.held, stock.committed) == (0, 0)


async def test_coming_back_too_early_changes_nothing(world: World):
    ann, attempt_id = await at_the_bank(world)
    too_early = asyncio.create_task(ann.comes_back(attempt_id))

    async def looked_at() -> bool:
        return world.results(attempt_id)[1:] == [("retrieve", "action_required")]

    await eventually(looked_at)
    assert state_of(await world.attempt(attempt_id)) == "ACTION_REQUIRED"
    world.bank(attempt_id, passed=True)
    placed = await ann.comes_back(attempt_id)
    assert outcome_of(placed) == "placed"
    assert (await too_early).attempt_id == attempt_id


async def test_a_challenge_that_nobody_answers_expires(open_world: OpenWorld):
    async with open_world(challenge_ms=300) as world:
        _, attempt_id = await at_the_bank(world)
        expired = await world.reaches(attempt_id, "EXPIRED")
        assert refusal_of(expired) == "ACTION_EXPIRED"
        assert world.results(attempt_id)[1:] == [("void", "cancelled")]
        assert (await world.stock()).held == 0


async def test_a_challenge_passed_and_never_told_of_is_a_sale(open_world: OpenWorld):
    """The buyer closed the app at the bank's page. The cancel at the end of the window finds out:
    "already succeeded" goes forward."""
    async with open_world(challenge_ms=300) as world:
        _, attempt_id = await at_the_bank(world)
        world.bank(attempt_id, passed=True)
        placed = await world.reaches(attempt_id, "PLACED", "EXPIRED")
        assert outcome_of(placed) == "placed"
        assert world.results(attempt_id)[1:] == [("void", "captured")]


async def test_a_purchase_cancelled_at_the_bank_is_cancelled_at_the_provider_first(world: World):
    ann, attempt_id = await at_the_bank(world)
    cancelled = await ann.cancels(attempt_id)
    assert refusal_of(cancelled) == "CANCELLED"
    assert world.results(attempt_id)[1:] == [("void", "cancelled")]
    assert (await world.stock()).held == 0
    again = await ann.cancels(attempt_id)
    assert again == cancelled


async def test_a_cancel_that_comes_after_the_money_undoes_the_order(world: World):
    ann, attempt_id = await at_the_bank(world)
    world.bank(attempt_id, passed=True)
    placed = await ann.cancels(attempt_id)
    assert outcome_of(placed) == "placed"
    order_id = placed.placed.order.order_id

    async def cancelled() -> bool:
        return (await world.order(order_id)).state == order_pb2.ORDER_STATE_CANCELLED

    await eventually(cancelled)
    assert not any(one.is_live for one in world.book.intents())
    stock = await world.stock()
    assert (stock.held, stock.committed) == (0, 0)


async def test_a_failed_challenge_lets_the_buyer_tap_again(world: World):
    offer = await world.offer()
    ann = await world.buyer(FAILING)
    first = (await ann.buy(offer)).attempt
    world.bank(first.attempt_id, passed=False)
    failed = await ann.comes_back(first.attempt_id)
    visa = await ann.add_card("pm_card_visa")
    quote = await ann.quote(offer, payment_method_id=visa)
    answer = await ann.tap(quote, idempotency_key=failed.rejected.next_tap_key)
    assert outcome_of(answer) == "placed"
    assert state_of(await world.attempt(first.attempt_id)) == "DECLINED"
