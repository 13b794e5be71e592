"""SIGTERM, and what it must not lose: taps that are at a slow provider when it comes."""

from __future__ import annotations

import asyncio
import signal

import pytest

from tests.e2e.conftest import Prepare
from tests.e2e.ledger import ledger_of
from tests.e2e.shop import outcome, shop_at

TAPS = 200
SLOW = "pm_sandbox_slow_3000"


@pytest.mark.parametrize("drain_s", ["20", "1"], ids=["long enough", "too short"])
async def test_taps_in_flight_at_sigterm_are_each_placed_once(serve: Prepare, drain_s: str):
    server = serve(drain_s=drain_s)
    async with shop_at(server) as shop, ledger_of(server) as ledger:
        await shop.open(stock=TAPS)
        quotes = await shop.shown([f"buyer-{number}" for number in range(TAPS)], SLOW)
        taps = [asyncio.create_task(shop.tap(*one)) for one in quotes.items()]
        await ledger.attempts(TAPS)
        server.signal(signal.SIGTERM)
        answers = [outcome(answer.attempt) for answer in await asyncio.gather(*taps)]
        assert set(answers) <= {"accepted", "placed"}
        assert await asyncio.to_thread(server.ended) == 0
    server.start()
    async with shop_at(server) as shop, ledger_of(server) as ledger:
        ends = await asyncio.gather(
            *(shop.tap_until_decided(buyer, quote) for buyer, quote in quotes.items())
        )
        assert [outcome(end) for end in ends] == ["placed"] * TAPS
        await ledger.check(orders=TAPS)
