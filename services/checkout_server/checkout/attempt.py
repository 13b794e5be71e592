"""An attempt: one tap, with its money and its stock. States, allowed edges and the row, nothing
else.

PROTOCOL.md section 4. An attempt is open while somebody still has to do something for it; once
final it never changes again, and neither does the answer kept with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from checkout_server._pb import stored_pb2


class State(StrEnum):
    RESERVED = "RESERVED"
    CHARGING = "CHARGING"
    UNKNOWN = "UNKNOWN"
    ACTION_REQUIRED = "ACTION_REQUIRED"
    PARKED = "PARKED"
    PLACED = "PLACED"
    DECLINED = "DECLINED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    COMPENSATED = "COMPENSATED"

    @property
    def is_final(self) -> bool:
        return self in FINAL

    @property
    def is_driven(self) -> bool:
        """Whether a worker has to be on it. PARKED waits for a person."""
        return self in DRIVEN


DRIVEN = frozenset({State.RESERVED, State.CHARGING, State.UNKNOWN, State.ACTION_REQUIRED})
FINAL = frozenset({State.PLACED, State.DECLINED, State.EXPIRED, State.CANCELLED, State.COMPENSATED})

EDGES: Mapping[State, frozenset[State]] = {
    State.RESERVED: frozenset({State.CHARGING, State.CANCELLED, State.EXPIRED}),
    State.CHARGING: frozenset(
        {State.PLACED, State.DECLINED, State.ACTION_REQUIRED, State.UNKNOWN, State.COMPENSATED}
    ),
    State.UNKNOWN: frozenset(
        {
            State.PLACED,
            State.DECLINED,
            State.ACTION_REQUIRED,
            State.EXPIRED,
            State.COMPENSATED,
            State.PARKED,
        }
    ),
    State.ACTION_REQUIRED: frozenset(
        {
            State.PLACED,
            State.DECLINED,
            State.UNKNOWN,
            State.EXPIRED,
            State.CANCELLED,
            State.COMPENSATED,
        }
    ),
    State.PARKED: frozenset({State.PLACED, State.DECLINED, State.COMPENSATED}),
}


def may_become(before: State, after: State) -> bool:
    """An open attempt may also be written in the state it is in: a claim, another try, a note."""
    return after in EDGES.get(before, frozenset()) or (before is after and not before.is_final)


class Units(NamedTuple):
    """One counter that an attempt holds units of. `limit` is the most that may be held and
    committed altogether; 0 for stock, whose row knows how many there are."""

    kind: str
    id: str
    quantity: int
    limit: int = 0

    @property
    def counter(self) -> tuple[str, str]:
        return (self.kind, self.id)


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """The columns of `attempt`, in the order store.py reads them."""

    merchant: str
    attempt_id: str
    platform_id: str
    buyer_id: str
    idempotency_key: str
    fingerprint: bytes
    state: State
    version: int
    hold_state: str
    worker: str
    worker_epoch: int
    next_ms: int
    tries: int
    created_ms: int
    updated_ms: int
    body: bytes
    outcome: bytes | None

    def record(self) -> stored_pb2.AttemptRecord:
        """A fresh copy of the body: changing it changes no row."""
        return stored_pb2.AttemptRecord.FromString(self.body)


def hold_state(state: State) -> str:
    """Committed with the order, released with every other end, held until then (I12, I13)."""
    if state is State.PLACED:
        return "committed"
    return "released" if state.is_final else "held"


def units_of(record: stored_pb2.AttemptRecord) -> tuple[Units, ...]:
    return tuple(Units(hold.kind, hold.id, hold.quantity, hold.limit) for hold in record.holds)
