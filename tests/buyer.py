"""Somebody in front of a shop's card: quotes, taps, asks, gives up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc

from checkout_sdk._pb import attempt_pb2, offer_pb2, quote_pb2, wallet_pb2

if TYPE_CHECKING:
    from tests.world import World

# The shop of tests.world, and what a caller sends beside a request.
SHOP = "mugs"
Metadata = tuple[tuple[str, str], ...]


@dataclass
class Buyer:
    world: World
    buyer_id: str
    cards: dict[str, str] = field(default_factory=dict)  # provider reference -> our id

    async def add_card(self, reference: str) -> str:
        """The new one becomes the default when it is the first."""
        answer = await self.world.wallet.SavePaymentMethod(
            wallet_pb2.SavePaymentMethodRequest(
                request_id=reference, buyer_id=self.buyer_id, provider_reference=reference
            ),
            metadata=self.world.platform,
        )
        self.cards[reference] = answer.payment_method.payment_method_id
        return self.cards[reference]

    async def quote(self, offer: offer_pb2.Offer | None = None, **fields: Any) -> quote_pb2.Quote:
        request = quote_pb2.CreateQuoteRequest(buyer_id=self.buyer_id, **fields)
        if offer is not None:
            request.offer_id = offer.offer_id
        answer = await self.world.checkout.CreateQuote(request, metadata=self.world.platform)
        return answer.quote

    async def quote_lines(self, *lines: tuple[str, int], **fields: Any) -> quote_pb2.Quote:
        return await self.quote(lines=basket(*lines), **fields)

    async def tap(
        self,
        quote: quote_pb2.Quote | None = None,
        *,
        timeout: float | None = None,
        caller: Metadata | None = None,
        **fields: Any,
    ) -> attempt_pb2.PlaceOrderResponse:
        """PlaceOrder on that quote, or with nothing but `fields`."""
        return await self.tapping(quote, timeout=timeout, caller=caller, **fields)

    def tapping(
        self,
        quote: quote_pb2.Quote | None = None,
        *,
        timeout: float | None = None,
        caller: Metadata | None = None,
        **fields: Any,
    ) -> grpc.aio.UnaryUnaryCall[attempt_pb2.PlaceOrderRequest, attempt_pb2.PlaceOrderResponse]:
        """The call itself, under way."""
        if quote is not None:
            fields.setdefault("quote_token", quote.quote_token)
        request = attempt_pb2.PlaceOrderRequest(**{"buyer_id": self.buyer_id} | fields)
        return self.world.checkout.PlaceOrder(
            request, timeout=timeout, metadata=caller or self.world.platform
        )

    async def buy(self, offer: offer_pb2.Offer, **fields: Any) -> attempt_pb2.PlaceOrderResponse:
        """Quote and tap."""
        return await self.tap(await self.quote(offer), **fields)

    async def asks(self, key: str) -> attempt_pb2.Attempt:
        """GetAttempt by key."""
        request = attempt_pb2.GetAttemptRequest(
            buyer_id=self.buyer_id, idempotency_key=key, merchant_id=SHOP
        )
        answer = await self.world.checkout.GetAttempt(request, metadata=self.world.platform)
        return answer.attempt

    async def cancels(self, attempt_id: str) -> attempt_pb2.Attempt:
        request = attempt_pb2.CancelAttemptRequest(attempt_id=attempt_id)
        answer = await self.world.checkout.CancelAttempt(request, metadata=self.world.platform)
        return answer.attempt

    async def comes_back(self, attempt_id: str) -> attempt_pb2.Attempt:
        """CompleteAction."""
        request = attempt_pb2.CompleteActionRequest(attempt_id=attempt_id)
        answer = await self.world.checkout.CompleteAction(request, metadata=self.world.platform)
        return answer.attempt


def basket(*lines: tuple[str, int], merchant_id: str = SHOP) -> quote_pb2.LineSource:
    return quote_pb2.LineSource(
        merchant_id=merchant_id,
        lines=[quote_pb2.Line(sku=sku, quantity=quantity) for sku, quantity in lines],
    )
