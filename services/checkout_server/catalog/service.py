"""CatalogService: items, and how many there are of each.

Stock is set here and taken by taps, at the same time. Whoever changes a counter locks its row
first, and the schema refuses fewer on hand than are held and committed, whatever this file says.
"""

from __future__ import annotations

from collections.abc import Sequence

from checkout_sdk._pb.item_pb2 import (
    AdjustStockRequest,
    AdjustStockResponse,
    GetItemRequest,
    GetItemResponse,
    Item,
    ListItemsRequest,
    ListItemsResponse,
    PutItemsRequest,
    PutItemsResponse,
    SetStockRequest,
    SetStockResponse,
    Stock,
)
from checkout_server.call import Call
from checkout_server.catalog import store
from checkout_server.catalog.rules import MOST_ON_HAND
from checkout_server.database import Database, Tx
from checkout_server.database.clock import ServiceClock
from checkout_server.database.requests import once
from checkout_server.faults import Fault, invalid, not_found
from checkout_server.merchants.currency import check_price
from checkout_server.merchants.store import merchant_of
from checkout_server.merchants.versioned import next_version
from checkout_server.paging import DEFAULT_PAGE_SIZE, page_token, position_of
from checkout_server.protobuf_time import timestamp
from checkout_server.quotes.tax import STANDARD


class Catalog:
    def __init__(self, db: Database, clock: ServiceClock) -> None:
        self._db = db
        self._clock = clock

    async def put_items(self, request: PutItemsRequest, call: Call) -> PutItemsResponse:
        _check_distinct(request.items)
        wished = [_first_version(item, self._clock.now_ms()) for item in request.items]

        async def put(tx: Tx) -> list[Item]:
            # The lock makes two PutItems follow each other; else both could make the same version.
            row = await merchant_of(tx, call.caller, request.merchant_id, lock=True)
            for index, item in enumerate(wished):
                check_price(item.price, row.merchant.currency, f"items[{index}].price")
            before = await store.items(tx, row.tag, [item.sku for item in wished])
            after = [
                next_version(before[item.sku], item) if item.sku in before else item
                for item in wished
            ]
            changed = [item for item in after if item is not before.get(item.sku)]
            await store.put_items(tx, row.tag, changed)
            return after

        return PutItemsResponse(items=await self._db.transact(put))

    async def get_item(self, request: GetItemRequest, call: Call) -> GetItemResponse:
        row = await merchant_of(self._db, call.caller, request.merchant_id)
        items = await store.items(self._db, row.tag, [request.sku])
        if request.sku not in items:
            raise not_found()
        stock = await store.stock(self._db, row.tag, [request.sku])
        return GetItemResponse(item=items[request.sku], stock=stock[request.sku])

    async def list_items(self, request: ListItemsRequest, call: Call) -> ListItemsResponse:
        row = await merchant_of(self._db, call.caller, request.merchant_id)
        listing = f"items {row.tag}"
        after = position_of(request.page_token, listing) if request.page_token else ""
        size = request.page_size or DEFAULT_PAGE_SIZE
        items = await store.items_after(self._db, row.tag, after, size + 1)
        response = ListItemsResponse(items=items[:size])
        if len(items) > size:
            response.next_page_token = page_token(listing, items[size - 1].sku)
        return response

    async def set_stock(self, request: SetStockRequest, call: Call) -> SetStockResponse:
        async def put(tx: Tx) -> Stock:
            row = await merchant_of(tx, call.caller, request.merchant_id)
            stock = await _locked(tx, row.tag, request.sku)
            return await _set_on_hand(tx, row.tag, stock, request.on_hand)

        return SetStockResponse(stock=await self._db.transact(put))

    async def adjust_stock(self, request: AdjustStockRequest, call: Call) -> AdjustStockResponse:
        if not request.delta:
            raise invalid("delta", "must not be 0")

        async def adjust(tx: Tx) -> AdjustStockResponse:
            row = await merchant_of(tx, call.caller, request.merchant_id)

            async def make() -> AdjustStockResponse:
                before = await _locked(tx, row.tag, request.sku)
                on_hand = before.on_hand + request.delta
                if on_hand > MOST_ON_HAND:
                    raise invalid("delta", f"must leave at most {MOST_ON_HAND} on hand")
                after = await _set_on_hand(tx, row.tag, before, on_hand)
                return AdjustStockResponse(stock=after)

            return await once(
                tx,
                scope=row.tag,
                method="AdjustStock",
                request_id=request.request_id,
                request=request,
                response_type=AdjustStockResponse,
                now_ms=self._clock.now_ms(),
                make=make,
            )

        return await self._db.transact(adjust)


def _check_distinct(items: Sequence[Item]) -> None:
    seen: set[str] = set()
    for index, item in enumerate(items):
        if item.sku in seen:
            raise invalid(f"items[{index}].sku", "must be another than those before it")
        seen.add(item.sku)


def _first_version(given: Item, now_ms: int) -> Item:
    item = Item()
    item.CopyFrom(given)
    item.tax_class = given.tax_class or STANDARD
    item.version = 1
    item.update_time.CopyFrom(timestamp(now_ms))
    return item


async def _locked(tx: Tx, tag: str, sku: str) -> Stock:
    stock = await store.stock(tx, tag, [sku], lock=True)
    if sku not in stock:
        raise not_found()
    return stock[sku]


async def _set_on_hand(tx: Tx, tag: str, stock: Stock, on_hand: int) -> Stock:
    shortage = stock.held + stock.committed - on_hand
    if shortage > 0:
        raise Fault("STOCK_BELOW_HELD", metadata={"shortage": str(shortage)})
    await store.set_on_hand(tx, tag, stock.sku, on_hand)
    return store.stock_of(stock.sku, on_hand, stock.held, stock.committed)
