"""What a buyer is told of an attempt: from its row, or from a refusal that wrote none. Pure.

After T1 every answer is an outcome. A final one is made once, by the transaction that ends the
attempt, and its bytes are kept: the same key gets the same bytes for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from checkout_sdk._pb import attempt_pb2, order_pb2, quote_pb2
from checkout_server._pb import stored_pb2
from checkout_server.checkout.attempt import AttemptRow, State, hold_state
from checkout_server.protobuf_time import duration, timestamp

# A poll a second is what a spinner needs; the attempt's own stream is there for anybody in more of
# a hurry.
ASK_AGAIN_MS = 1_000

REJECTED = attempt_pb2.RejectedCode
NEXT_STEP = attempt_pb2.NextStep

# (code, what helps) of the ends that came from the provider or the buyer.
ENDS = {
    State.DECLINED: (REJECTED.REJECTED_CODE_DECLINED, NEXT_STEP.NEXT_STEP_OTHER_PAYMENT_METHOD),
    State.EXPIRED: (REJECTED.REJECTED_CODE_ACTION_EXPIRED, NEXT_STEP.NEXT_STEP_TAP_AGAIN),
    State.CANCELLED: (REJECTED.REJECTED_CODE_CANCELLED, NEXT_STEP.NEXT_STEP_TAP_AGAIN),
    State.COMPENSATED: (REJECTED.REJECTED_CODE_REFUNDED, NEXT_STEP.NEXT_STEP_TAP_AGAIN),
}


def shown(row: AttemptRow, now_ms: int, decided_by_ms: int) -> attempt_pb2.Attempt:
    """The attempt as its buyer sees it now."""
    if row.outcome is not None:
        return attempt_pb2.Attempt.FromString(row.outcome)
    attempt = _heading(row)
    if row.state is State.ACTION_REQUIRED:
        record = row.record()
        attempt.action_required.CopyFrom(record.action)
        left_ms = max(record.action_expires_ms - now_ms, 0)
        attempt.action_required.expires_in.CopyFrom(duration(left_ms))
        return attempt
    attempt.accepted.ask_again_after.CopyFrom(duration(ASK_AGAIN_MS))
    if row.state is not State.PARKED:
        attempt.accepted.decided_by.CopyFrom(timestamp(decided_by_ms))
    return attempt


def messages_of(row: AttemptRow) -> list[quote_pb2.Message]:
    if row.state is State.PARKED:
        return [message("UNDER_REVIEW", "A person at the platform looks into this payment.")]
    return []


def message(code: str, text: str, *, field_path: str = "") -> quote_pb2.Message:
    info = quote_pb2.Message.Severity.SEVERITY_INFO
    return quote_pb2.Message(code=code, severity=info, text=text, field_path=field_path)


def final_placed(row: AttemptRow, order: order_pb2.Order) -> AttemptRow:
    attempt = _heading(row)
    attempt.placed.order.CopyFrom(order)
    return _ended(row, attempt)


def final_rejected(row: AttemptRow, record: stored_pb2.AttemptRecord) -> AttemptRow:
    """The end of an attempt that bought nothing. A bank's challenge that failed is told from a
    plain no."""
    code, step = ENDS[row.state]
    if row.state is State.DECLINED and record.action_shown:
        code = REJECTED.REJECTED_CODE_ACTION_FAILED
    attempt = _heading(row)
    attempt.rejected.code = code
    attempt.rejected.next_step = step
    attempt.rejected.next_tap_key = record.next_tap_key
    if code == REJECTED.REJECTED_CODE_DECLINED:
        attempt.rejected.decline_code = record.decline_code
    return _ended(row, attempt)


def duplicate_of(row: AttemptRow, order_id: str) -> AttemptRow:
    """The row of a tap on what was bought a moment ago: final from the start, nothing held."""
    ended = replace(row, state=State.CANCELLED, hold_state=hold_state(State.CANCELLED))
    attempt = _heading(ended)
    attempt.rejected.code = REJECTED.REJECTED_CODE_DUPLICATE_INTENT
    attempt.rejected.next_step = NEXT_STEP.NEXT_STEP_SHOW_EXISTING_ORDER
    attempt.rejected.existing_order_id = order_id
    attempt.rejected.next_tap_key = row.record().next_tap_key
    return _ended(ended, attempt)


def refused(buyer_id: str, rejected: attempt_pb2.Rejected) -> attempt_pb2.Attempt:
    """A no before T1: nothing is written, the key stays free, so there is no attempt id."""
    return attempt_pb2.Attempt(buyer_id=buyer_id, rejected=rejected)


def short_of(kind: str, name: str, available: int, held: int) -> attempt_pb2.Rejected:
    """What a counter without enough left means to the buyer."""
    step = NEXT_STEP.NEXT_STEP_LOWER_QUANTITY if available > 0 else NEXT_STEP.NEXT_STEP_NONE
    if kind in ("stock", "quota"):
        return attempt_pb2.Rejected(
            code=REJECTED.REJECTED_CODE_SOLD_OUT,
            next_step=step,
            available=available,
            held=held,
            sku=name if kind == "stock" else "",
        )
    limits = {
        "cap": "OFFER_CAP",
        "code": "CODE_USES",
        "code_buyer": "CODE_USES",
        "open": "OPEN_ATTEMPTS",
    }
    return attempt_pb2.Rejected(
        code=REJECTED.REJECTED_CODE_LIMIT,
        next_step=step if kind == "cap" else NEXT_STEP.NEXT_STEP_NONE,
        available=available,
        limit=limits[kind],
    )


def changed(
    buyer_id: str, quote: quote_pb2.Quote, changes: Sequence[attempt_pb2.Change]
) -> attempt_pb2.Attempt:
    offer_changed = attempt_pb2.OfferChanged(quote=quote, changes=changes)
    return attempt_pb2.Attempt(buyer_id=buyer_id, offer_changed=offer_changed)


def throttled(buyer_id: str, retry_after_ms: int, place_in_line: int) -> attempt_pb2.Attempt:
    wait = attempt_pb2.Throttled(retry_after=duration(retry_after_ms), place_in_line=place_in_line)
    return attempt_pb2.Attempt(buyer_id=buyer_id, throttled=wait)


def _heading(row: AttemptRow) -> attempt_pb2.Attempt:
    return attempt_pb2.Attempt(
        attempt_id=row.attempt_id,
        buyer_id=row.buyer_id,
        state=attempt_pb2.AttemptState.Value(f"ATTEMPT_STATE_{row.state}"),
        version=row.version,
        create_time=timestamp(row.created_ms),
        update_time=timestamp(row.updated_ms),
    )


def _ended(row: AttemptRow, attempt: attempt_pb2.Attempt) -> AttemptRow:
    return replace(row, outcome=attempt.SerializeToString(deterministic=True))
