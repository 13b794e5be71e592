"""The sellers' side: what is sent and what comes back, by script."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from checkout_sdk import (
    CaptureMode,
    DeliveryOption,
    DiscountCode,
    Item,
    Merchant,
    Money,
    OfferState,
    StaleEtag,
    Stock,
    TaxRate,
)
from checkout_sdk._pb import item_pb2, merchant_pb2, offer_pb2
from tests.sdk.scripted import Fail

PRICE = Money(1250, "USD")
MUG = Item(sku="mug", title="Mug", price=PRICE, attributes={"colour": "blue"})
STOCK = item_pb2.Stock(sku="mug", on_hand=5, held=1, committed=1, available=3)


async def test_what_is_put_comes_back_as_the_same_value(scripted_checkout, server):
    merchant = Merchant(
        merchant_id="m_1",
        display_name="Shop",
        country="US",
        currency="USD",
        capture_mode=CaptureMode.MANUAL,
    )
    delivery = DeliveryOption(delivery_option_id="std", name="Standard", price=PRICE)
    rate = TaxRate(country="US", region="CA", rate_ppm=72_500)
    code = DiscountCode(code="TEN", percentage_ppm=100_000)
    server.script |= {
        "PutMerchant": [lambda r: merchant_pb2.PutMerchantResponse(merchant=r.merchant)],
        "PutDeliveryOptions": [
            lambda r: merchant_pb2.PutDeliveryOptionsResponse(delivery_options=r.delivery_options)
        ],
        "PutTaxTable": [lambda r: merchant_pb2.PutTaxTableResponse(rates=r.rates)],
        "PutDiscountCode": [
            lambda r: merchant_pb2.PutDiscountCodeResponse(discount_code=r.discount_code)
        ],
    }
    admin = scripted_checkout.admin

    assert await admin.put_merchant(merchant) == merchant
    assert await admin.put_delivery_options("m_1", [delivery]) == [delivery]
    assert await admin.put_tax_table("m_1", [rate]) == [rate]
    assert await admin.put_discount_code("m_1", code) == code


async def test_items_are_sent_in_batches_the_server_takes(scripted_checkout, server):
    server.script["PutItems"] = [lambda r: item_pb2.PutItemsResponse(items=r.items)]
    many = [Item(sku=f"s{n}", title="x", price=PRICE) for n in range(250)]
    wide = [Item(sku=f"w{n}", title="x" * 20_000, price=PRICE) for n in range(3)]

    written = await scripted_checkout.admin.put_items("m_1", [*many, *wide])

    assert [item.sku for item in written] == [item.sku for item in [*many, *wide]]
    sizes = [len(each.request.items) for each in server.seen["PutItems"]]
    assert sizes == [100, 100, 52, 1]
    assert all(each.request.ByteSize() < 64 * 1024 for each in server.seen["PutItems"])


async def test_an_item_comes_with_its_stock(scripted_checkout, server):
    server.script["GetItem"] = [item_pb2.GetItemResponse(item=MUG.to_pb(), stock=STOCK)]

    found = await scripted_checkout.admin.get_item("m_1", "mug")

    assert found.item == MUG
    assert found.stock == Stock(sku="mug", on_hand=5, held=1, committed=1, available=3)


async def test_items_and_offers_are_listed_page_by_page(scripted_checkout, server):
    server.script["ListItems"] = [
        item_pb2.ListItemsResponse(items=[item_pb2.Item(sku="a")], next_page_token="2"),
        item_pb2.ListItemsResponse(items=[item_pb2.Item(sku="b")]),
    ]
    server.script["ListOffers"] = [
        offer_pb2.ListOffersResponse(offers=[offer_pb2.Offer(offer_id="off_1")])
    ]
    admin = scripted_checkout.admin

    assert [item.sku async for item in admin.iter_items("m_1")] == ["a", "b"]
    assert [o.offer_id async for o in admin.iter_offers("m_1", open_only=True)] == ["off_1"]
    assert server.seen["ListOffers"][0].request.open_only


async def test_stock_is_set_and_adjusted(scripted_checkout, server):
    server.script["SetStock"] = [item_pb2.SetStockResponse(stock=STOCK)]
    server.script["AdjustStock"] = [item_pb2.AdjustStockResponse(stock=STOCK)]
    admin = scripted_checkout.admin

    assert (await admin.set_stock("m_1", "mug", 5)).available == 3
    assert (await admin.adjust_stock("m_1", "mug", -2, reason="broken")).on_hand == 5

    adjusted = server.seen["AdjustStock"][0].request
    assert (adjusted.delta, adjusted.reason, bool(adjusted.request_id)) == (-2, "broken", True)


async def test_an_offer_is_created_read_and_ended(scripted_checkout, server):
    ends_at = datetime(2027, 1, 1, tzinfo=UTC)
    offers = {"offer_id": "off_1", "merchant_id": "m_1", "title": "Mug"}
    shown = offer_pb2.Offer(**offers, state=offer_pb2.OFFER_STATE_OPEN, etag="e1")
    ended = offer_pb2.Offer(**offers, state=offer_pb2.OFFER_STATE_ENDED)
    server.script |= {
        "CreateOffer": [offer_pb2.CreateOfferResponse(offer=shown)],
        "GetOffer": [offer_pb2.GetOfferResponse(offer=shown)],
        "EndOffer": [offer_pb2.EndOfferResponse(offer=ended)],
    }
    admin = scripted_checkout.admin

    created = await admin.create_offer(
        "m_1", title="Mug", skus=["mug"], price=PRICE, ends_at=ends_at, quantities=[1, 2]
    )

    assert created == await admin.get_offer("off_1")
    assert (await admin.end_offer("off_1")).state is OfferState.ENDED
    sent = server.seen["CreateOffer"][0].request.offer
    assert sent.ends_at.ToDatetime(tzinfo=UTC) == ends_at
    assert list(sent.quantities) == [1, 2]


async def test_an_update_changes_what_is_named_and_nothing_else(scripted_checkout, server):
    server.script["UpdateOffer"] = [
        offer_pb2.UpdateOfferResponse(),
        Fail("ABORTED", "STALE_ETAG"),
    ]
    admin = scripted_checkout.admin

    await admin.update_offer("off_1", etag="e1", quota=5, price=None)

    sent = server.seen["UpdateOffer"][0].request
    assert list(sent.update_mask.paths) == ["price", "quota"]
    assert (sent.offer.offer_id, sent.offer.etag, sent.offer.quota) == ("off_1", "e1", 5)
    assert not sent.offer.HasField("price")
    with pytest.raises(StaleEtag):
        await admin.update_offer("off_1", etag="e1", quota=6)
