"""The fake's offers and the quotes on them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from checkout_sdk._pb import address_pb2, attempt_pb2, money_pb2, quote_pb2, wallet_pb2
from checkout_sdk._values import duration, timestamp
from checkout_sdk.money import Money
from checkout_sdk.testing import _people
from checkout_sdk.testing._people import People
from checkout_sdk.testing._refusal import Refusal, not_found

ENDS_IN = timedelta(hours=1)
QUOTE_LIVES = timedelta(minutes=10)


@dataclass(slots=True)
class FakeOffer:
    offer_id: str
    title: str
    price: Money
    stock: int
    merchant_id: str
    version: int = 1

    @property
    def sku(self) -> str:
        return self.offer_id.removeprefix("off_")

    def take(self, quantity: int) -> None:
        """A negative quantity gives back."""
        self.stock -= quantity
        self.version += 1


@dataclass(frozen=True, slots=True)
class Purchase:
    """What a tap buys: what a quote token stands for."""

    buyer_id: str
    offer_id: str
    quantity: int
    total_minor: int
    address_id: str
    payment_method_id: str

    @property
    def intent(self) -> tuple[str, str, int]:
        return self.buyer_id, self.offer_id, self.quantity


class Offers:
    def __init__(self, people: People) -> None:
        self.people = people
        self.by_id: dict[str, FakeOffer] = {}
        self._sealed: dict[str, tuple[Purchase, str]] = {}

    def create_quote(self, request: quote_pb2.CreateQuoteRequest) -> quote_pb2.CreateQuoteResponse:
        return quote_pb2.CreateQuoteResponse(quote=self.quote(request))

    def batch_create_quotes(
        self, request: quote_pb2.BatchCreateQuotesRequest
    ) -> quote_pb2.BatchCreateQuotesResponse:
        results = [self._result(each) for each in request.requests]
        return quote_pb2.BatchCreateQuotesResponse(results=results)

    def find(self, offer_id: str) -> FakeOffer:
        if offer_id not in self.by_id:
            raise not_found()
        return self.by_id[offer_id]

    def status(self, offer_id: str) -> quote_pb2.OfferStatus:
        offer = self.find(offer_id)
        variant = quote_pb2.VariantStock(
            sku=offer.sku, stock=availability(offer), price=offer.price.to_pb()
        )
        return quote_pb2.OfferStatus(
            offer_id=offer_id,
            version=offer.version,
            open=True,
            variants=[variant],
            ends_in=duration(ENDS_IN),
            epoch=1,
        )

    def quote(self, request: quote_pb2.CreateQuoteRequest) -> quote_pb2.Quote:
        offer, quantity = self._wanted(request)
        address, method = self._defaults(
            request.buyer_id, request.address_id, request.payment_method_id
        )
        quote = quote_pb2.Quote(
            merchant_id=offer.merchant_id,
            offer_id=offer.offer_id,
            lines=[line(offer, quantity)],
            totals=totals(offer, quantity),
            address=address,
            payment_method=method,
            blockers=_blockers(request.buyer_id, address, method),
            stock=availability(offer),
            ends_in=duration(ENDS_IN),
            expires_at=timestamp(datetime.now(UTC) + QUOTE_LIVES),
            server_time=timestamp(datetime.now(UTC)),
            attribution=request.attribution,
            journey=request.journey,
        )
        if address is not None and method is not None:
            quote.quote_token = f"fake.{secrets.token_urlsafe(24)}"
            quote.tap_key = f"tap_{secrets.token_hex(15)}"
            purchase = Purchase(
                request.buyer_id,
                offer.offer_id,
                quantity,
                quote.totals.total.amount_minor,
                address.address_id,
                method.payment_method_id,
            )
            self._sealed[quote.quote_token] = purchase, quote.tap_key
        return quote

    def purchase(self, request: attempt_pb2.PlaceOrderRequest) -> tuple[Purchase, str]:
        """What a tap buys and under which key."""
        if request.quote_token:
            if request.quote_token not in self._sealed:
                raise Refusal("INVALID_ARGUMENT", "QUOTE_INVALID", "Not one of our tokens.")
            purchase, tap_key = self._sealed[request.quote_token]
            if request.buyer_id and request.buyer_id != purchase.buyer_id:
                raise Refusal("PERMISSION_DENIED", "BUYER_MISMATCH", "Another buyer's quote.")
            method_id = request.payment_method_id or purchase.payment_method_id
            tapped = replace(purchase, payment_method_id=method_id)
            return tapped, request.idempotency_key or tap_key
        offer, quantity = self._wanted(request)
        address, method = self._defaults(
            request.buyer_id, request.address_id, request.payment_method_id
        )
        if request.HasField("new_payment"):
            method_id = request.new_payment.provider_token
        else:
            method_id = method.payment_method_id if method else ""
        has_address = address is not None or request.HasField("new_address")
        if not request.buyer_id or not has_address or not method_id:
            raise Refusal("FAILED_PRECONDITION", "BLOCKED", "Something is missing for a purchase.")
        total_minor = offer.price.amount_minor * quantity
        address_id = address.address_id if address else "adr_new"
        purchase = Purchase(
            request.buyer_id, offer.offer_id, quantity, total_minor, address_id, method_id
        )
        return purchase, request.idempotency_key

    def _wanted(
        self, request: quote_pb2.CreateQuoteRequest | attempt_pb2.PlaceOrderRequest
    ) -> tuple[FakeOffer, int]:
        if request.WhichOneof("source") != "offer_id":
            raise Refusal("UNIMPLEMENTED", "NOT_IMPLEMENTED", "The fake sells offers only.")
        return self.find(request.offer_id), request.quantity or 1

    def _defaults(
        self, buyer_id: str, address_id: str, payment_method_id: str
    ) -> tuple[address_pb2.Address | None, wallet_pb2.PaymentMethod | None]:
        if not buyer_id:
            return None, None
        addresses = self.people.addresses(buyer_id)
        methods = self.people.methods(buyer_id)
        return (
            _people.pick(addresses, "address_id", address_id),
            _people.pick(methods, "payment_method_id", payment_method_id),
        )

    def _result(self, request: quote_pb2.CreateQuoteRequest) -> quote_pb2.QuoteResult:
        try:
            return quote_pb2.QuoteResult(quote=self.quote(request))
        except Refusal as refusal:
            error = quote_pb2.QuoteError(
                code=refusal.code, reason=refusal.reason, text=refusal.text
            )
            return quote_pb2.QuoteResult(error=error)


def availability(offer: FakeOffer) -> quote_pb2.Availability:
    return quote_pb2.Availability(available=offer.stock)


def totals(offer: FakeOffer, quantity: int) -> money_pb2.Totals:
    """The price times the quantity: the fake knows no delivery, tax or discount."""
    currency = offer.price.currency
    total = money_pb2.Money(amount_minor=offer.price.amount_minor * quantity, currency=currency)
    nothing = money_pb2.Money(currency=currency)
    return money_pb2.Totals(
        items=total, discount=nothing, delivery=nothing, tax=nothing, total=total
    )


def line(offer: FakeOffer, quantity: int) -> quote_pb2.QuoteLine:
    return quote_pb2.QuoteLine(
        sku=offer.sku,
        title=offer.title,
        quantity=quantity,
        unit_price=offer.price.to_pb(),
        totals=totals(offer, quantity),
    )


def _blockers(
    buyer_id: str, address: address_pb2.Address | None, method: wallet_pb2.PaymentMethod | None
) -> list[quote_pb2.Blocker.ValueType]:
    if not buyer_id:
        return [quote_pb2.BLOCKER_SIGN_IN]
    missing = [
        (address, quote_pb2.BLOCKER_ADDRESS),
        (method, quote_pb2.BLOCKER_PAYMENT_METHOD),
    ]
    return [blocker for present, blocker in missing if present is None]
