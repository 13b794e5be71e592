"""A buyer who taps again under another key: the same wish, or another one on purpose."""

from __future__ import annotations

from checkout_sdk._pb import attempt_pb2
from tests.answers import codes, outcome_of, refusal_of
from tests.services.checkout.conftest import OpenWorld
from tests.world import World, eventually


async def test_another_key_joins_the_purchase_that_is_under_way(world: World):
    offer = await world.offer()
    ann = await world.buyer()
    quotes = [await ann.quote(offer) for _ in range(3)]
    world.line.hold()
    taps = [ann.tapping(quote) for quote in quotes]
    await world.sent()

    async def joined() -> bool:
        watched = world.process._driver._waiting._watches.values()
        return max(len(waiters) for waiters in watched) == len([*taps, "the driver"])

    await eventually(joined)
    world.line.release()
    answers = [await tap for tap in taps]
    assert [outcome_of(answer) for answer in answers] == ["placed"] * 3
    assert len({answer.attempt.attempt_id for answer in answers}) == 1
    told = sorted(codes(answer.messages) for answer in answers)
    assert told == [[], ["JOINED_OPEN_ATTEMPT"], ["JOINED_OPEN_ATTEMPT"]]
    assert not any(answer.replayed for answer in answers)
    assert world.book.posts() == await world.count("attempt") == 1


async def test_a_joiner_of_a_challenge_is_sent_to_the_same_bank(world: World):
    offer = await world.offer()
    ann = await world.buyer("pm_card_threeDSecure2Required")
    first = await ann.buy(offer)
    second = await ann.buy(offer)
    assert codes(second.messages) == ["JOINED_OPEN_ATTEMPT"]
    assert second.attempt.attempt_id == first.attempt.attempt_id
    url = first.attempt.action_required.redirect_url
    assert second.attempt.action_required.redirect_url == url


async def test_the_same_purchase_a_moment_later_is_a_duplicate_kept_under_its_key(world: World):
    offer = await world.offer()
    ann = await world.buyer()
    placed = await ann.buy(offer)
    again = await ann.quote(offer)
    duplicate = await ann.tap(again)
    assert refusal_of(duplicate) == "DUPLICATE_INTENT"
    rejected = duplicate.attempt.rejected
    assert rejected.existing_order_id == placed.attempt.placed.order.order_id
    assert rejected.next_step == attempt_pb2.NEXT_STEP_SHOW_EXISTING_ORDER
    assert rejected.next_tap_key.startswith("tap_")
    replay = await ann.tap(again)
    assert replay.replayed
    assert replay.attempt == duplicate.attempt
    assert (await world.stock()).committed == 1
    assert world.book.posts() == 1


async def test_repeat_of_buys_the_same_again_on_purpose(world: World):
    offer = await world.offer()
    ann = await world.buyer()
    first = await ann.buy(offer)
    order_id = first.attempt.placed.order.order_id
    second = await ann.buy(offer, repeat_of=order_id)
    assert outcome_of(second) == "placed"
    assert second.attempt.placed.order.order_id != order_id
    # The order that is repeated is the last one, not just any.
    third = await ann.buy(offer, repeat_of=order_id)
    assert refusal_of(third) == "DUPLICATE_INTENT"
    assert third.attempt.rejected.existing_order_id == second.attempt.placed.order.order_id


async def test_after_the_block_the_same_purchase_is_a_new_one(open_world: OpenWorld):
    async with open_world(intent_block_ms=50) as world:
        offer = await world.offer()
        ann = await world.buyer()
        assert outcome_of(await ann.buy(offer)) == "placed"

        async def bought_again() -> bool:
            return outcome_of(await ann.buy(offer)) == "placed"

        assert await eventually(bought_again)


async def test_a_decline_blocks_nothing(world: World):
    offer = await world.offer()
    ann = await world.buyer("pm_card_chargeDeclined")
    quotes = [await ann.quote(offer) for _ in range(2)]
    answers = [await ann.tap(quote) for quote in quotes]
    assert [refusal_of(answer) for answer in answers] == ["DECLINED"] * 2
    assert await world.count("intent") == 0


async def test_lines_in_another_order_are_the_same_wish_and_other_lines_are_not(world: World):
    ann = await world.buyer()
    placed = await ann.tap(await ann.quote_lines(("mug", 1), ("tee", 2)))
    turned = await ann.tap(await ann.quote_lines(("tee", 1), ("mug", 1), ("tee", 1)))
    assert refusal_of(turned) == "DUPLICATE_INTENT"
    more = await ann.tap(await ann.quote_lines(("mug", 1), ("tee", 3)))
    assert outcome_of(placed) == outcome_of(more) == "placed"
    # An offer is a wish of its own, whatever it is made of.
    offer = await world.offer()
    assert outcome_of(await ann.buy(offer)) == "placed"


async def test_another_buyer_wants_the_same_for_themselves(world: World):
    offer = await world.offer()
    answers = [await buyer.buy(offer) for buyer in await world.buyers(2)]
    assert [outcome_of(answer) for answer in answers] == ["placed"] * 2
