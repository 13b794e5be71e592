"""What the database and the provider's book hold, read from outside while servers run."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import NamedTuple

from checkout_server.charge.sandbox_book import Book
from checkout_server.database import Reader
from checkout_server.database.open import open_readonly
from tests.auditor import violations
from tests.e2e.processes import SQLITE, ServerProcess

# How often a condition is looked at, and for how long before the test gives up.
LOOK_EVERY_S = 0.005
PATIENCE_S = 30.0
STATES = "SELECT state, COUNT(*) FROM attempt GROUP BY state"
STOCK = "SELECT on_hand, held, committed FROM counter WHERE kind = 'stock'"


class Stock(NamedTuple):
    on_hand: int
    held: int
    committed: int


class Ledger:
    """`checkout` can only read. `book` is the provider's."""

    def __init__(self, server: ServerProcess, checkout: Reader, book: Book) -> None:
        self._server = server
        self._checkout = checkout
        self.book = book

    async def states(self) -> Counter[str]:
        """How many attempts there are in each state."""
        return Counter({state: count for state, count in await self._checkout.fetch(STATES)})

    async def stock(self) -> Stock:
        """Of the one item there is."""
        [row] = await self._checkout.fetch(STOCK)
        return Stock(*row)

    async def attempts(self, at_least: int) -> None:
        """Waits until so many taps have been written down."""
        give_up_at = time.monotonic() + PATIENCE_S
        while (await self.states()).total() < at_least:
            assert time.monotonic() < give_up_at, f"{await self.states()} after {PATIENCE_S} s"
            await asyncio.sleep(LOOK_EVERY_S)

    async def check(self, *, orders: int) -> None:
        """Everything has ended: so many orders, a charge for each, and no invariant broken."""
        ended = await self.states()
        assert ended["PLACED"] == orders
        assert set(ended) <= {"PLACED", "DECLINED"}
        stock = await self.stock()
        assert (stock.held, stock.committed) == (0, orders)
        assert len(await self._checkout.fetch("SELECT order_id FROM orders")) == orders
        assert sum(intent.is_live for intent in self.book.intents()) == orders
        assert await violations(place_of(self._server), book_of(self._server)) == []


@asynccontextmanager
async def ledger_of(server: ServerProcess) -> AsyncIterator[Ledger]:
    """Of a server that runs, or did."""
    async with open_readonly(place_of(server), "checkout") as checkout:
        with closing(Book(str(book_of(server)))) as book:
            yield Ledger(server, checkout, book)


def place_of(server: ServerProcess) -> str:
    """Its database, for somebody in another folder."""
    return f"sqlite:{server.data}" if server.database == SQLITE else server.database


def book_of(server: ServerProcess) -> Path:
    return server.data / "sandbox.db"


async def row_counts(server: ServerProcess) -> dict[str, int]:
    """How many rows each table of each service has, on SQLite, and how many POSTs there were."""
    counts = {}
    for name in ("checkout", "address", "payment"):
        async with open_readonly(place_of(server), name) as database:
            tables = await database.fetch("SELECT name FROM sqlite_master WHERE type = 'table'")
            for (table,) in tables:
                [(count,)] = await database.fetch(f"SELECT COUNT(*) FROM {table}")
                counts[f"{name}.{table}"] = count
    with closing(Book(str(book_of(server)))) as book:
        counts["posts"] = book.posts()
    return counts
