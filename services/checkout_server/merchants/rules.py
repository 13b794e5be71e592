"""What requests of MerchantService must look like."""

from __future__ import annotations

from checkout_sdk._pb.merchant_pb2 import (
    PutDeliveryOptionsRequest,
    PutDiscountCodeRequest,
    PutMerchantRequest,
    PutTaxTableRequest,
)
from checkout_server.validation import (
    Rules,
    currency,
    duration,
    each,
    each_text,
    exactly_one,
    integer,
    known_enum,
    money,
    nested,
    required,
    text,
    timestamp,
    url,
)

NAME = "must have 1 to {} letters, digits, `_` or `-`"
NAME_PATTERN = "[A-Za-z0-9_-]+"
COUNTRY_PATTERN = "[A-Z]{2}"
COUNTRY_TEXT = "must be an ISO 3166-1 alpha-2 code, in capital letters"
DAY_MS = 24 * 60 * 60 * 1000
# No parcel is heavier than a lorry: 100 t.
HEAVIEST_GRAMS = 100_000_000
LONGEST_DAYS = 365
MOST_USES = 10**9


MERCHANT_ID = text(
    "merchant_id",
    minimum=1,
    maximum=64,
    pattern="[A-Za-z0-9._-]+",
    describe="must have 1 to 64 letters, digits, `.`, `_` or `-`",
)
COUNTRY = text("country", minimum=2, maximum=2, pattern=COUNTRY_PATTERN, describe=COUNTRY_TEXT)

MERCHANT = (
    MERCHANT_ID,
    text("display_name", minimum=1, maximum=100),
    COUNTRY,
    currency("currency"),
    known_enum("capture_mode"),
    integer("answer_within_ms", 0, 5_000),
    url("action_return_url"),
    duration("cancellable_for", 0, 30 * DAY_MS),
)

DELIVERY_OPTION = (
    text(
        "delivery_option_id",
        minimum=1,
        maximum=32,
        pattern=NAME_PATTERN,
        describe=NAME.format(32),
    ),
    text("name", minimum=1, maximum=80),
    required("price"),
    money("price"),
    each_text(
        "countries",
        minimum=2,
        maximum=2,
        at_most=250,
        pattern=COUNTRY_PATTERN,
        describe=COUNTRY_TEXT,
    ),
    integer("min_weight_grams", 0, HEAVIEST_GRAMS),
    integer("max_weight_grams", 0, HEAVIEST_GRAMS),
    integer("min_days", 0, LONGEST_DAYS),
    integer("max_days", 0, LONGEST_DAYS),
)

TAX_RATE = (
    COUNTRY,
    text("region", maximum=80),
    text("tax_class", maximum=32),
    integer("rate_ppm", 0, 1_000_000),
)

DISCOUNT_CODE = (
    text("code", minimum=1, maximum=32, pattern=NAME_PATTERN, describe=NAME.format(32)),
    exactly_one("kind"),
    money("amount", minimum=1),
    money("minimum_items"),
    timestamp("starts_at"),
    timestamp("ends_at"),
    integer("max_uses", 0, MOST_USES),
    integer("max_uses_per_buyer", 0, MOST_USES),
)

RULES: Rules = {
    PutMerchantRequest: (required("merchant"), nested("merchant", MERCHANT)),
    PutDeliveryOptionsRequest: (
        MERCHANT_ID,
        each("delivery_options", DELIVERY_OPTION, at_most=20),
    ),
    PutTaxTableRequest: (MERCHANT_ID, each("rates", TAX_RATE, at_most=100)),
    PutDiscountCodeRequest: (
        MERCHANT_ID,
        required("discount_code"),
        nested("discount_code", DISCOUNT_CODE),
    ),
}
