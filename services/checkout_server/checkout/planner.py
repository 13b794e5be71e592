"""What a group of units does to one merchant's rows, decided in memory: pure, and the same for
every database.

The danger is counting: three taps on the last unit in one transaction must see each other. A
set-based `UPDATE ... FROM (VALUES ...)` that names a SKU three times takes one unit, not three, and
oversells. So the counter rows are locked and read once, the units are decided here one after the
other in the order they arrived, each seeing what the ones before it took, and every counter is
written once with the sum.

Every unit can be given again after its commit's acknowledgement was lost: a `Reserve` that finds
its own attempt under its key was written before, and so was an `Advance` that finds just the row it
wanted to write. A refusal is an answer, not an error: the other units of the group go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from checkout_server._pb import stored_pb2
from checkout_server.checkout import outcome
from checkout_server.checkout.attempt import AttemptRow, State, Units, hold_state, may_become

CounterKey = tuple[str, str]  # kind, id
IntentKey = tuple[str, bytes]  # buyer id, hash
BuyerKey = tuple[str, str]  # buyer id, idempotency key


@dataclass(frozen=True, slots=True)
class Event:
    event_id: str
    kind: str
    body: bytes


@dataclass(frozen=True, slots=True)
class OrderRow:
    """The columns of `orders` at the moment it is placed."""

    order_id: str
    attempt_id: str
    platform_id: str
    buyer_id: str
    payment_state: str
    version: int
    provider_intent: str | None
    total_minor: int
    captured_minor: int
    # Reserved: an order that comes with its own cancellation is being refunded from the start.
    refunded_minor: int
    created_ms: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Reserve:
    """T1: claim the key, guard the intent, take the holds, journal the charge: all of it or
    nothing."""

    row: AttemptRow
    units: tuple[Units, ...]
    intent: bytes
    event: Event
    offer_id: str = ""
    epoch: int = 0
    repeat_of: str = ""


@dataclass(frozen=True, slots=True)
class Advance:
    """Any later step of an attempt, T2 included. `seen` is the row the step was decided on: another
    version or another owner in the database means that somebody else has gone on, and nothing is
    written."""

    seen: AttemptRow
    row: AttemptRow
    units: tuple[Units, ...]
    intent: bytes
    event: Event | None = None
    order: OrderRow | None = None
    # The buyer cancelled while the charge was on its way: the order comes with its own
    # cancellation.
    cancellation: stored_pb2.MoneyOperation | None = None
    intent_blocked_until_ms: int = 0


Unit = Reserve | Advance


@dataclass(frozen=True, slots=True)
class Written:
    row: AttemptRow


@dataclass(frozen=True, slots=True)
class KeyTaken:
    row: AttemptRow


@dataclass(frozen=True, slots=True)
class IntentOpen:
    attempt_id: str


@dataclass(frozen=True, slots=True)
class OfferMoved:
    """Ended, past its time, or changed since the quote."""


@dataclass(frozen=True, slots=True)
class Short:
    """A counter has not enough left."""

    kind: str
    id: str
    available: int
    held: int


@dataclass(frozen=True, slots=True)
class Fenced:
    """Somebody else has written since; `row` is what is there now."""

    row: AttemptRow | None


Answer = Written | KeyTaken | IntentOpen | OfferMoved | Short | Fenced


@dataclass(slots=True)
class Counter:
    on_hand: int | None
    held: int
    committed: int
    exists: bool = True
    held_change: int = 0
    committed_change: int = 0

    def take(self, held: int, committed: int) -> None:
        self.held += held
        self.committed += committed
        self.held_change += held
        self.committed_change += committed

    def left(self, limit: int) -> int:
        ceiling = limit if self.on_hand is None else self.on_hand
        return ceiling - self.held - self.committed


@dataclass(frozen=True, slots=True)
class Intent:
    attempt_id: str
    order_id: str
    blocked_until_ms: int


@dataclass(frozen=True, slots=True)
class OfferState:
    state: str
    epoch: int
    starts_ms: int
    ends_ms: int


@dataclass(slots=True)
class Seen:
    """The rows a group needs, as they are under lock; updated in memory as the units are
    decided."""

    counters: dict[CounterKey, Counter] = field(default_factory=dict)
    intents: dict[IntentKey, Intent] = field(default_factory=dict)
    offers: dict[str, OfferState] = field(default_factory=dict)
    keys: dict[BuyerKey, AttemptRow] = field(default_factory=dict)
    attempts: dict[str, AttemptRow] = field(default_factory=dict)


@dataclass(slots=True)
class Writes:
    inserted: list[AttemptRow] = field(default_factory=list)
    updated: list[tuple[AttemptRow, AttemptRow]] = field(default_factory=list)
    intents: dict[IntentKey, Intent | None] = field(default_factory=dict)
    orders: list[OrderRow] = field(default_factory=list)
    operations: list[tuple[OrderRow, stored_pb2.MoneyOperation]] = field(default_factory=list)
    events: list[tuple[AttemptRow, Event]] = field(default_factory=list)
    counters: dict[CounterKey, Counter] = field(default_factory=dict)


def counters_needed(units: Iterable[Unit]) -> list[CounterKey]:
    """In (kind, id) order, the one order in which every transaction locks them: no deadlock."""
    return sorted({held.counter for unit in units for held in unit.units if _moves(unit)})


def plan(units: Sequence[Unit], seen: Seen, now_ms: int) -> tuple[list[Answer], Writes]:
    """The answer of each unit, in order, and what to write for all of them together."""
    writes = Writes()
    answers: list[Answer] = []
    for unit in units:
        match unit:
            case Reserve():
                answers.append(_reserve(unit, seen, writes, now_ms))
            case Advance():
                answers.append(_advance(unit, seen, writes))
    writes.counters = {
        key: counter
        for key, counter in seen.counters.items()
        if counter.held_change or counter.committed_change
    }
    return answers, writes


def _reserve(unit: Reserve, seen: Seen, writes: Writes, now_ms: int) -> Answer:
    row = unit.row
    before = seen.keys.get((row.buyer_id, row.idempotency_key))
    if before is not None:
        return Written(before) if before.attempt_id == row.attempt_id else KeyTaken(before)
    intent = seen.intents.get((row.buyer_id, unit.intent))
    if intent is not None and intent.blocked_until_ms == 0:
        return IntentOpen(intent.attempt_id)
    blocked = intent is not None and now_ms < intent.blocked_until_ms
    if intent is not None and blocked and unit.repeat_of != intent.order_id:
        duplicate = outcome.duplicate_of(row, intent.order_id)
        return _insert(duplicate, unit.event, seen, writes)
    if unit.offer_id and not _takes_taps(seen.offers.get(unit.offer_id), unit.epoch, now_ms):
        return OfferMoved()
    short = _first_short(unit.units, seen)
    if short is not None:
        return short
    for held in unit.units:
        seen.counters[held.counter].take(held.quantity, 0)
    _set_intent(row, unit.intent, Intent(row.attempt_id, "", 0), seen, writes)
    return _insert(row, unit.event, seen, writes)


def _insert(row: AttemptRow, event: Event, seen: Seen, writes: Writes) -> Written:
    seen.keys[(row.buyer_id, row.idempotency_key)] = row
    seen.attempts[row.attempt_id] = row
    writes.inserted.append(row)
    if row.outcome is not None:  # a duplicate: final from the start
        event = Event(event.event_id, event_kind(row.state), row.outcome)
    writes.events.append((row, event))
    return Written(row)


def _advance(unit: Advance, seen: Seen, writes: Writes) -> Answer:
    before, after = seen.attempts.get(unit.seen.attempt_id), unit.row
    if before == after:
        return Written(after)
    if before is None or before.version != unit.seen.version:
        return Fenced(before)
    if (before.worker, before.worker_epoch) != (unit.seen.worker, unit.seen.worker_epoch):
        return Fenced(before)
    if not may_become(before.state, after.state) or after.version != before.version + 1:
        # Money depends on it: never write an edge that PROTOCOL.md 4 does not have.
        raise AssertionError(f"{before.attempt_id}: {before.state} may not become {after.state}")
    if after.state.is_final:
        _end(unit, seen, writes)
    seen.attempts[after.attempt_id] = after
    writes.updated.append((before, after))
    if unit.event is not None:
        writes.events.append((after, unit.event))
    return Written(after)


def _end(unit: Advance, seen: Seen, writes: Writes) -> None:
    """Holds end once: committed with the order, or released. Open attempts are only ever
    released."""
    placed = unit.row.state is State.PLACED
    if placed != (unit.order is not None) or unit.row.hold_state != hold_state(unit.row.state):
        raise AssertionError(
            f"{unit.row.attempt_id}: an order comes with PLACED and with nothing else"
        )
    for held in unit.units:
        committed = held.quantity if placed and held.kind != "open" else 0
        seen.counters[held.counter].take(-held.quantity, committed)
    if unit.order is None:
        _set_intent(unit.row, unit.intent, None, seen, writes)
        return
    writes.orders.append(unit.order)
    if unit.cancellation is not None:
        writes.operations.append((unit.order, unit.cancellation))
    blocked = Intent(unit.row.attempt_id, unit.order.order_id, unit.intent_blocked_until_ms)
    _set_intent(unit.row, unit.intent, blocked, seen, writes)


def _set_intent(
    row: AttemptRow, digest: bytes, intent: Intent | None, seen: Seen, writes: Writes
) -> None:
    key = (row.buyer_id, digest)
    current = seen.intents.get(key)
    if intent is None and current is not None and current.attempt_id != row.attempt_id:
        return  # a later attempt's guard is not ours to clear
    writes.intents[key] = intent
    if intent is None:
        seen.intents.pop(key, None)
    else:
        seen.intents[key] = intent


def _first_short(units: Iterable[Units], seen: Seen) -> Short | None:
    """Stock before caps, so that a buyer hears SOLD_OUT rather than a limit that would not help."""
    for held in sorted(units, key=lambda held: held.kind not in ("stock", "quota")):
        counter = seen.counters.get(held.counter)
        if counter is None:
            if held.kind == "stock":
                return Short(held.kind, held.id, 0, 0)
            counter = seen.counters[held.counter] = Counter(None, 0, 0, exists=False)
        left = counter.left(held.limit)
        if left < held.quantity:
            return Short(held.kind, held.id, max(left, 0), counter.held)
    return None


def _takes_taps(offer: OfferState | None, epoch: int, now_ms: int) -> bool:
    return (
        offer is not None
        and offer.state == "OPEN"
        and offer.epoch == epoch
        and offer.starts_ms <= now_ms < offer.ends_ms
    )


def _moves(unit: Unit) -> bool:
    return isinstance(unit, Reserve) or unit.row.state.is_final


def event_kind(state: State) -> str:
    return "order.placed" if state is State.PLACED else f"attempt.{state.lower()}"
