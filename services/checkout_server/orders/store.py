"""The SQL of orders and of the movements of their money.

The columns of an order beside its body are made of the body, here and nowhere else, and every write
names the version it saw. Of an order's operations at most one is PENDING (a partial unique index);
it is claimed by comparing (worker, epoch, tries), so that of two who found it one drives it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from checkout_sdk._pb import order_pb2
from checkout_server import ids
from checkout_server._pb import stored_pb2
from checkout_server.checkout.store import INSERT_EVENT, INSERT_OPERATION
from checkout_server.database import Reader, Row, Tx
from checkout_server.protobuf_time import timestamp_ms

# A place before the newest order: no time is later, whatever the id.
BEFORE_ALL = (2**63 - 1, "")


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """Nobody changes the record of one but the transaction that read it, before it writes."""

    merchant: str
    platform_id: str
    record: stored_pb2.OrderRecord

    @property
    def order(self) -> order_pb2.Order:
        return self.record.order


@dataclass(frozen=True, slots=True)
class OperationRow:
    """A pending movement of money. Its owner drives it; '' owns nothing. The body is decoded by
    whoever uses it: a damaged one must not keep others from theirs."""

    merchant: str
    order_id: str
    number: int
    worker: str
    worker_epoch: int
    tries: int
    body: bytes

    @property
    def operation(self) -> stored_pb2.MoneyOperation:
        return stored_pb2.MoneyOperation.FromString(self.body)


ORDER = "SELECT merchant, platform_id, body FROM orders"
BY_ID = f"{ORDER} WHERE merchant = :merchant AND order_id = :order_id"
NEWEST_FIRST = """
AND (created_ms, order_id) < (:created_ms, :after_id)
ORDER BY created_ms DESC, order_id DESC LIMIT :limit
"""
OF_BUYER = f"{ORDER} WHERE platform_id = :platform_id AND buyer_id = :buyer_id"
OF_MERCHANT = f"{ORDER} WHERE platform_id = :platform_id AND merchant = :merchant"
UPDATE_ORDER = """
UPDATE orders SET state = :state, payment_state = :payment_state, version = :version,
  captured_minor = :captured_minor, refunded_minor = :refunded_minor, body = :body
WHERE merchant = :merchant AND order_id = :order_id AND version = :seen_version
"""
GIVE_BACK = """
UPDATE counter SET committed = committed - :quantity
WHERE merchant = :merchant AND kind = :kind AND id = :id
"""

PENDING_OF_ORDER = """
SELECT merchant, order_id, number, worker, worker_epoch, tries, body FROM money_operation
WHERE merchant = :merchant AND order_id = :order_id AND state = 'PENDING'
"""
LAST_NUMBER = """
SELECT COALESCE(MAX(number), 0) FROM money_operation
WHERE merchant = :merchant AND order_id = :order_id
"""
# Due, and owned by us, by nobody yet, or by a worker whose lease has ended.
TO_DRIVE = """
SELECT o.merchant, o.order_id, o.number, o.worker, o.worker_epoch, o.tries, o.body
FROM money_operation o
LEFT JOIN worker w
  ON w.worker = o.worker AND w.epoch = o.worker_epoch AND w.seen_ms >= :alive_since_ms
WHERE o.state = 'PENDING' AND o.next_ms <= :now_ms AND (w.worker IS NULL OR o.worker = :worker)
ORDER BY o.next_ms LIMIT :most
"""
AS_SEEN = """
WHERE merchant = :merchant AND order_id = :order_id AND number = :number AND state = 'PENDING'
  AND worker = :worker AND worker_epoch = :worker_epoch AND tries = :tries
"""
CLAIM = f"UPDATE money_operation SET worker = :by_worker, worker_epoch = :by_epoch {AS_SEEN}"
PUT_OFF = f"UPDATE money_operation SET tries = tries + 1, next_ms = :next_ms {AS_SEEN}"
END = f"UPDATE money_operation SET state = :end {AS_SEEN}"


async def by_id(
    reader: Reader, merchant: str, order_id: str, *, lock: bool = False
) -> StoredOrder | None:
    rows = await reader.fetch(BY_ID, lock=lock, merchant=merchant, order_id=order_id)
    return _stored(rows[0]) if rows else None


async def newest_first(
    reader: Reader,
    *,
    platform_id: str,
    buyer_id: str | None,
    merchant: str | None,
    place: tuple[int, str],
    limit: int,
) -> list[StoredOrder]:
    """Of a buyer, or of a merchant, or of the one at the other, from a place on."""
    parameters: dict[str, Any] = {
        "platform_id": platform_id,
        "created_ms": place[0],
        "after_id": place[1],
        "limit": limit,
    }
    if merchant is not None:
        parameters["merchant"] = merchant
    if buyer_id is None:
        sql = OF_MERCHANT
    else:
        parameters["buyer_id"] = buyer_id
        sql = OF_BUYER if merchant is None else f"{OF_BUYER} AND merchant = :merchant"
    return [_stored(row) for row in await reader.fetch(sql + NEWEST_FIRST, **parameters)]


async def write(tx: Tx, stored: StoredOrder, kind: str) -> None:
    """The order's next version, and the event that tells of it. Read under lock before."""
    order, merchant = stored.order, stored.merchant
    changed = await tx.run(
        UPDATE_ORDER,
        merchant=merchant,
        order_id=order.order_id,
        seen_version=order.version - 1,
        body=stored.record.SerializeToString(deterministic=True),
        **_columns(order),
    )
    if changed != 1:
        raise AssertionError(f"{order.order_id}: version {order.version} is not the next one")
    await tx.run(
        INSERT_EVENT,
        merchant=merchant,
        event_id=ids.new_id("evt", merchant),
        subject=order.attempt_id,
        seq=order.version,
        kind=kind,
        created_ms=timestamp_ms(order.update_time),
        body=order.SerializeToString(deterministic=True),
    )


async def give_back(tx: Tx, stored: StoredOrder) -> None:
    """Caps count what was placed and not cancelled, and a unit nobody bought is for sale again. In
    (kind, id) order, the one in which every transaction locks counters."""
    holds = sorted(stored.record.holds, key=lambda hold: (hold.kind, hold.id))
    changed = await tx.run_many(
        GIVE_BACK,
        [
            {
                "merchant": stored.merchant,
                "kind": hold.kind,
                "id": hold.id,
                "quantity": hold.quantity,
            }
            for hold in holds
        ],
    )
    if changed != len(holds):
        raise AssertionError(f"{stored.order.order_id}: gave back {changed} of {len(holds)} holds")


async def pending(reader: Reader, merchant: str, order_id: str) -> OperationRow | None:
    rows = await reader.fetch(PENDING_OF_ORDER, merchant=merchant, order_id=order_id)
    return OperationRow(*rows[0]) if rows else None


async def next_number(tx: Tx, merchant: str, order_id: str) -> int:
    """Under the order's lock: nobody else takes it meanwhile."""
    [(last,)] = await tx.fetch(LAST_NUMBER, merchant=merchant, order_id=order_id)
    return int(last) + 1


async def journal(
    tx: Tx, merchant: str, operation: stored_pb2.MoneyOperation, now_ms: int
) -> OperationRow:
    row = OperationRow(
        merchant=merchant,
        order_id=operation.order_id,
        number=operation.number,
        worker="",
        worker_epoch=0,
        tries=0,
        body=operation.SerializeToString(deterministic=True),
    )
    await tx.run(
        INSERT_OPERATION,
        merchant=merchant,
        order_id=row.order_id,
        number=row.number,
        next_ms=now_ms,
        body=row.body,
    )
    return row


async def to_drive(
    reader: Reader, *, worker: str, alive_since_ms: int, now_ms: int, most: int
) -> list[OperationRow]:
    rows = await reader.fetch(
        TO_DRIVE, worker=worker, alive_since_ms=alive_since_ms, now_ms=now_ms, most=most
    )
    return [OperationRow(*row) for row in rows]


async def claim(tx: Tx, row: OperationRow, *, worker: str, epoch: int) -> bool:
    return bool(await tx.run(CLAIM, by_worker=worker, by_epoch=epoch, **_as_seen(row)))


async def put_off(tx: Tx, row: OperationRow, next_ms: int) -> bool:
    return bool(await tx.run(PUT_OFF, next_ms=next_ms, **_as_seen(row)))


async def end(tx: Tx, row: OperationRow, state: str) -> bool:
    """DONE or FAILED. False: somebody else has gone on, and nothing of it is ours to write."""
    return bool(await tx.run(END, end=state, **_as_seen(row)))


def _columns(order: order_pb2.Order) -> dict[str, Any]:
    failed = order_pb2.Refund.Status.STATUS_FAILED
    state = order_pb2.OrderState.Name(order.state)
    payment_state = order_pb2.PaymentState.Name(order.payment_state)
    return {
        "state": state.removeprefix("ORDER_STATE_"),
        "payment_state": payment_state.removeprefix("PAYMENT_STATE_"),
        "version": order.version,
        "captured_minor": order.captured.amount_minor,
        # What is on its way back counts as gone.
        "refunded_minor": sum(
            refund.amount.amount_minor for refund in order.refunds if refund.status != failed
        ),
    }


def _as_seen(row: OperationRow) -> dict[str, Any]:
    names = ("merchant", "order_id", "number", "worker", "worker_epoch", "tries")
    return {name: getattr(row, name) for name in names}


def _stored(row: Row) -> StoredOrder:
    merchant, platform_id, body = row
    return StoredOrder(merchant, platform_id, stored_pb2.OrderRecord.FromString(body))
