from __future__ import annotations

from typing import Any

import pytest

from checkout_sdk._pb.merchant_pb2 import (
    CAPTURE_MODE_AUTOMATIC,
    DeliveryOption,
    DiscountCode,
    Merchant,
    PutDeliveryOptionsRequest,
    PutDiscountCodeRequest,
    PutMerchantRequest,
    PutTaxTableRequest,
    TaxRate,
)
from checkout_sdk._pb.money_pb2 import Money
from checkout_server.faults import Fault
from checkout_server.merchants import store
from checkout_server.protobuf_time import duration_ms, timestamp
from tests.services.seller_support import CALL, SHOP, TAG, Seller, call_of, eur, field_of, shop


def options(*given: DeliveryOption) -> PutDeliveryOptionsRequest:
    return PutDeliveryOptionsRequest(merchant_id=SHOP, delivery_options=given)


def option(option_id: str, **changed: object) -> DeliveryOption:
    plain = {"delivery_option_id": option_id, "name": "By post", "price": eur(490)}
    return DeliveryOption(**{**plain, **changed})


def rates(*given: TaxRate) -> PutTaxTableRequest:
    return PutTaxTableRequest(merchant_id=SHOP, rates=given)


def code(**changed: object) -> PutDiscountCodeRequest:
    return PutDiscountCodeRequest(
        merchant_id=SHOP, discount_code=DiscountCode(**{"code": "Spring", **changed})
    )


async def test_a_merchant_gets_a_version_and_the_defaults(seller: Seller) -> None:
    put = await seller.open_shop(merchant_id="plates")
    assert put.version == 1
    assert put.update_time == timestamp(seller.clock.now_ms())
    assert put.capture_mode == CAPTURE_MODE_AUTOMATIC
    assert duration_ms(put.cancellable_for) == 30 * 60 * 1000
    assert put.answer_within_ms == 0


async def test_the_version_grows_with_a_real_change_only(seller: Seller) -> None:
    seller.clock.advance(1)
    same = await seller.open_shop()
    assert same.version == 1
    assert same.update_time == timestamp(seller.clock.now_ms() - 1)
    other = await seller.open_shop(display_name="Mugs and more")
    assert other.version == 2
    assert other.update_time == timestamp(seller.clock.now_ms())


async def test_what_the_server_sets_is_not_taken_from_the_request(seller: Seller) -> None:
    put = await seller.open_shop(version=99, update_time=timestamp(5))
    assert put.version == 1
    assert put.update_time == timestamp(seller.clock.now_ms())


async def test_a_currency_never_changes(seller: Seller) -> None:
    with pytest.raises(Fault) as refused:
        await seller.open_shop(currency="USD")
    assert refused.value.reason == "CURRENCY_FIXED"


async def test_an_answer_sooner_than_200_ms_is_refused(seller: Seller) -> None:
    with pytest.raises(Fault) as refused:
        await seller.open_shop(answer_within_ms=199)
    assert field_of(refused) == "merchant.answer_within_ms"


async def test_the_same_merchant_id_on_another_platform_is_another_merchant(
    seller: Seller,
) -> None:
    request = PutMerchantRequest(merchant=shop(currency="USD"))
    put = await seller.merchants.put_merchant(request, call_of("other"))
    assert put.merchant.version == 1
    kept = await store.terms(seller.db, TAG)
    assert kept is not None
    assert kept.merchant.currency == "EUR"


async def test_a_clash_of_tags_is_loud_and_changes_nothing(
    seller: Seller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("checkout_server.ids.tag", lambda *_names: TAG)
    with pytest.raises(AssertionError, match=TAG):
        await seller.open_shop(merchant_id="plates")
    kept = await store.terms(seller.db, TAG)
    assert kept is not None
    assert kept.merchant.merchant_id == SHOP


async def test_a_clash_of_tags_does_not_open_the_other_merchant(
    seller: Seller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("checkout_server.ids.tag", lambda *_names: TAG)
    with pytest.raises(Fault) as refused:
        await seller.merchants.put_delivery_options(options(), call_of("other"))
    assert refused.value.reason == "NOT_FOUND"


async def test_a_token_for_other_merchants_finds_none(seller: Seller) -> None:
    with pytest.raises(Fault) as refused:
        await seller.merchants.put_tax_table(rates(), call_of("streamly", "plates"))
    assert refused.value.reason == "NOT_FOUND"


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("put_delivery_options", options()),
        ("put_tax_table", rates()),
        ("put_discount_code", code(percentage_ppm=1)),
    ],
)
async def test_nothing_can_be_set_up_for_a_merchant_that_was_never_put(
    seller: Seller, method: str, request_: Any
) -> None:
    request_.merchant_id = "plates"
    with pytest.raises(Fault) as refused:
        await getattr(seller.merchants, method)(request_, CALL)
    assert refused.value.reason == "NOT_FOUND"


async def test_terms_hold_all_that_was_put(seller: Seller) -> None:
    await seller.merchants.put_delivery_options(options(option("fast"), option("slow")), CALL)
    await seller.merchants.put_tax_table(rates(TaxRate(country="DE", rate_ppm=190_000)), CALL)
    terms = await store.terms(seller.db, TAG)
    assert terms is not None
    assert (terms.tag, terms.platform_id) == (TAG, "streamly")
    assert isinstance(terms.merchant, Merchant)
    assert [one.delivery_option_id for one in terms.delivery_options] == ["fast", "slow"]
    assert [rate.tax_class for rate in terms.tax_rates] == ["standard"]


async def test_terms_of_a_bare_merchant_are_empty(seller: Seller) -> None:
    terms = await store.terms(seller.db, TAG)
    assert terms is not None
    assert (terms.delivery_options, terms.tax_rates) == ((), ())


async def test_terms_of_no_merchant_are_none(seller: Seller) -> None:
    assert await store.terms(seller.db, "no-such") is None


async def test_putting_delivery_options_replaces_the_list(seller: Seller) -> None:
    await seller.merchants.put_delivery_options(options(option("fast")), CALL)
    await seller.merchants.put_delivery_options(options(option("slow")), CALL)
    terms = await store.terms(seller.db, TAG)
    assert terms is not None
    assert [one.delivery_option_id for one in terms.delivery_options] == ["slow"]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (option("fast"), "delivery_options[1].delivery_option_id"),
        (
            option("slow", price=Money(amount_minor=1, currency="USD")),
            "delivery_options[1].price.currency",
        ),
        (
            option("slow", min_weight_grams=2, max_weight_grams=1),
            "delivery_options[1].max_weight_grams",
        ),
        (option("slow", min_days=2, max_days=1), "delivery_options[1].max_days"),
    ],
)
async def test_a_wrong_delivery_option_is_named(
    seller: Seller, wrong: DeliveryOption, field: str
) -> None:
    with pytest.raises(Fault) as refused:
        await seller.merchants.put_delivery_options(options(option("fast"), wrong), CALL)
    assert field_of(refused) == field


async def test_the_rows_of_a_country_agree_on_included(seller: Seller) -> None:
    with pytest.raises(Fault) as refused:
        await seller.merchants.put_tax_table(
            rates(
                TaxRate(country="DE", included=True),
                TaxRate(country="US", region="CA"),
                TaxRate(country="DE", tax_class="reduced"),
            ),
            CALL,
        )
    assert field_of(refused) == "rates[2].included"


async def test_an_empty_tax_class_is_standard_and_not_put_twice(seller: Seller) -> None:
    twice = rates(TaxRate(country="DE"), TaxRate(country="DE", tax_class="standard"))
    with pytest.raises(Fault) as refused:
        await seller.merchants.put_tax_table(twice, CALL)
    assert field_of(refused) == "rates[1]"


async def test_discount_codes_are_found_without_case(seller: Seller) -> None:
    await seller.merchants.put_discount_code(code(percentage_ppm=100_000), CALL)
    found = await store.discount_codes(seller.db, TAG, ["sPRING", "SPRING", "none"])
    assert {name: one.percentage_ppm for name, one in found.items()} == {"SPRING": 100_000}


async def test_putting_a_discount_code_replaces_it(seller: Seller) -> None:
    await seller.merchants.put_discount_code(code(percentage_ppm=100_000), CALL)
    await seller.merchants.put_discount_code(code(free_delivery=True), CALL)
    found = await store.discount_codes(seller.db, TAG, ["SPRING"])
    assert found["SPRING"].WhichOneof("kind") == "free_delivery"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (code(amount=Money(amount_minor=1, currency="USD")), "discount_code.amount.currency"),
        (
            code(free_delivery=True, minimum_items=Money(currency="USD")),
            "discount_code.minimum_items.currency",
        ),
        (code(free_delivery=False), "discount_code.free_delivery"),
        (
            code(free_delivery=True, starts_at=timestamp(5), ends_at=timestamp(5)),
            "discount_code.ends_at",
        ),
    ],
)
async def test_a_wrong_discount_code_is_named(
    seller: Seller, wrong: PutDiscountCodeRequest, field: str
) -> None:
    with pytest.raises(Fault) as refused:
        await seller.merchants.put_discount_code(wrong, CALL)
    assert field_of(refused) == field
