from __future__ import annotations

import pytest

from checkout_server.database import Database
from tests.fakes.clock import FakeClock
from tests.services.quotes.support import Market, market_of


@pytest.fixture
async def market(checkout_db: Database, clock: FakeClock) -> Market:
    return await market_of(checkout_db, clock)
