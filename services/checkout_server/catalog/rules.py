"""What requests of CatalogService must look like."""

from __future__ import annotations

from checkout_sdk._pb.item_pb2 import (
    AdjustStockRequest,
    GetItemRequest,
    ListItemsRequest,
    PutItemsRequest,
    SetStockRequest,
)
from checkout_server.merchants.rules import MERCHANT_ID
from checkout_server.validation import (
    Rules,
    each,
    integer,
    map_of,
    money,
    page,
    request_id,
    required,
    text,
    url,
)

MOST_ON_HAND = 10**9
SKU_PATTERN = "[A-Za-z0-9._-]+"
SKU_TEXT = "must have 1 to 64 letters, digits, `.`, `_` or `-`"


SKU = text("sku", minimum=1, maximum=64, pattern=SKU_PATTERN, describe=SKU_TEXT)

ITEM = (
    SKU,
    text("title", minimum=1, maximum=200),
    required("price"),
    money("price"),
    text("tax_class", maximum=32),
    integer("weight_grams", 0, 1_000_000),
    url("image_url", maximum=500, https_only=True),
    map_of("attributes", at_most=8, key_max=64, value_max=64),
)

RULES: Rules = {
    PutItemsRequest: (MERCHANT_ID, each("items", ITEM, at_most=100)),
    GetItemRequest: (MERCHANT_ID, SKU),
    ListItemsRequest: (MERCHANT_ID, page()),
    SetStockRequest: (MERCHANT_ID, SKU, integer("on_hand", 0, MOST_ON_HAND)),
    AdjustStockRequest: (
        request_id(),
        MERCHANT_ID,
        SKU,
        integer("delta", -MOST_ON_HAND, MOST_ON_HAND),
        text("reason", maximum=200),
    ),
}
