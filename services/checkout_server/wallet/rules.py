"""What requests of the wallet must look like."""

from __future__ import annotations

from checkout_sdk._pb.wallet_pb2 import (
    DeletePaymentMethodRequest,
    ListPaymentMethodsRequest,
    SavePaymentMethodRequest,
    SetDefaultPaymentMethodRequest,
)
from checkout_server._pb.lookup_pb2 import LookupPaymentMethodRequest
from checkout_server.validation import Rules, buyer, id_of, page, request_id, text

REFERENCE = (
    "must be the provider's reference, pm_ and 1 to 120 letters, digits, _ or -; "
    "a card number never enters this API"
)

RULES: Rules = {
    SavePaymentMethodRequest: (
        request_id(),
        buyer(),
        text(
            "provider_reference",
            minimum=1,
            maximum=123,
            pattern="pm_[A-Za-z0-9_-]{1,120}",
            describe=REFERENCE,
        ),
    ),
    ListPaymentMethodsRequest: (buyer(), page()),
    SetDefaultPaymentMethodRequest: (buyer(), id_of("payment_method_id", "pmt")),
    DeletePaymentMethodRequest: (buyer(), id_of("payment_method_id", "pmt")),
    LookupPaymentMethodRequest: (
        text("platform_id", minimum=1, maximum=128),
        text("buyer_id", minimum=1, maximum=128),
        id_of("payment_method_id", "pmt", required=False),
    ),
}
