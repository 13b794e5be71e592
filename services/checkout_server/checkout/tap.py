"""The tap: PlaceOrder from top to bottom.

    verify   who taps, what for, under which key: from the request alone
    answer   a key seen before, from its attempt
    deal     is the quote still good? else quote again
    reserve  T1: key, intent, holds, the journalled charge; one durable commit
    charge   one POST at the provider, by the attempt's own task (drive.py)
    record   T2: order, holds, final bytes; one durable commit, by the same task
    answer   within 800 ms of the start, whatever the provider does

What can go wrong, and what makes it safe: the caller goes away (the task does not), the process
dies (the row tells another one how to go on), the answer gets lost (the same key gets it again),
two taps race (the planner decides them in one order, under lock). From T1 on every answer is an
outcome: not known in time is `accepted`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import grpc

from checkout_sdk._pb import attempt_pb2
from checkout_server import ids
from checkout_server._pb import lookup_pb2, lookup_pb2_grpc, stored_pb2
from checkout_server.call import Call, Caller
from checkout_server.checkout import answering, outcome, store, verify
from checkout_server.checkout.advance import Owner
from checkout_server.checkout.answering import Answering
from checkout_server.checkout.attempt import AttemptRow, State
from checkout_server.checkout.deal import Dealer
from checkout_server.checkout.drive import Driver
from checkout_server.checkout.planner import (
    Answer,
    IntentOpen,
    KeyTaken,
    OfferMoved,
    Reserve,
    Short,
    Written,
)
from checkout_server.checkout.provider_queue import Place, ProviderQueue
from checkout_server.checkout.reserve import Deal, reserve
from checkout_server.checkout.shelf import Shelf
from checkout_server.checkout.stages import collect, stage
from checkout_server.checkout.verify import Tapped
from checkout_server.checkout.worker import Lease
from checkout_server.database import Database, StorageUnavailable
from checkout_server.database.clock import ServiceClock
from checkout_server.faults import Fault, not_found
from checkout_server.merchants.store import MerchantTerms
from checkout_server.quotes.buyer import LOOKUP_TIMEOUT_S
from checkout_server.telemetry import outgoing

# A tap with less time than this could not be answered with what it did: it is not begun.
LEAST_TIME_S = 0.1
# T1 again after the offer moved or an intent ended in between: each round saw a change, so a few
# suffice.
MOST_ROUNDS = 3

JOINED = "Another tap of this buyer is buying the same thing; this is what has become of it."


@asynccontextmanager
async def _until(answer_by: float) -> AsyncIterator[None]:
    """Reads before T1 have the answer's time: a database that hangs is told as one that is down."""
    try:
        async with asyncio.timeout(answer_by - time.monotonic()):
            yield
    except TimeoutError:
        raise StorageUnavailable("no answer from the database in time") from None


class Tap:
    def __init__(
        self,
        database: Database,
        clock: ServiceClock,
        shelf: Shelf,
        dealer: Dealer,
        wallet: lookup_pb2_grpc.WalletLookupServiceAsyncStub,
        unseal: Callable[[str], stored_pb2.QuoteClaims],
        queue: ProviderQueue,
        driver: Driver,
        lease: Lease,
        answering: Answering,
    ) -> None:
        self._database = database
        self._clock = clock
        self._shelf = shelf
        self._dealer = dealer
        self._wallet = wallet
        self._unseal = unseal
        self._queue = queue
        self._driver = driver
        self._lease = lease
        self._answering = answering

    async def place_order(
        self, request: attempt_pb2.PlaceOrderRequest, call: Call
    ) -> attempt_pb2.PlaceOrderResponse:
        stages = collect()
        with stage("verify"):
            remaining_s = call.time_remaining_s()
            if remaining_s is not None and remaining_s < LEAST_TIME_S:
                raise Fault("DEADLINE_TOO_SHORT")
            tapped = verify.read(request, call, self._unseal)
            async with _until(self._answering.answer_by(call)):
                terms = await self._shelf.terms(tapped.merchant)
            if terms is None or not _is_open_to(call.caller, terms):
                raise not_found()
            answer_by = self._answering.answer_by(call, terms.merchant.answer_within_ms)
            async with _until(answer_by):
                before = await store.by_key(
                    self._database,
                    tapped.merchant,
                    buyer_id=tapped.buyer_id,
                    idempotency_key=tapped.idempotency_key,
                )
        if before is not None:
            response = await self._seen_before(before, tapped, answer_by)
        else:
            response = await self._buy(request, call, tapped, terms, answer_by)
        return answering.with_budget(response, request, call, stages, answer_by)

    async def _seen_before(
        self, row: AttemptRow, tapped: Tapped, answer_by: float
    ) -> attempt_pb2.PlaceOrderResponse:
        """The key has an attempt: its final answer, or what has become of it by the time we must
        answer."""
        if row.fingerprint != tapped.fingerprint:
            raise Fault("IDEMPOTENCY_CONFLICT")
        if row.state.is_final and row.outcome is None:
            raise Fault("KEY_RETIRED")
        row = await self._answering.joined(row, answer_by)
        return self._answering.response(row, replayed=True)

    async def _buy(
        self,
        request: attempt_pb2.PlaceOrderRequest,
        call: Call,
        tapped: Tapped,
        terms: MerchantTerms,
        answer_by: float,
    ) -> attempt_pb2.PlaceOrderResponse:
        """A new key: agree on the deal, then T1, and again when T1 finds that something has
        moved."""
        if terms.merchant.suspended:
            raise Fault("MERCHANT_NOT_READY")
        with stage("verify"):
            deal = await self._dealer.deal(tapped, request, call, self._clock.now_ms())
        for _ in range(MOST_ROUNDS):
            if isinstance(deal, attempt_pb2.Attempt):
                return attempt_pb2.PlaceOrderResponse(attempt=deal)
            deal = await self._with_chosen_payment(deal, request, call, tapped)
            answered = await self._reserve_and_wait(request, call, tapped, terms, deal, answer_by)
            if answered is not None:
                answered.messages.extend(deal.messages)
                return answered
            deal = await self._dealer.refresh(tapped, deal.claims, call)
        raise Fault("STORAGE_UNAVAILABLE", retry_after_ms=100)

    async def _reserve_and_wait(
        self,
        request: attempt_pb2.PlaceOrderRequest,
        call: Call,
        tapped: Tapped,
        terms: MerchantTerms,
        deal: Deal,
        answer_by: float,
    ) -> attempt_pb2.PlaceOrderResponse | None:
        """T1 and the wait for what comes of it. None: the offer has moved since the deal was
        made."""
        free = deal.claims.totals.total_minor == 0
        place = None if free else self._queue.place_now()
        wait_ms = None if free or place else self._queue.retry_after_ms()
        if wait_ms is not None:
            throttled = outcome.throttled(tapped.buyer_id, wait_ms, self._queue.waiting)
            return attempt_pb2.PlaceOrderResponse(attempt=throttled)
        try:
            unit = await self._unit(
                request, call, tapped, terms, deal, queued=not free and not place
            )
        except BaseException:
            if place is not None:
                place.give_back()
            raise
        with self._answering.watch(unit.row) as watch:
            answer = await self._reserve(unit, place, answer_by)
            match answer:
                case Written(row=row) if row.attempt_id == unit.row.attempt_id:
                    row = await self._answering.followed(row, watch, answer_by)
                    return self._answering.response(row, queued=unit.row.state is State.RESERVED)
                case Written(row=row) | KeyTaken(row=row):
                    return await self._seen_before(row, tapped, answer_by)
                case IntentOpen(attempt_id=attempt_id):
                    return await self._join_open(tapped.merchant, attempt_id, answer_by)
                case Short(kind=kind, id=name, available=available, held=held):
                    rejected = outcome.short_of(kind, name, available, held)
                    refused = outcome.refused(tapped.buyer_id, rejected)
                    return attempt_pb2.PlaceOrderResponse(attempt=refused)
                case OfferMoved():
                    return None
                case _:
                    raise AssertionError(f"T1 cannot be answered with {answer}")

    async def _reserve(self, unit: Reserve, place: Place | None, answer_by: float) -> Answer:
        """T1's answer. When it is lost or late, the key knows whether it was written."""
        if time.monotonic() >= answer_by:
            if place is not None:
                place.give_back()
            raise Fault("DEADLINE_TOO_SHORT")
        reserved = self._driver.start(unit, place)
        await asyncio.wait({reserved}, timeout=answer_by - time.monotonic())
        if reserved.done() and not isinstance(reserved.exception(), StorageUnavailable):
            return reserved.result()  # or it raises: no storage's trouble, and nothing was written
        row = unit.row
        written = await store.by_key(
            self._database,
            row.merchant,
            buyer_id=row.buyer_id,
            idempotency_key=row.idempotency_key,
        )
        if written is None:
            raise StorageUnavailable("T1 was not acknowledged")
        return Written(written)

    async def _join_open(
        self, merchant: str, attempt_id: str, answer_by: float
    ) -> attempt_pb2.PlaceOrderResponse:
        """A buyer who taps again under another key means the purchase that is already under way."""
        row = await store.by_id(self._database, merchant, attempt_id)
        if row is None:
            raise AssertionError(f"an intent names {attempt_id}, which is not there")
        row = await self._answering.joined(row, answer_by)
        response = self._answering.response(row)
        response.messages.append(outcome.message("JOINED_OPEN_ATTEMPT", JOINED))
        return response

    async def _with_chosen_payment(
        self, deal: Deal, request: attempt_pb2.PlaceOrderRequest, call: Call, tapped: Tapped
    ) -> Deal:
        """The one field that may differ from the quote: "declined, then another card" is one
        tap."""
        chosen = request.payment_method_id
        if not chosen or chosen == deal.claims.payment_method_id:
            return deal
        found = await self._payment_method(call.caller.platform, tapped.buyer_id, chosen)
        claims = stored_pb2.QuoteClaims()
        claims.CopyFrom(deal.claims)
        claims.payment_method_id = chosen
        claims.provider_reference = found.provider_reference
        claims.provider_customer = found.provider_customer
        claims.payment_method.CopyFrom(found.payment_method)
        return Deal(claims, deal.messages)

    async def _payment_method(
        self, platform: str, buyer_id: str, payment_method_id: str
    ) -> lookup_pb2.LookupPaymentMethodResponse:
        request = lookup_pb2.LookupPaymentMethodRequest(
            platform_id=platform, buyer_id=buyer_id, payment_method_id=payment_method_id
        )
        try:
            return await self._wallet.LookupPaymentMethod(
                request, timeout=LOOKUP_TIMEOUT_S, metadata=outgoing()
            )
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                raise not_found() from None
            raise

    async def _unit(
        self,
        request: attempt_pb2.PlaceOrderRequest,
        call: Call,
        tapped: Tapped,
        terms: MerchantTerms,
        deal: Deal,
        *,
        queued: bool,
    ) -> Reserve:
        now_ms = self._clock.now_ms()
        return reserve(
            tapped,
            deal,
            request,
            terms.merchant,
            attempt_id=ids.new_id("att", tapped.merchant),
            titles=await self._shelf.titles(
                tapped.merchant, {line.sku for line in deal.claims.lines}
            ),
            owner=Owner(self._lease.worker, self._lease.epoch),
            now_ms=now_ms,
            decided_by_ms=self._answering.decided_by_ms(now_ms),
            queued=queued,
            platform_id=call.caller.platform,
            traceparent=call.traceparent,
        )


def _is_open_to(caller: Caller, terms: MerchantTerms) -> bool:
    """An offer id alone leads to any merchant; the token says whose it is for."""
    if terms.platform_id != caller.platform:
        return False
    return not caller.merchants or terms.merchant.merchant_id in caller.merchants
