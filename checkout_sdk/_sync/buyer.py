# Made from _async/buyer.py by proto/generate_sync.py; not to be edited.
"""What an app does for one buyer: quotes and taps; addresses, wallet and orders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Unpack

from checkout_sdk import _faults, _requests, _rpcs
from checkout_sdk._calls import CallOptions, Tries
from checkout_sdk._pb import attempt_pb2, quote_pb2
from checkout_sdk._sync.addresses import Addresses
from checkout_sdk._sync.orders import Orders
from checkout_sdk._sync.transport import Transport
from checkout_sdk._sync.wallet import Wallet
from checkout_sdk.errors import (
    CheckoutError,
    IdempotencyConflict,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    OverCapacity,
)
from checkout_sdk.money import Money
from checkout_sdk.options import QuoteCall, QuoteOptions, TapCall
from checkout_sdk.outcomes import OfferChanged, Outcome, Throttled, outcome_of
from checkout_sdk.types import Choice, OfferStatus, Quote


class Buyer:
    """From `Checkout.for_buyer`. Every method is safe to repeat; every method raises
    `CheckoutError`."""

    def __init__(self, transport: Transport, buyer_id: str | None) -> None:
        self._transport = transport
        self._buyer_id = buyer_id
        self.addresses = Addresses(transport, buyer_id)
        self.wallet = Wallet(transport, buyer_id)
        self.orders = Orders(transport, buyer_id)

    def quote(self, **options: Unpack[QuoteCall]) -> Quote:
        """What this buyer would pay, with everything decided; see `QuoteOptions`. Writes nothing.

        A quote with `blockers` has no token: it cannot be tapped yet.
        """
        request = _requests.quote_request(self._buyer_id, options)
        response = self._transport.call(_rpcs.CREATE_QUOTE, request, options)
        return self._transport.keys.remember(Quote.from_pb(response.quote))

    def quotes(
        self, wanted: Iterable[QuoteOptions], **options: Unpack[CallOptions]
    ) -> Sequence[Quote | CheckoutError]:
        """Quotes for many cards: prefetch for a feed. In the order asked for; where there is none,
        the error that `quote` would raise. Sent 20 at a time; `timeout` is for each of these
        calls."""
        requests = [_requests.quote_request(self._buyer_id, each) for each in wanted]
        quotes: list[Quote | CheckoutError] = []
        for batch in _requests.batches(requests, _requests.MOST_QUOTES):
            response = self._transport.call(
                _rpcs.BATCH_CREATE_QUOTES,
                quote_pb2.BatchCreateQuotesRequest(requests=batch),
                options,
            )
            quotes += [self._result(result) for result in response.results]
        return quotes

    def place_order(
        self,
        quote: Quote | Choice | str | None = None,
        *,
        expected_total: Money | None = None,
        idempotency_key: str | None = None,
        **options: Unpack[TapCall],
    ) -> Outcome:
        """The tap: one call makes a durable, paid order, or says why not.

        quote            the quote or choice that was tapped, or its `quote_token`; None to buy
                         without one, by `offer_id`, `cart_id` or `lines`
        expected_total   the figure the buyer saw: never charged more. The quote's total by default;
                         required without a quote.
        idempotency_key  one purchase, one key, for ever. The quote's `tap_key` by default; required
                         without a quote. With a bare token the server takes it from the token.

        Safe to repeat with the same key, from any process, any number of times: it never buys
        twice. What the buyer or the bank decided is an `Outcome`, never an exception. When nobody
        answers, the SDK tries again with the same key, then asks; only when that fails too it
        raises `OutcomeUnknown`, which carries the key to ask with later.
        """
        request = _requests.tap_request(
            self._buyer_id,
            quote,
            options,
            expected_total=expected_total,
            idempotency_key=idempotency_key,
            keys=self._transport.keys,
        )
        tries = self._transport.policy.tap_tries(options)
        try:
            response = self._transport.run(_rpcs.PLACE_ORDER, request, tries)
        except CheckoutError as error:
            return self._after_failure(request, tries, error)
        return self._remembered(
            outcome_of(response.attempt, response, request.idempotency_key or None)
        )

    def ask(
        self,
        *,
        idempotency_key: str | None = None,
        attempt_id: str | None = None,
        merchant_id: str | None = None,
        **options: Unpack[CallOptions],
    ) -> Outcome | None:
        """What has become of a tap: after a reload, a lost answer, a challenge.

        By `idempotency_key` (with `merchant_id` when the key is the app's own and not a `tap_key`)
        or by `attempt_id`. None: a key the server has not seen *yet*, which is no proof that it
        never will; send the same `place_order` again. An unknown attempt id raises `NotFound`.
        """
        if bool(idempotency_key) == bool(attempt_id):
            raise InvalidRequest("ask by idempotency_key= or by attempt_id=, one of the two")
        request = attempt_pb2.GetAttemptRequest(
            attempt_id=attempt_id or "",
            idempotency_key=idempotency_key or "",
            buyer_id=self._buyer_id or "",
            merchant_id=merchant_id or "",
        )
        try:
            response = self._transport.call(_rpcs.GET_ATTEMPT, request, options)
        except NotFound:
            if attempt_id:
                raise
            return None
        return self._remembered(outcome_of(response.attempt, response, idempotency_key))

    def watch(self, attempt_id: str, **options: Unpack[CallOptions]) -> Iterator[Outcome]:
        """The attempt's outcome now, then whenever it changes, until it is final. A lost connection
        is taken up where it broke."""
        request = attempt_pb2.WatchAttemptRequest(attempt_id=attempt_id)
        for response in self._transport.stream(_rpcs.WATCH_ATTEMPT, request, options):
            if response.HasField("attempt"):
                request.after_version = response.attempt.version
                yield self._remembered(outcome_of(response.attempt, response, None))

    def complete_action(self, attempt_id: str, **options: Unpack[CallOptions]) -> Outcome:
        """The buyer is back from the bank: the server looks at the provider now."""
        request = attempt_pb2.CompleteActionRequest(attempt_id=attempt_id)
        response = self._transport.call(_rpcs.COMPLETE_ACTION, request, options)
        return self._remembered(outcome_of(response.attempt, response, None))

    def cancel_attempt(self, attempt_id: str, **options: Unpack[CallOptions]) -> Outcome:
        """Ends an attempt that is queued or waits for the bank. One that is being charged is noted,
        and its order is cancelled if it comes: the outcome says which."""
        request = attempt_pb2.CancelAttemptRequest(attempt_id=attempt_id)
        response = self._transport.call(_rpcs.CANCEL_ATTEMPT, request, options)
        return self._remembered(outcome_of(response.attempt, response, None))

    def watch_offers(
        self, offer_ids: Iterable[str], **options: Unpack[CallOptions]
    ) -> Iterator[OfferStatus]:
        """Public stock and countdown of up to 50 offers: each one now, then whenever it changes.
        After a lost connection all of them come again."""
        request = quote_pb2.WatchOffersRequest(offer_ids=offer_ids)
        for response in self._transport.stream(_rpcs.WATCH_OFFERS, request, options):
            for status in response.offers:
                yield OfferStatus.from_pb(status)

    def _after_failure(
        self, request: attempt_pb2.PlaceOrderRequest, tries: Tries, error: CheckoutError
    ) -> Outcome:
        """What a tap without an answer comes to."""
        key = error.idempotency_key = request.idempotency_key or None
        if isinstance(error, IdempotencyConflict) or not tries.unclear:
            if isinstance(error, OverCapacity):
                wait = timedelta(seconds=error.retry_after_s or 1.0)
                return Throttled(
                    idempotency_key=key, attempt_id=None, retry_after=wait, place_in_line=None
                )
            raise error
        left_s = tries.time_to_ask_s() if key else None
        asked = left_s is not None
        if left_s is not None:
            try:
                outcome = self._asked(request, left_s)
            except CheckoutError:
                asked = False
            else:
                if outcome is not None:
                    return outcome
        raise OutcomeUnknown(
            "nobody answered the tap, so it may have happened. Ask with the same idempotency_key,"
            " or send the same place_order again; a new key would be a second purchase",
            asked=asked,
            idempotency_key=key,
            request_id=error.request_id,
        ) from error

    def _asked(self, request: attempt_pb2.PlaceOrderRequest, left_s: float) -> Outcome | None:
        known = self._transport.keys.of(request.quote_token)
        return self.ask(
            idempotency_key=request.idempotency_key,
            merchant_id=known.merchant_id if known else request.lines.merchant_id or None,
            timeout=left_s,
        )

    def _result(self, result: quote_pb2.QuoteResult) -> Quote | CheckoutError:
        if result.HasField("quote"):
            return self._transport.keys.remember(Quote.from_pb(result.quote))
        error = result.error
        return _faults.make(code=error.code, reason=error.reason or None, text=error.text)

    def _remembered(self, outcome: Outcome) -> Outcome:
        if isinstance(outcome, OfferChanged):
            self._transport.keys.remember(outcome.quote)
        return outcome
