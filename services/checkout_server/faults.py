"""Faults: what a caller did wrong or what is broken here. Outcomes of a purchase are values, never
faults.

Raise a `Fault` with a reason of errors.proto anywhere below a handler; `handlers.py` turns it into
a gRPC status with a fixed text and details. Nothing else of an exception ever reaches a caller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import grpc

_Code = grpc.StatusCode

# One row a reason: the status and the only text that leaves us. The table in errors.proto says what
# to do.
TABLE: Mapping[str, tuple[grpc.StatusCode, str]] = {
    "INVALID_FIELD": (
        _Code.INVALID_ARGUMENT,
        "A field of the request is not valid; see the details.",
    ),
    "MALFORMED_REQUEST": (_Code.INVALID_ARGUMENT, "The bytes are not a message of this call."),
    "QUOTE_INVALID": (
        _Code.INVALID_ARGUMENT,
        "The quote token is not one of ours; make a new quote.",
    ),
    "UNAUTHENTICATED": (_Code.UNAUTHENTICATED, "A valid access token is required."),
    "SCOPE_MISSING": (_Code.PERMISSION_DENIED, "The access token lacks the scope this call needs."),
    "BUYER_MISMATCH": (_Code.PERMISSION_DENIED, "The quote or the token belongs to another buyer."),
    "NOT_FOUND": (_Code.NOT_FOUND, "There is no such thing, or it is not yours."),
    "IDEMPOTENCY_CONFLICT": (
        _Code.FAILED_PRECONDITION,
        "This key was used for another request; nothing was done. Use a new key for a new request.",
    ),
    "KEY_RETIRED": (
        _Code.FAILED_PRECONDITION,
        "This key was answered long ago; look the order up.",
    ),
    "STOCK_BELOW_HELD": (_Code.FAILED_PRECONDITION, "Held and committed units are more than that."),
    "ORDER_NOT_CANCELLABLE": (_Code.FAILED_PRECONDITION, "The order can no longer be cancelled."),
    "MERCHANT_NOT_READY": (
        _Code.FAILED_PRECONDITION,
        "The merchant is suspended or not set up for this.",
    ),
    "BELOW_MINIMUM": (
        _Code.FAILED_PRECONDITION,
        "The total is below what the provider can charge.",
    ),
    "BLOCKED": (
        _Code.FAILED_PRECONDITION,
        "Something is missing for a purchase; see the quote's blockers.",
    ),
    "CURRENCY_FIXED": (_Code.FAILED_PRECONDITION, "A merchant's currency cannot change."),
    "STALE_ETAG": (_Code.ABORTED, "It has changed since; read it again, then update."),
    "OVER_CAPACITY": (_Code.RESOURCE_EXHAUSTED, "Too much at once; try again after the delay."),
    "STORAGE_UNAVAILABLE": (_Code.UNAVAILABLE, "The storage does not answer; the same call again."),
    "SHUTTING_DOWN": (_Code.UNAVAILABLE, "This process is stopping; the same call again."),
    "NEIGHBOUR_UNAVAILABLE": (
        _Code.UNAVAILABLE,
        "A part of the service does not answer; the same call again.",
    ),
    "DEADLINE_TOO_SHORT": (_Code.DEADLINE_EXCEEDED, "Too little time was left; nothing was done."),
    "NOT_IMPLEMENTED": (_Code.UNIMPLEMENTED, "This call comes with a later release."),
    "INTERNAL": (_Code.INTERNAL, "Our mistake. Please report the request id."),
}


@dataclass(frozen=True, slots=True)
class Violation:
    """One field at fault: its path in the request (`lines[2].quantity`) and what it must be."""

    field: str
    description: str


class Fault(Exception):
    """`reason` is a row of TABLE. `violations` become BadRequest, `retry_after_ms` RetryInfo,
    `metadata` goes into ErrorInfo and must hold nothing of ours or of another caller's."""

    def __init__(
        self,
        reason: str,
        *,
        violations: Sequence[Violation] = (),
        retry_after_ms: int | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self.code, self.text = TABLE[reason]
        super().__init__(reason)
        self.reason = reason
        self.violations = tuple(violations)
        self.retry_after_ms = retry_after_ms
        self.metadata = dict(metadata or {})


def invalid(field: str, description: str) -> Fault:
    return Fault("INVALID_FIELD", violations=[Violation(field, description)])


def not_found() -> Fault:
    """The same for an unknown id and for somebody else's: the two must not be told apart (I32)."""
    return Fault("NOT_FOUND")
