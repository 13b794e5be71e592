"""What requests of OfferService, and WatchOffers, must look like."""

from __future__ import annotations

from checkout_sdk._pb.offer_pb2 import (
    CreateOfferRequest,
    EndOfferRequest,
    GetOfferRequest,
    ListOffersRequest,
    UpdateOfferRequest,
)
from checkout_sdk._pb.quote_pb2 import WatchOffersRequest
from checkout_server.catalog.rules import SKU_PATTERN, SKU_TEXT
from checkout_server.merchants.rules import MERCHANT_ID
from checkout_server.validation import (
    Rules,
    each_integer,
    each_text,
    id_of,
    integer,
    mask,
    money,
    nested,
    page,
    request_id,
    required,
    text,
    timestamp,
)

MOST_TITLE = 200
MOST_SKUS = 24
MOST_UNITS = 10**9

# What holds for a field whenever it is set. What must be set, and what fields must be to each
# other, is asked of the whole offer in service.py, after an update too.
TERMS = (
    each_text(
        "skus",
        minimum=1,
        maximum=64,
        at_most=MOST_SKUS,
        pattern=SKU_PATTERN,
        describe=SKU_TEXT,
    ),
    money("price"),
    integer("quota", 0, MOST_UNITS),
    integer("cap_per_buyer", 0, 1_000),
    each_integer("quantities", 1, 99, at_most=10),
    timestamp("starts_at"),
    timestamp("ends_at"),
    text("video_id", maximum=128),
    text("creator_id", maximum=128),
)

RULES: Rules = {
    CreateOfferRequest: (
        request_id(),
        required("offer"),
        nested("offer", (MERCHANT_ID, text("title", minimum=1, maximum=MOST_TITLE), *TERMS)),
    ),
    UpdateOfferRequest: (
        required("offer"),
        nested(
            "offer",
            (
                id_of("offer_id", "off"),
                text("title", maximum=MOST_TITLE),
                text("etag", maximum=64),
                *TERMS,
            ),
        ),
        mask(
            "update_mask",
            "title",
            "skus",
            "price",
            "quota",
            "cap_per_buyer",
            "quantities",
            "starts_at",
            "ends_at",
            "video_id",
            "creator_id",
            "flash",
        ),
    ),
    EndOfferRequest: (id_of("offer_id", "off"),),
    GetOfferRequest: (id_of("offer_id", "off"),),
    ListOffersRequest: (MERCHANT_ID, page()),
    WatchOffersRequest: (each_text("offer_ids", minimum=1, maximum=64, at_least=1, at_most=50),),
}
