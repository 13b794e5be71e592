"""The provider, as the rest of payment sees it. One kind is the sandbox, the other is Stripe.

A gateway turns one request into one call to the provider and its answer into a `Charge`. What holds
for all:

- The parameters of a create come from `provider_params.render` and nowhere else; the key is the
  request's.
- No retries inside. Whoever asks decides whether to ask again, with the same key.
- No answer (a timeout, a reset, a body that is no JSON, a 5xx) is UNKNOWN, never a no. A gateway
  may also let its exception out: `Charges` makes the same of it. Its own time limits: 1 s to
  connect, 8 s to read.
- A gateway that waits before it writes (for a connection) compares `send_by` with service time once
  more.
- `Fault` is for a request that can never be right: more than was captured, a currency that is not
  the charge's.
- An operation that the intent is past (a void of a captured one) is answered with what the intent
  is now.

What Stripe says, and what it means here:

| answer | Charge |
|---|---|
| an intent, status ... | see STATUS_OF |
| 402 | DECLINED with its decline_code, else its code; `authentication_required` too |
| 400 `idempotency_error` | KEY_USED |
| 400 `payment_intent_unexpected_state` | retrieve it: what it is now |
| 400 `resource_missing` about the payment method | DECLINED, decline_code `resource_missing` |
| 404, 401, 403, any other 4xx | UNKNOWN, and an alarm |
| 409, 429, `lock_timeout` | BUSY, retry_after from `Retry-After` |
| 5xx | UNKNOWN; STUCK from the second replay of it (`Idempotent-Replayed: true`) on |
| header `Idempotent-Replayed: true` | replayed |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeVar

from checkout_server._pb import charge_pb2
from checkout_server._pb.charge_pb2 import (
    AuthorizeRequest,
    AuthorizeResponse,
    CaptureRequest,
    CaptureResponse,
    Charge,
    ChargeStatus,
    RefundRequest,
    RefundResponse,
    RetrieveRequest,
    RetrieveResponse,
    VoidRequest,
    VoidResponse,
)

Answer = TypeVar(
    "Answer", AuthorizeResponse, CaptureResponse, VoidResponse, RefundResponse, RetrieveResponse
)

# A `succeeded` intent that was refunded in full is REFUNDED. `requires_payment_method` comes of a
# decline or a failed challenge, since every create of ours names a payment method. Nobody confirms
# what a tombstone left unconfirmed: its client secret never leaves us.
STATUS_OF: Mapping[str, ChargeStatus.ValueType] = {
    "succeeded": charge_pb2.CHARGE_STATUS_CAPTURED,
    "requires_capture": charge_pb2.CHARGE_STATUS_AUTHORIZED,
    "requires_action": charge_pb2.CHARGE_STATUS_ACTION_REQUIRED,
    "requires_confirmation": charge_pb2.CHARGE_STATUS_ABSENT,
    "requires_payment_method": charge_pb2.CHARGE_STATUS_DECLINED,
    "processing": charge_pb2.CHARGE_STATUS_PROCESSING,
    "canceled": charge_pb2.CHARGE_STATUS_CANCELLED,
}
# A stored fault that came back twice will come back for ever (PROTOCOL.md 6).
STUCK_AFTER_REPLAYS = 2


class Gateway(Protocol):
    async def authorize(self, request: AuthorizeRequest, /) -> AuthorizeResponse:
        """One POST: create and confirm. With `tombstone`: create with confirm=false."""
        ...

    async def capture(self, request: CaptureRequest, /) -> CaptureResponse:
        """Takes what was authorized, or part of it; the rest is released."""
        ...

    async def void(self, request: VoidRequest, /) -> VoidResponse: ...

    async def refund(self, request: RefundRequest, /) -> RefundResponse:
        """Gives back what was captured, or part of it. `provider_refund` is empty when nothing
        moved."""
        ...

    async def retrieve(self, request: RetrieveRequest, /) -> RetrieveResponse: ...


def unknown(reason: str) -> Charge:
    return Charge(status=charge_pb2.CHARGE_STATUS_UNKNOWN, reason=reason)
