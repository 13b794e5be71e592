"""A seller with a shop on one platform, for tests of merchants, catalog and offers."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest

from checkout_sdk._pb.item_pb2 import Item, PutItemsRequest, SetStockRequest, Stock
from checkout_sdk._pb.merchant_pb2 import Merchant, PutMerchantRequest
from checkout_sdk._pb.money_pb2 import Money
from checkout_sdk._pb.offer_pb2 import CreateOfferRequest, Offer
from checkout_sdk._pb.quote_pb2 import WatchOffersRequest, WatchOffersResponse
from checkout_server import ids
from checkout_server.call import Call, Caller
from checkout_server.catalog.service import Catalog
from checkout_server.database import Database, Tx
from checkout_server.faults import Fault
from checkout_server.merchants.service import Merchants
from checkout_server.offers.service import Offers
from checkout_server.offers.watch import OfferChanges
from checkout_server.protobuf_time import timestamp
from tests.fakes.clock import FakeClock

PLATFORM = "streamly"
SHOP = "mugs"
TAG = ids.tag(PLATFORM, SHOP)
HOUR_MS = 60 * 60 * 1000
# Short, so that tests wait little; no test depends on how short.
POLL_S = 0.005
HOLD = """
UPDATE counter SET held = :held, committed = :committed
WHERE merchant = :tag AND kind = :kind AND id = :id
"""
FIRST_HOLD = """
INSERT INTO counter (merchant, kind, id, held, committed)
VALUES (:tag, :kind, :id, :held, :committed)
"""


def call_of(platform: str = PLATFORM, *merchants: str) -> Call:
    caller = Caller(platform, frozenset({"platform"}), merchants=frozenset(merchants))
    return Call(caller, method="Test", request_id="req_1")


CALL = call_of()


def shop(**changed: object) -> Merchant:
    plain = {"merchant_id": SHOP, "display_name": "Mugs", "country": "DE", "currency": "EUR"}
    return Merchant(**{**plain, **changed})


def item(sku: str = "mug", **changed: object) -> Item:
    return Item(**{"sku": sku, "title": "A mug", "price": eur(1200), **changed})


def eur(amount_minor: int) -> Money:
    return Money(amount_minor=amount_minor, currency="EUR")


@dataclass
class Seller:
    db: Database
    clock: FakeClock
    merchants: Merchants
    catalog: Catalog
    offers: Offers

    async def open_shop(self, **changed: object) -> Merchant:
        response = await self.merchants.put_merchant(
            PutMerchantRequest(merchant=shop(**changed)), CALL
        )
        return response.merchant

    async def put_items(self, *items: Item) -> list[Item]:
        request = PutItemsRequest(merchant_id=SHOP, items=items)
        return list((await self.catalog.put_items(request, CALL)).items)

    async def set_stock(self, on_hand: int, sku: str = "mug") -> Stock:
        request = SetStockRequest(merchant_id=SHOP, sku=sku, on_hand=on_hand)
        return (await self.catalog.set_stock(request, CALL)).stock

    async def hold(self, kind: str, counter: str, held: int, committed: int = 0) -> None:
        """What taps would have taken."""

        sql = FIRST_HOLD if kind == "quota" else HOLD

        async def write(tx: Tx) -> None:
            await tx.run(sql, tag=TAG, kind=kind, id=counter, held=held, committed=committed)

        await self.db.transact(write)

    def offer(self, **changed: object) -> Offer:
        plain = {
            "merchant_id": SHOP,
            "title": "The mug of the video",
            "skus": ["mug"],
            "ends_at": timestamp(self.clock.now_ms() + HOUR_MS),
        }
        return Offer(**{**plain, **changed})

    async def create_offer(self, request_id: str = "r1", **changed: object) -> Offer:
        request = CreateOfferRequest(request_id=request_id, offer=self.offer(**changed))
        return (await self.offers.create_offer(request, CALL)).offer

    def watch(
        self, *offer_ids: str, call: Call = CALL
    ) -> AsyncGenerator[WatchOffersResponse, None]:
        return self.offers.watch_offers(WatchOffersRequest(offer_ids=offer_ids), call)


def seller_of(
    db: Database, clock: FakeClock, *, poll_s: float = POLL_S, heartbeat_s: float = 30
) -> Seller:
    """Another one over the same database is another process."""
    changes = OfferChanges(db, clock, poll_s=poll_s, heartbeat_s=heartbeat_s)
    return Seller(db, clock, Merchants(db, clock), Catalog(db, clock), Offers(db, clock, changes))


async def seller_with_a_mug(db: Database, clock: FakeClock) -> Seller:
    seller = seller_of(db, clock)
    await seller.open_shop()
    await seller.put_items(item())
    return seller


def field_of(refused: pytest.ExceptionInfo[Fault]) -> str:
    """The path of the one field that a request was refused for."""
    assert refused.value.reason == "INVALID_FIELD"
    (violation,) = refused.value.violations
    return violation.field
