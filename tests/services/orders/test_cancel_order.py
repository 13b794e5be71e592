"""CancelOrder: what comes back, once, and what can no longer be cancelled."""

from __future__ import annotations

import asyncio

import pytest

from checkout_sdk._pb import order_pb2
from checkout_server.faults import Fault
from checkout_server.protobuf_time import timestamp_ms
from tests.services.orders.provider import CAPTURED
from tests.services.orders.support import MANUAL, Desk, Process, buyer_call, platform_call

CANCELLED = order_pb2.OrderState.ORDER_STATE_CANCELLED
PLACED = order_pb2.OrderState.ORDER_STATE_PLACED
PAYMENT = order_pb2.PaymentState
REFUND = order_pb2.Refund.Status
NOTHING_COMMITTED = {"stock": 0, "quota": 0, "cap": 0, "code": 0, "code_buyer": 0, "open": 0}
ONE_COMMITTED = {"stock": 1, "quota": 1, "cap": 1, "code": 1, "code_buyer": 1, "open": 0}


async def test_a_captured_order_is_refunded_in_full(desk: Desk, process: Process):
    order = await desk.place()
    cancelled = await process.cancel(order.order_id)
    assert cancelled.state == CANCELLED
    assert cancelled.payment_state == PAYMENT.PAYMENT_STATE_REFUNDED
    assert cancelled.refunded == order.totals.total
    assert desk.provider.done == [("refund", 1_200)]


async def test_the_refund_is_on_the_order(desk: Desk, process: Process):
    order = await desk.place()
    (refund,) = (await process.cancel(order.order_id)).refunds
    assert refund.status == REFUND.STATUS_SUCCEEDED
    assert (refund.amount, refund.reason) == (order.totals.total, "changed my mind")
    assert timestamp_ms(refund.create_time) == desk.clock.now_ms()


async def test_an_authorized_order_is_voided(desk: Desk, process: Process):
    order = await desk.place(capture=MANUAL)
    cancelled = await process.cancel(order.order_id)
    assert cancelled.state == CANCELLED
    assert cancelled.payment_state == PAYMENT.PAYMENT_STATE_VOIDED
    assert not cancelled.refunds
    assert desk.provider.done == [("void", 1_200)]


async def test_a_free_order_is_released_without_the_provider(desk: Desk, process: Process):
    order = await desk.place(total=0)
    assert (await process.cancel(order.order_id)).state == CANCELLED
    assert desk.provider.sent == []
    assert await desk.counters() == NOTHING_COMMITTED


@pytest.mark.parametrize("options", [{}, {"capture": MANUAL}])
async def test_stock_and_every_cap_come_back(desk: Desk, process: Process, options: dict):
    order = await desk.place(**options)
    assert await desk.counters() == ONE_COMMITTED
    await process.cancel(order.order_id)
    assert await desk.counters() == NOTHING_COMMITTED


async def test_the_units_of_other_orders_stay_theirs(desk: Desk, process: Process):
    order = await desk.place("ann")
    await desk.place("bob")
    await process.cancel(order.order_id)
    assert await desk.counters() == ONE_COMMITTED


async def test_a_second_call_finds_it_cancelled(desk: Desk, process: Process):
    order = await desk.place()
    first = await process.cancel(order.order_id)
    assert await process.cancel(order.order_id) == first
    assert len(desk.provider.sent) == 1
    assert await desk.counters() == NOTHING_COMMITTED


async def test_a_call_while_it_is_cancelled_joins_it(desk: Desk, process: Process):
    order = await desk.place()
    desk.provider.hold_first = asyncio.Event()
    begun = await process.begin_to_cancel(order.order_id)
    joining = asyncio.create_task(process.cancel(order.order_id))
    await desk.provider.arrived.wait()
    desk.provider.hold_first.set()
    assert begun.state == PLACED
    assert (await joining).state == CANCELLED
    assert len(desk.provider.sent) == 1


async def test_two_calls_at_once_are_one_cancellation(desk: Desk, process: Process):
    order = await desk.place()
    first, second = await asyncio.gather(
        process.cancel(order.order_id), process.cancel(order.order_id)
    )
    assert first == second
    assert await desk.operations(order.order_id) == [("DONE", f"{order.order_id}:refund:1")]
    assert desk.provider.done == [("refund", 1_200)]


async def test_the_answer_does_not_wait_for_the_provider(desk: Desk, process: Process):
    order = await desk.place()
    answer = await process.begin_to_cancel(order.order_id)
    assert answer.state == PLACED
    assert [refund.status for refund in answer.refunds] == [REFUND.STATUS_PENDING]
    await desk.provider.arrived.wait()
    await process.stop()
    assert (await process.order(order.order_id)).state == CANCELLED


async def test_a_void_under_way_shows(desk: Desk, process: Process):
    order = await desk.place(capture=MANUAL)
    answer = await process.begin_to_cancel(order.order_id)
    assert answer.payment_state == PAYMENT.PAYMENT_STATE_VOIDING


async def test_a_charge_captured_while_voiding_is_refunded(desk: Desk, process: Process):
    order = await desk.place(capture=MANUAL)
    desk.provider.charges["pi_1"].status = CAPTURED
    cancelled = await process.cancel(order.order_id)
    assert cancelled.payment_state == PAYMENT.PAYMENT_STATE_REFUNDED
    assert cancelled.captured == cancelled.refunded == order.totals.total
    assert desk.provider.done == [("refund", 1_200)]
    assert await desk.operations(order.order_id) == [
        ("FAILED", f"{order.order_id}:void:1"),
        ("DONE", f"{order.order_id}:refund:2"),
    ]
    assert await desk.counters() == NOTHING_COMMITTED


async def test_each_step_is_an_event_of_the_order(desk: Desk, process: Process):
    order = await desk.place()
    await process.cancel(order.order_id)
    assert await desk.events(order) == [
        ("attempt.charging", 1),
        ("order.placed", 2),
        ("order.cancelling", 3),
        ("order.cancelled", 4),
    ]


async def test_until_the_window_ends_it_can_be_cancelled(desk: Desk):
    order = await desk.place()
    desk.clock.advance(timestamp_ms(order.cancellable_until) - desk.clock.now_ms())
    process = await desk.process()
    assert (await process.cancel(order.order_id)).state == CANCELLED


async def test_after_the_window_it_cannot(desk: Desk):
    order = await desk.place()
    desk.clock.advance(timestamp_ms(order.cancellable_until) - desk.clock.now_ms() + 1)
    await refused(await desk.process(), order.order_id)
    assert desk.provider.sent == []
    assert await desk.counters() == ONE_COMMITTED


async def test_what_is_fulfilled_cannot_be_cancelled(desk: Desk, process: Process):
    order = await desk.place()
    await desk.edit(order.order_id, lambda order: order.fulfillments.add(fulfillment_id="f1"))
    await refused(process, order.order_id)


async def test_what_is_completed_cannot_be_cancelled(desk: Desk, process: Process):
    order = await desk.place()

    def complete(order: order_pb2.Order) -> None:
        order.state = order_pb2.OrderState.ORDER_STATE_COMPLETED

    await desk.edit(order.order_id, complete)
    await refused(process, order.order_id)


async def test_a_cancelled_order_answers_after_its_window_too(desk: Desk, process: Process):
    order = await desk.place()
    await process.cancel(order.order_id)
    desk.clock.advance(24 * 3600 * 1000)
    assert (await process.cancel(order.order_id)).state == CANCELLED


async def test_a_platform_cancels_for_its_buyer(desk: Desk, process: Process):
    order = await desk.place()
    assert (await process.cancel(order.order_id, platform_call())).state == CANCELLED


async def test_another_buyer_cannot_cancel(desk: Desk, process: Process):
    order = await desk.place("ann")
    with pytest.raises(Fault, match="NOT_FOUND"):
        await process.cancel(order.order_id, buyer_call("bob"))
    assert desk.provider.sent == []


async def refused(process: Process, order_id: str) -> None:
    with pytest.raises(Fault, match="ORDER_NOT_CANCELLABLE"):
        await process.cancel(order_id)
