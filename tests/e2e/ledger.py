"""What the database and the provider's book hold, read from outside while servers run."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from checkout_server.charge.sandbox_book import Book
from checkout_server.database import Reader
from checkout_server.database.open import open_readonly
from tests.e2e.processes import SQLITE, ServerProcess

# How often a condition is looked at, and for how long before the test gives up.
LOOK_EVERY_S = 0.005
PATIENCE_S = 30.0
STATES = "SELECT state, COUNT(*) FROM attempt GROUP BY state"
STOCK = "SELECT on_hand, held, committed FROM counter WHERE kind = 'stock'"
HELD = "SELECT kind, id, held FROM counter WHERE held <> 0"
ORDERED = "SELECT attempt_id FROM orders WHERE state = 'PLACED'"


class Stock(NamedTuple):
    on_hand: int
    held: int
    committed: int


class Ledger:
    """`checkout` can only read. `book` is the provider's."""

    def __init__(self, checkout: Reader, book: Book) -> None:
        self._checkout = checkout
        self.book = book

    async def states(self) -> Counter[str]:
        """How many attempts there are in each state."""
        return Counter({state: count for state, count in await self._checkout.fetch(STATES)})

    async def stock(self) -> Stock:
        """Of the one item there is."""
        [row] = await self._checkout.fetch(STOCK)
        return Stock(*row)

    async def ordered(self) -> Counter[str]:
        """How many orders each attempt has come to."""
        return Counter(attempt_id for (attempt_id,) in await self._checkout.fetch(ORDERED))

    def charged(self) -> Counter[str]:
        """How many live charges each attempt has at the provider."""
        return Counter(intent.attempt_id for intent in self.book.intents() if intent.is_live)

    async def attempts(self, at_least: int) -> None:
        """Waits until so many taps have been written down."""
        give_up_at = time.monotonic() + PATIENCE_S
        while (await self.states()).total() < at_least:
            assert time.monotonic() < give_up_at, f"{await self.states()} after {PATIENCE_S} s"
            await asyncio.sleep(LOOK_EVERY_S)

    async def check(self, *, orders: int) -> None:
        """Everything has ended, one charge for one order, and the units add up."""
        ordered = await self.ordered()
        assert ordered == self.charged()
        assert len(ordered) == ordered.total() == orders
        states = await self.states()
        assert states["PLACED"] == orders
        assert not states.keys() & {"RESERVED", "CHARGING", "UNKNOWN", "ACTION_REQUIRED", "PARKED"}
        assert await self._checkout.fetch(HELD) == []
        assert (await self.stock()).committed == orders


@asynccontextmanager
async def ledger_of(server: ServerProcess) -> AsyncIterator[Ledger]:
    """Of a server that runs, or did."""
    place = f"sqlite:{server.data}" if server.database == SQLITE else server.database
    async with open_readonly(place, "checkout") as checkout:
        book = Book(str(server.data / "sandbox.db"))
        try:
            yield Ledger(checkout, book)
        finally:
            book.close()
