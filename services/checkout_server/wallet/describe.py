"""What a provider reference stands for, as a buyer may see it.

The wallet asks no provider yet. All it can tell is in a table of known test methods, which the
composition root hands in, so that the wallet knows nothing of the sandbox.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from checkout_sdk._pb.wallet_pb2 import PaymentMethod

Describe = Callable[[str], PaymentMethod]


class KnownMethod(Protocol):
    @property
    def brand(self) -> str: ...

    @property
    def last4(self) -> str: ...


def describe_by(find: Callable[[str], KnownMethod | None]) -> Describe:
    """An unknown reference is a card of which nothing is known until it is charged."""

    def describe(provider_reference: str) -> PaymentMethod:
        known = find(provider_reference)
        if known is None:
            return PaymentMethod(kind="card")
        return PaymentMethod(kind="card", brand=known.brand, last4=known.last4)

    return describe
