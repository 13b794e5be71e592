from __future__ import annotations

import pytest

from checkout_server.database import Database
from tests.fakes.clock import FakeClock
from tests.services.seller_support import Seller, seller_with_a_mug


@pytest.fixture
async def seller(checkout_db: Database, clock: FakeClock) -> Seller:
    return await seller_with_a_mug(checkout_db, clock)
