"""Requests that nobody thought of: whatever is sent, the answer is one that a client can act on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from copy import deepcopy
from typing import Any, NamedTuple

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from grpc import StatusCode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checkout_sdk._pb.attempt_pb2 import PlaceOrderRequest
from checkout_sdk._pb.quote_pb2 import CreateQuoteRequest
from tests.e2e.processes import ServerProcess
from tests.e2e.samples import SAMPLES
from tests.e2e.shop import PLATFORM, SELLER, SKU, shop_at
from tests.e2e.wire import RPC_OF, Answer, Wire

MOST_AT_ONCE = 10
MOST_CHANGES = 4
ENDS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_ENUM: (-(2**31), 2**31 - 1),
}
CURIOUS = ("", " ", "x", "x" * 300, "\0", "\u202e", "\N{SNOWMAN}", "'; --", "%s", "../..", "null")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=100)


@pytest.fixture(scope="module")
def shaken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server of its own: what comes through here changes merchants, and ends offers."""
    with ServerProcess(tmp_path_factory.mktemp("shaken")) as server:
        yield server.start()


class Known(NamedTuple):
    """What opens doors: without it no request gets far."""

    words: Sequence[str]
    requests: Sequence[Message]


@pytest.fixture(scope="module")
def known(shaken: ServerProcess) -> Known:
    return asyncio.run(_of_an_order(shaken))


async def _of_an_order(server: ServerProcess) -> Known:
    async with shop_at(server) as shop:
        await shop.open(stock=1_000)
        await shop.sign_up("ann")
        bought, other = [await shop.quote("ann") for _ in range(2)]
        order = (await shop.tap_until_decided("ann", bought)).placed.order
    words = (
        *("ann", SELLER, SKU, "USD", "US"),
        *(shop.offer_id, order.attempt_id, order.order_id, order.address_id),
        order.payment_method.payment_method_id,
        *(bought.quote_token, bought.tap_key, other.quote_token),
    )
    requests = (
        *SAMPLES.values(),
        CreateQuoteRequest(buyer_id="ann", offer_id=shop.offer_id),
        PlaceOrderRequest(buyer_id="ann", quote_token=other.quote_token),
    )
    return Known(words, [one for one in requests if not RPC_OF[type(one)].streams])


@pytest.fixture
async def wire(shaken: ServerProcess) -> AsyncIterator[Wire]:
    async with grpc.aio.insecure_channel(shaken.target) as channel:
        yield Wire(channel, shaken.issuer.mint(PLATFORM, "platform merchant"))
    assert not [line for line in shaken.log if "Traceback" in line]


@settings(
    max_examples=250,
    deadline=None,
    # The server and its channel outlive an example on purpose.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
async def test_any_request_is_answered(data: st.DataObject, wire: Wire, known: Known):
    requests = data.draw(st.lists(odd(known) | spoiled(known), max_size=MOST_AT_ONCE))
    answers = await asyncio.gather(*(wire.ask(RPC_OF[kind], sent) for kind, sent in requests))
    for answer in answers:
        assert is_of_use(answer), answer


@pytest.mark.parametrize("kind", SAMPLES, ids=lambda kind: kind.DESCRIPTOR.name)
async def test_numbers_at_the_ends_of_their_types_are_answered(kind: type[Message], wire: Wire):
    requests = [
        extreme
        for number in range(len(list(numbers_in(SAMPLES[kind]))))
        for extreme in extremes(SAMPLES[kind], number)
    ]
    answers = await asyncio.gather(
        *(wire.ask(RPC_OF[kind], request.SerializeToString()) for request in requests)
    )
    for request, answer in zip(requests, answers, strict=True):
        assert is_of_use(answer), request


def is_of_use(answer: Answer) -> bool:
    """Not our mistake, and nothing of how we are made."""
    mistakes = (StatusCode.UNKNOWN, StatusCode.INTERNAL, StatusCode.UNAVAILABLE)
    return answer.is_told_by_us and answer.code not in mistakes


@st.composite
def odd(draw: st.DrawFn, known: Known) -> tuple[type[Message], bytes]:
    """A request with a few of its fields, however deep, made into something else."""
    message = deepcopy(draw(st.sampled_from(known.requests)))
    for _ in range(draw(st.integers(1, MOST_CHANGES))):
        part = draw(st.sampled_from(list(parts_of(message))))
        change(draw, part, draw(st.sampled_from(list(part.DESCRIPTOR.fields))), known.words)
    return type(message), message.SerializeToString()


@st.composite
def spoiled(draw: st.DrawFn, known: Known) -> tuple[type[Message], bytes]:
    """A request's bytes with some cut out and others put in."""
    message = draw(st.sampled_from(known.requests))
    data = message.SerializeToString()
    start, end = sorted(draw(st.integers(0, len(data))) for _ in range(2))
    return type(message), data[:start] + draw(st.binary(max_size=20)) + data[end:]


def change(draw: st.DrawFn, message: Message, field: FieldDescriptor, known: Sequence[str]) -> None:
    """Another value, one entry more, or none at all."""
    if draw(st.booleans()) and field.is_repeated:
        message.ClearField(field.name)
        return
    value = getattr(message, field.name)
    if field.message_type and field.message_type.GetOptions().map_entry:
        value[draw(words(known))] = draw(words(known))
    elif field.message_type and field.is_repeated:
        value.add()
    elif field.message_type:
        value.SetInParent()
    elif field.is_repeated:
        value.append(draw(scalar(field, known)))
    else:
        setattr(message, field.name, draw(scalar(field, known)))


def scalar(field: FieldDescriptor, known: Sequence[str]) -> st.SearchStrategy[Any]:
    if field.cpp_type in ENDS:
        least, most = ENDS[field.cpp_type]
        return st.one_of(st.integers(-2, 100), st.sampled_from((least, most)))
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return st.booleans()
    return words(known)


def words(known: Sequence[str]) -> st.SearchStrategy[str]:
    return st.one_of(st.sampled_from(known), st.sampled_from(CURIOUS), TEXT)


def parts_of(message: Message) -> Iterator[Message]:
    """The message, and those within."""
    yield message
    for field, value in message.ListFields():
        if field.message_type and not field.message_type.GetOptions().map_entry:
            for part in value if field.is_repeated else [value]:
                yield from parts_of(part)


def numbers_in(message: Message) -> Iterator[tuple[Message, FieldDescriptor]]:
    for part in parts_of(message):
        for field in part.DESCRIPTOR.fields:
            if field.cpp_type in ENDS:
                yield part, field


def extremes(sample: Message, number: int) -> Iterator[Message]:
    """Copies with that number at either end of its type."""
    for end in range(2):
        copy = deepcopy(sample)
        part, field = list(numbers_in(copy))[number]
        value = ENDS[field.cpp_type][end]
        if field.is_repeated:
            getattr(part, field.name).append(value)
        else:
            setattr(part, field.name, value)
        yield copy
