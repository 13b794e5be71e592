"""What must hold after every test, whatever happened in it: the invariants of the tap, counted in
checkout's rows and in the provider's book.

The numbers are those of the reliability notes: I1 one live charge an attempt, I2 no charge without
its order, I3 no order without its charge, I4 one amount from the lines to the bank, I6 what was
given back has a reason, I7 and I14 nothing is sent that T1 did not write, I10 and I11 counters add
up, I12 and I13 holds end once and with the money, I16 all lines or none, I20 only edges that exist,
I26 one `order.placed` an order.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from checkout_sdk._pb import attempt_pb2
from checkout_server._pb import charge_pb2, stored_pb2
from checkout_server.charge import provider_params
from checkout_server.charge.sandbox_book import Book, Intent, Line
from checkout_server.checkout import store
from checkout_server.checkout.attempt import EDGES, AttemptRow, State
from checkout_server.database import Reader
from checkout_server.database.open import open_readonly

# Two processes sample one clock, each within a round trip.
CLOCKS_APART_MS = 250

# Each must find nothing.
EMPTY: Mapping[str, str] = {
    "I10/I11 a counter is below zero or oversold": """
SELECT merchant, kind, id FROM counter
WHERE held < 0 OR committed < 0 OR (on_hand IS NOT NULL AND held + committed > on_hand)
""",
    "I12 an order without a placed attempt, or the other way round": """
SELECT a.attempt_id, a.state FROM attempt a
LEFT JOIN orders o ON o.merchant = a.merchant AND o.attempt_id = a.attempt_id
WHERE (a.state = 'PLACED') <> (o.order_id IS NOT NULL)
""",
    "I13 a hold that does not follow its attempt's state": """
SELECT attempt_id, state, hold_state FROM attempt
WHERE hold_state <> CASE WHEN state = 'PLACED' THEN 'committed'
  WHEN state IN ('DECLINED', 'EXPIRED', 'CANCELLED', 'COMPENSATED') THEN 'released' ELSE 'held' END
""",
    "a final attempt without its answer, or an open one with it": """
SELECT attempt_id, state FROM attempt
WHERE (outcome IS NOT NULL)
  <> (state IN ('PLACED', 'DECLINED', 'EXPIRED', 'CANCELLED', 'COMPENSATED'))
""",
    "an open intent without its open attempt, or a blocked one without its order": """
SELECT i.attempt_id FROM intent i
LEFT JOIN attempt a ON a.merchant = i.merchant AND a.attempt_id = i.attempt_id
LEFT JOIN orders o ON o.merchant = i.merchant AND o.order_id = i.order_id
WHERE (i.blocked_until_ms = 0 AND (a.hold_state IS NULL OR a.hold_state <> 'held'))
  OR (i.blocked_until_ms > 0 AND o.order_id IS NULL)
""",
    "I26 an order that was not announced exactly once": """
SELECT o.order_id, COUNT(e.event_id) FROM orders o
LEFT JOIN outbox e
  ON e.merchant = o.merchant AND e.subject = o.attempt_id AND e.kind = 'order.placed'
GROUP BY o.merchant, o.order_id HAVING COUNT(e.event_id) <> 1
""",
    "I26 an order.placed without its order": """
SELECT e.subject FROM outbox e
LEFT JOIN orders o ON o.merchant = e.merchant AND o.attempt_id = e.subject
WHERE e.kind = 'order.placed' AND o.order_id IS NULL
""",
}
ATTEMPTS = f"SELECT {store.COLUMNS} FROM attempt"
ORDERS = """
SELECT merchant, order_id, attempt_id, state, payment_state, provider_intent, total_minor,
  captured_minor, refunded_minor, body
FROM orders
"""
COUNTERS = "SELECT merchant, kind, id, held, committed FROM counter"
EVENTS = "SELECT subject, kind FROM outbox ORDER BY subject, seq"
OPERATIONS = "SELECT order_id FROM money_operation"


class OrderSeen(NamedTuple):
    merchant: str
    order_id: str
    attempt_id: str
    state: str
    payment_state: str
    provider_intent: str | None
    total_minor: int
    captured_minor: int
    refunded_minor: int
    body: bytes


@dataclass(frozen=True)
class Ledger:
    """Everything there is, of both sides."""

    attempts: Mapping[str, AttemptRow]
    orders: Mapping[str, OrderSeen]  # by attempt
    counters: Mapping[tuple[str, str, str], tuple[int, int]]
    events: Sequence[tuple[str, str]]
    undone: frozenset[str]  # orders with a movement of money after the tap
    intents: Sequence[Intent]
    journal: Sequence[Line]
    book: Book

    @cached_property
    def records(self) -> Mapping[str, stored_pb2.AttemptRecord]:
        return {name: row.record() for name, row in self.attempts.items()}


async def violations(database: str, book_file: Path) -> list[str]:
    """One sentence for each; empty when all is well."""
    async with open_readonly(database, "checkout") as reader:
        found = [f"{rule}: {row}" for rule, sql in EMPTY.items() for row in await reader.fetch(sql)]
        book = Book(str(book_file))
        try:
            ledger = await _ledger(reader, book)
            for rule in (_charges, _orders, _amounts, _given_back, _journal, _counters, _edges):
                found += rule(ledger)
        finally:
            book.close()
    return found


async def _ledger(reader: Reader, book: Book) -> Ledger:
    rows = [store.attempt_row(row) for row in await reader.fetch(ATTEMPTS)]
    orders = [OrderSeen(*row) for row in await reader.fetch(ORDERS)]
    return Ledger(
        attempts={row.attempt_id: row for row in rows},
        orders={order.attempt_id: order for order in orders},
        counters={
            (row[0], row[1], row[2]): (row[3], row[4]) for row in await reader.fetch(COUNTERS)
        },
        events=[(subject, kind) for subject, kind in await reader.fetch(EVENTS)],
        undone=frozenset(row[0] for row in await reader.fetch(OPERATIONS)),
        intents=book.intents(),
        journal=book.journal(),
        book=book,
    )


def _charges(ledger: Ledger) -> Iterator[str]:
    """I1 and I2. A charge whose attempt is still open is not lost: somebody is on it."""
    live = [intent for intent in ledger.intents if intent.is_live]
    for attempt_id, count in Tally(intent.attempt_id for intent in live).items():
        if count > 1:
            yield f"I1 {attempt_id} was charged {count} times"
    for intent in live:
        row = ledger.attempts.get(intent.attempt_id)
        order = ledger.orders.get(intent.attempt_id)
        if row is None:
            yield f"I2 {intent.intent_id} charges for an attempt that is not there"
        elif row.state.is_final and (order is None or order.provider_intent != intent.intent_id):
            yield f"I2 {intent.intent_id} is live and {row.attempt_id} is {row.state}"


def _orders(ledger: Ledger) -> Iterator[str]:
    """I3: what is called paid was paid, in full, unless it is being undone."""
    intents = {intent.intent_id: intent for intent in ledger.intents}
    for order in ledger.orders.values():
        if order.total_minor == 0:
            if order.provider_intent is not None:
                yield f"I3 {order.order_id} is free and names a charge"
            continue
        intent = intents.get(order.provider_intent or "")
        record = ledger.records[order.attempt_id]
        if intent is None:
            yield f"I3 {order.order_id} has no charge"
        elif (intent.amount_minor, intent.currency, intent.account) != (
            order.total_minor,
            record.purchase.currency,
            record.authorize.account,
        ):
            yield f"I3 {order.order_id} is for another amount or account than its charge"
        elif not intent.is_live and order.order_id not in ledger.undone:
            yield f"I3 {order.order_id} was given back without being undone"


def _amounts(ledger: Ledger) -> Iterator[str]:
    """I4: one amount, from the lines to the provider."""
    for attempt_id, record in ledger.records.items():
        claims = record.purchase
        if sum(line.quantity * line.unit_price_minor for line in claims.lines) != (
            claims.totals.items_minor
        ):
            yield f"I4 {attempt_id}: the lines do not add up to the items"
        if sum(line.totals.total_minor for line in claims.lines) != claims.totals.total_minor:
            yield f"I4 {attempt_id}: the shares do not add up to the total"
        tax_minor = 0 if claims.totals.tax_included else claims.totals.tax_minor
        total_minor = (
            claims.totals.items_minor
            - claims.totals.discount_minor
            + claims.totals.delivery_minor
            + tax_minor
        )
        order = ledger.orders.get(attempt_id)
        amounts = {total_minor, claims.totals.total_minor, record.authorize.amount.amount_minor}
        if order is not None:
            amounts.add(order.total_minor)
        if len(amounts) > 1:
            yield f"I4 {attempt_id} has the amounts {sorted(amounts)}"


def _given_back(ledger: Ledger) -> Iterator[str]:
    """I6: money goes back for a reason that is written down."""
    for intent in ledger.intents:
        row = ledger.attempts.get(intent.attempt_id)
        order = ledger.orders.get(intent.attempt_id)
        if intent.refunded_minor == 0 or row is None:
            continue
        undone = order is not None and order.order_id in ledger.undone
        if not undone and not ledger.records[intent.attempt_id].compensate:
            yield f"I6 {intent.intent_id} was refunded and {row.attempt_id} knows nothing of it"


def _journal(ledger: Ledger) -> Iterator[str]:
    """I7 and I14: what was sent is what T1 wrote, and was written before."""
    for line in ledger.journal:
        if line.operation not in ("authorize", "tombstone"):
            continue
        row = ledger.attempts.get(line.attempt_id)
        if row is None:
            yield f"I14 {line.key} was sent for an attempt that is not there"
        elif ledger.records[line.attempt_id].authorize.key != line.key:
            yield f"I7 {line.key} is not the key that {line.attempt_id} journalled"
        elif line.at_ms < row.created_ms - CLOCKS_APART_MS:
            yield f"I14 {line.key} was sent before T1"
        elif not _as_journalled(ledger, line):
            yield f"I7 {line.key} was used with other parameters than the journalled ones"


def _as_journalled(ledger: Ledger, line: Line) -> bool:
    used = ledger.book.used_key(line.account, line.key)
    if used is None:
        return True  # it was turned away, and left no trace but the line
    asked = charge_pb2.AuthorizeRequest()
    asked.CopyFrom(ledger.records[line.attempt_id].authorize)
    asked.tombstone = used.operation == "tombstone"
    return used.fingerprint == provider_params.fingerprint(provider_params.render(asked))


def _counters(ledger: Ledger) -> Iterator[str]:
    """I10, I12 and I16: each counter is the sum of what open attempts hold and orders have, and an
    attempt holds all of its lines."""
    held: Tally[tuple[str, str, str]] = Tally()
    committed: Tally[tuple[str, str, str]] = Tally()
    for attempt_id, row in ledger.attempts.items():
        record = ledger.records[attempt_id]
        wanted: Tally[str] = Tally()
        for line in record.purchase.lines:
            wanted[line.sku] += line.quantity
        if wanted != {hold.id: hold.quantity for hold in record.holds if hold.kind == "stock"}:
            yield f"I16 {attempt_id} holds other units than its lines"
        if not row.state.is_final:
            for hold in record.holds:
                held[row.merchant, hold.kind, hold.id] += hold.quantity
    for order in ledger.orders.values():
        if order.state != "CANCELLED":
            for hold in stored_pb2.OrderRecord.FromString(order.body).holds:
                committed[order.merchant, hold.kind, hold.id] += hold.quantity
    for key in {*ledger.counters, *held, *committed}:
        there, meant = ledger.counters.get(key, (0, 0)), (held[key], committed[key])
        if there != meant:
            yield f"I10 {key} says {there} (held, committed) and should say {meant}"


def _edges(ledger: Ledger) -> Iterator[str]:
    """I20, as the outbox tells it; and the last of it is what the row and the answer say."""
    lives: dict[str, list[State]] = {attempt_id: [] for attempt_id in ledger.attempts}
    for subject, kind in ledger.events:
        if kind.startswith("attempt.") or kind == "order.placed":
            lives[subject].append(State(kind.partition(".")[2].upper()))
    for attempt_id, states in lives.items():
        for before, after in pairwise(states):
            if after not in EDGES.get(before, frozenset()):
                yield f"I20 {attempt_id} went from {before} to {after}"
        row = ledger.attempts[attempt_id]
        if states[-1:] != [row.state]:
            yield f"I20 {attempt_id} is {row.state}, and was last heard of as {states[-1:]}"
        if row.outcome is not None:
            told = attempt_pb2.Attempt.FromString(row.outcome).state
            if attempt_pb2.AttemptState.Name(told) != f"ATTEMPT_STATE_{row.state}":
                yield f"I20 {attempt_id} is {row.state}, and its answer says {told}"
