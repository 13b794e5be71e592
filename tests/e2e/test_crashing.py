"""SIGKILL, at any moment: every key ends with one outcome, and every charge with one order."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

from grpc import StatusCode
from grpc.aio import AioRpcError

from checkout_sdk._pb.attempt_pb2 import Attempt
from checkout_sdk._pb.quote_pb2 import Quote
from tests.e2e.conftest import Prepare
from tests.e2e.ledger import ledger_of
from tests.e2e.shop import Shop, outcome, shop_at

KILLS = 5
TAPS = 20
# From before the first T1 to after the last T2 of the slowest of these.
LATEST_KILL_S = 0.4
METHODS = (
    "pm_card_visa",
    "pm_sandbox_slow_200",
    "pm_sandbox_timeout_after",
    "pm_sandbox_busy_409",
    "pm_card_chargeDeclined",
)


async def test_a_server_killed_in_the_middle_of_a_charge_places_it_once(serve: Prepare):
    server = serve()
    async with shop_at(server) as shop, ledger_of(server) as ledger:
        await shop.open(stock=1)
        quotes = await shop.shown(["ann"], "pm_sandbox_slow_2000")
        answer = await shop.tap("ann", quotes["ann"])
        assert outcome(answer.attempt) == "accepted"
        assert ledger.book.posts(operation="authorize") == 1
        server.kill()
    server.start()
    async with shop_at(server) as shop, ledger_of(server) as ledger:
        end = await shop.tap_until_decided("ann", quotes["ann"])
        assert (outcome(end), end.attempt_id) == ("placed", answer.attempt.attempt_id)
        await ledger.check(orders=1)


async def test_kills_at_random_moments_lose_and_double_nothing(serve: Prepare):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    server = serve()
    answers: dict[str, list[Attempt]] = {}
    async with shop_at(server) as shop:
        offer_id = await shop.open(stock=KILLS * TAPS)
        quotes: dict[str, Quote] = {}
        for number, method in enumerate(METHODS):
            buyers = [f"buyer-{of}" for of in range(number, KILLS * TAPS, len(METHODS))]
            quotes |= await shop.shown(buyers, method)
    for round_ in range(KILLS):
        if round_:
            server.start()
        new = [f"buyer-{of}" for of in range(round_ * TAPS, (round_ + 1) * TAPS)]
        answers |= {buyer: [] for buyer in new}
        async with shop_at(server, offer_id) as shop:
            taps = [
                asyncio.create_task(tapped(shop, buyer, quotes[buyer], seen))
                for buyer, seen in answers.items()
            ]
            await asyncio.wait(taps, timeout=chance.uniform(0, LATEST_KILL_S))
            server.kill()
            await asyncio.gather(*taps)
    server.start()
    async with shop_at(server, offer_id) as shop, ledger_of(server) as ledger:
        ends = await asyncio.gather(
            *(shop.tap_until_decided(buyer, quotes[buyer]) for buyer in answers)
        )
        for seen, end in zip(answers.values(), ends, strict=True):
            seen.append(end)
            assert len(settled(seen)) == 1, f"several outcomes of one key: {seen}"
            assert {answer.attempt_id for answer in seen} == {end.attempt_id}
        paid = KILLS * (TAPS - TAPS // len(METHODS))
        assert Counter(map(outcome, ends)) == {"placed": paid, "declined": KILLS * TAPS - paid}
        await ledger.check(orders=paid)


async def tapped(shop: Shop, buyer: str, quote: Quote, seen: list[Attempt]) -> None:
    """One tap at a server that may die: an answer, or none."""
    try:
        seen.append((await shop.tap(buyer, quote)).attempt)
    except AioRpcError as error:
        if error.code() is not StatusCode.UNAVAILABLE:
            raise


def settled(seen: list[Attempt]) -> set[bytes]:
    """What a key was answered with for good, each answer once."""
    return {
        answer.SerializeToString(deterministic=True)
        for answer in seen
        if outcome(answer) not in ("accepted", "throttled")
    }
