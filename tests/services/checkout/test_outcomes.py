from __future__ import annotations

from tests.world import World, outcome_of


async def test_a_tap_places_an_order(world: World):
    offer = await world.offer()
    ann = await world.buyer()
    answer = await ann.buy(offer)
    assert outcome_of(answer) == "placed"
    assert world.creates(answer.attempt.attempt_id) == 1
