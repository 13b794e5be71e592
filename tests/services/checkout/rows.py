"""Rows and units for tests of the pure parts: whole, valid, and different where a test says so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from checkout_sdk._pb import attempt_pb2
from checkout_sdk._pb.money_pb2 import Money
from checkout_server._pb import charge_pb2, stored_pb2
from checkout_server.checkout.attempt import AttemptRow, State, Units, hold_state
from checkout_server.checkout.planner import (
    Advance,
    Event,
    OfferState,
    OrderRow,
    Reserve,
    event_kind,
)

SHOP = "shoptag1"
NOW_MS = 1_800_000_000_000
MUG = Units("stock", "mug", 1)
OPEN_OFFER = OfferState("OPEN", 1, 0, NOW_MS + 1)


def record(**fields: Any) -> stored_pb2.AttemptRecord:
    plain = {
        "create_ms": NOW_MS,
        "authorize": charge_pb2.AuthorizeRequest(
            key="att_1:charge:1",
            attempt_id="att_1",
            account="streamly",
            amount=Money(amount_minor=2_000, currency="USD"),
        ),
    }
    return stored_pb2.AttemptRecord(**plain | fields)


def attempt(attempt_id: str = "att_1", **fields: Any) -> AttemptRow:
    state = fields.get("state", State.CHARGING)
    plain: dict[str, Any] = {
        "merchant": SHOP,
        "attempt_id": attempt_id,
        "platform_id": "streamly",
        "buyer_id": f"buyer of {attempt_id}",
        "idempotency_key": f"key of {attempt_id}",
        "fingerprint": b"f",
        "state": state,
        "version": 1,
        "hold_state": hold_state(state),
        "worker": "wrk_1",
        "worker_epoch": 1,
        "next_ms": NOW_MS,
        "tries": 0,
        "created_ms": NOW_MS,
        "updated_ms": NOW_MS,
        "body": record().SerializeToString(),
        "outcome": _answer(attempt_id) if state.is_final else None,
    }
    return AttemptRow(**plain | fields)


def reserve(
    attempt_id: str = "att_1", *units: Units, intent: bytes = b"", row: Any = None, **fields: Any
) -> Reserve:
    """A tap of a mug, by somebody new, of something of their own."""
    row = row or attempt(attempt_id)
    return Reserve(
        row=row,
        units=units or (MUG,),
        intent=intent or attempt_id.encode(),
        event=Event(f"evt of {attempt_id}", event_kind(row.state), b""),
        **fields,
    )


def advance(seen: AttemptRow, state: State, *units: Units, **fields: Any) -> Advance:
    """The next step of that row, its order with it when it is placed."""
    after = replace(
        seen,
        state=state,
        version=seen.version + 1,
        hold_state=hold_state(state),
        outcome=_answer(seen.attempt_id) if state.is_final else None,
    )
    order = order_of(after) if state is State.PLACED else None
    plain: dict[str, Any] = {
        "seen": seen,
        "row": after,
        "units": units or (MUG,),
        "intent": seen.attempt_id.encode(),
        "event": Event(f"evt of {seen.attempt_id} {after.version}", event_kind(state), b""),
        "order": order,
    }
    return Advance(**plain | fields)


def order_of(row: AttemptRow) -> OrderRow:
    return OrderRow(
        order_id=f"order of {row.attempt_id}",
        attempt_id=row.attempt_id,
        platform_id=row.platform_id,
        buyer_id=row.buyer_id,
        payment_state="CAPTURED",
        version=row.version,
        provider_intent=f"pi of {row.attempt_id}",
        total_minor=2_000,
        captured_minor=2_000,
        refunded_minor=0,
        created_ms=row.updated_ms,
        body=b"",
    )


def _answer(attempt_id: str) -> bytes:
    return attempt_pb2.Attempt(attempt_id=attempt_id).SerializeToString()
