"""A movement of money that a mistake of ours stands in the way of: it harms no other, and is not
asked for once a second for ever."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import TracerProvider
from structlog.testing import capture_logs

from checkout_sdk._pb import order_pb2
from checkout_server import telemetry
from checkout_server.checkout.worker import LEASE_MS, MARGIN_MS
from checkout_server.database import Tx
from tests.services.orders.support import Desk, Process, buyer_call, no_time

CANCELLED = order_pb2.OrderState.ORDER_STATE_CANCELLED
SPOIL = "UPDATE money_operation SET body = :body WHERE order_id = :order_id"
TRIES = "SELECT tries FROM money_operation WHERE order_id = :order_id"


async def spoiled(desk: Desk) -> str:
    """An order that is being cancelled by an operation nobody can read."""
    order = await desk.place()
    gone = await desk.process()
    await gone.stop()
    await gone.begin_to_cancel(order.order_id)

    async def body(tx: Tx) -> None:
        await tx.run(SPOIL, body=b"\xff", order_id=order.order_id)

    await desk.db.transact(body)
    return order.order_id


async def test_one_that_cannot_be_read_does_not_keep_the_others(desk: Desk):
    await spoiled(desk)
    sound = await desk.place("bob")
    gone = await desk.process()
    await gone.stop()
    await gone.cancel(sound.order_id, no_time(buyer_call("bob")))
    after = await desk.next_process()
    await after.look()
    assert desk.provider.done == [("refund", 1_200)]


async def test_one_that_cannot_be_read_is_put_off(desk: Desk):
    order_id = await spoiled(desk)
    after = await desk.next_process()
    with capture_logs() as logs:
        await after.look()
        await after.look()
    undecided = [line for line in logs if line["event"] == "operation.undecided"]
    assert [line["reason"] for line in undecided] == ["internal"]
    assert await desk.db.fetch(TRIES, order_id=order_id) == [(1,)]


async def test_one_that_cannot_even_be_put_off_is_left_alone_for_longer_each_time(
    desk: Desk, process: Process, monkeypatch: pytest.MonkeyPatch
):
    async def broken(*_: object, **__: object) -> bool:
        raise ValueError("not thought of")

    order = await desk.place()
    await process.stop()
    await process.begin_to_cancel(order.order_id)
    after = await desk.next_process()
    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr("checkout_server.orders.store.claim", broken)
        for _ in range(40):
            desk.clock.advance(100)
            await after.look()
    failures = [line for line in logs if line["event"] == "operation.broken"]
    assert 1 < len(failures) < 8
    desk.clock.advance(60_000)
    await after.lease.renew()
    await after.look()
    assert (await after.order(order.order_id)).state == CANCELLED


async def test_it_is_sent_within_the_lease_and_under_its_trace(
    desk: Desk, process: Process, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(telemetry, "_tracer", TracerProvider().get_tracer("test"))
    order = await desk.place()
    await process.cancel(order.order_id)
    assert desk.provider.send_by == [desk.clock.now_ms() + LEASE_MS - MARGIN_MS]
    [((name, _),)] = desk.provider.traces
    assert name == "traceparent"
