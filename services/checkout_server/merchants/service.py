"""MerchantService: what a seller sets up once. Every call is absolute, so safe to repeat."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from checkout_sdk._pb.merchant_pb2 import (
    CAPTURE_MODE_AUTOMATIC,
    CAPTURE_MODE_UNSPECIFIED,
    DeliveryOption,
    DiscountCode,
    Merchant,
    PutDeliveryOptionsRequest,
    PutDeliveryOptionsResponse,
    PutDiscountCodeRequest,
    PutDiscountCodeResponse,
    PutMerchantRequest,
    PutMerchantResponse,
    PutTaxTableRequest,
    PutTaxTableResponse,
    TaxRate,
)
from checkout_server.call import Call
from checkout_server.database import Database, Tx
from checkout_server.database.clock import ServiceClock
from checkout_server.faults import Fault, invalid
from checkout_server.merchants import store
from checkout_server.merchants.currency import check_price
from checkout_server.merchants.store import MerchantRow
from checkout_server.merchants.versioned import next_version
from checkout_server.protobuf_time import duration, timestamp
from checkout_server.quotes.tax import STANDARD

# merchant.proto: what `cancellable_for` is when a merchant does not say.
CANCELLABLE_FOR_MS = 30 * 60 * 1000
LEAST_ANSWER_WITHIN_MS = 200


class Merchants:
    def __init__(self, db: Database, clock: ServiceClock) -> None:
        self._db = db
        self._clock = clock

    async def put_merchant(self, request: PutMerchantRequest, call: Call) -> PutMerchantResponse:
        tag = call.caller.merchant_tag(request.merchant.merchant_id)
        if 0 < request.merchant.answer_within_ms < LEAST_ANSWER_WITHIN_MS:
            raise invalid(
                "merchant.answer_within_ms", f"must be 0 or at least {LEAST_ANSWER_WITHIN_MS}"
            )
        wished = _with_defaults(request.merchant)
        wished.version = 1
        wished.update_time.CopyFrom(timestamp(self._clock.now_ms()))

        async def put(tx: Tx) -> Merchant:
            if await store.insert_merchant(tx, MerchantRow(tag, call.caller.platform, wished)):
                return wished
            row = await store.merchant(tx, tag, lock=True)
            if row is None:
                raise AssertionError("merchants are never deleted")
            return await _replaced(tx, row, wished, call.caller.platform)

        return PutMerchantResponse(merchant=await self._db.transact(put))

    async def put_delivery_options(
        self, request: PutDeliveryOptionsRequest, call: Call
    ) -> PutDeliveryOptionsResponse:
        options = PutDeliveryOptionsResponse(delivery_options=request.delivery_options)

        async def put(tx: Tx) -> None:
            row = await store.merchant_of(tx, call.caller, request.merchant_id, lock=True)
            _check_options(options.delivery_options, row.merchant.currency)
            await store.put_delivery_options(tx, row.tag, options)

        await self._db.transact(put)
        return options

    async def put_tax_table(self, request: PutTaxTableRequest, call: Call) -> PutTaxTableResponse:
        table = PutTaxTableResponse(rates=request.rates)
        for rate in table.rates:
            rate.tax_class = rate.tax_class or STANDARD
        _check_rates(table.rates)

        async def put(tx: Tx) -> None:
            row = await store.merchant_of(tx, call.caller, request.merchant_id, lock=True)
            await store.put_tax_table(tx, row.tag, table)

        await self._db.transact(put)
        return table

    async def put_discount_code(
        self, request: PutDiscountCodeRequest, call: Call
    ) -> PutDiscountCodeResponse:
        code = request.discount_code

        async def put(tx: Tx) -> None:
            row = await store.merchant_of(tx, call.caller, request.merchant_id, lock=True)
            _check_code(code, row.merchant.currency)
            await store.put_discount_code(tx, row.tag, code)

        await self._db.transact(put)
        return PutDiscountCodeResponse(discount_code=code)


def _with_defaults(given: Merchant) -> Merchant:
    """`answer_within_ms` stays 0: its default is the server's own setting."""
    merchant = Merchant()
    merchant.CopyFrom(given)
    if merchant.capture_mode == CAPTURE_MODE_UNSPECIFIED:
        merchant.capture_mode = CAPTURE_MODE_AUTOMATIC
    if not merchant.HasField("cancellable_for"):
        merchant.cancellable_for.CopyFrom(duration(CANCELLABLE_FOR_MS))
    return merchant


async def _replaced(tx: Tx, row: MerchantRow, wished: Merchant, platform_id: str) -> Merchant:
    before = row.merchant
    if (row.platform_id, before.merchant_id) != (platform_id, wished.merchant_id):
        # Loud: going on would mix the money of two sellers. The new one needs another merchant_id.
        raise AssertionError(f"two merchants have the tag {row.tag}")
    if before.currency != wished.currency:
        raise Fault("CURRENCY_FIXED")
    after = next_version(before, wished)
    if after is not before:
        await store.update_merchant(tx, row.tag, after)
    return after


def _check_options(options: Sequence[DeliveryOption], currency: str) -> None:
    seen: set[str] = set()
    for index, option in enumerate(options):
        path = f"delivery_options[{index}]"
        if option.delivery_option_id in seen:
            raise invalid(f"{path}.delivery_option_id", "must be another than those before it")
        seen.add(option.delivery_option_id)
        check_price(option.price, currency, f"{path}.price")
        if option.max_weight_grams and option.max_weight_grams < option.min_weight_grams:
            raise invalid(f"{path}.max_weight_grams", "must be 0 or at least min_weight_grams")
        if option.max_days and option.max_days < option.min_days:
            raise invalid(f"{path}.max_days", "must be 0 or at least min_days")


def _check_rates(rates: Iterable[TaxRate]) -> None:
    seen: set[tuple[str, str, str]] = set()
    included: dict[str, bool] = {}
    for index, rate in enumerate(rates):
        place = (rate.country, rate.region, rate.tax_class)
        if place in seen:
            raise invalid(
                f"rates[{index}]",
                "must differ in country, region or tax class from those before it",
            )
        seen.add(place)
        if included.setdefault(rate.country, rate.included) != rate.included:
            raise invalid(f"rates[{index}].included", "must be the same in all rows of a country")


def _check_code(code: DiscountCode, currency: str) -> None:
    if code.HasField("amount"):
        check_price(code.amount, currency, "discount_code.amount")
    if code.HasField("minimum_items"):
        check_price(code.minimum_items, currency, "discount_code.minimum_items")
    if code.HasField("free_delivery") and not code.free_delivery:
        raise invalid("discount_code.free_delivery", "must be true when it is set")
    both = code.HasField("starts_at") and code.HasField("ends_at")
    if both and code.ends_at.ToNanoseconds() <= code.starts_at.ToNanoseconds():
        raise invalid("discount_code.ends_at", "must be later than starts_at")
