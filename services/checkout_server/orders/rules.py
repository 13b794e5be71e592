"""What requests of OrderService must look like."""

from __future__ import annotations

from checkout_sdk._pb.order_pb2 import (
    CancelOrderRequest,
    GetOrderRequest,
    ListOrdersRequest,
    WatchOrderRequest,
)
from checkout_server.validation import Rules, buyer, id_of, integer, page, text

ORDER_ID = id_of("order_id", "ord")

RULES: Rules = {
    GetOrderRequest: (ORDER_ID,),
    # Which of the two must be named depends on the token: see service.py.
    ListOrdersRequest: (buyer(), text("merchant_id", maximum=64), page()),
    WatchOrderRequest: (ORDER_ID, integer("after_version", 0, 2**62)),
    CancelOrderRequest: (ORDER_ID, text("reason", maximum=200)),
}
