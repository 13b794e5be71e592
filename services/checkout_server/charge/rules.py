"""What requests to ChargeService must look like.

They come from checkout's own rows, after a tap was accepted: a rule that is stricter here than
where the value came in would leave that tap without an answer. So texts are bounded by what the
provider takes.
"""

from __future__ import annotations

from checkout_server._pb.charge_pb2 import (
    AuthorizeRequest,
    CaptureRequest,
    RefundRequest,
    RetrieveRequest,
    VoidRequest,
)
from checkout_server.charge import provider_params
from checkout_server.validation import (
    Rules,
    integer,
    known_enum,
    money,
    required,
    text,
    timestamp,
)

# Stripe's limit for an idempotency key.
KEY = text("key", minimum=1, maximum=255)
# Empty: the platform's own.
ACCOUNT = text("account", maximum=255)
INTENT = text("provider_intent", minimum=1, maximum=255)
AMOUNT = (required("amount"), money("amount", minimum=1))

RULES: Rules = {
    AuthorizeRequest: (
        KEY,
        ACCOUNT,
        *AMOUNT,
        text("merchant_id", minimum=1, maximum=500),
        text("attempt_id", minimum=1, maximum=500),
        known_enum("capture_mode", required=True),
        text("return_url", maximum=2048),
        text("provider_reference", minimum=1, maximum=255),
        text("provider_customer", maximum=255),
        integer("params_version", 1, provider_params.LATEST),
        timestamp("send_by", required=True),
    ),
    CaptureRequest: (KEY, ACCOUNT, INTENT, *AMOUNT),
    VoidRequest: (KEY, ACCOUNT, INTENT),
    RefundRequest: (KEY, ACCOUNT, INTENT, *AMOUNT),
    RetrieveRequest: (ACCOUNT, INTENT),
}
