"""A video goes viral: 500 buyers, 10 units, one moment."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

from tests.e2e.conftest import Prepare
from tests.e2e.ledger import LOOK_EVERY_S, Ledger, Stock, ledger_of
from tests.e2e.shop import outcome, shop_at

BUYERS = 500
UNITS = 10
# Long enough for held units to be seen, short enough to be placed within the answer's time.
SLOW = "pm_sandbox_slow_300"


async def test_500_buyers_of_10_units_buy_exactly_10(database: str, serve: Prepare):
    server = serve(database=database)
    async with shop_at(server) as shop, ledger_of(server) as ledger:
        await shop.open(stock=UNITS)
        quotes = await shop.shown([f"buyer-{number}" for number in range(BUYERS)], SLOW)
        over = asyncio.Event()
        sampling = asyncio.create_task(stock_until(over, ledger))
        answers = await asyncio.gather(*(shop.tap(*one) for one in quotes.items()))
        # Who was answered before the provider was, taps again.
        ends = await asyncio.gather(
            *(
                shop.tap_until_decided(buyer, quote)
                for (buyer, quote), answer in zip(quotes.items(), answers, strict=True)
                if outcome(answer.attempt) in ("placed", "accepted", "throttled")
            )
        )
        over.set()
        taken = [stock.held + stock.committed for stock in await sampling]
        assert max(taken) == taken[-1] == UNITS
        assert grows(taken), "a unit came back although every buyer could pay"
        assert {outcome(answer.attempt) for answer in answers} <= {
            "placed",
            "accepted",
            "throttled",
            "sold_out",
        }
        assert Counter(map(outcome, ends))["placed"] == UNITS
        await ledger.check(orders=UNITS)


async def stock_until(over: asyncio.Event, ledger: Ledger) -> list[Stock]:
    """The counter as it is committed, again and again."""
    seen = [await ledger.stock()]
    while not over.is_set():
        await asyncio.sleep(LOOK_EVERY_S)
        seen.append(await ledger.stock())
    return seen


def grows(numbers: Iterable[int]) -> bool:
    return all(after >= before for before, after in pairwise(numbers))
