"""What a tap comes to: a closed union to `match` on, with `assert_never` for the type checker.

    Placed            paid (or authorized): show the order
    Accepted          reserved, money being confirmed: never say "paid"; ask again
    ActionRequired    the bank wants the buyer: show the challenge, then ask
    OfferChanged      something got worse, nothing charged: show the new quote
    Rejected          a final no: `code` and `next_step`
    Throttled         nothing done: the same key again after the wait
    Unrecognized      a newer server's outcome: ask again, never buy again

Each has the fields of `Answer`. `to_json()` adds `state`, the outcome's name in lower case
(`placed`, `action_required`, ...); `str()` is that state and the gist, in one line for logs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal, TypeAlias, TypedDict, cast

from google.protobuf.message import Message as ProtobufMessage

from checkout_sdk._pb import attempt_pb2
from checkout_sdk._values import OpenEnum, Value, read
from checkout_sdk.journey import Budget
from checkout_sdk.types import Message, Order, Quote

# What the server says when it says nothing: once a second is polite and soon enough.
ASK_AGAIN_AFTER = timedelta(seconds=1)


class RejectedCode(OpenEnum):
    UNRECOGNIZED = "UNRECOGNIZED"
    DECLINED = "DECLINED"
    """The provider or the bank said no; `decline_code` says more."""
    ACTION_FAILED = "ACTION_FAILED"
    """The bank's challenge was not passed."""
    ACTION_EXPIRED = "ACTION_EXPIRED"
    """The bank's challenge was not answered in time."""
    CANCELLED = "CANCELLED"
    REFUNDED = "REFUNDED"
    """Taken and given back in full: nothing was bought."""
    DUPLICATE_INTENT = "DUPLICATE_INTENT"
    """The same was bought a moment ago: see `existing_order_id`. On purpose? Tap with
    `repeat_of`."""
    SOLD_OUT = "SOLD_OUT"
    LIMIT = "LIMIT"
    """A cap per buyer, the uses of a code, or too many open attempts: see `limit`."""
    NOT_DELIVERABLE = "NOT_DELIVERABLE"


class NextStep(OpenEnum):
    """What to offer the buyer after a no."""

    UNRECOGNIZED = "UNRECOGNIZED"
    NONE = "NONE"
    OTHER_PAYMENT_METHOD = "OTHER_PAYMENT_METHOD"
    FIX_ADDRESS = "FIX_ADDRESS"
    LOWER_QUANTITY = "LOWER_QUANTITY"
    SHOW_EXISTING_ORDER = "SHOW_EXISTING_ORDER"
    TAP_AGAIN = "TAP_AGAIN"


class Mode(OpenEnum):
    UNRECOGNIZED = "UNRECOGNIZED"
    FULL = "FULL"
    SIMPLIFIED = "SIMPLIFIED"
    """Something a purchase can do without was left out: see `skipped`."""
    QUEUED = "QUEUED"
    """The attempt waits for a place at the provider."""


class Challenge(TypedDict):
    """How the buyer answers the bank, as JSON for the page or phone; for this buyer only."""

    kind: Literal["redirect", "provider"]
    redirect_url: str | None
    """With `redirect`: send the buyer there."""
    provider: str | None
    """With `provider`: what the provider's own SDK on the page or phone needs."""
    client_secret: str | None
    publishable_key: str | None


class Change(TypedDict):
    """One thing that differs from the quote that was tapped, as JSON."""

    field: str
    """total, lines, delivery, address, discount, expired or availability."""
    was: str
    now: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Value):
    """What every outcome has."""

    PB: ClassVar[type[ProtobufMessage]] = attempt_pb2.Attempt
    idempotency_key: str | None
    """The key of the tap, to ask with; None when it was asked for by attempt id, or the key is not
    known here."""
    attempt_id: str | None
    """None when nothing was written: the key is still free then."""
    replayed: bool = False
    """The key was answered before; this is what has become of it."""
    budget: Budget | None = None
    """What the tap took of its 0.8 s and its steps; only in the answer to a tap."""
    mode: Mode | None = None
    skipped: tuple[str, ...] = ()
    messages: tuple[Message, ...] = ()
    raw: attempt_pb2.Attempt = field(default_factory=attempt_pb2.Attempt, repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        """All fields (see `Value.to_json`), and `state`."""
        return {"state": _STATES[type(self)], **Value.to_json(self)}

    def __str__(self) -> str:
        gist = ", ".join(filter(None, self._gist()))
        state = _STATES[type(self)]
        return f"{state}: {gist}" if gist else state

    def _gist(self) -> Iterable[str | None]:
        return (self.attempt_id,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed(Answer):
    """Paid (or authorized) and the merchant's to deliver."""

    PB: ClassVar[type[ProtobufMessage]] = attempt_pb2.Placed
    order: Order

    def _gist(self) -> Iterable[str | None]:
        return (self.order.order_id,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted(Answer):
    """Reserved; the money is being confirmed. Never say "paid"."""

    PB: ClassVar[type[ProtobufMessage]] = attempt_pb2.Accepted
    ask_again_after: timedelta
    decided_by: datetime | None
    """By then it is decided; None while a person decides."""

    def _gist(self) -> Iterable[str | None]:
        return (self.attempt_id, f"ask again after {self.ask_again_after.total_seconds():g} s")


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRequired(Answer):
    """The bank wants the buyer. Afterwards call `complete_action`, or just ask."""

    PB: ClassVar[type[ProtobufMessage]] = attempt_pb2.ActionRequired
    challenge: Challenge = field(repr=False)
    expires_in: timedelta | None

    def _gist(self) -> Iterable[str | None]:
        return (self.attempt_id, self.challenge["kind"])  # its address and secrets are the buyer's


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferChanged(Answer):
    """Something got worse for the buyer since the quote; nothing was charged. The quote has its own
    key."""

    PB: ClassVar[type[ProtobufMessage]] = attempt_pb2.OfferChanged
    quote: Quote
    changes: tuple[Change, ...]

    def _gist(self) -> Iterable[str | None]:
        return (change["field"] for change in self.changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected(Answer):
    """A final no. Nothing is charged, nothing is held."""

    PB: ClassVar[type[ProtobufMessage]] = attempt_pb2.Rejected
    code: RejectedCode
    next_step: NextStep
    decline_code: str | None
    """The provider's word (`insufficient_funds`); with DECLINED."""
    next_tap_key: str | None
    """The key for this buyer's next tap on the same thing, when this one is used up."""
    available: int
    """What could be had instead; with SOLD_OUT and LIMIT."""
    held: int
    """In open attempts: may come back; with SOLD_OUT."""
    limit: str | None
    """OFFER_CAP, CODE_USES, OPEN_ATTEMPTS; with LIMIT."""
    sku: str | None
    existing_order_id: str | None
    """With DUPLICATE_INTENT."""

    def _gist(self) -> Iterable[str | None]:
        why = (self.code, self.decline_code, self.limit, self.sku)
        step = None if self.next_step is NextStep.NONE else self.next_step
        return (*why, step, self.existing_order_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttled(Answer):
    """Too much at once. Nothing was done; the same key again after the wait."""

    PB: ClassVar[type[ProtobufMessage]] = attempt_pb2.Throttled
    retry_after: timedelta
    place_in_line: int | None

    def _gist(self) -> Iterable[str | None]:
        return (f"retry after {self.retry_after.total_seconds():g} s",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrecognized(Answer):
    """An outcome this SDK does not know. Ask again, never buy again; a newer SDK knows it."""


Outcome: TypeAlias = (
    Placed | Accepted | ActionRequired | OfferChanged | Rejected | Throttled | Unrecognized
)

_KINDS: Mapping[str, type[Answer]] = {
    "placed": Placed,
    "accepted": Accepted,
    "action_required": ActionRequired,
    "offer_changed": OfferChanged,
    "rejected": Rejected,
    "throttled": Throttled,
}
_STATES: Mapping[type[Answer], str] = {
    **{kind: name for name, kind in _KINDS.items()},
    Unrecognized: "unrecognized",
}


def outcome_of(
    attempt: attempt_pb2.Attempt, beside: ProtobufMessage, idempotency_key: str | None
) -> Outcome:
    """The outcome of an attempt, with what the response says beside it."""
    name = attempt.WhichOneof("outcome")
    known = {
        **read(Answer, beside),
        **read(Answer, attempt),
        "raw": attempt,
        "idempotency_key": idempotency_key,
    }
    if name is None:
        return Unrecognized(**known)
    message = getattr(attempt, name)
    outcome: Any = _KINDS[name](**{**read(_KINDS[name], message), **_special(message), **known})
    return cast(Outcome, outcome)


def _special(message: ProtobufMessage) -> dict[str, Any]:
    match message:
        case attempt_pb2.ActionRequired():
            return {"challenge": _challenge(message)}
        case attempt_pb2.Accepted() if not message.ask_again_after.ToMicroseconds():
            return {"ask_again_after": ASK_AGAIN_AFTER}
    return {}


def _challenge(message: attempt_pb2.ActionRequired) -> Challenge:
    provider = message.provider_action
    return Challenge(
        kind="provider" if message.HasField("provider_action") else "redirect",
        redirect_url=message.redirect_url or None,
        provider=provider.provider or None,
        client_secret=provider.client_secret or None,
        publishable_key=provider.publishable_key or None,
    )
