"""Money that goes back though answers are lost and processes die: once, and in the end."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from checkout_sdk._pb import order_pb2
from checkout_server.checkout.settle import LONGEST_BACKOFF_MS
from tests.services.orders.provider import Trouble
from tests.services.orders.support import AUTOMATIC, MANUAL, Desk, Process

CANCELLED = order_pb2.OrderState.ORDER_STATE_CANCELLED
PLACED = order_pb2.OrderState.ORDER_STATE_PLACED
DAY_MS = 24 * 3600 * 1000


@pytest.mark.parametrize(
    "trouble", [Trouble.LOST_BEFORE, Trouble.LOST_AFTER, Trouble.UNKNOWN, Trouble.BUSY]
)
@pytest.mark.parametrize(
    ("capture", "operation"), [(AUTOMATIC, "refund"), (MANUAL, "void")], ids=["refund", "void"]
)
async def test_no_answer_is_asked_again_under_the_same_key(
    desk: Desk, process: Process, trouble: Trouble, capture: int, operation: str
):
    order = await desk.place(capture=capture)
    desk.provider.trouble.append(trouble)
    await process.ask_once(order.order_id)
    assert (await process.order(order.order_id)).state == PLACED

    after = await desk.next_process()
    await after.look()
    assert (await after.order(order.order_id)).state == CANCELLED
    assert desk.provider.sent == [(operation, f"{order.order_id}:{operation}:1")] * 2
    assert desk.provider.done == [(operation, 1_200)]
    assert (await desk.counters())["stock"] == 0


async def test_it_is_asked_again_when_it_is_due(desk: Desk, process: Process):
    order = await desk.place()
    desk.provider.trouble.append(Trouble.UNKNOWN)
    await process.ask_once(order.order_id)
    await process.look()
    assert len(desk.provider.sent) == 1

    desk.clock.advance(200)
    await process.look()
    assert (await process.order(order.order_id)).state == CANCELLED
    assert len(desk.provider.sent) == 2


async def test_a_crash_before_it_was_sent_is_taken_over(desk: Desk, process: Process):
    order = await desk.place()
    await process.stop()
    await process.begin_to_cancel(order.order_id)
    assert desk.provider.sent == []

    after = await desk.next_process()
    await after.look()
    assert (await after.order(order.order_id)).state == CANCELLED
    assert desk.provider.done == [("refund", 1_200)]


async def test_two_that_find_the_same_send_it_once(desk: Desk, process: Process):
    order = await desk.place()
    await process.stop()
    await process.begin_to_cancel(order.order_id)

    first, second = await desk.process(), await desk.process()
    await asyncio.gather(first.look(), second.look())
    assert (await first.order(order.order_id)).state == CANCELLED
    assert len(desk.provider.sent) == 1


async def test_what_a_live_process_has_sent_is_left_to_it(desk: Desk, process: Process):
    order = await desk.place()
    desk.provider.hold_first = asyncio.Event()
    await process.begin_to_cancel(order.order_id)
    await desk.provider.arrived.wait()
    await process.look()
    if not desk.db.single_process:
        await (await desk.process()).look()
    assert len(desk.provider.sent) == 1
    desk.provider.hold_first.set()


async def test_an_owner_that_was_taken_for_dead_changes_nothing(desk: Desk, process: Process):
    order = await desk.place()
    await desk.place()  # the same counters: what is given back twice is this one's
    desk.provider.hold_first = asyncio.Event()
    await process.begin_to_cancel(order.order_id)
    await desk.provider.arrived.wait()

    after = await desk.next_process()
    await after.look()
    cancelled = await after.order(order.order_id)
    desk.provider.hold_first.set()
    await process.stop()
    assert await after.order(order.order_id) == cancelled
    assert desk.provider.done == [("refund", 1_200)]
    assert (await desk.counters())["stock"] == 1


async def test_a_process_without_its_lease_leaves_it_to_others(desk: Desk, process: Process):
    order = await desk.place()
    desk.clock.advance(5_000)
    await process.ask_once(order.order_id)
    assert desk.provider.sent == []

    after = await desk.process()
    await after.look()
    assert (await after.order(order.order_id)).state == CANCELLED


async def test_a_process_that_slept_since_its_claim_sends_nothing(desk: Desk):
    order = await desk.place()
    process = await desk.process(asleep_before_reads_ms=5_000)
    await process.ask_once(order.order_id)
    assert desk.provider.sent == []


@pytest.mark.parametrize("options", [{}, {"capture": MANUAL}, {"total": 0}])
async def test_an_order_that_came_with_its_cancellation_is_cancelled(
    desk: Desk, process: Process, options: dict
):
    order = await desk.place(**options, cancel_requested=True)
    await process.look()
    assert (await process.order(order.order_id)).state == CANCELLED
    assert (await desk.counters())["stock"] == 0


async def test_a_key_with_a_stored_fault_is_asked_no_more(desk: Desk, process: Process):
    order = await desk.place()
    desk.provider.trouble.append(Trouble.STUCK_AFTER)
    assert (await process.cancel(order.order_id)).state == CANCELLED
    assert [operation for operation, _ in desk.provider.sent] == ["refund", "retrieve"]


async def test_a_refund_is_not_sent_under_a_key_the_provider_may_have_forgotten(
    desk: Desk, process: Process
):
    order = await desk.place()
    desk.provider.trouble.append(Trouble.LOST_AFTER)
    await process.ask_once(order.order_id)

    desk.clock.advance(DAY_MS)
    after = await desk.process()
    await after.look()
    assert (await after.order(order.order_id)).state == CANCELLED
    assert [operation for operation, _ in desk.provider.sent] == ["refund", "retrieve"]


async def test_a_refund_that_is_refused_stays_open_and_raises_an_alarm(
    desk: Desk, process: Process
):
    order = await desk.place()
    desk.provider.trouble.extend([Trouble.REFUSED] * 10)
    await process.ask_once(order.order_id)
    with capture_logs() as logs:
        for _ in range(9):
            desk.clock.advance(LONGEST_BACKOFF_MS)
            await (await desk.process()).look()
    levels = [line["log_level"] for line in logs if line["event"] == "operation.undecided"]
    assert levels == ["warning"] * 8 + ["error"]
    assert await desk.operations(order.order_id) == [("PENDING", f"{order.order_id}:refund:1")]
    assert (await desk.counters())["stock"] == 1

    desk.clock.advance(LONGEST_BACKOFF_MS)
    await (await desk.process()).look()
    assert (await process.order(order.order_id)).state == CANCELLED
