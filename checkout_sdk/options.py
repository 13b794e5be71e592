"""The keyword arguments of `quote`, `place_order`, `create_offer` and `update_offer`, each written
once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypedDict

from checkout_sdk._calls import CallOptions
from checkout_sdk.journey import Journey
from checkout_sdk.money import Money
from checkout_sdk.types import Consent, Contact, Line, PostalAddress, Risk, Surface


class QuoteOptions(TypedDict, total=False):
    """What is to be bought. Exactly one of `offer_id`, `cart_id` and `lines` (with
    `merchant_id`)."""

    offer_id: str
    cart_id: str
    lines: Sequence[Line]
    """Bare items at their own prices, 1 to 20."""
    merchant_id: str
    """Whose items; with `lines`."""
    sku: str
    """With `offer_id`: the variant; its first when not given."""
    quantity: int
    """With `offer_id`: from 1 to 99; its first when not given."""
    address_id: str
    """The buyer's default when not given; so for the payment method."""
    payment_method_id: str
    delivery_option_id: str
    discount_codes: Sequence[str]
    """At most 3."""
    video_id: str
    creator_id: str
    card_id: str
    experiment_arm: str
    surface: Surface
    action_return_url: str
    """Where the bank sends the buyer back to: https, or http on loopback."""
    journey: Journey


class QuoteCall(QuoteOptions, CallOptions, total=False):
    """The arguments of `quote`."""


class TapOptions(QuoteOptions, total=False):
    """What may come with a tap. Of what the quote has fixed only `payment_method_id` may differ."""

    position_ms: int
    """Where in the video the tap came, in milliseconds."""
    consents: Sequence[Consent]
    risk: Risk
    repeat_of: str
    """The order id that this purchase repeats on purpose."""
    new_address: PostalAddress
    """A first purchase: instead of `address_id`."""
    save_address: bool
    """Keep `new_address` for the next purchase."""
    new_payment: str
    """A first purchase: the provider's token ("pm_..."), instead of `payment_method_id`."""
    save_payment: bool
    contact: Contact
    client_reference: str
    """The platform's own, shown on the order. At most 128 characters."""
    metadata: Mapping[str, str]
    """At most 20 entries. No personal data."""


class TapCall(TapOptions, CallOptions, total=False):
    """The arguments of `place_order` beside the quote, the total and the key."""


class OfferTerms(TypedDict, total=False):
    """What an offer says and may change. None takes a value back."""

    title: str
    skus: Sequence[str]
    """The item, or its variants in the order to show them: 1 to 24."""
    price: Money | None
    """None: the items' own prices."""
    quota: int
    """Units sold through this offer at most; 0 is no limit but the stock."""
    cap_per_buyer: int
    """0 is no limit."""
    quantities: Sequence[int]
    """The quantities offered as choices; only 1 when empty."""
    starts_at: datetime | None
    ends_at: datetime
    video_id: str
    creator_id: str
    flash: bool
    """A bank challenge has 90 s instead of 5 min."""


class OfferCall(OfferTerms, CallOptions, total=False):
    """The arguments of `create_offer` and `update_offer` beside the ids."""
