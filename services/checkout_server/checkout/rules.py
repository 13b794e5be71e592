"""What a tap, and a question about one, must look like."""

from __future__ import annotations

from checkout_sdk._pb.attempt_pb2 import (
    CancelAttemptRequest,
    CompleteActionRequest,
    GetAttemptRequest,
    PlaceOrderRequest,
    WatchAttemptRequest,
)
from checkout_server._validation import Rule
from checkout_server.catalog.rules import SKU_PATTERN, SKU_TEXT
from checkout_server.merchants.rules import MERCHANT_ID
from checkout_server.quotes.rules import (
    ATTRIBUTION,
    JOURNEY,
    LINE,
    MOST_CODES,
    MOST_ID,
    MOST_LINES,
    MOST_QUANTITY,
)
from checkout_server.validation import (
    Rules,
    at_most_one,
    buyer,
    each,
    each_text,
    id_of,
    integer,
    known_enum,
    map_of,
    money,
    nested,
    one_of_fields,
    required,
    text,
    url,
)

# 2 KiB of signed bytes in base64, with kid and signature.
MOST_TOKEN = 2_900
DAY_MS = 24 * 3600 * 1000

KEY_PATTERN = r"[A-Za-z0-9_.:-]{8,128}"
KEY_TEXT = "must be 8 to 128 letters, digits, '_', '-', '.' or ':'"


def key() -> Rule:
    """Empty passes: a token carries a key of its own."""
    return text("idempotency_key", maximum=128, pattern=f"|{KEY_PATTERN}", describe=KEY_TEXT)


RULES: Rules = {
    PlaceOrderRequest: (
        key(),
        buyer(),
        text("quote_token", maximum=MOST_TOKEN),
        text("offer_id", maximum=MOST_ID),
        text("cart_id", maximum=MOST_ID),
        nested("lines", (MERCHANT_ID, each("lines", LINE, at_least=1, at_most=MOST_LINES))),
        text("sku", maximum=64, pattern=SKU_PATTERN, describe=SKU_TEXT),
        integer("quantity", 0, MOST_QUANTITY),
        # The neighbours refuse another form too, but from them it would look like their trouble.
        id_of("address_id", "adr", required=False),
        id_of("payment_method_id", "pmt", required=False),
        text("delivery_option_id", maximum=32),
        each_text("discount_codes", maximum=32, at_most=MOST_CODES),
        money("expected_total"),
        nested("journey", JOURNEY),
        integer("position_ms", 0, DAY_MS),
        each(
            "consents",
            (text("name", minimum=1, maximum=64), text("version", maximum=64)),
            at_most=10,
        ),
        nested(
            "risk",
            (
                text("device_id", maximum=64),
                text("ip_address", maximum=45),
                text("user_agent", maximum=300),
            ),
        ),
        text("repeat_of", maximum=MOST_ID),
        each_text("accepts_outcomes", maximum=64, at_most=20),
        at_most_one("address_id", "new_address"),
        nested("new_address", (required("address"),)),
        at_most_one("payment_method_id", "new_payment"),
        nested(
            "new_payment",
            (
                text(
                    "provider_token",
                    minimum=4,
                    maximum=123,
                    pattern=r"pm_[A-Za-z0-9_-]{1,120}",
                    describe="must be the provider's pm_... token, never a card number",
                ),
            ),
        ),
        nested("contact", (text("email", maximum=254), text("phone", maximum=32))),
        nested("attribution", ATTRIBUTION),
        known_enum("surface"),
        url("action_return_url"),
        text("client_reference", maximum=128),
        map_of("metadata", at_most=20, key_max=64, value_max=500),
    ),
    GetAttemptRequest: (
        one_of_fields("attempt_id", "idempotency_key"),
        id_of("attempt_id", "att", required=False),
        key(),
        buyer(),
        text("merchant_id", maximum=64),
    ),
    WatchAttemptRequest: (id_of("attempt_id", "att"), integer("after_version", 0, 2**62)),
    CompleteActionRequest: (id_of("attempt_id", "att"),),
    CancelAttemptRequest: (id_of("attempt_id", "att"),),
}
