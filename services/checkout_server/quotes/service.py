"""CreateQuote and BatchCreateQuotes, and the same for a tap that has to quote again.

A quote writes nothing and holds nothing. Its token is the price lock: everything that could change
is decided here and signed, and the tap trusts it (PROTOCOL.md section 1).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from checkout_sdk._pb.quote_pb2 import (
    BatchCreateQuotesRequest,
    BatchCreateQuotesResponse,
    CreateQuoteRequest,
    CreateQuoteResponse,
    QuoteError,
    QuoteResult,
)
from checkout_server import validation
from checkout_server._pb import lookup_pb2_grpc
from checkout_server._pb.stored_pb2 import QuoteClaims
from checkout_server.call import Call
from checkout_server.database import Reader
from checkout_server.database.clock import ServiceClock
from checkout_server.faults import Fault, invalid
from checkout_server.quotes.answer import Quoted, quoted
from checkout_server.quotes.buyer import Buyer, BuyerLookup
from checkout_server.quotes.claims import request_again
from checkout_server.quotes.facts import facts_of
from checkout_server.quotes.rules import RULES
from checkout_server.quotes.token import SigningKeys


class Quotes:
    def __init__(
        self,
        db: Reader,
        clock: ServiceClock,
        addresses: lookup_pb2_grpc.AddressLookupServiceAsyncStub,
        wallet: lookup_pb2_grpc.WalletLookupServiceAsyncStub,
        keys: SigningKeys,
        *,
        livemode: bool = False,
    ) -> None:
        self._db = db
        self._clock = clock
        self._lookup = BuyerLookup(addresses, wallet)
        self._keys = keys
        self._livemode = livemode

    async def create_quote(self, request: CreateQuoteRequest, call: Call) -> CreateQuoteResponse:
        return CreateQuoteResponse(quote=(await self.quote(request, call)).quote)

    async def batch_create_quotes(
        self, request: BatchCreateQuotesRequest, call: Call
    ) -> BatchCreateQuotesResponse:
        buyer_id = _one_buyer(request.requests, call)
        results: list[QuoteResult | None] = [_refused(one) for one in request.requests]
        valid = [one for one, bad in zip(request.requests, results, strict=True) if bad is None]
        buyer = await self._buyer(buyer_id, valid, call)
        response = BatchCreateQuotesResponse()
        for one, bad in zip(request.requests, results, strict=True):
            response.results.append(bad or await self._result(one, call, buyer))
            # A feed of cards is milliseconds of work; a tap must not wait for all of them.
            await asyncio.sleep(0)
        return response

    async def quote(self, request: CreateQuoteRequest, call: Call) -> Quoted:
        buyer_id = call.caller.acting_buyer(request.buyer_id)
        buyer = await self._buyer(buyer_id, [request], call)
        return await self._quoted(request, call, buyer, again=False)

    async def refresh(self, claims: QuoteClaims, call: Call) -> Quoted:
        """What a token was for, at today's terms.

        What it names may be gone: a variant gives way to the offer's first, and without its address
        or payment method there are blockers and no claims. Never another card than the buyer saw.
        """
        request = request_again(claims)
        buyer_id = call.caller.acting_buyer(request.buyer_id)
        buyer = await self._buyer(buyer_id, [request], call)
        return await self._quoted(request, call, buyer, again=True)

    async def _buyer(
        self, buyer_id: str | None, requests: Sequence[CreateQuoteRequest], call: Call
    ) -> Buyer | None:
        if buyer_id is None:
            return None
        return await self._lookup.buyer(call.caller.platform, buyer_id, requests)

    async def _result(
        self, request: CreateQuoteRequest, call: Call, buyer: Buyer | None
    ) -> QuoteResult:
        try:
            one = await self._quoted(request, call, buyer, again=False)
        except Fault as fault:
            return _error(fault)
        return QuoteResult(quote=one.quote)

    async def _quoted(
        self, request: CreateQuoteRequest, call: Call, buyer: Buyer | None, *, again: bool
    ) -> Quoted:
        facts = await facts_of(
            self._db,
            request,
            caller=call.caller,
            buyer=buyer,
            again=again,
            now_ms=self._clock.now_ms(),
        )
        return quoted(facts, self._keys, livemode=self._livemode)


def _one_buyer(requests: Sequence[CreateQuoteRequest], call: Call) -> str | None:
    buyer_ids = [call.caller.acting_buyer(request.buyer_id) for request in requests]
    for index, buyer_id in enumerate(buyer_ids):
        if buyer_id != buyer_ids[0]:
            raise invalid(f"requests[{index}].buyer_id", "must be the same in all requests")
    return buyer_ids[0]


def _refused(request: CreateQuoteRequest) -> QuoteResult | None:
    try:
        validation.check(request, RULES)
    except Fault as fault:
        return _error(fault)
    return None


def _error(fault: Fault) -> QuoteResult:
    """A result has no BadRequest, so the text names the fields."""
    fields = [f"{one.field} {one.description}." for one in fault.violations]
    text = " ".join([fault.text, *fields])
    return QuoteResult(error=QuoteError(code=fault.code.name, reason=fault.reason, text=text))
