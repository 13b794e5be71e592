"""The SQL of attempts and their group: what the planner needs, read under lock, and what it
decided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from checkout_server.checkout.attempt import AttemptRow, State
from checkout_server.checkout.planner import (
    Advance,
    Counter,
    Intent,
    OfferState,
    Reserve,
    Seen,
    Unit,
    Writes,
    counters_needed,
)
from checkout_server.database import Reader, Row, Tx

COLUMNS = (
    "merchant, attempt_id, platform_id, buyer_id, idempotency_key, fingerprint, state, version, "
    "hold_state, worker, worker_epoch, next_ms, tries, created_ms, updated_ms, body, outcome"
)
NAMES = tuple(COLUMNS.split(", "))
BY_ID = f"SELECT {COLUMNS} FROM attempt WHERE merchant = :merchant AND attempt_id = :attempt_id"
BY_KEY = (
    f"SELECT {COLUMNS} FROM attempt"
    " WHERE merchant = :merchant AND buyer_id = :buyer_id AND idempotency_key = :idempotency_key"
)
INSERT_ATTEMPT = (
    f"INSERT INTO attempt ({COLUMNS}) VALUES ({', '.join(':' + name for name in NAMES)})"
)
# Fenced by version; the owner was compared under the same lock by the planner.
UPDATE_ATTEMPT = """
UPDATE attempt SET state = :state, version = :version, hold_state = :hold_state,
  worker = :worker, worker_epoch = :worker_epoch, next_ms = :next_ms, tries = :tries,
  updated_ms = :updated_ms, body = :body, outcome = :outcome
WHERE merchant = :merchant AND attempt_id = :attempt_id AND version = :seen_version
"""
COUNTER = """
SELECT on_hand, held, committed FROM counter
WHERE merchant = :merchant AND kind = :kind AND id = :id
"""
# A row that was not there could not be locked: a second process that makes it too must fail, not
# overwrite.
INSERT_COUNTER = """
INSERT INTO counter (merchant, kind, id, held, committed)
VALUES (:merchant, :kind, :id, :held, :committed)
"""
UPDATE_COUNTER = """
UPDATE counter SET held = held + :held, committed = committed + :committed
WHERE merchant = :merchant AND kind = :kind AND id = :id
"""
INTENT = """
SELECT attempt_id, order_id, blocked_until_ms FROM intent
WHERE merchant = :merchant AND buyer_id = :buyer_id AND hash = :hash
"""
PUT_INTENT = """
INSERT INTO intent (merchant, buyer_id, hash, attempt_id, order_id, blocked_until_ms)
VALUES (:merchant, :buyer_id, :hash, :attempt_id, :order_id, :blocked_until_ms)
ON CONFLICT (merchant, buyer_id, hash) DO UPDATE SET attempt_id = excluded.attempt_id,
  order_id = excluded.order_id, blocked_until_ms = excluded.blocked_until_ms
"""
CLEAR_INTENT = """
DELETE FROM intent WHERE merchant = :merchant AND buyer_id = :buyer_id AND hash = :hash
"""
OFFER = """
SELECT state, epoch, starts_ms, ends_ms FROM offer
WHERE merchant = :merchant AND offer_id = :offer_id
"""
INSERT_ORDER = """
INSERT INTO orders (merchant, order_id, platform_id, attempt_id, buyer_id, state, payment_state,
  version, provider_intent, total_minor, captured_minor, refunded_minor, created_ms, body)
VALUES (:merchant, :order_id, :platform_id, :attempt_id, :buyer_id, 'PLACED', :payment_state,
  :version, :provider_intent, :total_minor, :captured_minor, :refunded_minor, :created_ms, :body)
"""
INSERT_EVENT = """
INSERT INTO outbox (merchant, event_id, subject, seq, kind, created_ms, body)
VALUES (:merchant, :event_id, :subject, :seq, :kind, :created_ms, :body)
"""
# Owned by nobody yet: worker '' is never alive, so whoever looks first takes it.
INSERT_OPERATION = """
INSERT INTO money_operation
  (merchant, order_id, number, state, worker, worker_epoch, next_ms, tries, body)
VALUES (:merchant, :order_id, :number, 'PENDING', '', 0, :next_ms, 0, :body)
"""
# Open attempts whose owner has no living lease: its process is gone, or was stopped for longer than
# a lease.
ORPHANS = f"""
SELECT {", ".join("a." + name for name in NAMES)} FROM attempt a
LEFT JOIN worker w
  ON w.worker = a.worker AND w.epoch = a.worker_epoch AND w.seen_ms >= :alive_since_ms
WHERE a.state IN ('RESERVED', 'CHARGING', 'UNKNOWN', 'ACTION_REQUIRED') AND w.worker IS NULL
ORDER BY a.next_ms LIMIT :most
"""

# Ours and untouched for a while: its task may be waiting, or there may be none.
OWNED = """
SELECT merchant, attempt_id FROM attempt
WHERE worker = :worker AND updated_ms < :untouched_since_ms
  AND next_ms < :untouched_since_ms
  AND state IN ('RESERVED', 'CHARGING', 'UNKNOWN', 'ACTION_REQUIRED')
LIMIT 1000
"""

OWNER_LIVES = """
SELECT 1 FROM worker WHERE worker = :worker AND epoch = :epoch AND seen_ms >= :alive_since_ms
"""


def attempt_row(row: Row) -> AttemptRow:
    named = dict(zip(NAMES, row, strict=True))
    return AttemptRow(**named | {"state": State(named["state"])})


async def by_id(reader: Reader, merchant: str, attempt_id: str) -> AttemptRow | None:
    rows = await reader.fetch(BY_ID, merchant=merchant, attempt_id=attempt_id)
    return attempt_row(rows[0]) if rows else None


async def by_key(
    reader: Reader, merchant: str, *, buyer_id: str, idempotency_key: str
) -> AttemptRow | None:
    rows = await reader.fetch(
        BY_KEY, merchant=merchant, buyer_id=buyer_id, idempotency_key=idempotency_key
    )
    return attempt_row(rows[0]) if rows else None


async def orphans(reader: Reader, *, alive_since_ms: int, most: int) -> list[AttemptRow]:
    rows = await reader.fetch(ORPHANS, alive_since_ms=alive_since_ms, most=most)
    return [attempt_row(row) for row in rows]


async def owned(reader: Reader, worker: str, *, untouched_since_ms: int) -> list[tuple[str, str]]:
    rows = await reader.fetch(OWNED, worker=worker, untouched_since_ms=untouched_since_ms)
    return [(merchant, attempt_id) for merchant, attempt_id in rows]


async def owner_lives(reader: Reader, row: AttemptRow, *, alive_since_ms: int) -> bool:
    return bool(
        await reader.fetch(
            OWNER_LIVES,
            worker=row.worker,
            epoch=row.worker_epoch,
            alive_since_ms=alive_since_ms,
        )
    )


async def read(tx: Tx, merchant: str, units: Sequence[Unit]) -> Seen:
    """Everything the planner looks at, attempts before counters, each in one order: no deadlock."""
    seen = Seen()
    advances = sorted({unit.row.attempt_id for unit in units if isinstance(unit, Advance)})
    if advances:
        wanted: list[dict[str, Any]] = [{"merchant": merchant, "attempt_id": id} for id in advances]
        for found in await tx.fetch_many(BY_ID, wanted, lock=True):
            seen.attempts.update((row[1], attempt_row(row)) for row in found)
    counters = counters_needed(units)
    wanted = [{"merchant": merchant, "kind": kind, "id": id} for kind, id in counters]
    for key, found in zip(counters, await tx.fetch_many(COUNTER, wanted, lock=True), strict=True):
        seen.counters.update((key, Counter(*row)) for row in found)
    # Under READ COMMITTED these come after the counters on purpose: whoever else took the same unit
    # or claimed the same key has committed by the time our lock was granted, and is seen.
    await _read_guards(tx, merchant, units, seen)
    return seen


async def _read_guards(tx: Tx, merchant: str, units: Sequence[Unit], seen: Seen) -> None:
    intents = sorted({(unit.row.buyer_id, unit.intent) for unit in units if unit.intent})
    wanted: list[dict[str, Any]] = [
        {"merchant": merchant, "buyer_id": buyer, "hash": digest} for buyer, digest in intents
    ]
    for key, found in zip(intents, await tx.fetch_many(INTENT, wanted), strict=True):
        seen.intents.update((key, Intent(*row)) for row in found)
    reserves = [unit for unit in units if isinstance(unit, Reserve)]
    offers = sorted({unit.offer_id for unit in reserves if unit.offer_id})
    wanted = [{"merchant": merchant, "offer_id": offer} for offer in offers]
    for offer, found in zip(offers, await tx.fetch_many(OFFER, wanted), strict=True):
        seen.offers.update((offer, OfferState(*row)) for row in found)
    keys = sorted({(unit.row.buyer_id, unit.row.idempotency_key) for unit in reserves})
    wanted = [
        {"merchant": merchant, "buyer_id": buyer, "idempotency_key": key} for buyer, key in keys
    ]
    for name, found in zip(keys, await tx.fetch_many(BY_KEY, wanted), strict=True):
        seen.keys.update((name, attempt_row(row)) for row in found)


async def write(tx: Tx, merchant: str, writes: Writes, now_ms: int) -> None:
    """One statement a table, whatever the size of the group."""
    if writes.inserted:
        await tx.run_many(INSERT_ATTEMPT, [_columns(row) for row in writes.inserted])
    if writes.updated:
        rows = [
            {**_columns(after), "seen_version": before.version} for before, after in writes.updated
        ]
        _exactly(await tx.run_many(UPDATE_ATTEMPT, rows), len(rows), "attempts")
    await _write_counters(tx, merchant, writes)
    await _write_intents(tx, merchant, writes)
    if writes.orders:
        orders = [
            {
                "merchant": merchant,
                **{name: getattr(order, name) for name in order.__dataclass_fields__},
            }
            for order in writes.orders
        ]
        await tx.run_many(INSERT_ORDER, orders)
    if writes.operations:
        operations = [
            {
                "merchant": merchant,
                "order_id": order.order_id,
                "number": operation.number,
                "next_ms": now_ms,
                "body": operation.SerializeToString(deterministic=True),
            }
            for order, operation in writes.operations
        ]
        await tx.run_many(INSERT_OPERATION, operations)
    if writes.events:
        events = [
            {
                "merchant": merchant,
                "event_id": event.event_id,
                "subject": row.attempt_id,
                "seq": row.version,
                "kind": event.kind,
                "created_ms": now_ms,
                "body": event.body,
            }
            for row, event in writes.events
        ]
        await tx.run_many(INSERT_EVENT, events)


async def _write_counters(tx: Tx, merchant: str, writes: Writes) -> None:
    made: list[dict[str, Any]] = []
    moved: list[dict[str, Any]] = []
    for (kind, id), counter in writes.counters.items():
        change = {
            "merchant": merchant,
            "kind": kind,
            "id": id,
            "held": counter.held_change,
            "committed": counter.committed_change,
        }
        (moved if counter.exists else made).append(change)
    if made:
        await tx.run_many(INSERT_COUNTER, made)
    if moved:
        _exactly(await tx.run_many(UPDATE_COUNTER, moved), len(moved), "counters")


async def _write_intents(tx: Tx, merchant: str, writes: Writes) -> None:
    kept: list[dict[str, Any]] = []
    cleared: list[dict[str, Any]] = []
    for (buyer_id, digest), intent in writes.intents.items():
        name = {"merchant": merchant, "buyer_id": buyer_id, "hash": digest}
        if intent is None:
            cleared.append(name)
        else:
            columns = ("attempt_id", "order_id", "blocked_until_ms")
            kept.append(name | {column: getattr(intent, column) for column in columns})
    if cleared:
        await tx.run_many(CLEAR_INTENT, cleared)
    if kept:
        await tx.run_many(PUT_INTENT, kept)


def _columns(row: AttemptRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in NAMES} | {"state": row.state.value}


def _exactly(changed: int, wanted: int, what: str) -> None:
    """They were read under lock in this transaction: another count means that it did not hold."""
    if changed != wanted:
        raise AssertionError(f"wrote {changed} {what}, meant {wanted}")
