"""A shop with one offer on a served checkout, seen from its platform's backend: by stubs alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import grpc

from checkout_sdk._pb import attempt_pb2
from checkout_sdk._pb.address_pb2 import PostalAddress, SaveAddressRequest
from checkout_sdk._pb.address_pb2_grpc import AddressServiceStub
from checkout_sdk._pb.attempt_pb2 import Attempt, PlaceOrderRequest, PlaceOrderResponse
from checkout_sdk._pb.checkout_pb2_grpc import CheckoutServiceStub
from checkout_sdk._pb.item_pb2 import Item, PutItemsRequest, SetStockRequest
from checkout_sdk._pb.item_pb2_grpc import CatalogServiceStub
from checkout_sdk._pb.merchant_pb2 import (
    DeliveryOption,
    Merchant,
    PutDeliveryOptionsRequest,
    PutMerchantRequest,
)
from checkout_sdk._pb.merchant_pb2_grpc import MerchantServiceStub
from checkout_sdk._pb.money_pb2 import Money
from checkout_sdk._pb.offer_pb2 import CreateOfferRequest, Offer
from checkout_sdk._pb.offer_pb2_grpc import OfferServiceStub
from checkout_sdk._pb.quote_pb2 import CreateQuoteRequest, Quote
from checkout_sdk._pb.wallet_pb2 import SavePaymentMethodRequest
from checkout_sdk._pb.wallet_pb2_grpc import WalletServiceStub
from tests.e2e.processes import HostClock, ServerProcess

PLATFORM = "streamly"
SELLER = "mugs"
SKU = "mug"
VISA = "pm_card_visa"
HOUR_S = 3_600
# Only so that a test ends when an answer never comes.
PATIENCE_S = 30.0
MOST_AT_THE_DOOR = 50


def usd(amount_minor: int) -> Money:
    return Money(amount_minor=amount_minor, currency="USD")


class Shop:
    """What a platform's backend does with one server; `offer_id` is set by `open`."""

    def __init__(self, channel: grpc.aio.Channel, token: str, offer_id: str = "") -> None:
        self.channel = channel
        self.metadata = (("authorization", f"Bearer {token}"),)
        self.offer_id = offer_id
        self.checkout = CheckoutServiceStub(channel)

    async def ask(self, rpc: Any, request: Any) -> Any:
        return await rpc(request, metadata=self.metadata, timeout=PATIENCE_S)

    async def open(self, *, stock: int, seller_id: str = SELLER) -> str:
        """One item, one way to send it, and an offer that ends in an hour."""
        merchants, catalog = MerchantServiceStub(self.channel), CatalogServiceStub(self.channel)
        seller = Merchant(merchant_id=seller_id, display_name="Mugs", country="US", currency="USD")
        await self.ask(merchants.PutMerchant, PutMerchantRequest(merchant=seller))
        post = DeliveryOption(delivery_option_id="post", name="Post", price=usd(500))
        await self.ask(
            merchants.PutDeliveryOptions,
            PutDeliveryOptionsRequest(merchant_id=seller_id, delivery_options=[post]),
        )
        mug = Item(sku=SKU, title="A mug", price=usd(1_500))
        await self.ask(catalog.PutItems, PutItemsRequest(merchant_id=seller_id, items=[mug]))
        await self.ask(
            catalog.SetStock, SetStockRequest(merchant_id=seller_id, sku=SKU, on_hand=stock)
        )
        offer = Offer(merchant_id=seller_id, title="The mug of the video", skus=[SKU])
        offer.ends_at.FromMilliseconds(HostClock().now_ms() + HOUR_S * 1_000)
        created = await self.ask(
            OfferServiceStub(self.channel).CreateOffer,
            CreateOfferRequest(request_id="first", offer=offer),
        )
        self.offer_id = created.offer.offer_id
        return self.offer_id

    async def sign_up(self, buyer_id: str, pays_with: str = VISA) -> None:
        """A buyer with an address and a payment method."""
        home = PostalAddress(
            name="Ann Lee",
            country="US",
            region="CA",
            city="San Francisco",
            postal_code="94103",
            lines=["1 Market St"],
        )
        await self.ask(
            AddressServiceStub(self.channel).SaveAddress,
            SaveAddressRequest(request_id="home", buyer_id=buyer_id, address=home),
        )
        await self.ask(
            WalletServiceStub(self.channel).SavePaymentMethod,
            SavePaymentMethodRequest(
                request_id=pays_with, buyer_id=buyer_id, provider_reference=pays_with
            ),
        )

    async def quote(self, buyer_id: str) -> Quote:
        request = CreateQuoteRequest(buyer_id=buyer_id, offer_id=self.offer_id)
        quote = (await self.ask(self.checkout.CreateQuote, request)).quote
        assert quote.quote_token, f"no token for {buyer_id}: {quote.blockers}"
        return quote

    async def shown(self, buyer_ids: Iterable[str], pays_with: str = VISA) -> dict[str, Quote]:
        """A quote each for new buyers. Not all at once: it is their taps that come together."""
        door = asyncio.Semaphore(MOST_AT_THE_DOOR)

        async def one(buyer_id: str) -> tuple[str, Quote]:
            async with door:
                await self.sign_up(buyer_id, pays_with)
                return buyer_id, await self.quote(buyer_id)

        return dict(await asyncio.gather(*map(one, buyer_ids)))

    async def tap(self, buyer_id: str, quote: Quote) -> PlaceOrderResponse:
        request = PlaceOrderRequest(buyer_id=buyer_id, quote_token=quote.quote_token)
        return await self.ask(self.checkout.PlaceOrder, request)

    async def tap_until_decided(self, buyer_id: str, quote: Quote) -> Attempt:
        """The tap again, then watching what it led to, until that can change no more."""
        attempt = (await self.tap(buyer_id, quote)).attempt
        if attempt.WhichOneof("outcome") in ("placed", "rejected"):
            return attempt
        return await self.decided(attempt.attempt_id)

    async def decided(self, attempt_id: str) -> Attempt:
        watch = self.checkout.WatchAttempt(
            attempt_pb2.WatchAttemptRequest(attempt_id=attempt_id),
            metadata=self.metadata,
            timeout=PATIENCE_S,
        )
        seen = Attempt()
        async for message in watch:
            if message.HasField("attempt"):
                seen = message.attempt
        return seen


@asynccontextmanager
async def shop_at(
    server: ServerProcess, offer_id: str = "", *, platform: str = PLATFORM
) -> AsyncIterator[Shop]:
    token = server.issuer.mint(platform, "platform merchant")
    async with grpc.aio.insecure_channel(server.target) as channel:
        yield Shop(channel, token, offer_id)


def outcome(attempt: Attempt) -> str:
    """Its outcome, a rejection by its code."""
    name = attempt.WhichOneof("outcome") or ""
    if name == "rejected":
        code = attempt_pb2.RejectedCode.Name(attempt.rejected.code)
        return code.removeprefix("REJECTED_CODE_").lower()
    return name
