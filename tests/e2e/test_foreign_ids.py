"""What belongs to another platform, buyer or seller looks exactly like what does not exist (I32).

The fields that take an id of ours, or name a merchant, are found in the descriptors, so that a call
to come is tested without being added here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass

import grpc
import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from checkout_sdk._pb.attempt_pb2 import GetAttemptRequest, PlaceOrderRequest
from checkout_sdk._pb.quote_pb2 import (
    BatchCreateQuotesRequest,
    BatchCreateQuotesResponse,
    CreateQuoteRequest,
)
from checkout_server import ids
from checkout_server.contract import Rpc
from tests.e2e.conftest import Served
from tests.e2e.processes import ServerProcess
from tests.e2e.samples import LINES, SAMPLES
from tests.e2e.shop import SELLER, Shop, shop_at, usd
from tests.e2e.wire import RPC_OF, SERVED, Answer, Wire

OURS, RIVAL = "platform-of-ann", "platform-of-another-ann"
PREFIXES = {
    "address_id": "adr",
    "attempt_id": "att",
    "idempotency_key": "tap",
    "offer_id": "off",
    "offer_ids": "off",
    "order_id": "ord",
    "payment_method_id": "pmt",
    "merchant_id": "",
}
# Named like an id that is looked up, and not looked up.
NOT_LOOKED_UP = {
    ("MerchantService/PutMerchant", "merchant.merchant_id"): "makes it",
    ("OfferService/CreateOffer", "offer.offer_id"): "is set by the server",
    ("OfferService/UpdateOffer", "offer.merchant_id"): "cannot change",
    ("CheckoutService/PlaceOrder", "idempotency_key"): "is one of this buyer's",
}


@dataclass(frozen=True, slots=True)
class Intruder:
    """Somebody with a token, and what others have that it must not see."""

    name: str
    platform: str
    scope: str
    foreign: frozenset[str]
    buyer: str | None = None
    merchants: tuple[str, ...] = ()


EVERYTHING = frozenset({"adr", "att", "tap", "off", "ord", "pmt", ""})
INTRUDERS = (
    Intruder("another platform", RIVAL, "platform merchant", EVERYTHING),
    # Offers and sellers are there for every buyer of the platform.
    Intruder("another buyer", OURS, "buyer", EVERYTHING - {"off", ""}, buyer="bob"),
    # A platform's buyers are not any one seller's.
    Intruder(
        "another seller",
        OURS,
        "platform merchant",
        EVERYTHING - {"adr", "pmt"},
        merchants=("teas",),
    ),
)
# Cards are shown to people who have not signed in.
PUBLIC_ON_THE_PLATFORM = "CheckoutService/WatchOffers"


@dataclass(frozen=True, slots=True)
class Case:
    rpc: Rpc
    path: str

    @property
    def kind(self) -> str:
        return PREFIXES[self.path.rpartition(".")[2]]

    def __str__(self) -> str:
        return f"{short(self.rpc)} {self.path}"


def short(rpc: Rpc) -> str:
    return rpc.name.rpartition(".")[2]


def paths_in(kind: Descriptor, path: str = "") -> Iterator[str]:
    for field in kind.fields:
        where = f"{path}{field.name}"
        if field.name in PREFIXES:
            yield where
        elif field.message_type and not field.message_type.GetOptions().map_entry:
            yield from paths_in(field.message_type, f"{where}.")


CASES = [
    Case(rpc, path)
    for rpc in SERVED
    for path in paths_in(rpc.request_type.DESCRIPTOR)
    if (short(rpc), path) not in NOT_LOOKED_UP
]
INTRUSIONS = [
    pytest.param(intruder, case, id=f"{intruder.name}: {case}")
    for intruder in INTRUDERS
    for case in CASES
    if case.kind in intruder.foreign
    and {*intruder.scope.split()} & case.rpc.access.scopes
    and not (short(case.rpc) == PUBLIC_ON_THE_PLATFORM and intruder.platform == OURS)
]


@dataclass(frozen=True, slots=True)
class Ids:
    """Ann's, by prefix, and an offer that each platform's callers may see."""

    ann: Mapping[str, str]
    offers: Mapping[str, str]


@pytest.fixture(scope="module")
def known(served: Served) -> Ids:
    return asyncio.run(_with_an_order(served.server))


async def _with_an_order(server: ServerProcess) -> Ids:
    async with shop_at(server, platform=OURS) as ours, shop_at(server, platform=RIVAL) as rivals:
        offers = {OURS: await ours.open(stock=100)}
        offers[RIVAL] = await rivals.open(stock=100, seller_id="pots")
        await rivals.sign_up("ann")
        await ours.sign_up("bob")
        return Ids(await _ids_of_ann(ours), offers)


async def _ids_of_ann(shop: Shop) -> dict[str, str]:
    await shop.sign_up("ann")
    quote = await shop.quote("ann")
    placed = await shop.tap_until_decided("ann", quote)
    order = placed.placed.order
    return {
        "adr": order.address_id,
        "pmt": order.payment_method.payment_method_id,
        "off": shop.offer_id,
        "att": placed.attempt_id,
        "tap": quote.tap_key,
        "ord": order.order_id,
        "": SELLER,
    }


@pytest.mark.parametrize(("intruder", "case"), INTRUSIONS)
async def test_what_is_foreign_looks_unknown_to(
    intruder: Intruder, case: Case, served: Served, known: Ids
):
    issuer = served.server.issuer
    token = issuer.mint(
        intruder.platform, intruder.scope, buyer=intruder.buyer, merchants=intruder.merchants
    )
    foreign = known.ann[case.kind]
    unknown = ["nobodys"]
    if case.kind:
        # Of the same merchant (or platform), and of none.
        tag = ids.tag_of(foreign, case.kind)
        unknown = [ids.new_id(case.kind, tag) for tag in (tag, ids.tag("nobody"))]
    async with grpc.aio.insecure_channel(served.server.target) as channel:
        wire = Wire(channel, token)
        answers = [
            await asked(wire, case, an_id, intruder.buyer or "ann", known.offers[intruder.platform])
            for an_id in (foreign, *unknown)
        ]
    assert all(answer == answers[0] for answer in answers)
    assert says_not_found(answers[0], case.rpc)


async def test_their_owner_finds_each_of_them(served: Served, known: Ids):
    # Without this, a request that is refused for another reason would prove nothing above.
    token = served.server.issuer.mint(OURS, "platform merchant")
    async with grpc.aio.insecure_channel(served.server.target) as channel:
        wire = Wire(channel, token)
        for case in sorted(CASES, key=lambda case: "Delete" in case.rpc.name):
            found = known.ann[case.kind]
            if str(case) == "CheckoutService/GetAttempt merchant_id":
                continue  # the merchant is there, and has no such key: NOT_FOUND either way
            answer = await asked(wire, case, found, "ann", known.offers[OURS])
            assert not says_not_found(answer, case.rpc), str(case)


async def asked(wire: Wire, case: Case, an_id: str, buyer_id: str, offer_id: str) -> Answer:
    request = base_of(case.rpc.request_type, buyer_id, offer_id)
    parts, _, name = case.path.rpartition(".")
    message = request
    for part in filter(None, parts.split(".")):
        if part == "lines":
            message.lines.CopyFrom(LINES)  # in the place of the offer
        inner = getattr(message, part)
        message = inner if isinstance(inner, Message) else inner[0]
    if name == "offer_ids":
        message.offer_ids[:] = [an_id]
    else:
        setattr(message, name, an_id)
    if case.path == "merchant_id" and isinstance(request, GetAttemptRequest):
        request.idempotency_key = "a-key-of-the-app"
    return await wire.ask(case.rpc, request.SerializeToString())


def base_of(kind: type[Message], buyer_id: str, offer_id: str) -> Message:
    """A request with nothing foreign in it."""
    quote = CreateQuoteRequest(buyer_id=buyer_id, offer_id=offer_id)
    bases: dict[type[Message], Message] = {
        CreateQuoteRequest: quote,
        BatchCreateQuotesRequest: BatchCreateQuotesRequest(requests=[quote]),
        GetAttemptRequest: GetAttemptRequest(buyer_id=buyer_id),
        PlaceOrderRequest: PlaceOrderRequest(
            buyer_id=buyer_id,
            idempotency_key="a-tap-to-come",
            offer_id=offer_id,
            expected_total=usd(2_000),
        ),
    }
    request = bases.get(kind) or deepcopy(SAMPLES[kind])
    if "buyer_id" in kind.DESCRIPTOR.fields_by_name:
        request.buyer_id = buyer_id
    return request


def says_not_found(answer: Answer, rpc: Rpc) -> bool:
    if rpc == RPC_OF[BatchCreateQuotesRequest]:
        [result] = BatchCreateQuotesResponse.FromString(answer.data).results
        return result.error.reason == "NOT_FOUND"
    if short(rpc) == "OrderService/ListOrders":
        return answer.reason == "NOT_FOUND" or answer.data == b""
    return answer.reason == "NOT_FOUND"
