"""Requests from what an app says, where there is something to decide."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from checkout_sdk._pb import attempt_pb2, offer_pb2, quote_pb2
from checkout_sdk._values import pb_of
from checkout_sdk.errors import FieldViolation, InvalidRequest, PreconditionFailed
from checkout_sdk.money import Money
from checkout_sdk.options import OfferTerms, QuoteOptions, TapOptions
from checkout_sdk.types import Choice, Quote

# Named alike in the options and in both requests.
_SAME = (
    "offer_id",
    "cart_id",
    "sku",
    "quantity",
    "address_id",
    "payment_method_id",
    "delivery_option_id",
    "discount_codes",
    "action_return_url",
    "journey",
)
_ATTRIBUTION = ("video_id", "creator_id", "card_id", "experiment_arm")
_SAME_IN_TAP = (
    "position_ms",
    "consents",
    "risk",
    "repeat_of",
    "contact",
    "client_reference",
    "metadata",
)
_TERMS = tuple(OfferTerms.__annotations__)

# The API's limits of a batch.
MOST_QUOTES = 20
MOST_ITEMS = 100
MOST_BYTES = 48 * 1024

M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a tap needs to be asked for."""

    tap_key: str
    merchant_id: str


class TapKeys:
    """The keys of the quotes this client got lately, by token.

    A tap that comes back with the bare token then still has its key here, and a lost answer can be
    asked for. A token from another pod is not in it: the server takes the key from the token.
    """

    MOST = 1_000  # tokens have up to 2,800 characters: under 3 MB

    def __init__(self) -> None:
        self._by_token: OrderedDict[str, Remembered] = OrderedDict()
        self._lock = threading.Lock()

    def remember(self, quote: Quote) -> Quote:
        tappable: list[Quote | Choice] = [quote, *quote.choices]
        with self._lock:
            for each in tappable:
                if each.quote_token and each.tap_key:
                    known = Remembered(each.tap_key, quote.merchant_id)
                    self._by_token[each.quote_token] = known
                    self._by_token.move_to_end(each.quote_token)
            while len(self._by_token) > self.MOST:
                self._by_token.popitem(last=False)
        return quote

    def of(self, quote_token: str | None) -> Remembered | None:
        with self._lock:
            return self._by_token.get(quote_token or "")


def quote_request(buyer_id: str | None, options: QuoteOptions) -> quote_pb2.CreateQuoteRequest:
    return quote_pb2.CreateQuoteRequest(buyer_id=buyer_id or "", **_selection(options))


def tap_request(
    buyer_id: str | None,
    quote: Quote | Choice | str | None,
    options: TapOptions,
    *,
    expected_total: Money | None,
    idempotency_key: str | None,
    keys: TapKeys,
) -> attempt_pb2.PlaceOrderRequest:
    token, key, total = _tapped(quote, keys)
    key = idempotency_key or key
    total = expected_total or total
    if token is None and not key:
        raise _invalid("idempotency_key", "is required without a quote: make one key per purchase")
    if token is None and total is None:
        raise _invalid("expected_total", "is required without a quote: the figure the buyer saw")
    request = attempt_pb2.PlaceOrderRequest(
        buyer_id=buyer_id or "",
        idempotency_key=key or "",
        quote_token=token or "",
        expected_total=pb_of(total),
        **_selection(options),
        **_given(options, _SAME_IN_TAP),
        **_first_purchase(options),
    )
    if isinstance(quote, Quote) and quote.journey is not None and "journey" not in options:
        request.journey.CopyFrom(quote.journey.to_pb())
    return request


def offer(offer_id: str, merchant_id: str, terms: OfferTerms, etag: str = "") -> offer_pb2.Offer:
    return offer_pb2.Offer(
        offer_id=offer_id, merchant_id=merchant_id, etag=etag, **_given(terms, _TERMS)
    )


def offer_mask(terms: OfferTerms) -> FieldMask:
    """What an update changes: exactly what the caller named, also to nothing."""
    return FieldMask(paths=[name for name in _TERMS if name in terms])


def batches(messages: Iterable[M], most: int) -> Iterator[list[M]]:
    """In order, each within the API's limits of a batch."""
    batch: list[M] = []
    size = 0
    for message in messages:
        length = message.ByteSize()
        if batch and (len(batch) == most or size + length > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += length
    if batch:
        yield batch


def _tapped(
    quote: Quote | Choice | str | None, keys: TapKeys
) -> tuple[str | None, str | None, Money | None]:
    """The token, the key and the total that come with what was tapped."""
    if quote is None or isinstance(quote, str):
        known = keys.of(quote)
        return quote or None, known.tap_key if known else None, None
    if quote.quote_token is None:
        raise PreconditionFailed(
            "the quote has blockers, so it has no token to tap with; see quote.blockers",
            reason="BLOCKED",
        )
    if isinstance(quote, Quote):
        keys.remember(quote)  # it may come from another client, or from a test
    return quote.quote_token, quote.tap_key, quote.total


def _selection(options: QuoteOptions) -> dict[str, Any]:
    sources = [name for name in ("offer_id", "cart_id", "lines") if name in options]
    if len(sources) > 1:  # a oneof would silently keep the last
        raise _invalid("source", f"exactly one of them: {', '.join(sources)}")
    fields = _given(options, _SAME)
    if "lines" in options:
        fields["lines"] = quote_pb2.LineSource(
            merchant_id=options.get("merchant_id", ""), lines=pb_of(list(options["lines"]))
        )
    if attribution := _given(options, _ATTRIBUTION):
        fields["attribution"] = quote_pb2.Attribution(**attribution)
    if "surface" in options:
        fields["surface"] = quote_pb2.Surface.Value(f"SURFACE_{options['surface']}")
    return fields


def _first_purchase(options: TapOptions) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if "new_address" in options:
        fields["new_address"] = attempt_pb2.NewAddress(
            address=options["new_address"].to_pb(), save=options.get("save_address", False)
        )
    if "new_payment" in options:
        fields["new_payment"] = attempt_pb2.NewPayment(
            provider_token=options["new_payment"], save=options.get("save_payment", False)
        )
    return fields


def _given(options: Any, names: Sequence[str]) -> dict[str, Any]:
    given: Mapping[str, Any] = options
    return {name: pb_of(given[name]) for name in names if given.get(name) is not None}


def _invalid(field: str, description: str) -> InvalidRequest:
    return InvalidRequest(
        f"{field} {description}",
        reason="INVALID_FIELD",
        field_violations=[FieldViolation(field, description)],
    )
