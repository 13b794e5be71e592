"""A service with one unary and one streaming method, whose behaviour each test decides."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from google.rpc import error_details_pb2, status_pb2
from grpc.aio import AioRpcError

from checkout_sdk._pb.address_pb2 import Address, ListAddressesRequest, ListAddressesResponse
from checkout_sdk._pb.quote_pb2 import WatchOffersRequest, WatchOffersResponse
from checkout_server.call import Call, Caller
from checkout_server.faults import Fault
from checkout_server.handlers import Handlers
from checkout_server.validation import Rules, each_text, page, text

RULES: Rules = {
    ListAddressesRequest: (text("buyer_id", maximum=128), page()),
    WatchOffersRequest: (each_text("offer_ids", maximum=64, at_most=50),),
}
CALLERS = {
    "of-a-buyer": Caller(platform="acme", scopes=frozenset({"buyer"}), buyer="b-1"),
    "of-a-platform": Caller(platform="acme", scopes=frozenset({"platform"})),
    "of-a-merchant": Caller(
        platform="acme", scopes=frozenset({"merchant"}), merchants=frozenset({"m-1"})
    ),
}
AS_BUYER = ("authorization", "Bearer of-a-buyer")
AS_MERCHANT = ("authorization", "Bearer of-a-merchant")

Unary = Callable[[ListAddressesRequest, Call], Awaitable[ListAddressesResponse]]
Stream = Callable[[WatchOffersRequest, Call], AsyncIterator[WatchOffersResponse]]


async def answer(request: ListAddressesRequest, call: Call) -> ListAddressesResponse:
    return ListAddressesResponse(addresses=[Address(name=request.buyer_id)])


class Toy:
    def __init__(self) -> None:
        self.unary: Unary = answer
        self.stream: Stream | None = None
        self.calls: list[Call] = []

    async def list_addresses(
        self, request: ListAddressesRequest, call: Call
    ) -> ListAddressesResponse:
        self.calls.append(call)
        return await self.unary(request, call)

    async def watch_offers(
        self, request: WatchOffersRequest, call: Call
    ) -> AsyncIterator[WatchOffersResponse]:
        assert self.stream is not None
        async for message in self.stream(request, call):
            yield message

    def handlers(self) -> Handlers:
        services = {
            "onetap.checkout.v1.AddressService": {"ListAddresses": self.list_addresses},
            "onetap.checkout.v1.CheckoutService": {"WatchOffers": self.watch_offers},
        }
        return Handlers(services, rules=RULES, identify=identify)


def identify(token: str) -> Caller:
    if token not in CALLERS:
        raise Fault("UNAUTHENTICATED")
    return CALLERS[token]


def raises(error: BaseException) -> Unary:
    async def unary(request: ListAddressesRequest, call: Call) -> ListAddressesResponse:
        raise error

    return unary


class Details:
    """What a failed call carries, unpacked."""

    def __init__(self, error: AioRpcError) -> None:
        self.trailing = dict(error.trailing_metadata())
        self.bytes = self.trailing["grpc-status-details-bin"]
        self.status = status_pb2.Status.FromString(self.bytes)
        self.info = self._unpack(error_details_pb2.ErrorInfo)
        self.request = self._unpack(error_details_pb2.RequestInfo)
        self.bad_request = self._unpack(error_details_pb2.BadRequest)
        self.retry = self._unpack(error_details_pb2.RetryInfo)

    def _unpack(self, kind):
        found = kind()
        for detail in self.status.details:
            if detail.Unpack(found):
                return found
        return None
