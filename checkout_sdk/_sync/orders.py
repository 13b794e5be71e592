# Made from _async/orders.py by proto/generate_sync.py; not to be edited.
"""Orders as their buyer sees them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Unpack

from checkout_sdk import _rpcs
from checkout_sdk._calls import CallOptions
from checkout_sdk._pb import order_pb2
from checkout_sdk._sync.transport import Transport
from checkout_sdk.page import Page
from checkout_sdk.types import Order


class Orders:
    """`buyer.orders`."""

    def __init__(self, transport: Transport, buyer_id: str | None) -> None:
        self._transport = transport
        self._buyer_id = buyer_id or ""

    def get(self, order_id: str, **options: Unpack[CallOptions]) -> Order:
        """Raises `NotFound` for an unknown id and for another buyer's alike."""
        request = order_pb2.GetOrderRequest(order_id=order_id)
        response = self._transport.call(_rpcs.GET_ORDER, request, options)
        return Order.from_pb(response.order)

    def list(
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
        response = self._transport.call(_rpcs.LIST_ORDERS, request, options)
        return Page(
            items=[Order.from_pb(each) for each in response.orders],
            next_page_token=response.next_page_token or None,
        )

    def iter(
        self, *, merchant_id: str | None = None, **options: Unpack[CallOptions]
    ) -> Iterator[Order]:
        """All of them, the newest first, page by page; `timeout` is for each page."""
        request = order_pb2.ListOrdersRequest(
            buyer_id=self._buyer_id, merchant_id=merchant_id or ""
        )
        while True:
            response = self._transport.call(_rpcs.LIST_ORDERS, request, options)
            for order in response.orders:
                yield Order.from_pb(order)
            request.page_token = response.next_page_token
            if not request.page_token:
                return

    def watch(self, order_id: str, **options: Unpack[CallOptions]) -> Iterator[Order]:
        """The order now, then whenever it changes, until nothing can change any more. A lost
        connection is taken up where it broke."""
        request = order_pb2.WatchOrderRequest(order_id=order_id)
        for response in self._transport.stream(_rpcs.WATCH_ORDER, request, options):
            if response.HasField("order"):
                request.after_version = response.order.version
                yield Order.from_pb(response.order)

    def cancel(
        self, order_id: str, *, reason: str | None = None, **options: Unpack[CallOptions]
    ) -> Order:
        """Before anything is fulfilled and until `cancellable_until`: voids or refunds the money
        and gives the stock back. Later it raises `PreconditionFailed` with
        ORDER_NOT_CANCELLABLE."""
        request = order_pb2.CancelOrderRequest(order_id=order_id, reason=reason or "")
        response = self._transport.call(_rpcs.CANCEL_ORDER, request, options)
        return Order.from_pb(response.order)
