from __future__ import annotations

import asyncio

import pytest

from checkout_sdk._pb.item_pb2 import (
    AdjustStockRequest,
    GetItemRequest,
    Item,
    ListItemsRequest,
    PutItemsRequest,
    SetStockRequest,
    Stock,
)
from checkout_sdk._pb.merchant_pb2 import PutMerchantRequest
from checkout_sdk._pb.money_pb2 import Money
from checkout_server.catalog import store
from checkout_server.faults import Fault
from checkout_server.protobuf_time import timestamp
from tests.services.seller_support import (
    CALL,
    SHOP,
    TAG,
    Seller,
    call_of,
    eur,
    field_of,
    item,
    seller_of,
    shop,
)


def adjust(delta: int, request_id: str = "r1", sku: str = "mug") -> AdjustStockRequest:
    return AdjustStockRequest(merchant_id=SHOP, request_id=request_id, sku=sku, delta=delta)


async def listed(seller: Seller, **wish: object) -> tuple[list[str], str]:
    response = await seller.catalog.list_items(ListItemsRequest(merchant_id=SHOP, **wish), CALL)
    return [one.sku for one in response.items], response.next_page_token


async def test_a_new_item_has_version_1_and_no_stock(seller: Seller) -> None:
    (put,) = await seller.put_items(item("plate"))
    assert (put.version, put.tax_class) == (1, "standard")
    assert put.update_time == timestamp(seller.clock.now_ms())
    got = await seller.catalog.get_item(GetItemRequest(merchant_id=SHOP, sku="plate"), CALL)
    assert got.item == put
    assert got.stock == Stock(sku="plate")


async def test_the_version_of_an_item_grows_with_a_real_change_only(seller: Seller) -> None:
    seller.clock.advance(1)
    (same,) = await seller.put_items(item())
    (other,) = await seller.put_items(item(title="The mug"))
    assert (same.version, other.version) == (1, 2)
    assert same.update_time == timestamp(seller.clock.now_ms() - 1)
    assert other.update_time == timestamp(seller.clock.now_ms())


async def test_changing_an_item_leaves_its_stock(seller: Seller) -> None:
    await seller.set_stock(7)
    await seller.put_items(item(title="The mug"))
    assert (await store.stock(seller.db, TAG, ["mug"]))["mug"].on_hand == 7


async def test_items_of_one_call_are_put_all_or_none(seller: Seller) -> None:
    wrong = item("bowl", price=Money(amount_minor=1, currency="USD"))
    with pytest.raises(Fault) as refused:
        await seller.put_items(item("plate"), wrong)
    assert field_of(refused) == "items[1].price.currency"
    assert await store.items(seller.db, TAG, ["plate", "bowl"]) == {}


async def test_a_sku_comes_once_in_a_call(seller: Seller) -> None:
    with pytest.raises(Fault) as refused:
        await seller.put_items(item("plate"), item("bowl"), item("plate"))
    assert field_of(refused) == "items[2].sku"


async def test_an_amount_of_three_decimals_ends_in_0(seller: Seller) -> None:
    merchant = shop(merchant_id="kuwait", currency="KWD")
    await seller.merchants.put_merchant(PutMerchantRequest(merchant=merchant), CALL)
    price = Money(amount_minor=1055, currency="KWD")
    request = PutItemsRequest(merchant_id="kuwait", items=[item(price=price)])
    with pytest.raises(Fault) as refused:
        await seller.catalog.put_items(request, CALL)
    assert field_of(refused) == "items[0].price.amount_minor"
    request.items[0].price.amount_minor = 1050
    assert (await seller.catalog.put_items(request, CALL)).items[0].version == 1


async def test_two_writers_of_one_item_make_two_versions(seller: Seller) -> None:
    other = seller_of(seller.db, seller.clock)
    await asyncio.gather(
        seller.put_items(item("plate", title="One")), other.put_items(item("plate", title="Two"))
    )
    assert (await store.items(seller.db, TAG, ["plate"]))["plate"].version == 2


async def test_an_item_keeps_its_attributes(seller: Seller) -> None:
    await seller.put_items(item("shirt-m", attributes={"size": "M", "colour": "red"}))
    kept = (await store.items(seller.db, TAG, ["shirt-m"]))["shirt-m"]
    assert dict(kept.attributes) == {"size": "M", "colour": "red"}


async def test_a_catalog_of_a_merchant_that_was_never_put_is_not_found(seller: Seller) -> None:
    with pytest.raises(Fault) as refused:
        await seller.catalog.put_items(PutItemsRequest(merchant_id="plates"), CALL)
    assert refused.value.reason == "NOT_FOUND"


async def test_another_platform_does_not_see_the_items(seller: Seller) -> None:
    with pytest.raises(Fault) as refused:
        await seller.catalog.get_item(GetItemRequest(merchant_id=SHOP, sku="mug"), call_of("other"))
    assert refused.value.reason == "NOT_FOUND"


async def test_an_unknown_sku_is_not_found(seller: Seller) -> None:
    with pytest.raises(Fault) as refused:
        await seller.catalog.get_item(GetItemRequest(merchant_id=SHOP, sku="plate"), CALL)
    assert refused.value.reason == "NOT_FOUND"


async def test_pages_follow_each_other_by_sku(seller: Seller) -> None:
    await seller.put_items(*(item(f"plate-{number}") for number in range(4)))
    first, token = await listed(seller, page_size=2)
    second, token = await listed(seller, page_size=2, page_token=token)
    last, end = await listed(seller, page_size=2, page_token=token)
    assert [first, second, last] == [["mug", "plate-0"], ["plate-1", "plate-2"], ["plate-3"]]
    assert end == ""


async def test_a_full_last_page_has_no_next(seller: Seller) -> None:
    assert await listed(seller, page_size=1) == (["mug"], "")


@pytest.mark.parametrize("token", ["garbage", "%%%", "é", "AAAAAAAAAAAA"])
async def test_a_garbage_page_token_is_refused(seller: Seller, token: str) -> None:
    with pytest.raises(Fault) as refused:
        await listed(seller, page_token=token)
    assert field_of(refused) == "page_token"


async def test_a_page_token_of_another_list_is_refused(seller: Seller) -> None:
    await seller.open_shop(merchant_id="plates")
    await seller.put_items(item("plate"))
    _, token = await listed(seller, page_size=1)
    request = ListItemsRequest(merchant_id="plates", page_token=token)
    with pytest.raises(Fault) as refused:
        await seller.catalog.list_items(request, CALL)
    assert field_of(refused) == "page_token"


async def test_stock_is_what_is_on_hand_less_held_and_committed(seller: Seller) -> None:
    await seller.set_stock(10)
    await seller.hold("stock", "mug", held=2, committed=3)
    assert await seller.set_stock(9) == Stock(
        sku="mug", on_hand=9, held=2, committed=3, available=4
    )


async def test_stock_below_held_is_refused_with_the_shortage(seller: Seller) -> None:
    await seller.set_stock(10)
    await seller.hold("stock", "mug", held=2, committed=3)
    with pytest.raises(Fault) as refused:
        await seller.set_stock(2)
    assert refused.value.reason == "STOCK_BELOW_HELD"
    assert refused.value.metadata == {"shortage": "3"}
    assert (await store.stock(seller.db, TAG, ["mug"]))["mug"].on_hand == 10


async def test_stock_of_an_unknown_sku_is_not_found(seller: Seller) -> None:
    with pytest.raises(Fault) as refused:
        await seller.catalog.set_stock(
            SetStockRequest(merchant_id=SHOP, sku="plate", on_hand=1), CALL
        )
    assert refused.value.reason == "NOT_FOUND"


async def test_an_adjustment_repeated_counts_once(seller: Seller) -> None:
    first = await seller.catalog.adjust_stock(adjust(+5), CALL)
    again = await seller.catalog.adjust_stock(adjust(+5), CALL)
    other = await seller.catalog.adjust_stock(adjust(-2, "r2"), CALL)
    assert [one.stock.on_hand for one in (first, again, other)] == [5, 5, 3]


async def test_an_adjustment_under_a_used_request_id_is_refused(seller: Seller) -> None:
    await seller.catalog.adjust_stock(adjust(+5), CALL)
    with pytest.raises(Fault) as refused:
        await seller.catalog.adjust_stock(adjust(+6), CALL)
    assert refused.value.reason == "IDEMPOTENCY_CONFLICT"


async def test_adjustments_at_once_all_count(seller: Seller) -> None:
    await asyncio.gather(
        *(seller.catalog.adjust_stock(adjust(+1, f"r{number}"), CALL) for number in range(8))
    )
    assert (await store.stock(seller.db, TAG, ["mug"]))["mug"].on_hand == 8


async def test_an_adjustment_below_held_is_refused_and_can_come_again(seller: Seller) -> None:
    await seller.set_stock(3)
    await seller.hold("stock", "mug", held=2)
    with pytest.raises(Fault) as refused:
        await seller.catalog.adjust_stock(adjust(-2), CALL)
    assert refused.value.metadata == {"shortage": "1"}
    await seller.hold("stock", "mug", held=0)
    assert (await seller.catalog.adjust_stock(adjust(-2), CALL)).stock.on_hand == 1


@pytest.mark.parametrize("delta", [0, 10**9])
async def test_an_adjustment_is_not_0_and_leaves_what_can_be_set(
    seller: Seller, delta: int
) -> None:
    await seller.set_stock(1)
    with pytest.raises(Fault) as refused:
        await seller.catalog.adjust_stock(adjust(delta), CALL)
    assert field_of(refused) == "delta"


async def test_items_are_read_by_sku_and_unknown_ones_left_out(seller: Seller) -> None:
    found = await store.items(seller.db, TAG, ["mug", "none"])
    assert list(found) == ["mug"]
    assert isinstance(found["mug"], Item)
    assert found["mug"].price == eur(1200)
