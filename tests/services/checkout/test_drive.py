"""The driver, where only its timing tells right from wrong: looks at the bank are made rare here,
so that whoever waits for the next one waits for ever."""

from __future__ import annotations

import pytest

from checkout_server.checkout import settle
from tests.answers import refusal_of
from tests.services.checkout.conftest import OpenWorld
from tests.world import HURRIED_MS, World

CHALLENGE = "pm_card_threeDSecure2Required"


@pytest.fixture(autouse=True)
def rare_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle, "FIRST_POLL_MS", settle.LONGEST_BACKOFF_MS)


async def test_word_left_while_the_provider_is_asked_is_not_missed(open_world: OpenWorld):
    async with open_world(answer_within_ms=HURRIED_MS) as world:
        ann = await world.buyer(CHALLENGE)
        answer = await ann.buy(await world.offer())
        attempt_id = answer.attempt.attempt_id
        await world.reaches(attempt_id, "ACTION_REQUIRED")
        # Asks whether the challenge is passed, and has not heard yet when the buyer gives up.
        world.line.hold()
        await ann.comes_back(attempt_id)
        await ann.cancels(attempt_id)
        world.line.release()
        assert refusal_of(await world.reaches(attempt_id, "CANCELLED")) == "CANCELLED"


async def test_a_challenge_that_was_taken_over_is_looked_at_first(open_world: OpenWorld):
    async with open_world() as world:
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
