"""Orders placed through the planner's own writes, and processes that cancel them."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from checkout_sdk._pb import attempt_pb2, merchant_pb2, money_pb2, order_pb2
from checkout_server import ids
from checkout_server._pb import stored_pb2
from checkout_server.call import Call, Caller
from checkout_server.checkout.advance import Owner, Windows, advance, note
from checkout_server.checkout.answering import Answering
from checkout_server.checkout.attempt import AttemptRow, State
from checkout_server.checkout.group import Groups
from checkout_server.checkout.planner import Unit, Written
from checkout_server.checkout.reserve import Deal, reserve
from checkout_server.checkout.settle import Verdict
from checkout_server.checkout.verify import Tapped
from checkout_server.checkout.waiting import ATTEMPT_VERSIONS, ORDER_VERSIONS, Waiting
from checkout_server.checkout.worker import Lease
from checkout_server.database import Database, Row, Tx
from checkout_server.orders import store
from checkout_server.orders.operations import Operations
from checkout_server.orders.order import changed
from checkout_server.orders.service import Orders
from checkout_server.orders.store import StoredOrder
from tests.fakes.clock import FakeClock
from tests.services.orders.provider import AUTHORIZED, CAPTURED, Provider
from tests.services.seller_support import PLATFORM, SHOP, Seller

MANUAL = merchant_pb2.CaptureMode.CAPTURE_MODE_MANUAL
AUTOMATIC = merchant_pb2.CaptureMode.CAPTURE_MODE_AUTOMATIC
DRIVER = Owner("driver", 1)
# What a mug of the offer holds beside its stock.
LIMITS = (("quota", "off_1"), ("cap", "off_1:{}"), ("code", "TEN"), ("code_buyer", "TEN:{}"))


def buyer_call(buyer: str = "ann", *, platform: str = PLATFORM) -> Call:
    return _call(Caller(platform, frozenset({"buyer"}), buyer=buyer))


def platform_call(*merchants: str, platform: str = PLATFORM) -> Call:
    return _call(Caller(platform, frozenset({"platform"}), merchants=frozenset(merchants)))


def no_time(call: Call) -> Call:
    """Whose caller cannot wait."""
    return Call(call.caller, call.method, call.request_id, deadline=time.monotonic())


def _call(caller: Caller) -> Call:
    return Call(caller, method="Test", request_id="req_1")


@dataclass
class Process:
    """One `checkout-server` as far as orders go."""

    lease: Lease
    waiting: Waiting[StoredOrder]
    operations: Operations
    orders: Orders

    async def cancel(self, order_id: str, call: Call | None = None) -> order_pb2.Order:
        request = order_pb2.CancelOrderRequest(order_id=order_id, reason="changed my mind")
        response = await self.orders.cancel_order(request, call or buyer_call())
        return response.order

    async def begin_to_cancel(self, order_id: str) -> order_pb2.Order:
        """Answered as soon as the cancellation is durable."""
        return await self.cancel(order_id, no_time(buyer_call()))

    async def ask_once(self, order_id: str) -> None:
        """Begins to cancel, and writes down what the provider says first."""
        await self.begin_to_cancel(order_id)
        await asyncio.gather(*filter(_is_turn, asyncio.all_tasks()))

    async def look(self) -> None:
        """One look of recovery, and all that comes of it."""
        before = asyncio.all_tasks()
        await self.operations.look()
        await asyncio.gather(*(task for task in asyncio.all_tasks() - before if _is_turn(task)))

    async def stop(self) -> None:
        assert await self.operations.drain(10) == 0

    async def order(self, order_id: str, call: Call | None = None) -> order_pb2.Order:
        request = order_pb2.GetOrderRequest(order_id=order_id)
        return (await self.orders.get_order(request, call or buyer_call())).order


class Drowsy:
    """A database whose process is stopped for a while before each read outside a transaction."""

    def __init__(self, database: Database, clock: FakeClock, asleep_ms: int) -> None:
        self._database = database
        self._clock = clock
        self._asleep_ms = asleep_ms

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def fetch(self, sql: str, /, **parameters: Any) -> list[Row]:
        self._clock.advance(self._asleep_ms)
        return await self._database.fetch(sql, **parameters)


class Desk:
    def __init__(self, seller: Seller) -> None:
        self.db: Database = seller.db
        self.clock: FakeClock = seller.clock
        self.seller = seller
        self.provider = Provider()
        self.groups = Groups(self.db, self.clock, lambda row: None)
        self.processes: list[Process] = []
        self._numbers = itertools.count(1)
        self._last: dict[str, str] = {}

    async def process(self, *, heartbeat_s: float = 30, asleep_before_reads_ms: int = 0) -> Process:
        """One more, alive from now on. On SQLite the ones before are dead by that."""
        lease = Lease(self.db, self.clock, f"worker_{len(self.processes)}")
        await lease.start()
        waiting: Waiting[StoredOrder] = Waiting(self.db, ORDER_VERSIONS)
        taps: Waiting[AttemptRow] = Waiting(self.db, ATTEMPT_VERSIONS)
        answering = Answering(
            self.db,
            self.clock,
            taps,
            _met,
            answer_within_ms=10_000,
            forward_window_ms=900_000,
        )
        drowsy = Drowsy(self.db, self.clock, asleep_before_reads_ms)
        operations = Operations(drowsy, self.clock, lease, self.provider, waiting)
        orders = Orders(
            self.db, self.clock, waiting, operations, answering, heartbeat_s=heartbeat_s
        )
        self.processes.append(Process(lease, waiting, operations, orders))
        return self.processes[-1]

    async def next_process(self) -> Process:
        """Comes up after everybody else's lease has run out."""
        self.clock.advance(5_001)
        return await self.process()

    async def close(self) -> None:
        for process in self.processes:
            await process.operations.drain(10)
            await process.lease.stop()

    async def place(
        self,
        buyer: str = "ann",
        *,
        merchant_id: str = SHOP,
        total: int = 1_200,
        capture: merchant_pb2.CaptureMode.ValueType = AUTOMATIC,
        cancel_requested: bool = False,
    ) -> order_pb2.Order:
        """One mug, bought by the units a tap submits."""
        claims = _claims(buyer, merchant_id, total)
        row = await self._submitted(self._reserve(claims, capture))
        if cancel_requested:
            record = row.record()
            record.cancel_requested = True
            row = await self._submitted(note(row, record, now_ms=self.clock.now_ms()))
        charge = None
        if total:
            status = AUTHORIZED if capture == MANUAL else CAPTURED
            amount = money_pb2.Money(amount_minor=total, currency="EUR")
            charge = self.provider.charge(f"pi_{next(self._numbers)}", status, amount)
        placed = advance(
            row,
            Verdict(State.PLACED),
            charge,
            owner=DRIVER,
            now_ms=self.clock.now_ms(),
            windows=Windows(),
        )
        row = await self._submitted(placed)
        assert row.outcome is not None
        order = attempt_pb2.Attempt.FromString(row.outcome).placed.order
        self._last[buyer] = order.order_id
        return order

    def _reserve(
        self, claims: stored_pb2.QuoteClaims, capture: merchant_pb2.CaptureMode.ValueType
    ) -> Unit:
        tag, now_ms = ids.tag(PLATFORM, claims.merchant_id), self.clock.now_ms()
        key = ids.new_id("tap", tag)
        return reserve(
            Tapped(tag, claims.buyer_id, key, key.encode(), claims),
            Deal(claims),
            attempt_pb2.PlaceOrderRequest(repeat_of=self._last.get(claims.buyer_id, "")),
            merchant_pb2.Merchant(merchant_id=claims.merchant_id, capture_mode=capture),
            attempt_id=ids.new_id("att", tag),
            titles={},
            owner=DRIVER,
            now_ms=now_ms,
            decided_by_ms=now_ms + 900_000,
            queued=False,
            platform_id=PLATFORM,
            traceparent="",
        )

    async def _submitted(self, unit: Unit) -> AttemptRow:
        answer = await self.groups.submit(unit)
        assert isinstance(answer, Written)
        return answer.row

    async def edit(self, order_id: str, edit: Callable[[order_pb2.Order], None]) -> None:
        """What a later release will do by its own calls."""

        async def body(tx: Tx) -> None:
            merchant = ids.tag_of(order_id, "ord") or ""
            stored = await store.by_id(tx, merchant, order_id, lock=True)
            assert stored is not None
            changed(stored.order, self.clock.now_ms())
            edit(stored.order)
            await store.write(tx, stored, "order.changed")

        await self.db.transact(body)

    async def operations(self, order_id: str) -> list[tuple[str, str]]:
        """(state, key) of each, in order."""
        rows = await self.db.fetch(
            "SELECT state, body FROM money_operation WHERE order_id = :order_id ORDER BY number",
            order_id=order_id,
        )
        return [(state, stored_pb2.MoneyOperation.FromString(body).key) for state, body in rows]

    async def events(self, order: order_pb2.Order) -> list[tuple[str, int]]:
        rows = await self.db.fetch(
            "SELECT kind, seq FROM outbox WHERE subject = :subject ORDER BY seq",
            subject=order.attempt_id,
        )
        return [(kind, seq) for kind, seq in rows]

    async def counters(self) -> dict[str, int]:
        """Committed units by kind."""
        rows = await self.db.fetch("SELECT kind, SUM(committed) FROM counter GROUP BY kind")
        return {kind: int(committed) for kind, committed in rows}

    async def check_columns(self) -> None:
        """The columns of every order say what its body says."""
        rows = await self.db.fetch(
            "SELECT state, payment_state, version, captured_minor, refunded_minor, body FROM orders"
        )
        for *columns, body in rows:
            order = stored_pb2.OrderRecord.FromString(body).order
            assert columns == [
                order_pb2.OrderState.Name(order.state).removeprefix("ORDER_STATE_"),
                order_pb2.PaymentState.Name(order.payment_state).removeprefix("PAYMENT_STATE_"),
                order.version,
                order.captured.amount_minor,
                sum(refund.amount.amount_minor for refund in order.refunds),
            ]


async def _met(row: AttemptRow) -> None:
    """Orders join no attempts."""


def _is_turn(task: asyncio.Task[Any]) -> bool:
    return task.get_name().startswith("money of ")


def _claims(buyer: str, merchant_id: str, total: int) -> stored_pb2.QuoteClaims:
    totals: dict[str, Any] = {"items_minor": total, "total_minor": total}
    return stored_pb2.QuoteClaims(
        audience=PLATFORM,
        merchant_id=merchant_id,
        buyer_id=buyer,
        lines=[stored_pb2.ClaimedLine(sku="mug", quantity=1, unit_price_minor=total)],
        currency="EUR",
        totals=stored_pb2.ClaimedTotals(**totals),
        limits=[
            stored_pb2.Hold(kind=kind, id=name.format(buyer), quantity=1, limit=100)
            for kind, name in LIMITS
        ],
        provider_reference="pm_card_visa",
    )
