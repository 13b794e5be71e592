"""A quote token that is not the server's own, to the last bit, buys nothing."""

from __future__ import annotations

import asyncio

from grpc import StatusCode

from checkout_sdk._pb.attempt_pb2 import PlaceOrderRequest
from tests.e2e.conftest import Served
from tests.e2e.ledger import row_counts
from tests.e2e.shop import Shop, shop_at
from tests.e2e.wire import RPC_OF, Answer, Wire

PLACE_ORDER = RPC_OF[PlaceOrderRequest]


async def test_a_token_with_any_byte_altered_is_invalid(served: Served, wire: Wire):
    async with shop_at(served.server, served.offer_id) as shop:
        token = await token_of("altering", shop)
    altered = [
        *(token[:at] + chr(ord(char) ^ 1) + token[at + 1 :] for at, char in enumerate(token)),
        token[:-1],
        token + "A",
        token + "=",
        token.replace(".", "..", 1),
        token.partition(".")[2],
    ]
    before = await row_counts(served.server)
    answers = await asyncio.gather(*(tapped(wire, one, "altering") for one in altered))
    told = {(answer.code, answer.reason, answer.is_told_by_us) for answer in answers}
    assert told == {(StatusCode.INVALID_ARGUMENT, "QUOTE_INVALID", True)}
    assert await row_counts(served.server) == before
    assert (await tapped(wire, token, "altering")).code is StatusCode.OK


async def test_a_token_of_another_platform_is_no_token(served: Served, wire: Wire):
    async with shop_at(served.server, platform="tokens-of-others") as shop:
        await shop.open(stock=1)
        token = await token_of("ann", shop)
    assert (await tapped(wire, token, "ann")).reason == "QUOTE_INVALID"


async def test_a_token_of_another_buyer_buys_nothing(served: Served, wire: Wire):
    async with shop_at(served.server, served.offer_id) as shop:
        token = await token_of("owner-of-the-quote", shop)
    before = await row_counts(served.server)
    assert (await tapped(wire, token, "somebody-else")).reason == "BUYER_MISMATCH"
    assert await row_counts(served.server) == before


async def token_of(buyer_id: str, shop: Shop) -> str:
    await shop.sign_up(buyer_id)
    return (await shop.quote(buyer_id)).quote_token


async def tapped(wire: Wire, token: str, buyer_id: str) -> Answer:
    request = PlaceOrderRequest(buyer_id=buyer_id, quote_token=token)
    return await wire.ask(PLACE_ORDER, request.SerializeToString())
