"""What really happened, read where it is kept: our database and the provider's book.

The stories are told by answers. These are looked at to know whether the answers are true.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from checkout_server._pb import stored_pb2
from checkout_server.charge.sandbox_book import Book, Intent
from checkout_server.cli.service_time import Moment, service_time
from checkout_server.database import Row
from checkout_server.database.open import open_readonly
from checkout_server.settings import Settings

PLACED_ORDERS = "SELECT attempt_id, total_minor, provider_intent FROM orders"
OPEN_ATTEMPTS = """
SELECT attempt_id, state FROM attempt
WHERE state IN ('RESERVED', 'CHARGING', 'UNKNOWN', 'ACTION_REQUIRED', 'PARKED')
"""
ATTEMPT = "SELECT state, body FROM attempt WHERE attempt_id = :attempt_id"


@dataclass(frozen=True, slots=True)
class Counts:
    orders: int
    charges: int

    def since(self, before: Counts) -> Counts:
        return Counts(self.orders - before.orders, self.charges - before.charges)


class Evidence:
    def __init__(self, settings: Settings) -> None:
        self._location = settings.database
        self.book = Book(str(settings.data_folder / "sandbox.db"))

    def close(self) -> None:
        self.book.close()

    def now(self) -> Moment:
        return asyncio.run(service_time(self._location))

    def counts(self) -> Counts:
        return Counts(len(self._fetch(PLACED_ORDERS)), len(self._live()))

    def state_of(self, attempt_id: str) -> str:
        ((state, _),) = self._fetch(ATTEMPT, attempt_id=attempt_id)
        return str(state)

    def trace_of(self, attempt_id: str) -> str:
        """The id of the trace that the server kept with an attempt."""
        ((_, body),) = self._fetch(ATTEMPT, attempt_id=attempt_id)
        traceparent = stored_pb2.AttemptRecord.FromString(body).traceparent
        return traceparent.split("-")[1] if traceparent else ""

    def intent_of(self, attempt_id: str) -> Intent:
        (intent,) = (one for one in self.book.intents() if one.attempt_id == attempt_id)
        return intent

    def contradictions(self) -> list[str]:
        """Every order has exactly one live charge, of its amount; every live charge has an order;
        nothing is left open."""
        live = self._live()
        found = [f"{attempt_id} is still {state}" for attempt_id, state in self._open()]
        orders = self._fetch(PLACED_ORDERS)
        for attempt_id, total_minor, intent_id in orders:
            charges = [one for one in live if one.attempt_id == attempt_id]
            if [(one.intent_id, one.amount_minor) for one in charges] != [(intent_id, total_minor)]:
                found.append(f"{attempt_id}: an order of {total_minor} has the charges {charges}")
        ordered = {attempt_id for attempt_id, _, _ in orders}
        found += [
            f"{one.intent_id}: a charge without an order"
            for one in live
            if one.attempt_id not in ordered
        ]
        return found

    def _open(self) -> list[Row]:
        return self._fetch(OPEN_ATTEMPTS)

    def _live(self) -> list[Intent]:
        return [one for one in self.book.intents() if one.is_live]

    def _fetch(self, sql: str, **parameters: Any) -> list[Row]:
        async def fetch() -> list[Row]:
            async with open_readonly(self._location, "checkout") as reader:
                return await reader.fetch(sql, **parameters)

        return asyncio.run(fetch())
