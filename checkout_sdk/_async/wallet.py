"""A buyer's payment methods, by the provider's references."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Unpack

from checkout_sdk import _rpcs
from checkout_sdk._async.transport import AsyncTransport
from checkout_sdk._calls import CallOptions, new_request_id
from checkout_sdk._pb import wallet_pb2
from checkout_sdk.page import Page
from checkout_sdk.types import PaymentMethod


class AsyncWallet:
    """`buyer.wallet`. Card numbers never come here: they are typed into the provider's own form."""

    def __init__(self, transport: AsyncTransport, buyer_id: str | None) -> None:
        self._transport = transport
        self._buyer_id = buyer_id or ""

    async def save(
        self,
        provider_reference: str,
        *,
        make_default: bool = False,
        request_id: str | None = None,
        **options: Unpack[CallOptions],
    ) -> PaymentMethod:
        """Keeps a payment method that the provider knows ("pm_..."). The first one is the default
        in any case. Safe to repeat with the same `request_id` (1 to 64 characters)."""
        request = wallet_pb2.SavePaymentMethodRequest(
            request_id=request_id or new_request_id(),
            buyer_id=self._buyer_id,
            provider_reference=provider_reference,
            make_default=make_default,
        )
        response = await self._transport.call(_rpcs.SAVE_PAYMENT_METHOD, request, options)
        return PaymentMethod.from_pb(response.payment_method)

    async def list(
        self,
        *,
        page_size: int = 0,
        page_token: str | None = None,
        **options: Unpack[CallOptions],
    ) -> Page[PaymentMethod]:
        """The default first, then the newest; masked. `page_size`: 50 when 0, at most 200."""
        request = wallet_pb2.ListPaymentMethodsRequest(
            buyer_id=self._buyer_id, page_size=page_size, page_token=page_token or ""
        )
        response = await self._transport.call(_rpcs.LIST_PAYMENT_METHODS, request, options)
        return Page(
            items=[PaymentMethod.from_pb(each) for each in response.payment_methods],
            next_page_token=response.next_page_token or None,
        )

    async def iter(self, **options: Unpack[CallOptions]) -> AsyncIterator[PaymentMethod]:
        """All of them, page by page; `timeout` is for each page."""
        request = wallet_pb2.ListPaymentMethodsRequest(buyer_id=self._buyer_id)
        while True:
            response = await self._transport.call(_rpcs.LIST_PAYMENT_METHODS, request, options)
            for method in response.payment_methods:
                yield PaymentMethod.from_pb(method)
            request.page_token = response.next_page_token
            if not request.page_token:
                return

    async def set_default(
        self, payment_method_id: str, **options: Unpack[CallOptions]
    ) -> PaymentMethod:
        """The one that quotes use unless told otherwise."""
        request = wallet_pb2.SetDefaultPaymentMethodRequest(
            buyer_id=self._buyer_id, payment_method_id=payment_method_id
        )
        response = await self._transport.call(_rpcs.SET_DEFAULT_PAYMENT_METHOD, request, options)
        return PaymentMethod.from_pb(response.payment_method)

    async def delete(self, payment_method_id: str, **options: Unpack[CallOptions]) -> None:
        """Forgets it for future quotes."""
        request = wallet_pb2.DeletePaymentMethodRequest(
            buyer_id=self._buyer_id, payment_method_id=payment_method_id
        )
        await self._transport.call(_rpcs.DELETE_PAYMENT_METHOD, request, options)
