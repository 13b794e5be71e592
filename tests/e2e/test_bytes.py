"""Bytes that no client of ours would send: each is refused, by a fixed text, and nothing breaks."""

from __future__ import annotations

import asyncio

import pytest
from google.protobuf.descriptor import FieldDescriptor
from grpc import StatusCode

from checkout_sdk._pb.item_pb2 import GetItemRequest, PutItemsRequest
from checkout_sdk._pb.quote_pb2 import BatchCreateQuotesRequest
from tests.e2e.shop import SELLER, SKU
from tests.e2e.wire import RPC_OF, RPCS, SERVED, Answer, Wire

MOST_BYTES = 65_536
MALFORMED = (StatusCode.INVALID_ARGUMENT, "MALFORMED_REQUEST")
INVALID = (StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
# A varint that never ends, a field that is longer than the message, a group that is never closed,
# field number 0, and groups within groups within groups.
GARBAGE = (
    b"\xff" * 11,
    b"\x0a\x7f?",
    b"\x0b",
    b"\x00\x00",
    b"\xab\x06" * 5_000 + b"\xac\x06" * 5_000,
)
GET_ITEM = RPC_OF[GetItemRequest]
ONE_ITEM = GetItemRequest(merchant_id=SELLER, sku=SKU).SerializeToString()


def told(answer: Answer) -> tuple[StatusCode, str]:
    assert answer.is_told_by_us, answer
    return answer.code, answer.reason


@pytest.mark.parametrize("data", GARBAGE, ids=range(len(GARBAGE)))
async def test_garbage_is_malformed_whatever_the_call(wire: Wire, data: bytes):
    answers = await asyncio.gather(*(wire.ask(rpc, data) for rpc in SERVED))
    assert {told(answer) for answer in answers} == {MALFORMED}


async def test_a_call_of_a_later_release_says_so_before_it_reads(wire: Wire):
    later = [rpc for rpc in RPCS if rpc not in SERVED]
    answers = await asyncio.gather(*(wire.ask(rpc, GARBAGE[0]) for rpc in later))
    assert {told(answer) for answer in answers} == {(StatusCode.UNIMPLEMENTED, "NOT_IMPLEMENTED")}


async def test_text_that_is_not_utf_8_is_malformed(wire: Wire):
    texts = [
        (rpc, field.number)
        for rpc in SERVED
        for field in rpc.request_type.DESCRIPTOR.fields
        if field.type == FieldDescriptor.TYPE_STRING
    ]
    answers = await asyncio.gather(
        *(wire.ask(rpc, tag(number, 2) + b"\x02\xc3\x28") for rpc, number in texts)
    )
    assert {told(answer) for answer in answers} == {MALFORMED}


async def test_64_kib_are_read_and_one_byte_more_is_not(wire: Wire):
    answer = await wire.ask(GET_ITEM, padded(ONE_ITEM, MOST_BYTES))
    assert answer.code is StatusCode.OK
    answer = await wire.ask(GET_ITEM, padded(ONE_ITEM, MOST_BYTES + 1))
    assert answer.code is StatusCode.RESOURCE_EXHAUSTED


async def test_unknown_fields_are_left_alone(wire: Wire):
    plain = await wire.ask(GET_ITEM, ONE_ITEM)
    newer = await wire.ask(GET_ITEM, ONE_ITEM + tag(3_000, 0) + b"\x01")
    assert plain.code is newer.code is StatusCode.OK
    assert plain.data == newer.data


@pytest.mark.parametrize(
    ("kind", "entry"),
    [(PutItemsRequest, b"\x12\x00"), (BatchCreateQuotesRequest, b"\x0a\x00")],
)
async def test_as_many_entries_as_fit_are_refused(wire: Wire, kind: type, entry: bytes):
    answer = await wire.ask(RPC_OF[kind], entry * (MOST_BYTES // 2))
    assert told(answer) == INVALID


async def test_metadata_without_measure_is_refused_and_the_next_call_is_not(wire: Wire):
    answer = await wire.ask(GET_ITEM, ONE_ITEM, ("x-large", "x" * 20_000))
    assert answer.code is StatusCode.RESOURCE_EXHAUSTED
    assert (await wire.ask(GET_ITEM, ONE_ITEM)).code is StatusCode.OK


def tag(number: int, wire_type: int) -> bytes:
    """How a field begins."""
    return varint(number << 3 | wire_type)


def varint(value: int) -> bytes:
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*digits, value])


def padded(data: bytes, length: int) -> bytes:
    """The same message, so long, by a field that nobody knows."""
    begin = tag(3_000, 2)
    # Three digits say any length from 16 KiB to 2 MiB.
    left = length - len(data) - len(begin) - 3
    return data + begin + varint(left) + bytes(left)
