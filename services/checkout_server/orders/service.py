"""OrderService: an order as its buyer sees it, and its cancellation while that is still possible.

A cancellation is two transactions with the provider between them. The first marks the order and
journals the movement of money; from then on it happens, whatever becomes of the call or of this
process. The second, in operations.py, ends the order and gives its units back.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from checkout_sdk._pb import order_pb2
from checkout_server import ids
from checkout_server.call import Call, Caller
from checkout_server.checkout.answering import Answering
from checkout_server.checkout.waiting import Waiting, Watch
from checkout_server.database import Database, Reader, StorageUnavailable, Tx
from checkout_server.database.clock import ServiceClock
from checkout_server.faults import Fault, invalid, not_found
from checkout_server.orders import cancelling, store
from checkout_server.orders.operations import Operations
from checkout_server.orders.order import changed
from checkout_server.orders.store import OperationRow, StoredOrder
from checkout_server.paging import DEFAULT_PAGE_SIZE, dated_position_of, page_token
from checkout_server.protobuf_time import timestamp, timestamp_ms

HEARTBEAT_S = 15.0

PLACED = order_pb2.OrderState.ORDER_STATE_PLACED


class Orders:
    def __init__(
        self,
        database: Database,
        clock: ServiceClock,
        waiting: Waiting[StoredOrder],
        operations: Operations,
        answering: Answering,
        *,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self._database = database
        self._clock = clock
        self._waiting = waiting
        self._operations = operations
        self._answering = answering
        self._heartbeat_s = heartbeat_s

    async def get_order(
        self, request: order_pb2.GetOrderRequest, call: Call
    ) -> order_pb2.GetOrderResponse:
        stored = await _owned(self._database, request.order_id, call.caller)
        return order_pb2.GetOrderResponse(order=stored.order)

    async def list_orders(
        self, request: order_pb2.ListOrdersRequest, call: Call
    ) -> order_pb2.ListOrdersResponse:
        buyer_id, merchant = _whose(request, call.caller)
        listing = "\0".join(("orders", call.caller.platform, merchant or "", buyer_id or ""))
        size = request.page_size or DEFAULT_PAGE_SIZE
        found = await store.newest_first(
            self._database,
            platform_id=call.caller.platform,
            buyer_id=buyer_id,
            merchant=merchant,
            place=_place(request.page_token, listing),
            limit=size + 1,
        )
        response = order_pb2.ListOrdersResponse(orders=[stored.order for stored in found[:size]])
        if len(found) > size:
            last = found[size - 1].order
            created_ms = timestamp_ms(last.create_time)
            response.next_page_token = page_token(listing, str(created_ms), last.order_id)
        return response

    async def watch_order(
        self, request: order_pb2.WatchOrderRequest, call: Call
    ) -> AsyncIterator[order_pb2.WatchOrderResponse]:
        with self._watch(request.order_id) as watch:
            stored = await _owned(self._database, request.order_id, call.caller)
            told = request.after_version
            while True:
                if stored.order.version > told:
                    told = stored.order.version
                    yield self._told(stored)
                if stored.order.state != PLACED:
                    return
                newer, written_here = await watch.newer(
                    stored.order.version, timeout_s=self._heartbeat_s
                )
                if newer:
                    stored = written_here or await _owned(
                        self._database, request.order_id, call.caller
                    )
                else:
                    yield self._told(None)

    async def cancel_order(
        self, request: order_pb2.CancelOrderRequest, call: Call
    ) -> order_pb2.CancelOrderResponse:
        answer_by = self._answering.answer_by(call)
        with self._watch(request.order_id) as watch:
            stored, begun = await self._begin(request, call.caller)
            if begun is not None:
                self._waiting.changed(request.order_id, stored.order.version, stored)
                self._operations.start(begun)
            stored = await self._followed(stored, watch, answer_by)
        return order_pb2.CancelOrderResponse(order=stored.order)

    async def _begin(
        self, request: order_pb2.CancelOrderRequest, caller: Caller
    ) -> tuple[StoredOrder, OperationRow | None]:
        """The order on its way to be cancelled, and the operation, if this call began it."""
        now_ms = self._clock.now_ms()

        async def body(tx: Tx) -> tuple[StoredOrder, OperationRow | None]:
            stored = await _owned(tx, request.order_id, caller, lock=True)
            order, record, merchant = stored.order, stored.record, stored.merchant
            if order.state == order_pb2.OrderState.ORDER_STATE_CANCELLED:
                return stored, None
            under_way = await store.pending(tx, merchant, order.order_id)
            if under_way is not None and under_way.operation.cancels_order:
                return stored, None
            if under_way is not None or not cancelling.may_begin(order, now_ms):
                raise Fault("ORDER_NOT_CANCELLABLE")
            changed(order, now_ms)
            operation = cancelling.begin(
                order,
                record.provider_intent,
                record.account,
                number=await store.next_number(tx, merchant, order.order_id),
                reason=request.reason,
            )
            await store.write(tx, stored, "order.cancelling")
            return stored, await store.journal(tx, merchant, operation, now_ms)

        return await self._database.transact(body)

    async def _followed(
        self, stored: StoredOrder, watch: Watch[StoredOrder], answer_by: float
    ) -> StoredOrder:
        """The order once it is cancelled, or as it is by then: the money goes back all the same."""
        while stored.order.state == PLACED:
            left_s = answer_by - time.monotonic()
            newer, written_here = await watch.newer(stored.order.version, timeout_s=left_s)
            if not newer:
                break
            stored = written_here or await self._reread(stored)
        return stored

    async def _reread(self, stored: StoredOrder) -> StoredOrder:
        try:
            found = await store.by_id(self._database, stored.merchant, stored.order.order_id)
        except StorageUnavailable:
            return stored  # the cancellation is under way: what we last knew of it is true
        if found is None:
            raise AssertionError(f"{stored.order.order_id} is gone")
        return found

    def _watch(self, order_id: str) -> Watch[StoredOrder]:
        return self._waiting.watch(_merchant_of(order_id), order_id)

    def _told(self, stored: StoredOrder | None) -> order_pb2.WatchOrderResponse:
        return order_pb2.WatchOrderResponse(
            order=None if stored is None else stored.order,
            server_time=timestamp(self._clock.now_ms()),
        )


async def _owned(
    reader: Reader, order_id: str, caller: Caller, *, lock: bool = False
) -> StoredOrder:
    """The order, if it is this caller's to see: its buyer's, its platform's, its merchant's."""
    stored = await store.by_id(reader, _merchant_of(order_id), order_id, lock=lock)
    if stored is None or not caller.owns(stored.platform_id, stored.order.buyer_id):
        raise not_found()
    if caller.merchants and stored.order.merchant_id not in caller.merchants:
        raise not_found()
    return stored


def _merchant_of(order_id: str) -> str:
    merchant = ids.tag_of(order_id, "ord")
    if merchant is None:
        raise not_found()
    return merchant


def _whose(request: order_pb2.ListOrdersRequest, caller: Caller) -> tuple[str | None, str | None]:
    """The buyer and the tag of the merchant to list for: one of them, or both."""
    buyer_id = caller.acting_buyer(request.buyer_id)
    if caller.merchants and not request.merchant_id:
        raise invalid("merchant_id", "must name one of the merchants this token acts for")
    if buyer_id is None and not request.merchant_id:
        raise invalid("buyer_id", "must name the buyer, unless merchant_id names a merchant")
    tag = caller.merchant_tag(request.merchant_id) if request.merchant_id else None
    return buyer_id, tag


def _place(token: str, listing: str) -> tuple[int, str]:
    return dated_position_of(token, listing) if token else store.BEFORE_ALL
