"""What a handler knows of the call it answers: who calls, how long there is, what it is named."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from checkout_server import ids
from checkout_server.faults import Fault, invalid, not_found


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a verified token speaks for. Everything a row is looked up by comes from here, never from
    a request alone."""

    platform: str
    scopes: frozenset[str]
    buyer: str | None = None
    # Empty: every merchant of the platform.
    merchants: frozenset[str] = frozenset()

    def acting_buyer(self, named: str) -> str | None:
        """The buyer this call is for: the token's own, or the one a platform names. None when
        neither is."""
        if self.buyer is None:
            return named or None
        if named and named != self.buyer:
            raise Fault("BUYER_MISMATCH")
        return self.buyer

    def required_buyer(self, named: str) -> str:
        buyer = self.acting_buyer(named)
        if buyer is None:
            raise invalid("buyer_id", "must name the buyer: this token acts for the whole platform")
        return buyer

    def owns(self, platform_id: str, buyer_id: str) -> bool:
        """Whether a buyer's row of that platform may be shown to this caller."""
        return platform_id == self.platform and self.buyer in (None, buyer_id)

    def merchant_tag(self, merchant_id: str) -> str:
        """The shard of a merchant this caller may work for."""
        if self.merchants and merchant_id not in self.merchants:
            raise not_found()
        return ids.tag(self.platform, merchant_id)

    def serves(self, merchant: str) -> bool:
        """Whether a merchant's rows, by its tag, may be shown to this caller at all."""
        if not self.merchants:
            return True
        return merchant in {ids.tag(self.platform, name) for name in self.merchants}

    @property
    def platform_tag(self) -> str:
        return ids.tag(self.platform)


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `deadline` is on the monotonic clock, in seconds; None when the caller set none."""

    caller: Caller
    method: str
    request_id: str
    started: float = field(default_factory=time.monotonic)
    deadline: float | None = None
    traceparent: str = ""

    def time_remaining_s(self) -> float | None:
        return None if self.deadline is None else self.deadline - time.monotonic()
