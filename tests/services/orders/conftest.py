from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from checkout_server.database import Database
from tests.fakes.clock import FakeClock
from tests.services.orders.support import Desk, Process
from tests.services.seller_support import seller_with_a_mug


@pytest.fixture
async def desk(checkout_db: Database, clock: FakeClock) -> AsyncIterator[Desk]:
    seller = await seller_with_a_mug(checkout_db, clock)
    await seller.set_stock(10)
    desk = Desk(seller)
    yield desk
    await desk.close()
    await desk.check_columns()


@pytest.fixture
async def process(desk: Desk) -> Process:
    return await desk.process()
