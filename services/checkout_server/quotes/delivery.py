"""Which of a merchant's delivery options reach a place with a weight, and which one is taken.

A merchant without any option delivers everywhere, free of charge: what it sells needs no parcel
(tickets, downloads). A merchant with options delivers by them or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence

from checkout_sdk._pb.merchant_pb2 import DeliveryOption


def reaching(
    options: Sequence[DeliveryOption], *, country: str, weight_grams: int
) -> tuple[DeliveryOption, ...]:
    return tuple(
        option
        for option in options
        if (not option.countries or country in option.countries)
        and option.min_weight_grams <= weight_grams
        and (not option.max_weight_grams or weight_grams <= option.max_weight_grams)
    )


def chosen(options: Sequence[DeliveryOption], wished_id: str) -> DeliveryOption | None:
    """The wished one if it is among them, else the first: the merchant put its favourite there."""
    for option in options:
        if option.delivery_option_id == wished_id:
            return option
    return options[0] if options else None
