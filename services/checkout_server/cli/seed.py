"""A shop to develop against, made through the API as any platform would make its own.

Repeating it is safe: what is absolute is put again, what would be made twice carries a request_id,
offers that are still open are kept, and stock is filled up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from checkout_sdk import (
    AsyncCheckout,
    DeliveryOption,
    DiscountCode,
    Item,
    Merchant,
    Money,
    OfferTerms,
    PostalAddress,
    TaxRate,
)

SHOP = "demo_shop"
BUYER = "buyer_demo"
OFFERS_LAST = timedelta(days=30)
# Enough for an afternoon of tapping; `dev` fills it up at each start.
ON_SALE = 500


def usd(amount_minor: int) -> Money:
    return Money(amount_minor, "USD")


MERCHANT = Merchant(
    merchant_id=SHOP,
    display_name="Demo Shop",
    country="US",
    currency="USD",
    action_return_url="http://localhost:8000/back-from-the-bank",
)
DELIVERY = (
    DeliveryOption(
        delivery_option_id="standard",
        name="Standard, 2 to 4 days",
        price=usd(490),
        countries=("US",),
        min_days=2,
        max_days=4,
    ),
    DeliveryOption(
        delivery_option_id="express",
        name="Express, next day",
        price=usd(1290),
        countries=("US",),
        max_weight_grams=5_000,
        min_days=1,
        max_days=1,
    ),
    DeliveryOption(
        delivery_option_id="worldwide",
        name="Worldwide, 5 to 10 days",
        price=usd(1490),
        min_days=5,
        max_days=10,
    ),
)
TAXES = (
    TaxRate(country="US", region="CA", rate_ppm=72_500),
    TaxRate(country="US", region="NY", rate_ppm=40_000),
    TaxRate(country="DE", rate_ppm=190_000, included=True, on_delivery=True),
    TaxRate(country="JP", rate_ppm=100_000, included=True, on_delivery=True),
)
CODES = (
    DiscountCode(code="WELCOME10", percentage_ppm=100_000, max_uses_per_buyer=1),
    DiscountCode(code="SHIPFREE", free_delivery=True, minimum_items=usd(3_000)),
)
ITEMS = (
    Item(sku="mug", title="Enamel mug", price=usd(1_800), weight_grams=320),
    *(
        Item(
            sku=f"tee-{size.lower()}",
            title=f"Tour T-shirt, {size}",
            price=usd(2_900),
            weight_grams=180,
            attributes={"size": size},
        )
        for size in ("S", "M", "L")
    ),
    Item(sku="poster", title="Signed poster", price=usd(4_500), weight_grams=150),
)
ADDRESSES = {
    BUYER: PostalAddress(
        name="Ada Demo",
        country="US",
        region="CA",
        city="San Francisco",
        postal_code="94103",
        lines=("1355 Market St",),
    ),
    "buyer_berlin": PostalAddress(
        name="Bea Beispiel",
        country="DE",
        city="Berlin",
        postal_code="10117",
        lines=("Unter den Linden 77",),
    ),
    "buyer_tokyo": PostalAddress(
        name="山田 花子",
        country="JP",
        region="東京都",
        city="千代田区",
        postal_code="100-0001",
        lines=("千代田1-1",),
    ),
}


@dataclass(frozen=True, slots=True)
class Seeded:
    """By what the offers sell."""

    mug: str
    tee: str
    poster: str


async def seed(checkout: AsyncCheckout, now: datetime) -> Seeded:
    admin = checkout.admin
    await admin.put_merchant(MERCHANT)
    await admin.put_delivery_options(SHOP, DELIVERY)
    await admin.put_tax_table(SHOP, TAXES)
    for code in CODES:
        await admin.put_discount_code(SHOP, code)
    await admin.put_items(SHOP, ITEMS)
    for item in ITEMS:
        await _fill_up(checkout, item.sku)
    for buyer_id, address in ADDRESSES.items():
        buyer = checkout.for_buyer(buyer_id)
        await buyer.addresses.save(address, request_id="seed")
        await buyer.wallet.save("pm_card_visa", request_id="seed")
    ends_at = now + OFFERS_LAST
    return Seeded(
        mug=await _offer(checkout, {"title": "The mug", "skus": ["mug"], "ends_at": ends_at}),
        tee=await _offer(
            checkout,
            {
                "title": "The T-shirt",
                "skus": ["tee-s", "tee-m", "tee-l"],
                "price": usd(2_500),
                "quantities": [1, 2],
                "ends_at": ends_at,
                "video_id": "video_demo",
                "creator_id": "creator_demo",
            },
        ),
        poster=await _offer(
            checkout,
            {
                "title": "The signed poster",
                "skus": ["poster"],
                "quota": 20,
                "cap_per_buyer": 1,
                "flash": True,
                "ends_at": ends_at,
            },
        ),
    )


async def _fill_up(checkout: AsyncCheckout, sku: str) -> None:
    stock = (await checkout.admin.get_item(SHOP, sku)).stock
    if stock.available < ON_SALE:
        await checkout.admin.set_stock(SHOP, sku, stock.held + stock.committed + ON_SALE)


async def _offer(checkout: AsyncCheckout, terms: OfferTerms) -> str:
    """The open offer of that title, with these terms again; a new one when there is none."""
    async for offer in checkout.admin.iter_offers(SHOP, open_only=True):
        if offer.title == terms["title"]:
            return (await checkout.admin.update_offer(offer.offer_id, **terms)).offer_id
    return (await checkout.admin.create_offer(SHOP, **terms)).offer_id
