"""The sandbox's payment methods: what each does, by its reference, as Stripe's test names do.

What a charge comes to is decided by its payment method alone, so that a script, a demo and a crash
test all choose what happens without touching the server. A hiccup spoils the first POST of a key
and no other (but for the stored fault, which is for ever): the same key again shows how it is
overcome.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum


class Hiccup(StrEnum):
    """What becomes of the first POST of a key. The value is the log's and the journal's word."""

    TIMEOUT_BEFORE = "timeout_before"
    TIMEOUT_AFTER = "timeout_after"
    HTTP_409 = "http_409"
    HTTP_429 = "http_429"
    HTTP_500 = "http_500"
    HTTP_500_STORED = "http_500_stored"


# The provider did the work and its answer was lost or spoiled; with the others nothing was done.
AFTER_EFFECT = frozenset({Hiccup.TIMEOUT_AFTER, Hiccup.HTTP_500_STORED})


@dataclass(frozen=True, slots=True)
class SandboxMethod:
    reference: str
    brand: str
    last4: str
    # For people: `checkout-server dev` prints it.
    does: str
    # What a confirm comes to, in Stripe's words for an intent.
    comes_to: str = "succeeded"
    decline_code: str = ""
    hiccup: Hiccup | None = None
    delay_ms: int = 0
    # Charged on top of what was asked for.
    extra_minor: int = 0
    fails_challenge: bool = False


def _declines(reference: str, last4: str, code: str) -> SandboxMethod:
    does = f"is declined: {code}"
    status = "requires_payment_method"
    return SandboxMethod(reference, "visa", last4, does, comes_to=status, decline_code=code)


def _challenges(reference: str, last4: str) -> SandboxMethod:
    does = "asks for a challenge, then pays"
    return SandboxMethod(reference, "visa", last4, does, comes_to="requires_action")


def _stumbles(reference: str, last4: str, hiccup: Hiccup, does: str) -> SandboxMethod:
    return SandboxMethod(reference, "visa", last4, does, hiccup=hiccup)


METHODS = (
    SandboxMethod("pm_card_visa", "visa", "4242", "pays"),
    SandboxMethod("pm_card_mastercard", "mastercard", "4444", "pays"),
    SandboxMethod("pm_card_amex", "amex", "0005", "pays"),
    _declines("pm_card_chargeDeclined", "0002", "generic_decline"),
    _declines("pm_card_chargeDeclinedInsufficientFunds", "9995", "insufficient_funds"),
    _declines("pm_card_chargeDeclinedExpiredCard", "0069", "expired_card"),
    _declines("pm_card_chargeDeclinedFraudulent", "0019", "fraudulent"),
    _challenges("pm_card_authenticationRequired", "3184"),
    _challenges("pm_card_threeDSecure2Required", "3220"),
    SandboxMethod(
        "pm_sandbox_challenge_fails",
        "visa",
        "3097",
        "asks for a challenge that nobody can pass",
        comes_to="requires_action",
        fails_challenge=True,
    ),
    SandboxMethod("pm_sandbox_slow_3s", "visa", "3000", "pays after 3 s", delay_ms=3_000),
    SandboxMethod(
        "pm_sandbox_processing",
        "visa",
        "5000",
        "is processing for 5 s, then has paid",
        comes_to="processing",
    ),
    SandboxMethod(
        "pm_sandbox_wrong_amount", "visa", "1001", "charges one minor unit too much", extra_minor=1
    ),
    _stumbles(
        "pm_sandbox_timeout_before",
        "0408",
        Hiccup.TIMEOUT_BEFORE,
        "never arrives the first time, then pays",
    ),
    _stumbles(
        "pm_sandbox_timeout_after",
        "0504",
        Hiccup.TIMEOUT_AFTER,
        "pays, but the first answer is lost",
    ),
    _stumbles(
        "pm_sandbox_busy_409", "0409", Hiccup.HTTP_409, "is busy (409) the first time, then pays"
    ),
    _stumbles(
        "pm_sandbox_rate_limited_429",
        "0429",
        Hiccup.HTTP_429,
        "is rate limited (429) the first time, then pays",
    ),
    _stumbles(
        "pm_sandbox_error_500", "0500", Hiccup.HTTP_500, "fails (500) the first time, then pays"
    ),
    _stumbles(
        "pm_sandbox_error_500_stored",
        "0501",
        Hiccup.HTTP_500_STORED,
        "pays, but answers 500 under this key for ever",
    ),
)
BY_REFERENCE: Mapping[str, SandboxMethod] = {method.reference: method for method in METHODS}
# Any delay up to 99,999 ms, for whoever needs another than the table's.
SLOW = re.compile(r"pm_sandbox_slow_([0-9]{1,5})")


def find(reference: str) -> SandboxMethod | None:
    slow = SLOW.fullmatch(reference)
    if slow is None:
        return BY_REFERENCE.get(reference)
    delay_ms = int(slow.group(1))
    return replace(
        BY_REFERENCE["pm_sandbox_slow_3s"],
        reference=reference,
        does=f"pays after {delay_ms} ms",
        delay_ms=delay_ms,
    )
