"""What can go wrong, as one class per decision a caller can make.

    CheckoutError                 anything below; catch this to catch all
    ├── ConfigurationError        the client was made wrongly: mend the code or the environment
    ├── InvalidRequest            mend the fields in `field_violations`
    │   └── QuoteInvalid          not a token of this service: make a new quote
    ├── AuthenticationError       send a valid token
    ├── PermissionDenied          this token may not do that, or the quote is another buyer's
    ├── NotFound                  no such id, or not yours: the two look alike
    ├── PreconditionFailed        not as things stand; `reason` says what is in the way
    │   ├── IdempotencyConflict   the key belongs to another request; nothing was done
    │   └── KeyRetired            answered long ago: look the order up
    ├── StaleEtag                 changed since it was read: read it again, then update
    ├── Unavailable               the same call again, later; nothing is known about this one
    │   ├── OverCapacity          turned away before anything was done; wait `retry_after_s`
    │   └── DeadlineExceeded      the time given ran out
    ├── Unsupported               this server does not have the call yet
    ├── ServerError               a mistake of the service's: report `request_id`
    └── OutcomeUnknown            `place_order` only: it may have happened; the same key asks

What the buyer did or the bank said (declined, sold out, a challenge) is never an exception: it is
an `Outcome`. gRPC types do not leave the SDK; the original exception is `__cause__`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field at fault."""

    field: str
    """Its path in the request: `lines[2].quantity`."""
    description: str
    """What it must be."""


class CheckoutError(Exception):
    """The base of all. The message says what happened and what to do next."""

    code: str | None
    """The name of the gRPC status (`UNAVAILABLE`); None when the SDK itself said no."""
    reason: str | None
    """The stable word for it, as listed in errors.proto (`STORAGE_UNAVAILABLE`)."""
    request_id: str | None
    """Names this call in the service's logs and traces."""
    retryable: bool
    """Whether the same call, with the same key, may succeed later. The SDK has already tried."""
    retry_after_s: float | None
    """How long the server asks to wait; None when it did not say."""
    idempotency_key: str | None
    """The key of the tap; set by `place_order` alone."""
    field_violations: tuple[FieldViolation, ...]

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        reason: str | None = None,
        request_id: str | None = None,
        retryable: bool = False,
        retry_after_s: float | None = None,
        idempotency_key: str | None = None,
        field_violations: Sequence[FieldViolation] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.request_id = request_id
        self.retryable = retryable
        self.retry_after_s = retry_after_s
        self.idempotency_key = idempotency_key
        self.field_violations = tuple(field_violations)


class ConfigurationError(CheckoutError):
    """The client cannot work as it was made. Raised before anything is sent."""


class InvalidRequest(CheckoutError):
    """A field breaks its rule; nothing was done. `field_violations` names it."""


class QuoteInvalid(InvalidRequest):
    """The quote token is not one of this service's. Make a new quote."""


class AuthenticationError(CheckoutError):
    """No token, or one that is not valid any more."""


class PermissionDenied(CheckoutError):
    """The token lacks the scope, or the quote belongs to another buyer."""


class NotFound(CheckoutError):
    """No such id, or somebody else's."""


class PreconditionFailed(CheckoutError):
    """Not as things stand: BLOCKED, MERCHANT_NOT_READY, STOCK_BELOW_HELD, ... in `reason`."""


class IdempotencyConflict(PreconditionFailed):
    """The key belongs to another purchase. Nothing was done; a new purchase wants a new key."""


class KeyRetired(PreconditionFailed):
    """The key was answered so long ago that the answer is gone. Look the order up."""


class StaleEtag(CheckoutError):
    """Somebody changed it since it was read. Read it again, then update."""


class Unavailable(CheckoutError):
    """The service did not answer. Every call of this SDK may be sent again."""


class OverCapacity(Unavailable):
    """Turned away before anything was done."""


class DeadlineExceeded(Unavailable):
    """The `timeout` ran out. Whether the call took effect is not known."""


class Unsupported(CheckoutError):
    """The server is older than the call."""


class ServerError(CheckoutError):
    """A mistake of the service's. Report `request_id`."""


class OutcomeUnknown(CheckoutError):
    """A tap that nobody answered: it may have happened, it may not.

    Call `ask(idempotency_key=...)` later, or send the same `place_order` again. Never with a new
    key: that is a second purchase. `idempotency_key` is None only for a token that this client did
    not get from `quote()` and that was sent without a key; then send the same token again.
    """

    asked: bool
    """Whether the server could be asked about the key, and had not seen it yet."""

    def __init__(
        self, message: str, *, asked: bool, idempotency_key: str | None, request_id: str | None
    ) -> None:
        super().__init__(
            message, retryable=True, idempotency_key=idempotency_key, request_id=request_id
        )
        self.asked = asked
