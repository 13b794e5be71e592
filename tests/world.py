"""A whole checkout-server on a real socket, with a shop in it and buyers in front of it.

Everything goes in through gRPC with the generated stubs. What came of it is looked up in three
places: the answers, the rows of checkout's database, and the sandbox's own book.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import grpc
import pytest
from google.protobuf.message import Message

from checkout_sdk._pb import (
    address_pb2,
    address_pb2_grpc,
    attempt_pb2,
    checkout_pb2_grpc,
    item_pb2,
    item_pb2_grpc,
    merchant_pb2,
    merchant_pb2_grpc,
    offer_pb2,
    offer_pb2_grpc,
    order_pb2,
    order_pb2_grpc,
    quote_pb2,
    wallet_pb2_grpc,
)
from checkout_sdk._pb.money_pb2 import Money
from checkout_server import ids, wiring
from checkout_server._pb import stored_pb2
from checkout_server.charge.gateway import Gateway
from checkout_server.charge.sandbox_book import Book
from checkout_server.database import Database, Tx
from checkout_server.database.open import open_database
from checkout_server.identity import Issuer
from checkout_server.protobuf_time import timestamp
from checkout_server.quotes.token import SigningKeys, seal, unseal
from checkout_server.settings import Settings
from tests.answers import state_of
from tests.auditor import violations
from tests.buyer import SHOP, Buyer, Metadata
from tests.fakes.database import ScriptedDatabase

T = TypeVar("T")

PLATFORM = "streamly"
TAG = ids.tag(PLATFORM, SHOP)
HOUR_MS = 60 * 60 * 1000
MUG_MINOR, DELIVERY_MINOR = 1_500, 500
TOTAL_MINOR = MUG_MINOR + DELIVERY_MINOR
QUOTE_KEYS = {"k1": b"q" * 32}
KEYS = SigningKeys(QUOTE_KEYS)
# For a tap that shall not wait for its outcome. T1 must be done by then.
HURRIED_MS = 300
# Far above what anything here takes on a busy machine: who reaches it has hung.
PATIENCE_S = 20.0


def usd(amount_minor: int) -> Money:
    return Money(amount_minor=amount_minor, currency="USD")


async def eventually(probe: Callable[[], Awaitable[T]]) -> T:
    """The first true answer of `probe`."""
    for _ in range(int(PATIENCE_S / 0.02)):
        answer = await probe()
        if answer:
            return answer
        await asyncio.sleep(0.02)
    raise AssertionError("it never came to that")


class Line:
    """The line to the provider. While it is held, requests arrive and answers do not come back."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._open = asyncio.Event()
        self._open.set()

    def hold(self) -> None:
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    def __getattr__(self, name: str) -> Any:
        ask = getattr(self._gateway, name)

        async def asked(request: Message) -> Message:
            answer: Message = await ask(request)
            await self._open.wait()
            return answer

        return asked


class World:
    """One running process. `database` is checkout's; `book` is the sandbox's."""

    def __init__(
        self, settings: Settings, process: wiring.Process, database: ScriptedDatabase, port: int
    ) -> None:
        assert settings.sandbox_file is not None
        self.settings = settings
        self.database = database
        self.book = Book(str(settings.sandbox_file))
        self.process = process
        self.line = Line(process._charges._gateway)
        process._charges._gateway = cast(Gateway, self.line)
        self._issuer = Issuer(settings, process._clock)
        self._dead = False
        self._buyers = 0
        self._offers = 0
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        self.platform = self.token("platform")
        self.checkout = checkout_pb2_grpc.CheckoutServiceStub(self.channel)
        self.orders = order_pb2_grpc.OrderServiceStub(self.channel)
        self.catalog = item_pb2_grpc.CatalogServiceStub(self.channel)
        self.merchants = merchant_pb2_grpc.MerchantServiceStub(self.channel)
        self.sales = offer_pb2_grpc.OfferServiceStub(self.channel)
        self.addresses = address_pb2_grpc.AddressServiceStub(self.channel)
        self.wallet = wallet_pb2_grpc.WalletServiceStub(self.channel)

    @classmethod
    async def start(cls, settings: Settings) -> World:
        databases: dict[str, ScriptedDatabase] = {}

        async def opened(location: str, name: str) -> Database:
            databases[name] = ScriptedDatabase(await open_database(location, name))
            return databases[name]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(wiring, "open_database", opened)
            process = await wiring.build(settings)
        return cls(settings, process, databases["checkout"], await process.start())

    async def stop(self) -> None:
        if self._dead:
            return
        self.line.release()
        await self.channel.close()
        await self.process.stop()
        await self.process.close()
        self.book.close()

    async def bury(self) -> None:
        """Nobody has to wait for its lease to run out: it has."""

        async def body(tx: Tx) -> None:
            await tx.run("UPDATE worker SET seen_ms = 0")

        await self.database.transact(body)

    async def die(self) -> None:
        """As by SIGKILL, a lease's time ago, as far as that can be played within a process: every
        task of it ends where it stands, and nothing is given back."""
        self._dead = True
        process = self.process
        tasks = [
            *process._driver._tasks.values(),
            *process._operations._tasks.values(),
            *process._charges._sent,
        ]
        for task in (process._recovery._task, process._lease._renewing):
            assert task is not None
            tasks.append(task)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.bury()
        await self.channel.close()
        await process._server._server.stop(0)
        if process._server._watching:
            process._server._watching.cancel()
        await process._clock.stop()
        await process.close()
        self.book.close()

    def token(
        self, scope: str, *, buyer: str | None = None, platform: str = PLATFORM, **limits: Any
    ) -> Metadata:
        """Metadata of a caller. `limits`: merchants."""
        token = self._issuer.mint(platform, scope, buyer=buyer, **limits)
        return (("authorization", f"Bearer {token}"),)

    # The shop

    async def open_shop(self, merchant_id: str = SHOP, **terms: Any) -> None:
        """With a mug and a tee, a hundred of each."""
        merchant = {
            "merchant_id": merchant_id,
            "display_name": "Mugs",
            "country": "US",
            "currency": "USD",
            "action_return_url": "https://app.example/back",
        }
        await self.merchants.PutMerchant(
            merchant_pb2.PutMerchantRequest(merchant=merchant_pb2.Merchant(**merchant | terms)),
            metadata=self.platform,
        )
        await self.put_delivery(merchant_id)
        items = [
            item_pb2.Item(sku="mug", title="A mug", price=usd(MUG_MINOR)),
            item_pb2.Item(sku="tee", title="A tee", price=usd(2_000)),
        ]
        await self.catalog.PutItems(
            item_pb2.PutItemsRequest(merchant_id=merchant_id, items=items), metadata=self.platform
        )
        for sku in ("mug", "tee"):
            await self.set_stock(100, sku, merchant_id)

    async def put_delivery(self, merchant_id: str = SHOP, **terms: Any) -> None:
        price = usd(DELIVERY_MINOR)
        option = {"delivery_option_id": "std", "name": "Standard", "price": price} | terms
        await self.merchants.PutDeliveryOptions(
            merchant_pb2.PutDeliveryOptionsRequest(
                merchant_id=merchant_id, delivery_options=[merchant_pb2.DeliveryOption(**option)]
            ),
            metadata=self.platform,
        )

    async def set_stock(
        self, on_hand: int, sku: str = "mug", merchant_id: str = SHOP
    ) -> item_pb2.Stock:
        answer = await self.catalog.SetStock(
            item_pb2.SetStockRequest(merchant_id=merchant_id, sku=sku, on_hand=on_hand),
            metadata=self.platform,
        )
        return answer.stock

    async def stock(self, sku: str = "mug") -> item_pb2.Stock:
        answer = await self.catalog.GetItem(
            item_pb2.GetItemRequest(merchant_id=SHOP, sku=sku), metadata=self.platform
        )
        return answer.stock

    async def put_code(self, **terms: Any) -> None:
        await self.merchants.PutDiscountCode(
            merchant_pb2.PutDiscountCodeRequest(
                merchant_id=SHOP, discount_code=merchant_pb2.DiscountCode(**terms)
            ),
            metadata=self.platform,
        )

    async def offer(self, **terms: Any) -> offer_pb2.Offer:
        self._offers += 1
        plain = {
            "merchant_id": SHOP,
            "title": "The mug of the video",
            "skus": ["mug"],
            "ends_at": timestamp(self.now_ms() + HOUR_MS),
        }
        request = offer_pb2.CreateOfferRequest(
            request_id=f"offer-{self._offers}", offer=offer_pb2.Offer(**plain | terms)
        )
        return (await self.sales.CreateOffer(request, metadata=self.platform)).offer

    async def update(self, offer: offer_pb2.Offer, **terms: Any) -> None:
        changed = offer_pb2.Offer(offer_id=offer.offer_id, etag=offer.etag, **terms)
        request = offer_pb2.UpdateOfferRequest(offer=changed, update_mask={"paths": [*terms]})
        await self.sales.UpdateOffer(request, metadata=self.platform)

    async def end(self, offer: offer_pb2.Offer) -> None:
        await self.sales.EndOffer(
            offer_pb2.EndOfferRequest(offer_id=offer.offer_id), metadata=self.platform
        )

    # Buyers

    async def buyer(self, pays_with: str = "pm_card_visa", *, country: str = "US") -> Buyer:
        """Somebody new, with one address and one payment method."""
        self._buyers += 1
        buyer_id = f"buyer-{self._buyers}"
        address = address_pb2.PostalAddress(
            name="Ann Lee",
            country=country,
            region="CA" if country == "US" else "",
            city="San Francisco" if country == "US" else "Berlin",
            postal_code="94103" if country == "US" else "10115",
            lines=["1 Market St"],
        )
        await self.addresses.SaveAddress(
            address_pb2.SaveAddressRequest(request_id="home", buyer_id=buyer_id, address=address),
            metadata=self.platform,
        )
        buyer = Buyer(self, buyer_id)
        await buyer.add_card(pays_with)
        return buyer

    async def buyers(self, count: int, pays_with: str = "pm_card_visa") -> list[Buyer]:
        return list(await asyncio.gather(*(self.buyer(pays_with) for _ in range(count))))

    # What came of it

    async def sent(self, count: int = 1) -> None:
        """Until that many requests have arrived at the provider."""

        async def arrived() -> bool:
            return self.book.posts() >= count

        await eventually(arrived)

    async def attempt(self, attempt_id: str) -> attempt_pb2.Attempt:
        request = attempt_pb2.GetAttemptRequest(attempt_id=attempt_id)
        return (await self.checkout.GetAttempt(request, metadata=self.platform)).attempt

    async def reaches(self, attempt_id: str, *states: str) -> attempt_pb2.Attempt:
        """The attempt, as soon as it is in one of these states."""

        async def there() -> attempt_pb2.Attempt | None:
            attempt = await self.attempt(attempt_id)
            return attempt if state_of(attempt) in states else None

        attempt = await eventually(there)
        assert attempt is not None
        return attempt

    async def order(self, order_id: str) -> order_pb2.Order:
        request = order_pb2.GetOrderRequest(order_id=order_id)
        return (await self.orders.GetOrder(request, metadata=self.platform)).order

    def creates(self, attempt_id: str) -> int:
        """POSTs of this attempt that could charge."""
        return self.book.posts(operation="authorize", attempt_id=attempt_id)

    def results(self, attempt_id: str) -> list[tuple[str, str]]:
        """What the provider was asked about an attempt, and what it said."""
        return [
            (line.operation, line.result)
            for line in self.book.journal()
            if line.attempt_id == attempt_id
        ]

    def intent_of(self, attempt_id: str) -> str:
        [intent] = [one for one in self.book.intents() if one.attempt_id == attempt_id]
        return intent.intent_id

    def bank(self, attempt_id: str, *, passed: bool) -> None:
        """The buyer answers the bank's challenge."""
        self.book.complete_challenge(
            self.intent_of(attempt_id), passed=passed, now_ms=self.now_ms()
        )

    async def count(self, table: str) -> int:
        [(count,)] = await self.database.fetch(f"SELECT COUNT(*) FROM {table}")
        return int(count)

    async def counts(self) -> dict[str, int]:
        """How many rows a tap could have written, by table."""
        return {table: await self.count(table) for table in ("attempt", "orders", "outbox")}

    async def counter(self, kind: str, name: str) -> tuple[int, int]:
        """(held, committed); nothing of what was never counted."""
        rows = await self.database.fetch(
            "SELECT held, committed FROM counter"
            " WHERE merchant = :merchant AND kind = :kind AND id = :id",
            merchant=TAG,
            kind=kind,
            id=name,
        )
        [(held, committed)] = rows or [(0, 0)]
        return held, committed

    def now_ms(self) -> int:
        return self.process._clock.now_ms()


def resigned(
    quote: quote_pb2.Quote, change: Callable[[stored_pb2.QuoteClaims], object]
) -> quote_pb2.Quote:
    """The same quote with other claims in its token, signed with the server's own key."""
    claims = unseal(quote.quote_token, KEYS)
    change(claims)
    other = quote_pb2.Quote()
    other.CopyFrom(quote)
    other.quote_token = seal(claims, KEYS)
    return other


def aged(quote: quote_pb2.Quote, ms: int) -> quote_pb2.Quote:
    """The same quote as if it had been made that much earlier."""

    def older(claims: stored_pb2.QuoteClaims) -> None:
        claims.issued_ms -= ms
        claims.expires_ms -= ms

    return resigned(quote, older)


def settings_for(db_url: str, folder: Path, **changed: Any) -> Settings:
    plain = {
        "listen": "127.0.0.1:0",
        "database": db_url,
        "quote_keys": tuple(QUOTE_KEYS.items()),
        "sandbox_file": folder / "sandbox.db",
        # As long as may be: what a tap comes to must not depend on how busy the machine is.
        "answer_within_ms": 5_000,
    }
    return Settings(**plain | changed)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[World]:
    """A world with an open shop; audited when it has stopped."""
    world = await World.start(settings)
    try:
        await world.open_shop()
        yield world
    finally:
        await world.stop()
    await audited(settings)


async def audited(settings: Settings) -> None:
    assert settings.sandbox_file is not None
    assert await violations(settings.database, settings.sandbox_file) == []
