"""Movements of money after the tap: journalled with the order, then driven here to their end.

What can go wrong is giving the money back twice, never, or without the order and its stock hearing
of it. So the operation is a row before anything is sent; its key never changes, whoever sends it
and however often; and the money's being back, the end of the order and the return of its units are
one transaction. No answer is not a no: the row stays PENDING and is sent again. A crash leaves the
row, and `look`, in whatever process comes by first, goes on with it.

A task takes one turn: one question to the provider. What has to wait, waits in its row until it is
due, so that there is nothing to interrupt when the process stops. A row that cannot even be written
to is left alone for a while from memory.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import grpc
import structlog

from checkout_sdk._pb import order_pb2
from checkout_server._pb import charge_pb2, charge_pb2_grpc
from checkout_server.checkout.conversation import CHARGE_TIMEOUT_S
from checkout_server.checkout.settle import MOST_TRIES, backoff_ms
from checkout_server.checkout.waiting import Waiting
from checkout_server.checkout.worker import Lease
from checkout_server.database import Database, Reader, StorageUnavailable, Tx
from checkout_server.database.clock import ServiceClock
from checkout_server.orders import cancelling, store
from checkout_server.orders.cancelling import Meaning
from checkout_server.orders.order import changed
from checkout_server.orders.store import OperationRow, StoredOrder
from checkout_server.protobuf_time import duration_ms, timestamp
from checkout_server.telemetry import outgoing, span

log = structlog.get_logger(__name__)

# A wave of cancellations must not take the provider from the taps: Stripe takes 25 requests a
# second an endpoint, and answers in half a second.
MOST_AT_PROVIDER = 12
MOST_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class _Broken:
    """A drive that ended in a mistake of ours, which its row knows nothing of."""

    times: int
    again_ms: int


class Operations:
    def __init__(
        self,
        database: Database,
        clock: ServiceClock,
        lease: Lease,
        charges: charge_pb2_grpc.ChargeServiceAsyncStub,
        waiting: Waiting[StoredOrder],
    ) -> None:
        self._database = database
        self._clock = clock
        self._lease = lease
        self._charges = charges
        self._waiting = waiting
        self._at_provider = asyncio.Semaphore(MOST_AT_PROVIDER)
        # By order, of which one operation is in flight. A strong reference: the loop's own are
        # weak.
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._broken: dict[str, _Broken] = {}
        self._stopping = False

    def start(self, row: OperationRow) -> None:
        """Drives a pending operation, in a task that belongs to it and not to any call."""
        if self._stopping or row.order_id in self._tasks:
            return
        task = asyncio.create_task(self._drive(row), name=f"money of {row.order_id}")
        self._tasks[row.order_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(row.order_id, None))

    async def look(self) -> None:
        """Starts what is due: of our own, of dead workers, and what nobody has taken up yet."""
        now_ms = self._clock.now_ms()
        due = await store.to_drive(
            self._database,
            worker=self._lease.worker,
            alive_since_ms=self._lease.alive_since_ms,
            now_ms=now_ms,
            most=MOST_AT_ONCE,
        )
        names = {row.order_id for row in due}
        self._broken = {name: it for name, it in self._broken.items() if name in names}
        for row in due:
            broken = self._broken.get(row.order_id)
            if broken is None or broken.again_ms <= now_ms:
                self.start(row)

    async def drain(self, timeout_s: float) -> int:
        """Lets what is at the provider finish; the rest is left to its rows. How many did not."""
        self._stopping = True
        if self._tasks:
            await asyncio.wait(set(self._tasks.values()), timeout=timeout_s)
        return len(self._tasks)

    async def _drive(self, row: OperationRow) -> None:
        step: OperationRow | None = row
        try:
            async with self._at_provider:
                while step is not None and not self._stopping:
                    step = await self._turn(step)
        except StorageUnavailable:
            # Its row says what it said before; it is due, and met by the next look.
            log.warning("operation.storage_unavailable", order_id=row.order_id)
        except Exception:
            # A mistake of ours that even putting it off ran into.
            log.exception("operation.broken", order_id=row.order_id)
            self._leave_alone(row.order_id)
        else:
            self._broken.pop(row.order_id, None)

    def _leave_alone(self, order_id: str) -> None:
        before = self._broken.get(order_id)
        times = 0 if before is None else before.times + 1
        again_ms = self._clock.now_ms() + backoff_ms(times, "")
        self._broken[order_id] = _Broken(times, again_ms)

    async def _turn(self, row: OperationRow) -> OperationRow | None:
        """One question, and its answer made durable. What follows at once, if anything does."""
        claimed = await self._claimed(row)
        if claimed is None:
            return None
        charge, name = charge_pb2.Charge(reason="internal"), ""
        try:
            operation = claimed.operation
            name = operation.operation
            order = (await _order_of(self._database, claimed)).order
            if name != "release":
                with span(f"charge.{name}"):
                    charge = await self._ask(claimed, order)
            match cancelling.meaning(operation, order, charge):
                case Meaning.DONE:
                    await self._finish(claimed)
                    return None
                case Meaning.CAPTURED:
                    return await self._refund_instead(claimed, charge)
        except StorageUnavailable:
            raise
        except Exception:
            # A mistake of ours must not ask the provider once a second for ever.
            log.exception("operation.failed", order_id=claimed.order_id)
        await self._put_off(claimed, name, charge)
        return None

    async def _claimed(self, row: OperationRow) -> OperationRow | None:
        """None: it has ended, or somebody else drives it."""
        worker, epoch = self._lease.worker, self._lease.epoch

        async def body(tx: Tx) -> bool:
            return await store.claim(tx, row, worker=worker, epoch=epoch)

        if not self._lease.held or not await self._database.transact(body):
            return None
        return replace(row, worker=worker, worker_epoch=epoch)

    async def _ask(self, row: OperationRow, order: order_pb2.Order) -> charge_pb2.Charge:
        """The movement under its one key, or, where that cannot be told any more, what the charge
        has become."""
        if not self._lease.held or self._lease.epoch != row.worker_epoch:
            # We were stopped since the claim, and somebody else may be sending.
            return charge_pb2.Charge(reason="lease_lost")
        try:
            if not cancelling.may_be_sent(order, row.operation, self._clock.now_ms()):
                return await self._retrieved(row)
            charge = await self._sent(row)
            if charge.status in cancelling.RETRIEVED_AFTER:
                return await self._retrieved(row)
            return charge
        except grpc.aio.AioRpcError as error:
            # Whatever the neighbour's trouble is, the money may have moved.
            return charge_pb2.Charge(reason=f"no_answer_{error.code().name.lower()}")

    async def _sent(self, row: OperationRow) -> charge_pb2.Charge:
        asked, send_by = row.operation, timestamp(self._lease.ends_ms)
        if asked.operation == "void":
            void = charge_pb2.VoidRequest(
                key=asked.key,
                account=asked.account,
                provider_intent=asked.provider_intent,
                send_by=send_by,
            )
            voided = await self._charges.Void(void, timeout=CHARGE_TIMEOUT_S, metadata=outgoing())
            return voided.charge
        refund = charge_pb2.RefundRequest(
            key=asked.key,
            account=asked.account,
            provider_intent=asked.provider_intent,
            amount=asked.amount,
            send_by=send_by,
        )
        refunded = await self._charges.Refund(refund, timeout=CHARGE_TIMEOUT_S, metadata=outgoing())
        return refunded.charge

    async def _retrieved(self, row: OperationRow) -> charge_pb2.Charge:
        retrieve = charge_pb2.RetrieveRequest(
            account=row.operation.account, provider_intent=row.operation.provider_intent
        )
        retrieved = await self._charges.Retrieve(
            retrieve, timeout=CHARGE_TIMEOUT_S, metadata=outgoing()
        )
        return retrieved.charge

    async def _finish(self, row: OperationRow) -> None:
        """The money is back: the order ends, and its units with it. Once, whoever comes again."""
        now_ms = self._clock.now_ms()

        async def body(tx: Tx) -> StoredOrder:
            stored = await _order_of(tx, row, lock=True)
            if await store.end(tx, row, "DONE"):
                changed(stored.order, now_ms)
                cancelling.finish(stored.order, row.operation)
                await store.write(tx, stored, "order.cancelled")
                await store.give_back(tx, stored)
            return stored

        self._tell(await self._database.transact(body))

    async def _refund_instead(
        self, row: OperationRow, charge: charge_pb2.Charge
    ) -> OperationRow | None:
        now_ms = self._clock.now_ms()

        async def body(tx: Tx) -> tuple[StoredOrder, OperationRow | None]:
            stored = await _order_of(tx, row, lock=True)
            if not await store.end(tx, row, "FAILED"):
                return stored, None
            changed(stored.order, now_ms)
            refund = cancelling.refund_instead(stored.order, row.operation, charge.amount)
            await store.write(tx, stored, "order.cancelling")
            return stored, await store.journal(tx, row.merchant, refund, now_ms)

        stored, refund = await self._database.transact(body)
        self._tell(stored)
        return refund

    async def _put_off(self, row: OperationRow, operation: str, charge: charge_pb2.Charge) -> None:
        """The same again, later. Past so many tries a person should know; it is tried on."""
        tries = row.tries + 1
        warn = log.error if tries >= MOST_TRIES else log.warning
        warn(
            "operation.undecided",
            order_id=row.order_id,
            operation=operation,
            reason=charge.reason or charge_pb2.ChargeStatus.Name(charge.status),
            tries=tries,
        )
        wait_ms = max(backoff_ms(row.tries, charge.reason), duration_ms(charge.retry_after))
        next_ms = self._clock.now_ms() + wait_ms

        async def body(tx: Tx) -> bool:
            return await store.put_off(tx, row, next_ms)

        await self._database.transact(body)

    def _tell(self, stored: StoredOrder) -> None:
        self._waiting.changed(stored.order.order_id, stored.order.version, stored)


async def _order_of(reader: Reader, row: OperationRow, *, lock: bool = False) -> StoredOrder:
    stored = await store.by_id(reader, row.merchant, row.order_id, lock=lock)
    if stored is None:
        raise AssertionError(f"{row.order_id} has an operation and is gone")
    return stored
