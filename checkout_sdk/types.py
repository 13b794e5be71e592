"""What a buyer's side of an app sees: quotes, addresses, payment methods, orders.

All are frozen and come from the server (`Line` and `PostalAddress` go to it). None means "not set".
Waits are `timedelta`, moments are aware `datetime`, amounts are `Money`. `.raw` is the protobuf
message, for what a newer server says beyond these fields. `to_json()` is for phones and pages:
stable, and masked, because addresses and payment methods arrive masked; it holds the buyer's own
tokens and keys, so hand it to that buyer only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

from checkout_sdk._pb import address_pb2, attempt_pb2, order_pb2, quote_pb2, wallet_pb2
from checkout_sdk._values import OpenEnum, Value
from checkout_sdk.journey import Journey
from checkout_sdk.money import Money, Totals


class Blocker(OpenEnum):
    """What keeps this buyer from buying in one tap."""

    UNRECOGNIZED = "UNRECOGNIZED"
    SIGN_IN = "SIGN_IN"
    """No buyer named: price, stock and countdown only."""
    ADDRESS = "ADDRESS"
    PAYMENT_METHOD = "PAYMENT_METHOD"
    CONSENT = "CONSENT"
    NOT_DELIVERABLE = "NOT_DELIVERABLE"


class Severity(OpenEnum):
    UNRECOGNIZED = "UNRECOGNIZED"
    INFO = "INFO"
    WARNING = "WARNING"


class Surface(OpenEnum):
    """Where the card is shown."""

    UNRECOGNIZED = "UNRECOGNIZED"
    WEB = "WEB"
    IOS = "IOS"
    ANDROID = "ANDROID"


class OrderState(OpenEnum):
    UNRECOGNIZED = "UNRECOGNIZED"
    PLACED = "PLACED"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"


class PaymentState(OpenEnum):
    UNRECOGNIZED = "UNRECOGNIZED"
    AUTHORIZED = "AUTHORIZED"
    CAPTURING = "CAPTURING"
    CAPTURED = "CAPTURED"
    CAPTURE_FAILED = "CAPTURE_FAILED"
    VOIDING = "VOIDING"
    VOIDED = "VOIDED"
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED"
    REFUNDED = "REFUNDED"


class FulfillmentStatus(OpenEnum):
    UNRECOGNIZED = "UNRECOGNIZED"
    PACKED = "PACKED"
    SHIPPED = "SHIPPED"
    DELIVERED = "DELIVERED"


class RefundStatus(OpenEnum):
    UNRECOGNIZED = "UNRECOGNIZED"
    PENDING = "PENDING"
    """The amount is reserved; the provider has not confirmed it yet."""
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message(Value):
    """Something to tell the buyer or the developer beside the answer."""

    PB: ClassVar = quote_pb2.Message
    code: str
    """Stable, in capitals: QUOTE_REFRESHED, JOINED_OPEN_ATTEMPT, DISCOUNT_CODE_NOT_APPLIED, ..."""
    severity: Severity
    field_path: str | None
    """The request's field it is about."""
    text: str
    """In English, for developers. Translate by `code`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line(Value):
    """So many of one item."""

    PB: ClassVar = quote_pb2.Line
    sku: str
    quantity: int = 1
    """From 1 to 99."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostalAddress(Value):
    """An address as a buyer types it. The server checks and normalises it by the rules of its
    country. `repr` leaves out what names a person, so that it may be logged."""

    PB: ClassVar = address_pb2.PostalAddress
    name: str = field(repr=False)
    """Who receives it."""
    country: str
    """ISO 3166-1 alpha-2, capital letters."""
    lines: tuple[str, ...] = field(repr=False)
    """Street, house number, flat: at most 3 lines of at most 120 characters."""
    region: str | None = None
    city: str | None = None
    district: str | None = None
    postal_code: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    """International (+81...) or in the national form of `country`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact(Value):
    """Where the receipt goes."""

    PB: ClassVar = attempt_pb2.Contact
    email: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent(Value):
    """Something the buyer agreed to, by the platform's word for it; at most 64 characters each."""

    PB: ClassVar = attempt_pb2.Consent
    name: str
    version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk(Value):
    """What helps the provider tell a buyer from a thief. All of it is the buyer's, not the
    backend's."""

    PB: ClassVar = attempt_pb2.Risk
    device_id: str | None = field(default=None, repr=False)
    ip_address: str | None = field(default=None, repr=False)
    user_agent: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address(Value):
    """A saved address, masked: enough to recognise it. It never changes: saving makes a new one."""

    PB: ClassVar = address_pb2.Address
    address_id: str
    name: str
    line: str
    city: str
    region: str
    postal_code: str
    country: str
    phone: str
    is_default: bool
    create_time: datetime | None
    raw: address_pb2.Address = field(default_factory=address_pb2.Address, repr=False, compare=False)

    def __str__(self) -> str:
        parts = (self.name, self.line, self.city, self.region, self.postal_code, self.country)
        return ", ".join(filter(None, parts))


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentMethod(Value):
    """A saved payment method, masked. Card numbers never enter this API."""

    PB: ClassVar = wallet_pb2.PaymentMethod
    payment_method_id: str
    kind: str
    """The provider's word: card, link, ..."""
    brand: str | None
    last4: str | None
    expiry_month: int | None
    expiry_year: int | None
    is_default: bool
    create_time: datetime | None
    raw: wallet_pb2.PaymentMethod = field(
        default_factory=wallet_pb2.PaymentMethod, repr=False, compare=False
    )

    def __str__(self) -> str:
        return " ".join(filter(None, (self.brand or self.kind, self.last4)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution(Value):
    """Where the purchase came from: the platform's own ids, at most 128 characters each."""

    PB: ClassVar = quote_pb2.Attribution
    video_id: str | None = None
    creator_id: str | None = None
    card_id: str | None = None
    experiment_arm: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability(Value):
    """How many can be bought now, as far as anyone can say before the tap."""

    PB: ClassVar = quote_pb2.Availability
    available: int
    held: int
    """In open attempts: may come back within minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteLine(Value):
    PB: ClassVar = quote_pb2.QuoteLine
    sku: str
    title: str
    quantity: int
    unit_price: Money
    totals: Totals
    """This line's share of the whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotedDelivery(Value):
    """A delivery option that reaches the address and carries the weight."""

    PB: ClassVar = quote_pb2.QuotedDelivery
    delivery_option_id: str
    name: str
    price: Money
    min_days: int | None
    max_days: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Value):
    """Another variant or quantity of the same offer, priced for the same buyer: as tappable as its
    quote."""

    PB: ClassVar = quote_pb2.Choice
    sku: str
    attributes: Mapping[str, str]
    """What makes it a variant: {"size": "M"}."""
    quantity: int
    totals: Totals
    stock: Availability
    quote_token: str | None = field(repr=False)
    tap_key: str | None

    @property
    def total(self) -> Money:
        return self.totals.total


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote(Value):
    """What this buyer would pay, with everything decided. Tap it with `place_order(quote)`."""

    PB: ClassVar = quote_pb2.Quote
    quote_token: str | None = field(repr=False)
    """What a tap sends back. None while there are blockers."""
    tap_key: str | None
    """The idempotency key of the tap on this quote: a double tap, a reload and another pod share
    it."""
    merchant_id: str
    offer_id: str | None
    lines: tuple[QuoteLine, ...]
    totals: Totals
    choices: tuple[Choice, ...]
    delivery_options: tuple[QuotedDelivery, ...]
    delivery_option_id: str | None
    """The option the totals are for."""
    address: Address | None
    payment_method: PaymentMethod | None
    blockers: tuple[Blocker, ...]
    """What keeps this buyer from buying in one tap, most basic first."""
    stock: Availability | None
    ends_in: timedelta | None
    """Until the offer ends, counted from `server_time`."""
    expires_at: datetime | None
    """Until then the token is a price lock."""
    journey: Journey | None
    messages: tuple[Message, ...]
    attribution: Attribution | None
    server_time: datetime | None
    livemode: bool
    """False: no real money moves."""
    raw: quote_pb2.Quote = field(default_factory=quote_pb2.Quote, repr=False, compare=False)

    @property
    def total(self) -> Money:
        """The figure to show beside the button, and to send as `expected_total`."""
        return self.totals.total

    def to_json(self) -> dict[str, Any]:
        """All fields (see `Value.to_json`), and `total` at the top: what a card needs."""
        return {**Value.to_json(self), "total": self.total.to_json()}


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantStock(Value):
    PB: ClassVar = quote_pb2.VariantStock
    sku: str
    stock: Availability
    price: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferStatus(Value):
    """An offer's public stock and countdown at one moment."""

    PB: ClassVar = quote_pb2.OfferStatus
    offer_id: str
    version: int
    """Grows with every change, as the server that sent it saw them."""
    open: bool
    """Takes taps now."""
    variants: tuple[VariantStock, ...]
    ends_in: timedelta | None
    epoch: int
    """A quote made under another epoch needs to be made again."""
    raw: quote_pb2.OfferStatus = field(
        default_factory=quote_pb2.OfferStatus, repr=False, compare=False
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fulfillment(Value):
    """A parcel."""

    PB: ClassVar = order_pb2.Fulfillment
    fulfillment_id: str
    status: FulfillmentStatus
    lines: tuple[Line, ...]
    carrier: str | None
    tracking_number: str | None
    tracking_url: str | None
    update_time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund(Value):
    PB: ClassVar = order_pb2.Refund
    refund_id: str
    status: RefundStatus
    amount: Money
    lines: tuple[Line, ...]
    reason: str | None
    create_time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order(Value):
    """What was bought."""

    PB: ClassVar = order_pb2.Order
    order_id: str
    attempt_id: str
    merchant_id: str
    buyer_id: str
    offer_id: str | None
    state: OrderState
    payment_state: PaymentState
    version: int
    """Grows with every change."""
    lines: tuple[QuoteLine, ...]
    totals: Totals
    address_id: str | None
    address: Address | None
    payment_method: PaymentMethod | None
    delivery: QuotedDelivery | None
    fulfillments: tuple[Fulfillment, ...]
    refunds: tuple[Refund, ...]
    captured: Money | None
    refunded: Money | None
    cancellable_until: datetime | None
    client_reference: str | None
    metadata: Mapping[str, str]
    attribution: Attribution | None
    discount_codes: tuple[str, ...]
    create_time: datetime | None
    update_time: datetime | None
    livemode: bool
    raw: order_pb2.Order = field(default_factory=order_pb2.Order, repr=False, compare=False)

    @property
    def total(self) -> Money:
        """What the buyer paid."""
        return self.totals.total
