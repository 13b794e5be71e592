"""Two servers on one PostgreSQL, and taps that reach both."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest

from checkout_sdk._pb.attempt_pb2 import Attempt, GetAttemptRequest, PlaceOrderRequest
from checkout_sdk._pb.quote_pb2 import Quote
from tests.e2e.conftest import Serve
from tests.e2e.ledger import Ledger, ledger_of
from tests.e2e.processes import ServerProcess
from tests.e2e.shop import SKU, Shop, outcome, shop_at, usd

MOST_DUPLICATES = 20


class Pair(NamedTuple):
    servers: tuple[ServerProcess, ServerProcess]
    shops: tuple[Shop, Shop]
    ledger: Ledger

    async def taps(self, many: int, request: PlaceOrderRequest) -> list[Attempt]:
        """The same tap, so many at once, at both in turn."""
        asked = (
            shop.ask(shop.checkout.PlaceOrder, request)
            for shop in (self.shops * many)[:many]
        )
        return [answer.attempt for answer in await asyncio.gather(*asked)]

    async def ends(self, many: int, buyer_id: str, quote: Quote) -> list[Attempt]:
        return await asyncio.gather(
            *(shop.tap_until_decided(buyer_id, quote) for shop in (self.shops * many)[:many])
        )


@pytest.fixture
async def pair(postgres_database: str, serve: Serve) -> AsyncIterator[Pair]:
    ...
