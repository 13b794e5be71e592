"""What a merchant or the platform sets up: items, stock, offers, delivery, tax, discount codes.

The same shapes go in and come out; fields that the server sets have defaults and are ignored on the
way in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

from checkout_sdk._pb import item_pb2, merchant_pb2, offer_pb2
from checkout_sdk._values import OpenEnum, Value
from checkout_sdk.money import Money


class CaptureMode(OpenEnum):
    UNRECOGNIZED = "UNRECOGNIZED"
    AUTOMATIC = "AUTOMATIC"
    """The charge at the tap takes the money."""
    MANUAL = "MANUAL"
    """The tap authorizes; the money is taken afterwards."""


class OfferState(OpenEnum):
    UNRECOGNIZED = "UNRECOGNIZED"
    OPEN = "OPEN"
    """Not ended by `end_offer`. Past `ends_at` it takes no taps all the same."""
    ENDED = "ENDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item(Value):
    """A thing that is sold: one SKU. Sizes and colours are items of their own."""

    PB: ClassVar = item_pb2.Item
    sku: str
    """The merchant's own: 1 to 64 letters, digits, `.`, `_` or `-`."""
    title: str
    price: Money
    """What one costs unless an offer says otherwise."""
    tax_class: str | None = None
    weight_grams: int = 0
    image_url: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    """What makes it a variant: {"size": "M"}."""
    version: int | None = None
    """Set by the server."""
    update_time: datetime | None = None
    """Set by the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock(Value):
    """How many there are: `available = on_hand - held - committed`."""

    PB: ClassVar = item_pb2.Stock
    sku: str
    on_hand: int
    held: int
    """In open attempts: may come back."""
    committed: int
    """In orders that have not left the house."""
    available: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StockedItem(Value):
    """An item and how many there are."""

    PB: ClassVar = item_pb2.GetItemResponse
    item: Item
    stock: Stock


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer(Value):
    """What a platform publishes with a video."""

    PB: ClassVar = offer_pb2.Offer
    offer_id: str
    merchant_id: str
    title: str
    skus: tuple[str, ...]
    price: Money | None
    """None: the items' own prices."""
    quota: int | None
    """Units sold through this offer at most; None: no limit but the stock."""
    cap_per_buyer: int | None
    quantities: tuple[int, ...]
    starts_at: datetime | None
    ends_at: datetime | None
    video_id: str | None
    creator_id: str | None
    flash: bool
    """A bank challenge has 90 s instead of 5 min."""
    state: OfferState
    epoch: int
    """Grows with every change that a quote must notice."""
    etag: str
    """Send it back with `update_offer`."""
    create_time: datetime | None
    update_time: datetime | None
    raw: offer_pb2.Offer = field(default_factory=offer_pb2.Offer, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Merchant(Value):
    """A seller on the platform."""

    PB: ClassVar = merchant_pb2.Merchant
    merchant_id: str
    """The platform's own: 1 to 64 letters, digits, `.`, `_` or `-`."""
    display_name: str
    country: str
    """Where it sells from: ISO 3166-1 alpha-2."""
    currency: str
    """What it sells in: ISO 4217. It cannot change once set."""
    capture_mode: CaptureMode | None = None
    """None: AUTOMATIC."""
    answer_within_ms: int | None = None
    """How long a tap waits before it is answered `Accepted`: 200 to 5,000; None: 800. A client's
    `timeout` shared over its tries should leave each at least this long."""
    action_return_url: str | None = None
    suspended: bool = False
    """No quotes and no taps while True."""
    cancellable_for: timedelta | None = None
    """How long a buyer may cancel: up to 30 days; None: 30 min."""
    version: int | None = None
    """Set by the server."""
    update_time: datetime | None = None
    """Set by the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryOption(Value):
    PB: ClassVar = merchant_pb2.DeliveryOption
    delivery_option_id: str
    name: str
    """As buyers read it: "Standard, 2 to 4 days"."""
    price: Money
    countries: tuple[str, ...] = ()
    """Where it goes: ISO 3166-1 alpha-2; empty is everywhere."""
    min_weight_grams: int = 0
    max_weight_grams: int | None = None
    """None: no limit."""
    min_days: int | None = None
    max_days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxRate(Value):
    PB: ClassVar = merchant_pb2.TaxRate
    country: str
    rate_ppm: int
    """In parts per million: 72,500 is 7.25 %."""
    region: str | None = None
    """None: the whole country. A row with a region wins."""
    tax_class: str | None = None
    """None: standard."""
    included: bool = False
    """True: prices contain it. All rows of a country agree."""
    on_delivery: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscountCode(Value):
    """Exactly one of `percentage_ppm`, `amount` and `free_delivery`."""

    PB: ClassVar = merchant_pb2.DiscountCode
    code: str
    """What the buyer types, compared without case."""
    percentage_ppm: int | None = None
    """Off the items, in parts per million: 100,000 is 10 %."""
    amount: Money | None = None
    """Off the items, at most what they cost."""
    free_delivery: bool | None = None
    minimum_items: Money | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    max_uses: int | None = None
    max_uses_per_buyer: int | None = None
