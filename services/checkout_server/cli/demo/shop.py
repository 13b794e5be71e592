"""What the stories happen in: one merchant, and for each story items, offers and buyers of its
own."""

from __future__ import annotations

from datetime import timedelta
from itertools import count

from checkout_sdk import (
    Buyer,
    Checkout,
    DeliveryOption,
    Item,
    Merchant,
    Money,
    Offer,
    PostalAddress,
    TaxRate,
)
from checkout_server.cli.demo.evidence import Evidence
from checkout_server.cli.demo.server_process import ServerProcess

SHOP = "demo_shop"
PRICE = Money(2_000, "USD")


class Shop:
    def __init__(self, server: ServerProcess, checkout: Checkout, evidence: Evidence) -> None:
        self.server = server
        self.checkout = checkout
        self.evidence = evidence
        self._numbers = count(1)

    def open(self) -> None:
        admin = self.checkout.admin
        admin.put_merchant(
            Merchant(
                merchant_id=SHOP,
                display_name="Demo Shop",
                country="US",
                currency="USD",
                action_return_url="http://localhost:8000/back",
            )
        )
        standard = DeliveryOption(
            delivery_option_id="standard", name="Standard", price=Money(490, "USD")
        )
        admin.put_delivery_options(SHOP, [standard])
        admin.put_tax_table(SHOP, [TaxRate(country="US", region="CA", rate_ppm=72_500)])

    def offer(self, *, stock: int = 10, lasts: timedelta = timedelta(hours=1)) -> Offer:
        """An offer of an item that nothing else sells."""
        admin, sku = self.checkout.admin, f"mug-{next(self._numbers)}"
        admin.put_items(SHOP, [Item(sku=sku, title="Enamel mug", price=PRICE)])
        admin.set_stock(SHOP, sku, stock)
        ends_at = self.evidence.now().utc + lasts
        return admin.create_offer(SHOP, title="The mug", skus=[sku], price=PRICE, ends_at=ends_at)

    def buyer(self, *payment_methods: str) -> Buyer:
        """Somebody new; the first payment method is the default."""
        buyer = self.checkout.for_buyer(f"buyer_{next(self._numbers)}")
        buyer.addresses.save(
            PostalAddress(
                name="Ada Demo",
                country="US",
                region="CA",
                city="San Francisco",
                postal_code="94103",
                lines=("1355 Market St",),
            )
        )
        for reference in payment_methods or ("pm_card_visa",):
            buyer.wallet.save(reference)
        return buyer
