"""The buyer's side of a quote: where it goes and what pays, asked of the neighbours that know."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import grpc

from checkout_sdk._pb.quote_pb2 import CreateQuoteRequest
from checkout_server._pb import lookup_pb2_grpc
from checkout_server._pb.lookup_pb2 import (
    LookupAddressRequest,
    LookupAddressResponse,
    LookupPaymentMethodRequest,
    LookupPaymentMethodResponse,
)
from checkout_server.faults import not_found
from checkout_server.telemetry import outgoing

# A tap that has to quote again is answered within 0.8 s; this leaves it time for the rest.
LOOKUP_TIMEOUT_S = 0.5

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Buyer:
    """A buyer with all that some quotes need: answers by the id asked for, "" being the default."""

    buyer_id: str
    addresses: Mapping[str, LookupAddressResponse | None]
    payment_methods: Mapping[str, LookupPaymentMethodResponse | None]

    def address(self, asked_id: str, *, must_exist: bool) -> LookupAddressResponse | None:
        return _found(self.addresses[asked_id], must_exist=must_exist and asked_id != "")

    def payment_method(
        self, asked_id: str, *, must_exist: bool
    ) -> LookupPaymentMethodResponse | None:
        return _found(self.payment_methods[asked_id], must_exist=must_exist and asked_id != "")


class BuyerLookup:
    def __init__(
        self,
        addresses: lookup_pb2_grpc.AddressLookupServiceAsyncStub,
        wallet: lookup_pb2_grpc.WalletLookupServiceAsyncStub,
    ) -> None:
        self._addresses = addresses
        self._wallet = wallet

    async def buyer(
        self, platform: str, buyer_id: str, requests: Sequence[CreateQuoteRequest]
    ) -> Buyer:
        """Each id is asked for once, all at the same time."""
        address_ids = list(dict.fromkeys(request.address_id for request in requests))
        method_ids = list(dict.fromkeys(request.payment_method_id for request in requests))
        addresses, methods = await asyncio.gather(
            asyncio.gather(*(self._address(platform, buyer_id, one) for one in address_ids)),
            asyncio.gather(*(self._payment_method(platform, buyer_id, one) for one in method_ids)),
        )
        return Buyer(
            buyer_id=buyer_id,
            addresses=dict(zip(address_ids, addresses, strict=True)),
            payment_methods=dict(zip(method_ids, methods, strict=True)),
        )

    async def _address(
        self, platform: str, buyer_id: str, address_id: str
    ) -> LookupAddressResponse | None:
        request = LookupAddressRequest(
            platform_id=platform, buyer_id=buyer_id, address_id=address_id
        )
        try:
            return await self._addresses.LookupAddress(
                request, timeout=LOOKUP_TIMEOUT_S, metadata=outgoing()
            )
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
            return None

    async def _payment_method(
        self, platform: str, buyer_id: str, payment_method_id: str
    ) -> LookupPaymentMethodResponse | None:
        request = LookupPaymentMethodRequest(
            platform_id=platform, buyer_id=buyer_id, payment_method_id=payment_method_id
        )
        try:
            return await self._wallet.LookupPaymentMethod(
                request, timeout=LOOKUP_TIMEOUT_S, metadata=outgoing()
            )
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
            return None


def _found(answer: T | None, *, must_exist: bool) -> T | None:
    """To have no default is a blocker; to name what is not there is a mistake."""
    if answer is None and must_exist:
        raise not_found()
    return answer
