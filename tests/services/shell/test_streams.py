"""Streaming methods, dialed and local alike."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError

from checkout_sdk._pb.checkout_pb2_grpc import CheckoutServiceStub
from checkout_sdk._pb.quote_pb2 import OfferStatus, WatchOffersRequest, WatchOffersResponse
from checkout_server.faults import Fault
from tests.services.shell.toy import AS_BUYER, Details

MANY = 50


def watch(channel, request=None, **options):
    return CheckoutServiceStub(channel).WatchOffers(
        request or WatchOffersRequest(), metadata=(AS_BUYER,), **options
    )


def message(number: int) -> WatchOffersResponse:
    return WatchOffersResponse(offers=[OfferStatus(version=number)])


async def test_messages_come_in_order_and_then_the_end(channel, toy):
    async def stream(request, call):
        for number in range(MANY):
            yield message(number)

    toy.stream = stream
    call = watch(channel)
    versions = [answer.offers[0].version async for answer in call]
    assert versions == list(range(MANY))
    assert await call.code() is StatusCode.OK
    assert (await call.trailing_metadata())["x-request-id"]


async def test_read_gives_eof_at_the_end(channel, toy):
    async def stream(request, call):
        yield message(1)

    toy.stream = stream
    call = watch(channel)
    assert (await call.read()).offers[0].version == 1
    assert await call.read() is grpc.aio.EOF
    assert await call.read() is grpc.aio.EOF


async def test_a_fault_after_some_messages_arrives_after_them(channel, toy):
    async def stream(request, call):
        yield message(1)
        raise Fault("SHUTTING_DOWN", retry_after_ms=0)

    toy.stream = stream
    call = watch(channel)
    assert (await call.read()).offers[0].version == 1
    with pytest.raises(AioRpcError) as caught:
        await call.read()
    assert Details(caught.value).info.reason == "SHUTTING_DOWN"


async def test_a_request_is_checked_before_the_first_message(channel):
    with pytest.raises(AioRpcError) as caught:
        await watch(channel, WatchOffersRequest(offer_ids=["x"] * 51)).read()
    assert caught.value.code() is StatusCode.INVALID_ARGUMENT


async def test_a_stream_ends_with_its_reader(channel, toy):
    closed = asyncio.Event()

    async def stream(request, call):
        try:
            while True:
                yield message(1)
                await asyncio.sleep(0)
        finally:
            closed.set()

    toy.stream = stream
    call = watch(channel)
    await call.read()
    call.cancel()
    await closed.wait()


async def test_a_stream_ends_at_its_deadline(channel, toy):
    async def stream(request, call):
        yield message(1)
        await asyncio.Event().wait()

    toy.stream = stream
    call = watch(channel, timeout=0.05)
    with pytest.raises(AioRpcError) as caught:
        _ = [answer async for answer in call]
    assert caught.value.code() is StatusCode.DEADLINE_EXCEEDED
