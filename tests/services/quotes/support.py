"""A buyer in front of a seller's card, with neighbours that answer by a script."""

from __future__ import annotations

from dataclasses import dataclass, field

import grpc
from grpc.aio import AioRpcError, Metadata

from checkout_sdk._pb.address_pb2 import Address
from checkout_sdk._pb.merchant_pb2 import (
    DeliveryOption,
    DiscountCode,
    PutDeliveryOptionsRequest,
    PutDiscountCodeRequest,
    PutTaxTableRequest,
    TaxRate,
)
from checkout_sdk._pb.quote_pb2 import CreateQuoteRequest, Line, LineSource, Message, Quote
from checkout_sdk._pb.wallet_pb2 import PaymentMethod
from checkout_server._pb.lookup_pb2 import (
    LookupAddressRequest,
    LookupAddressResponse,
    LookupPaymentMethodRequest,
    LookupPaymentMethodResponse,
)
from checkout_server._pb.stored_pb2 import QuoteClaims
from checkout_server.call import Call, Caller
from checkout_server.database import Database, Tx
from checkout_server.quotes.answer import Quoted
from checkout_server.quotes.service import Quotes
from checkout_server.quotes.token import SigningKeys, unseal
from tests.fakes.clock import FakeClock
from tests.services.seller_support import (
    CALL,
    FIRST_HOLD,
    PLATFORM,
    SHOP,
    TAG,
    Seller,
    eur,
    seller_with_a_mug,
)

BUYER = "u_42"
KEYS = SigningKeys({"k1": b"q" * 32})


def buyer_call(buyer: str | None = BUYER, platform: str = PLATFORM) -> Call:
    caller = Caller(platform, frozenset({"buyer"}), buyer=buyer)
    return Call(caller, method="Test", request_id="req_1")


def refused(code: grpc.StatusCode) -> AioRpcError:
    return AioRpcError(code, Metadata(), Metadata(), details="scripted")


@dataclass
class FakeAddresses:
    """The buyer's addresses by id; "" is the default."""

    known: dict[str, LookupAddressResponse] = field(default_factory=dict)
    asked: list[LookupAddressRequest] = field(default_factory=list)
    broken: bool = False

    async def LookupAddress(
        self, request: LookupAddressRequest, timeout: float, metadata: object = None
    ) -> LookupAddressResponse:
        self.asked.append(request)
        if self.broken:
            raise refused(grpc.StatusCode.UNAVAILABLE)
        if request.buyer_id != BUYER or request.address_id not in self.known:
            raise refused(grpc.StatusCode.NOT_FOUND)
        return self.known[request.address_id]


@dataclass
class FakeWallet:
    known: dict[str, LookupPaymentMethodResponse] = field(default_factory=dict)
    asked: list[LookupPaymentMethodRequest] = field(default_factory=list)

    async def LookupPaymentMethod(
        self, request: LookupPaymentMethodRequest, timeout: float, metadata: object = None
    ) -> LookupPaymentMethodResponse:
        self.asked.append(request)
        if request.buyer_id != BUYER or request.payment_method_id not in self.known:
            raise refused(grpc.StatusCode.NOT_FOUND)
        return self.known[request.payment_method_id]


def place(address_id: str, country: str = "DE", region: str = "") -> LookupAddressResponse:
    return LookupAddressResponse(
        address=Address(address_id=address_id, name="A. L***", country=country),
        country=country,
        region=region,
    )


def method(payment_method_id: str) -> LookupPaymentMethodResponse:
    return LookupPaymentMethodResponse(
        payment_method=PaymentMethod(
            payment_method_id=payment_method_id, kind="card", last4="4242"
        ),
        provider_reference=f"pm_of_{payment_method_id}",
        provider_customer="cus_1",
    )


@dataclass
class Market:
    """A shop in Germany that sells a mug for 12 EUR, and a buyer with an address and a card."""

    seller: Seller
    addresses: FakeAddresses
    wallet: FakeWallet
    quotes: Quotes
    clock: FakeClock

    async def quote(
        self, call: Call | None = None, *, offer_id: str = "", **request: object
    ) -> Quote:
        return (await self.quoted(call, offer_id=offer_id, **request)).quote

    async def quoted(
        self, call: Call | None = None, *, offer_id: str = "", **request: object
    ) -> Quoted:
        asked = CreateQuoteRequest(**request)
        if offer_id:
            asked.offer_id = offer_id
        return await self.quotes.quote(asked, call or buyer_call())

    async def quote_lines(
        self, *lines: tuple[str, int], call: Call | None = None, **request: object
    ) -> Quote:
        return (await self.quoted(call, lines=basket(*lines), **request)).quote

    async def put_delivery(self, *options: DeliveryOption) -> None:
        request = PutDeliveryOptionsRequest(merchant_id=SHOP, delivery_options=options)
        await self.seller.merchants.put_delivery_options(request, CALL)

    async def put_tax(self, *rates: TaxRate) -> None:
        await self.seller.merchants.put_tax_table(
            PutTaxTableRequest(merchant_id=SHOP, rates=rates), CALL
        )

    async def first_hold(self, kind: str, counter: str, *, held: int, committed: int) -> None:
        async def write(tx: Tx) -> None:
            await tx.run(FIRST_HOLD, tag=TAG, kind=kind, id=counter, held=held, committed=committed)

        await self.seller.db.transact(write)

    async def put_code(self, **terms: object) -> None:
        request = PutDiscountCodeRequest(merchant_id=SHOP, discount_code=DiscountCode(**terms))
        await self.seller.merchants.put_discount_code(request, CALL)


async def market_of(db: Database, clock: FakeClock) -> Market:
    seller = await seller_with_a_mug(db, clock)
    await seller.set_stock(10)
    addresses = FakeAddresses({"": place("adr_home"), "adr_home": place("adr_home")})
    wallet = FakeWallet({"": method("pmt_visa"), "pmt_visa": method("pmt_visa")})
    quotes = Quotes(db, clock, addresses, wallet, KEYS)
    return Market(seller, addresses, wallet, quotes, clock)


def basket(*lines: tuple[str, int], merchant_id: str = SHOP) -> LineSource:
    return LineSource(
        merchant_id=merchant_id, lines=[Line(sku=sku, quantity=count) for sku, count in lines]
    )


def post(name: str = "post", cost: int = 500, **terms: object) -> DeliveryOption:
    return DeliveryOption(delivery_option_id=name, name=name, price=eur(cost), **terms)


def claims_in(token: str) -> QuoteClaims:
    return unseal(token, KEYS)


def codes(messages: list[Message]) -> list[str]:
    return [message.code for message in messages]
