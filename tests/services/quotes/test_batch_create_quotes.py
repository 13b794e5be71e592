from __future__ import annotations

import grpc
import pytest

from checkout_sdk._pb.quote_pb2 import (
    BatchCreateQuotesRequest,
    BatchCreateQuotesResponse,
    CreateQuoteRequest,
)
from checkout_server.call import Call
from checkout_server.faults import Fault
from tests.services.quotes.support import BUYER, Market, basket, buyer_call, claims_in, place
from tests.services.seller_support import CALL, SHOP, field_of


async def batch(
    market: Market, *requests: CreateQuoteRequest, call: Call | None = None
) -> BatchCreateQuotesResponse:
    request = BatchCreateQuotesRequest(requests=requests)
    return await market.quotes.batch_create_quotes(request, call or buyer_call())


def one(*, merchant_id: str = SHOP, **request: object) -> CreateQuoteRequest:
    return CreateQuoteRequest(lines=basket(("mug", 1), merchant_id=merchant_id), **request)


PARIS = f"adr_{'p' * 30}"


async def test_results_come_in_the_order_of_the_requests(market: Market):
    offer = await market.seller.create_offer()
    answer = await batch(market, one(), CreateQuoteRequest(offer_id=offer.offer_id))
    assert [result.quote.offer_id for result in answer.results] == ["", offer.offer_id]
    assert all(claims_in(result.quote.quote_token) for result in answer.results)


async def test_the_neighbours_are_asked_once_for_all_cards(market: Market):
    await batch(market, one(), one(), one())
    assert (len(market.addresses.asked), len(market.wallet.asked)) == (1, 1)


async def test_each_named_address_is_asked_for_once(market: Market):
    market.addresses.known[PARIS] = place(PARIS, "FR")
    answer = await batch(market, one(), *[one(address_id=PARIS)] * 2)
    assert [request.address_id for request in market.addresses.asked] == ["", PARIS]
    assert [result.quote.address.country for result in answer.results] == ["DE", "FR", "FR"]


async def test_a_bad_request_spoils_its_own_result_only(market: Market):
    answer = await batch(market, one(merchant_id="hats"), one(address_id=f"adr_{'x' * 30}"), one())
    errors = [result.error for result in answer.results[:2]]
    assert [(error.code, error.reason) for error in errors] == [("NOT_FOUND", "NOT_FOUND")] * 2
    assert answer.results[2].quote.quote_token


async def test_an_invalid_request_says_what_is_wrong_in_its_own_result(market: Market):
    answer = await batch(market, CreateQuoteRequest(), one(quantity=100), one())
    errors = [result.error for result in answer.results[:2]]
    assert [error.code for error in errors] == ["INVALID_ARGUMENT"] * 2
    assert "quantity must be from 0 to 99." in errors[1].text
    assert answer.results[2].quote.quote_token


async def test_all_requests_are_of_one_buyer(market: Market):
    with pytest.raises(Fault) as raised:
        await batch(market, one(buyer_id=BUYER), one(buyer_id="u_1"), call=CALL)
    assert field_of(raised) == "requests[1].buyer_id"


async def test_a_buyers_token_need_not_name_the_buyer_everywhere(market: Market):
    answer = await batch(market, one(buyer_id=BUYER), one())
    assert all(result.quote.quote_token for result in answer.results)


async def test_a_feed_is_shown_to_nobody_in_particular(market: Market):
    answer = await batch(market, one(), call=CALL)
    assert answer.results[0].quote.quote_token == ""
    assert market.addresses.asked == []


async def test_a_neighbour_that_is_down_fails_the_call_and_not_each_card(market: Market):
    market.addresses.broken = True
    with pytest.raises(grpc.aio.AioRpcError):
        await batch(market, one())
