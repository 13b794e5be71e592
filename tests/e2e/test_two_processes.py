"""Two servers on one PostgreSQL, and taps that reach both."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

import pytest

from checkout_sdk._pb.attempt_pb2 import Attempt, PlaceOrderRequest
from tests.e2e.conftest import Prepare
from tests.e2e.ledger import Ledger, ledger_of
from tests.e2e.processes import ServerProcess
from tests.e2e.shop import VISA, Shop, outcome, shop_at, usd

pytestmark = pytest.mark.parametrize("db_url", ["postgres"], indirect=True)

STOCK = 100
FENCED = re.compile("attempt.fenced")


class Pair(NamedTuple):
    servers: Sequence[ServerProcess]
    shops: Sequence[Shop]
    ledger: Ledger

    async def tap(self, many: int, request: PlaceOrderRequest) -> list[Attempt]:
        """The same tap, so many at once, at both in turn."""
        shops = [self.shops[number % 2] for number in range(many)]
        answers = await asyncio.gather(
            *(shop.ask(shop.checkout.PlaceOrder, request) for shop in shops)
        )
        return [answer.attempt for answer in answers]


@pytest.fixture
async def pair(database: str, prepare: Prepare) -> AsyncIterator[Pair]:
    servers = [prepare(database=database) for _ in range(2)]
    for server in servers:
        server.launch()  # both at once: they migrate one empty database
    here, there = [server.ready() for server in servers]
    async with shop_at(here) as shop, ledger_of(here) as ledger:
        await shop.open(stock=STOCK)
        async with shop_at(there, shop.offer_id) as other:
            yield Pair(servers, (shop, other), ledger)


async def test_duplicates_of_one_tap_at_both_are_one_order(pair: Pair):
    quotes = await pair.shops[0].shown([f"buyer-{many}" for many in range(2, 21)])
    for many, (buyer, quote) in enumerate(quotes.items(), 2):
        request = PlaceOrderRequest(buyer_id=buyer, quote_token=quote.quote_token)
        await answered_alike(pair, await pair.tap(many, request))
    assert pair.ledger.book.posts() == len(quotes)
    await pair.ledger.check(orders=len(quotes))


async def test_duplicates_without_a_token_are_one_order(pair: Pair):
    shop = pair.shops[0]
    await shop.sign_up("ann", VISA)
    request = PlaceOrderRequest(
        buyer_id="ann",
        idempotency_key="the-tap-of-ann",
        offer_id=shop.offer_id,
        expected_total=usd(2_000),
    )
    await answered_alike(pair, await pair.tap(20, request))
    assert pair.ledger.book.posts() == 1
    await pair.ledger.check(orders=1)


async def test_duplicates_are_answered_alike_while_the_provider_is_slow(pair: Pair):
    quotes = await pair.shops[0].shown(["ann", "bob", "cem"], "pm_sandbox_slow_1200")
    for many, (buyer, quote) in zip((2, 7, 20), quotes.items(), strict=True):
        request = PlaceOrderRequest(buyer_id=buyer, quote_token=quote.quote_token)
        attempts = await pair.tap(many, request)
        assert [outcome(attempt) for attempt in attempts] == ["accepted"] * many
        await answered_alike(pair, attempts)
    assert pair.ledger.book.posts() == len(quotes)
    await pair.ledger.check(orders=len(quotes))


async def test_a_process_that_was_frozen_in_a_charge_finds_it_placed_by_the_other(pair: Pair):
    (frozen, _), (here, there), ledger = pair
    quotes = await here.shown(["ann"], "pm_sandbox_slow_2000")
    answer = await here.tap("ann", quotes["ann"])
    assert outcome(answer.attempt) == "accepted"
    frozen.freeze()
    placed = await there.decided(answer.attempt.attempt_id)
    assert outcome(placed) == "placed"
    frozen.thaw()
    await asyncio.to_thread(frozen.told, FENCED)
    assert (await here.tap("ann", quotes["ann"])).attempt == placed
    await ledger.check(orders=1)


async def answered_alike(pair: Pair, attempts: Sequence[Attempt]) -> None:
    """One attempt, of which each caller heard how it ended, or that it had not yet."""
    [attempt_id] = {attempt.attempt_id for attempt in attempts}
    ends = [await shop.decided(attempt_id) for shop in pair.shops]
    assert [outcome(end) for end in ends] == ["placed", "placed"]
    told = [attempt for attempt in attempts if outcome(attempt) != "accepted"]
    assert all(attempt == ends[0] for attempt in [*told, *ends])
