"""Orders as their buyer sees them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Unpack

from checkout_sdk import _rpcs
from checkout_sdk._async.transport import AsyncTransport
from checkout_sdk._calls import CallOptions
from checkout_sdk._pb import order_pb2
from checkout_sdk.page import Page
from checkout_sdk.types import Order


class AsyncOrders:
    """`buyer.orders`."""

    def __init__(self, transport: AsyncTransport, buyer_id: str | None) -> None:
        self._transport = transport
        self._buyer_id = buyer_id or ""

    async def get(self, order_id: str, **options: Unpack[CallOptions]) -> Order:
        """Raises `NotFound` for an unknown id and for another buyer's alike."""
        request = order_pb2.GetOrderRequest(order_id=order_id)
        response = await self._transport.call(_rpcs.GET_ORDER, request, options)
        return Order.from_pb(response.order)

    async def list(
        self,
        *,
        merchant_id: str | None = None,
        page_size: int = 0,
        page_token: str | None = None,
        **options: Unpack[CallOptions],
    ) -> Page[Order]:
        """The newest first. `page_size`: 50 when 0, at most 200."""
        request = order_pb2.ListOrdersRequest(
            buyer_id=self._buyer_id,
            merchant_id=merchant_id or "",
            page_size=page_size,
            page_token=page_token or "",
        )
        response = await self._transport.call(_rpcs.LIST_ORDERS, request, options)
        return Page(
            items=[Order.from_pb(each) for each in response.orders],
            next_page_token=response.next_page_token or None,
        )

    async def iter(
        self, *, merchant_id: str | None = None, **options: Unpack[CallOptions]
    ) -> AsyncIterator[Order]:
        """All of them, the newest first, page by page; `timeout` is for each page."""
        request = order_pb2.ListOrdersRequest(
            buyer_id=self._buyer_id, merchant_id=merchant_id or ""
        )
        while True:
            response = await self._transport.call(_rpcs.LIST_ORDERS, request, options)
            for order in response.orders:
                yield Order.from_pb(order)
            request.page_token = response.next_page_token
            if not request.page_token:
                return

    async def watch(self, order_id: str, **options: Unpack[CallOptions]) -> AsyncIterator[Order]:
        """The order now, then whenever it changes, until nothing can change any more. A lost
        connection is taken up where it broke."""
        request = order_pb2.WatchOrderRequest(order_id=order_id)
        async for response in self._transport.stream(_rpcs.WATCH_ORDER, request, options):
            if response.HasField("order"):
                request.after_version = response.order.version
                yield Order.from_pb(response.order)

    async def cancel(
        self, order_id: str, *, reason: str | None = None, **options: Unpack[CallOptions]
    ) -> Order:
        """Before anything is fulfilled and until `cancellable_until`: voids or refunds the money
        and gives the stock back. Later it raises `PreconditionFailed` with
        ORDER_NOT_CANCELLABLE."""
        request = order_pb2.CancelOrderRequest(order_id=order_id, reason=reason or "")
        response = await self._transport.call(_rpcs.CANCEL_ORDER, request, options)
        return Order.from_pb(response.order)
