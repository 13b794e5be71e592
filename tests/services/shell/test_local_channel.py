"""What only a channel within this process does; what both do is in test_handlers, test_streams."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from grpc import ChannelConnectivity, StatusCode
from grpc.aio import AioRpcError

from checkout_sdk._pb.address_pb2 import ListAddressesRequest, ListAddressesResponse
from checkout_sdk._pb.address_pb2_grpc import AddressServiceStub
from checkout_sdk._pb.checkout_pb2_grpc import CheckoutServiceStub
from checkout_sdk._pb.quote_pb2 import WatchOffersRequest, WatchOffersResponse
from checkout_server.call import Caller
from checkout_server.local_channel import MOST_UNREAD, LocalChannel
from tests.services.shell.toy import AS_BUYER, Toy


class Slow:
    """A method that works until it is released."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.release = asyncio.Event()
        self.finished = asyncio.Event()

    async def __call__(self, request, call) -> ListAddressesResponse:
        self.started.set()
        await self.release.wait()
        self.finished.set()
        return ListAddressesResponse()


def ask(channel, **options) -> grpc.aio.UnaryUnaryCall:
    return AddressServiceStub(channel).ListAddresses(
        ListAddressesRequest(), metadata=(AS_BUYER,), **options
    )


async def result(call):
    return await call


async def test_work_goes_on_when_its_caller_is_cancelled(local, toy):
    toy.unary = slow = Slow()
    waiting = asyncio.create_task(result(ask(local)))
    await slow.started.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    slow.release.set()
    await slow.finished.wait()


async def test_work_goes_on_after_its_callers_deadline(local, toy):
    toy.unary = slow = Slow()
    with pytest.raises(AioRpcError) as caught:
        await ask(local, timeout=0.01)
    assert caught.value.code() is StatusCode.DEADLINE_EXCEEDED
    slow.release.set()
    await slow.finished.wait()


async def test_a_call_without_any_time_is_not_begun(local, toy):
    with pytest.raises(AioRpcError) as caught:
        await ask(local, timeout=0)
    assert caught.value.code() is StatusCode.DEADLINE_EXCEEDED
    assert not toy.calls


async def test_the_messages_of_the_two_ends_are_not_the_same_objects(local, toy):
    kept = ListAddressesResponse(next_page_token="kept")

    async def unary(request, call):
        request.buyer_id = "changed"
        return kept

    toy.unary = unary
    request = ListAddressesRequest(buyer_id="b-1")
    answer = await AddressServiceStub(local).ListAddresses(request, metadata=(AS_BUYER,))
    answer.next_page_token = "changed"
    assert request.buyer_id == "b-1"
    assert kept.next_page_token == "kept"


async def test_a_channel_with_a_caller_needs_no_token(toy: Toy):
    caller = Caller(platform="acme", scopes=frozenset({"platform"}))
    async with LocalChannel(toy.handlers(), caller=caller) as channel:
        await AddressServiceStub(channel).ListAddresses(ListAddressesRequest())
    assert toy.calls[0].caller is caller


async def test_a_stream_that_nobody_holds_any_more_ends(local, toy):
    closed = asyncio.Event()

    async def stream(request, call):
        try:
            yield WatchOffersResponse()
            await asyncio.Event().wait()
        finally:
            closed.set()

    toy.stream = stream
    async for _ in CheckoutServiceStub(local).WatchOffers(
        WatchOffersRequest(), metadata=(AS_BUYER,)
    ):
        break
    await closed.wait()


async def test_a_slow_reader_holds_the_writer_back(local, toy):
    sent = 0

    async def stream(request, call):
        nonlocal sent
        for _ in range(MOST_UNREAD * 4):
            yield WatchOffersResponse()
            sent += 1

    toy.stream = stream
    call = CheckoutServiceStub(local).WatchOffers(WatchOffersRequest(), metadata=(AS_BUYER,))
    await call.read()
    for _ in range(MOST_UNREAD * 4):
        await asyncio.sleep(0)
    assert sent <= MOST_UNREAD + 1
    assert len([answer async for answer in call]) == MOST_UNREAD * 4 - 1


async def test_closing_waits_for_what_runs_and_takes_no_more(toy: Toy):
    toy.unary = slow = Slow()
    channel = LocalChannel(toy.handlers())
    call = ask(channel)
    await slow.started.wait()
    closing = asyncio.create_task(channel.close())
    slow.release.set()
    await closing
    await call
    assert channel.get_state() is ChannelConnectivity.SHUTDOWN
    with pytest.raises(grpc.aio.UsageError):
        ask(channel)
