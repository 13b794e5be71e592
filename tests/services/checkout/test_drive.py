"""The driver, where only its timing tells right from wrong: looks at the bank are made rare here,
so that whoever waits for the next one waits for ever."""

from __future__ import annotations

import pytest

from checkout_server.checkout import settle
from tests.answers import refusal_of
from tests.services.checkout.conftest import OpenWorld
from tests.world import World

CHALLENGE = "pm_card_threeDSecure2Required"


@pytest.fixture(autouse=True)
def rare_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle, "FIRST_POLL_MS", settle.LONGEST_BACKOFF_MS)


async def test_word_left_while_the_provider_is_asked_is_not_missed(open_world: OpenWorld):
    async with open_world(answer_within_ms=200) as world:
        ann = await world.buyer(CHALLENGE)
        attempt_id = (await ann.buy(await world.offer())).attempt.attempt_id
        world.slow_network(500)
        # Asks whether the challenge is passed, and has not heard yet when the buyer gives up.
        await ann.comes_back(attempt_id)
        await ann.cancels(attempt_id)
        assert refusal_of(await world.reaches(attempt_id, "CANCELLED")) == "CANCELLED"


async def test_a_challenge_that_was_taken_over_is_looked_at_first(open_world: OpenWorld):
    async with open_world(answer_within_ms=200) as world:
        ann = await world.buyer(CHALLENGE)
        attempt_id = (await ann.buy(await world.offer())).attempt.attempt_id
        world.bank(attempt_id, passed=True)
        await world.die()
        successor = await World.start(world.settings)
        try:
            # Nobody comes back to the shop: whoever waited for them is dead.
            await successor.reaches(attempt_id, "PLACED")
        finally:
            await successor.stop()
