"""What every call goes through, dialed and local alike."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError, Metadata

from checkout_sdk._pb.address_pb2 import ListAddressesRequest, ListAddressesResponse
from checkout_sdk._pb.address_pb2_grpc import AddressServiceStub
from checkout_sdk._pb.cart_pb2 import GetCartRequest
from checkout_sdk._pb.cart_pb2_grpc import CartServiceStub
from checkout_sdk._pb.offer_pb2 import GetOfferRequest
from checkout_sdk._pb.offer_pb2_grpc import OfferServiceStub
from checkout_server.database import StorageFull, StorageUnavailable
from checkout_server.faults import Fault, not_found
from checkout_server.handlers import Handlers
from tests.services.shell.toy import AS_BUYER, AS_MERCHANT, Details, Toy, identify, raises

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
DSN = "postgresql://owner:s3cret@db.internal/checkout"


async def fails(channel, request=None, metadata=(AS_BUYER,), **options) -> AioRpcError:
    with pytest.raises(AioRpcError) as caught:
        await AddressServiceStub(channel).ListAddresses(
            request or ListAddressesRequest(), metadata=metadata, **options
        )
    return caught.value


async def test_an_answer_comes_back(channel):
    call = AddressServiceStub(channel).ListAddresses(
        ListAddressesRequest(buyer_id="b-1"), metadata=(AS_BUYER,)
    )
    assert (await call).addresses[0].name == "b-1"
    assert await call.code() is StatusCode.OK


async def test_the_callers_request_id_comes_back_with_the_answer(channel, toy):
    call = AddressServiceStub(channel).ListAddresses(
        ListAddressesRequest(), metadata=(AS_BUYER, ("x-request-id", "tap-1"))
    )
    await call
    assert (await call.trailing_metadata())["x-request-id"] == "tap-1"
    assert toy.calls[0].request_id == "tap-1"


@pytest.mark.parametrize("given", ["", "has spaces", "x" * 65, "a;b"])
async def test_a_malformed_request_id_is_replaced(channel, toy, given):
    await AddressServiceStub(channel).ListAddresses(
        ListAddressesRequest(), metadata=(AS_BUYER, ("x-request-id", given))
    )
    assert toy.calls[0].request_id != given
    assert toy.calls[0].request_id


async def test_the_method_knows_its_caller_deadline_and_trace(channel, toy):
    await AddressServiceStub(channel).ListAddresses(
        ListAddressesRequest(), timeout=60, metadata=(AS_BUYER, ("traceparent", TRACEPARENT))
    )
    call = toy.calls[0]
    assert call.caller.buyer == "b-1"
    assert call.method == "onetap.checkout.v1.AddressService/ListAddresses"
    assert 0 < call.time_remaining_s() < 120
    assert call.traceparent.split("-")[1] == TRACEPARENT.split("-")[1]


async def test_without_a_timeout_there_is_no_deadline(channel, toy):
    await AddressServiceStub(channel).ListAddresses(ListAddressesRequest(), metadata=(AS_BUYER,))
    assert toy.calls[0].deadline is None


@pytest.mark.parametrize(
    "metadata",
    [
        (),
        (("authorization", "Bearer nobody"),),
        (("authorization", "of-a-buyer"),),
        (("authorization", "Basic of-a-buyer"),),
        (AS_BUYER, AS_BUYER),
    ],
    ids=["none", "unknown", "no scheme", "other scheme", "two"],
)
async def test_a_call_without_a_good_token_is_refused(channel, toy, metadata):
    error = await fails(channel, metadata=metadata)
    assert error.code() is StatusCode.UNAUTHENTICATED
    assert Details(error).info.reason == "UNAUTHENTICATED"
    assert not toy.calls


async def test_a_token_without_the_scope_is_told_which_it_needs(channel, toy):
    error = await fails(channel, metadata=(AS_MERCHANT,))
    assert error.code() is StatusCode.PERMISSION_DENIED
    assert Details(error).info.metadata["scopes"] == "buyer, platform"
    assert not toy.calls


async def test_a_fault_arrives_with_its_details(channel, toy):
    toy.unary = raises(Fault("OVER_CAPACITY", retry_after_ms=1_500, metadata={"merchant": "m-1"}))
    error = await fails(channel, metadata=(AS_BUYER, ("x-request-id", "tap-1")))
    details = Details(error)
    assert error.code() is StatusCode.RESOURCE_EXHAUSTED
    assert error.details() == details.status.message
    assert (details.info.reason, details.info.domain) == (
        "OVER_CAPACITY",
        "checkout.onetap.dev",
    )
    assert details.info.metadata == {"merchant": "m-1"}
    assert details.request.request_id == details.trailing["x-request-id"] == "tap-1"
    assert details.retry.retry_delay.ToMilliseconds() == 1_500
    assert details.trailing["grpc-retry-pushback-ms"] == "1500"


async def test_a_fault_without_a_wait_suggests_none(channel, toy):
    toy.unary = raises(Fault("IDEMPOTENCY_CONFLICT"))
    details = Details(await fails(channel))
    assert details.retry is None
    assert "grpc-retry-pushback-ms" not in details.trailing


async def test_foreign_and_unknown_ids_are_refused_alike_to_the_byte(channel, toy):
    async def unary(request, call):
        if request.buyer_id == "foreign":
            raise not_found()
        raise Fault("NOT_FOUND")

    toy.unary = unary
    metadata = (AS_BUYER, ("x-request-id", "same"))
    foreign = await fails(channel, ListAddressesRequest(buyer_id="foreign"), metadata)
    unknown = await fails(channel, ListAddressesRequest(buyer_id="unknown"), metadata)
    assert (foreign.code(), foreign.details()) == (unknown.code(), unknown.details())
    assert list(foreign.trailing_metadata()) == list(unknown.trailing_metadata())


@pytest.mark.parametrize(
    ("raised", "code", "reason"),
    [
        (StorageUnavailable(DSN), StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE"),
        (StorageFull(DSN), StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE"),
        (
            AioRpcError(StatusCode.INTERNAL, Metadata(), Metadata(), DSN),
            StatusCode.UNAVAILABLE,
            "NEIGHBOUR_UNAVAILABLE",
        ),
        (RuntimeError(DSN), StatusCode.INTERNAL, "INTERNAL"),
        (KeyError(DSN), StatusCode.INTERNAL, "INTERNAL"),
        (asyncio.CancelledError(DSN), StatusCode.UNAVAILABLE, "SHUTTING_DOWN"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
async def test_the_text_of_an_exception_never_leaves(channel, toy, raised, code, reason):
    toy.unary = raises(raised)
    error = await fails(channel)
    details = Details(error)
    assert error.code() is code
    assert details.info.reason == reason
    sent = f"{error.details()} {details.status} {details.trailing}"
    assert "s3cret" not in sent
    assert type(raised).__name__ not in sent


async def test_trouble_with_storage_says_when_to_come_back(channel, toy):
    toy.unary = raises(StorageUnavailable())
    details = Details(await fails(channel))
    assert details.retry.retry_delay.ToMilliseconds() > 0
    assert int(details.trailing["grpc-retry-pushback-ms"]) > 0


async def test_garbage_is_a_malformed_request(channel, toy):
    garbled = channel.unary_unary("/onetap.checkout.v1.AddressService/ListAddresses")
    with pytest.raises(AioRpcError) as caught:
        await garbled(b"\xff\xff\xff", metadata=(AS_BUYER,))
    assert caught.value.code() is StatusCode.INVALID_ARGUMENT
    assert Details(caught.value).info.reason == "MALFORMED_REQUEST"
    assert not toy.calls


async def test_text_that_is_not_utf8_is_a_malformed_request(channel):
    garbled = channel.unary_unary("/onetap.checkout.v1.AddressService/ListAddresses")
    with pytest.raises(AioRpcError) as caught:
        await garbled(b"\x0a\x01\xff", metadata=(AS_BUYER,))
    assert Details(caught.value).info.reason == "MALFORMED_REQUEST"


async def test_a_broken_rule_names_the_field(channel, toy):
    error = await fails(channel, ListAddressesRequest(page_size=201))
    details = Details(error)
    assert error.code() is StatusCode.INVALID_ARGUMENT
    violation = details.bad_request.field_violations[0]
    assert (violation.field, violation.description) == ("page_size", "must be from 0 to 200")
    assert not toy.calls


async def test_a_call_of_a_later_release_says_so(channel):
    with pytest.raises(AioRpcError) as caught:
        await CartServiceStub(channel).GetCart(GetCartRequest(), metadata=(AS_BUYER,))
    assert caught.value.code() is StatusCode.UNIMPLEMENTED
    assert Details(caught.value).info.reason == "NOT_IMPLEMENTED"


async def test_a_call_of_a_later_release_is_still_only_for_its_scope(channel):
    with pytest.raises(AioRpcError) as caught:
        await OfferServiceStub(channel).GetOffer(GetOfferRequest(), metadata=(AS_BUYER,))
    assert caught.value.code() is StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize(
    "path",
    ["/onetap.checkout.v1.AddressService/Nothing", "/onetap.internal.v1.ChargeService/Capture"],
)
async def test_what_is_not_served_here_is_unimplemented(channel, path):
    with pytest.raises(AioRpcError) as caught:
        await channel.unary_unary(path)(b"", metadata=(AS_BUYER,))
    assert caught.value.code() is StatusCode.UNIMPLEMENTED


async def test_a_caller_who_gives_up_in_time_is_told_so(channel, toy):
    release = asyncio.Event()

    async def unary(request, call):
        await release.wait()
        return ListAddressesResponse()

    toy.unary = unary
    error = await fails(channel, timeout=0.05)
    assert error.code() is StatusCode.DEADLINE_EXCEEDED
    release.set()


async def test_a_call_that_is_cancelled_raises_cancelled(channel, toy):
    started = asyncio.Event()
    release = asyncio.Event()

    async def unary(request, call):
        started.set()
        await release.wait()
        return ListAddressesResponse()

    toy.unary = unary
    call = AddressServiceStub(channel).ListAddresses(ListAddressesRequest(), metadata=(AS_BUYER,))
    waiting = asyncio.ensure_future(_result(call))
    await started.wait()
    assert call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert call.cancelled()
    assert await call.code() is StatusCode.CANCELLED
    release.set()


def test_a_method_whose_request_has_no_rules_is_refused_at_the_start(toy: Toy):
    services = {"onetap.checkout.v1.AddressService": {"ListAddresses": toy.list_addresses}}
    with pytest.raises(ValueError, match=r"onetap\.checkout\.v1\.ListAddressesRequest"):
        Handlers(services, rules={}, identify=identify)


@pytest.mark.parametrize(
    "services",
    [
        {"onetap.checkout.v1.AdressService": {}},
        {"onetap.checkout.v1.AddressService": {"ListAdresses": raises(KeyError())}},
    ],
    ids=["service", "RPC"],
)
def test_a_misspelt_name_is_refused_at_the_start(services):
    with pytest.raises(ValueError, match="no such"):
        Handlers(services, rules={}, identify=identify)


async def _result(call: grpc.aio.UnaryUnaryCall):
    return await call
