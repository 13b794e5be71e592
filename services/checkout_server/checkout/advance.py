"""The next row of an attempt, made from a verdict: pure. T2 is the one that ends it.

Everything that ends with the attempt is in the one unit: the order, the holds, the intent guard,
the final bytes, the event. The database takes it whole or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from checkout_sdk._pb import order_pb2
from checkout_server import ids
from checkout_server._pb import charge_pb2, stored_pb2
from checkout_server.checkout import outcome, settle
from checkout_server.checkout.attempt import AttemptRow, State, hold_state, units_of
from checkout_server.checkout.planner import Advance, Event, OrderRow, event_kind
from checkout_server.orders import cancelling
from checkout_server.orders import order as orders


@dataclass(frozen=True, slots=True)
class Windows:
    """How long things may take, in ms of service time (PROTOCOL.md 2, 5, 6)."""

    forward_ms: int = 15 * 60_000
    challenge_ms: int = 5 * 60_000
    flash_challenge_ms: int = 90_000
    intent_block_ms: int = 60_000


@dataclass(frozen=True, slots=True)
class Owner:
    worker: str
    epoch: int


def advance(
    row: AttemptRow,
    verdict: settle.Verdict,
    charge: charge_pb2.Charge | None,
    *,
    owner: Owner,
    now_ms: int,
    windows: Windows,
) -> Advance:
    """One step to `verdict.state`, which must be an edge away (or the same state: another try)."""
    record = _learn(row, verdict, charge, now_ms=now_ms, windows=windows)
    again = verdict.state is row.state
    tries, next_ms = _next_try(row, record, verdict, now_ms)
    after = replace(
        row,
        state=verdict.state,
        version=row.version + 1,
        hold_state=hold_state(verdict.state),
        worker=owner.worker,
        worker_epoch=owner.epoch,
        next_ms=next_ms,
        tries=tries,
        updated_ms=now_ms,
    )
    if verdict.state is State.PLACED:
        return _placed(row, after, record, charge, now_ms, windows)
    after = replace(after, body=record.SerializeToString(deterministic=True))
    if verdict.state.is_final:
        after = outcome.final_rejected(after, record)
    return Advance(
        seen=row,
        row=after,
        units=units_of(record),
        intent=record.intent,
        event=None if again else _event(after, now_ms, windows),
    )


def _next_try(
    row: AttemptRow, record: stored_pb2.AttemptRecord, verdict: settle.Verdict, now_ms: int
) -> tuple[int, int]:
    """How many tries have told nothing so far, and when the next one is due."""
    if verdict.state is State.ACTION_REQUIRED:
        return 0, record.action_expires_ms
    if verdict.state is not State.UNKNOWN:
        return 0, now_ms
    if record.compensate and not row.record().compensate:
        return 0, now_ms  # what must be given back is given back now
    if now_ms < row.next_ms - settle.FIRST_BACKOFF_MS // 2:
        return row.tries, row.next_ms  # looked at early, because somebody left word: no try
    wait_ms = max(settle.backoff_ms(row.tries, verdict.reason), verdict.wait_ms)
    return row.tries + 1, now_ms + wait_ms


def setback(row: AttemptRow, *, owner: Owner, now_ms: int) -> Advance:
    """A step that broke on our side, told from the columns alone, because the body may be what
    broke it: another try later, and a person after the last."""
    state = row.state
    if state in (State.CHARGING, State.UNKNOWN):
        worn_out = state is State.UNKNOWN and row.tries >= settle.MOST_TRIES
        state = State.PARKED if worn_out else State.UNKNOWN
    after = replace(
        row,
        state=state,
        version=row.version + 1,
        worker=owner.worker,
        worker_epoch=owner.epoch,
        tries=row.tries + 1,
        next_ms=now_ms + settle.backoff_ms(row.tries),
        updated_ms=now_ms,
    )
    return Advance(seen=row, row=after, units=(), intent=b"")


def claim(row: AttemptRow, *, owner: Owner, now_ms: int) -> Advance:
    """Takes over a dead worker's attempt as it stands."""
    after = replace(
        row,
        version=row.version + 1,
        worker=owner.worker,
        worker_epoch=owner.epoch,
        updated_ms=now_ms,
    )
    return Advance(seen=row, row=after, units=(), intent=b"")


def note(row: AttemptRow, record: stored_pb2.AttemptRecord, *, now_ms: int) -> Advance:
    """Leaves word for whoever drives the attempt, which stays the driver: look again now. When the
    next try is due does not change: word from a buyer must not use the tries up."""
    after = replace(
        row,
        version=row.version + 1,
        updated_ms=now_ms,
        body=record.SerializeToString(deterministic=True),
    )
    return Advance(seen=row, row=after, units=(), intent=b"")


def _learn(
    row: AttemptRow,
    verdict: settle.Verdict,
    charge: charge_pb2.Charge | None,
    *,
    now_ms: int,
    windows: Windows,
) -> stored_pb2.AttemptRecord:
    record = row.record()
    record.reason = verdict.reason or (record.reason if record.compensate else "")
    record.compensate |= verdict.compensate
    if charge is None:
        return record
    if charge.provider_intent:
        record.provider_intent = charge.provider_intent
    if verdict.state is State.DECLINED:
        record.decline_code = charge.decline_code
    if verdict.state is State.ACTION_REQUIRED and charge.HasField("action"):
        record.action.CopyFrom(charge.action)
        if not record.action_shown:
            record.action_shown = True
            flash = record.purchase.flash
            window_ms = windows.flash_challenge_ms if flash else windows.challenge_ms
            record.action_expires_ms = now_ms + window_ms
    return record


def _placed(
    row: AttemptRow,
    after: AttemptRow,
    record: stored_pb2.AttemptRecord,
    charge: charge_pb2.Charge | None,
    now_ms: int,
    windows: Windows,
) -> Advance:
    record.order_id = ids.new_id("ord", row.merchant)
    placed = orders.placed(after, record, charge, now_ms=now_ms)
    cancellation = None
    if record.cancel_requested:
        cancellation = cancelling.begin(placed, record.provider_intent, record.authorize.account)
    after = replace(after, body=record.SerializeToString(deterministic=True))
    after = outcome.final_placed(after, placed)
    return Advance(
        seen=row,
        row=after,
        units=units_of(record),
        intent=record.intent,
        event=Event(
            ids.new_id("evt", row.merchant),
            event_kind(after.state),
            placed.SerializeToString(deterministic=True),
        ),
        order=_order_row(after, record, placed, charge),
        cancellation=cancellation,
        intent_blocked_until_ms=now_ms + windows.intent_block_ms,
    )


def _order_row(
    row: AttemptRow,
    record: stored_pb2.AttemptRecord,
    order: order_pb2.Order,
    charge: charge_pb2.Charge | None,
) -> OrderRow:
    kept = stored_pb2.OrderRecord(
        order=order,
        holds=[hold for hold in record.holds if hold.kind != "open"],
        account=record.authorize.account,
        provider_intent=record.provider_intent,
    )
    payment_state = order_pb2.PaymentState.Name(order.payment_state)
    return OrderRow(
        order_id=order.order_id,
        attempt_id=row.attempt_id,
        platform_id=row.platform_id,
        buyer_id=row.buyer_id,
        payment_state=payment_state.removeprefix("PAYMENT_STATE_"),
        version=order.version,
        # NULL, not '': several free orders of a merchant have no intent, and UNIQUE must let them
        # be.
        provider_intent=charge.provider_intent if charge is not None else None,
        total_minor=order.totals.total.amount_minor,
        captured_minor=order.captured.amount_minor,
        refunded_minor=sum(refund.amount.amount_minor for refund in order.refunds),
        created_ms=row.updated_ms,
        body=kept.SerializeToString(deterministic=True),
    )


def _event(row: AttemptRow, now_ms: int, windows: Windows) -> Event:
    shown = outcome.shown(row, now_ms, row.created_ms + windows.forward_ms)
    if shown.HasField("action_required"):
        # Where the bank sends the buyer is for the buyer alone, not for whoever reads events.
        shown.action_required.ClearField("redirect_url")
        shown.action_required.ClearField("provider_action")
    body = shown.SerializeToString(deterministic=True)
    return Event(ids.new_id("evt", row.merchant), event_kind(row.state), body)
