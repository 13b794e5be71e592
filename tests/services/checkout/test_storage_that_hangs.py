"""A database that takes a question and does not answer: told in the answer's time, like one that is
down."""

from __future__ import annotations

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError

from tests.answers import outcome_of, reason_of
from tests.services.checkout.conftest import OpenWorld
from tests.world import HURRIED_MS


async def test_a_tap_at_a_hanging_database_is_told_to_come_again(open_world: OpenWorld):
    async with open_world(answer_within_ms=HURRIED_MS) as world:
        offer = await world.offer()
        ann = await world.buyer()
        quote = await ann.quote(offer)
        world.database.reads_answer.clear()
        with pytest.raises(AioRpcError) as caught:
            await ann.tap(quote)  # without the limit it would hang until the test's own
        assert caught.value.code() is StatusCode.UNAVAILABLE
        assert reason_of(caught.value) == "STORAGE_UNAVAILABLE"
        world.database.reads_answer.set()
        assert outcome_of(await ann.tap(quote)) == "placed"
