"""What requests for quotes must look like."""

from __future__ import annotations

from checkout_sdk._pb.quote_pb2 import BatchCreateQuotesRequest, CreateQuoteRequest
from checkout_server.catalog.rules import SKU_PATTERN, SKU_TEXT
from checkout_server.merchants.rules import MERCHANT_ID
from checkout_server.validation import (
    Rules,
    buyer,
    duration,
    each,
    each_text,
    exactly_one,
    id_of,
    integer,
    known_enum,
    nested,
    text,
    url,
)

MOST_LINES = 20
MOST_QUANTITY = 99
MOST_REQUESTS = 20
MOST_CODES = 3
# One of ours has 34 characters; what is longer is none. Whether it is one is told as NOT_FOUND.
MOST_ID = 64
MOST_STEPS = 100
# A card that was shown a day ago is not the same visit.
LONGEST_JOURNEY_MS = 24 * 60 * 60 * 1000

LINE = (
    text("sku", minimum=1, maximum=64, pattern=SKU_PATTERN, describe=SKU_TEXT),
    integer("quantity", 1, MOST_QUANTITY),
)

ATTRIBUTION = (
    text("video_id", maximum=128),
    text("creator_id", maximum=128),
    text("card_id", maximum=128),
    text("experiment_arm", maximum=128),
)

JOURNEY = (
    text("journey_id", maximum=64),
    integer("steps", 0, MOST_STEPS),
    duration("elapsed", 0, LONGEST_JOURNEY_MS),
)

RULES: Rules = {
    CreateQuoteRequest: (
        buyer(),
        exactly_one("source"),
        text("offer_id", maximum=MOST_ID),
        text("cart_id", maximum=MOST_ID),
        nested("lines", (MERCHANT_ID, each("lines", LINE, at_least=1, at_most=MOST_LINES))),
        text("sku", maximum=64, pattern=SKU_PATTERN, describe=SKU_TEXT),
        integer("quantity", 0, MOST_QUANTITY),
        id_of("address_id", "adr", required=False),
        id_of("payment_method_id", "pmt", required=False),
        text("delivery_option_id", maximum=32),
        each_text("discount_codes", maximum=32, at_most=MOST_CODES),
        nested("attribution", ATTRIBUTION),
        known_enum("surface"),
        url("action_return_url"),
        nested("journey", JOURNEY),
    ),
    # Each request within is checked for itself: a bad one spoils its own result only.
    BatchCreateQuotesRequest: (each("requests", (), at_least=1, at_most=MOST_REQUESTS),),
}
