"""Reading orders: one, a list, and as they change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing

import pytest

from checkout_sdk._pb import order_pb2
from checkout_server import ids
from checkout_server.call import Call
from checkout_server.faults import Fault
from tests.services.orders.support import MANUAL, Desk, Process, buyer_call, platform_call
from tests.services.seller_support import SHOP, TAG, field_of

CANCELLED = order_pb2.OrderState.ORDER_STATE_CANCELLED
STRANGERS = {
    "another buyer": buyer_call("bob"),
    "the same buyer elsewhere": buyer_call("ann", platform="elsewhere"),
    "another platform": platform_call(platform="elsewhere"),
    "another merchant": platform_call("hats"),
}


async def get(process: Process, order_id: str, call: Call) -> None:
    await process.order(order_id, call)


async def watch(process: Process, order_id: str, call: Call) -> None:
    request = order_pb2.WatchOrderRequest(order_id=order_id)
    await anext(process.orders.watch_order(request, call))


async def cancel(process: Process, order_id: str, call: Call) -> None:
    await process.cancel(order_id, call)


Ask = Callable[[Process, str, Call], Awaitable[None]]
ASKS = pytest.mark.parametrize("ask", [get, watch, cancel])


@pytest.mark.parametrize(
    "call", [buyer_call(), platform_call(), platform_call(SHOP)], ids=["buyer", "platform", "shop"]
)
async def test_an_order_is_read_by_whom_it_concerns(desk: Desk, process: Process, call: Call):
    order = await desk.place()
    assert await process.order(order.order_id, call) == order


@ASKS
@pytest.mark.parametrize("stranger", STRANGERS)
async def test_nobody_else_finds_it(desk: Desk, process: Process, ask: Ask, stranger: str):
    order = await desk.place()
    with pytest.raises(Fault, match="NOT_FOUND"):
        await ask(process, order.order_id, STRANGERS[stranger])


@ASKS
@pytest.mark.parametrize("prefix", ["ord", "att"])
async def test_an_unknown_order_is_not_found(process: Process, ask: Ask, prefix: str):
    with pytest.raises(Fault, match="NOT_FOUND"):
        await ask(process, ids.new_id(prefix, TAG), buyer_call())


async def listed(process: Process, call: Call, **fields: object) -> tuple[list[str], str]:
    response = await process.orders.list_orders(order_pb2.ListOrdersRequest(**fields), call)
    return [order.order_id for order in response.orders], response.next_page_token


async def placed(desk: Desk, *buyers: str) -> list[str]:
    """Their orders, the newest first."""
    order_ids = []
    for buyer in buyers:
        order_ids.append((await desk.place(buyer)).order_id)
        desk.clock.advance(1)
    return order_ids[::-1]


async def test_a_buyer_lists_their_own_the_newest_first(desk: Desk, process: Process):
    _, ann_2, _, ann_1 = await placed(desk, "ann", "bob", "ann", "bob")
    assert await listed(process, buyer_call("ann")) == ([ann_2, ann_1], "")
    assert await listed(process, buyer_call("ann"), buyer_id="ann") == ([ann_2, ann_1], "")


async def test_a_buyer_cannot_list_for_another(process: Process):
    with pytest.raises(Fault, match="BUYER_MISMATCH"):
        await listed(process, buyer_call("ann"), buyer_id="bob")


async def test_a_platform_lists_for_a_buyer_a_merchant_or_both(desk: Desk, process: Process):
    of_bob, of_ann = await placed(desk, "ann", "bob")
    call = platform_call()
    assert (await listed(process, call, buyer_id="ann"))[0] == [of_ann]
    assert (await listed(process, call, merchant_id=SHOP))[0] == [of_bob, of_ann]
    assert (await listed(process, call, merchant_id=SHOP, buyer_id="bob"))[0] == [of_bob]
    assert (await listed(process, call, merchant_id="hats", buyer_id="bob"))[0] == []


async def test_a_platform_must_say_whose(process: Process):
    with pytest.raises(Fault) as refused:
        await listed(process, platform_call())
    assert field_of(refused) == "buyer_id"


async def test_a_merchants_token_must_name_its_merchant(process: Process):
    with pytest.raises(Fault) as refused:
        await listed(process, platform_call(SHOP), buyer_id="ann")
    assert field_of(refused) == "merchant_id"


async def test_a_merchants_token_lists_no_other_merchants(desk: Desk, process: Process):
    await placed(desk, "ann")
    with pytest.raises(Fault, match="NOT_FOUND"):
        await listed(process, platform_call("hats"), merchant_id=SHOP)


async def test_another_platform_with_the_same_names_sees_nothing(desk: Desk, process: Process):
    await placed(desk, "ann")
    call = platform_call(platform="elsewhere")
    assert (await listed(process, call, buyer_id="ann"))[0] == []
    assert (await listed(process, call, merchant_id=SHOP))[0] == []


@pytest.mark.parametrize("whose", [{"buyer_id": "ann"}, {"merchant_id": SHOP}])
async def test_pages_hold_every_order_once(desk: Desk, process: Process, whose: dict):
    order_ids = await placed(desk, *["ann"] * 5)
    pages, token = [], ""
    for _ in range(3):
        page, token = await listed(process, platform_call(), **whose, page_size=2, page_token=token)
        pages.append(page)
    assert pages == [order_ids[:2], order_ids[2:4], order_ids[4:]]
    assert token == ""


async def test_orders_of_one_millisecond_are_paged_as_well(desk: Desk, process: Process):
    order_ids = {(await desk.place()).order_id for _ in range(3)}
    first, token = await listed(process, buyer_call(), page_size=2)
    second, _ = await listed(process, buyer_call(), page_size=2, page_token=token)
    assert len(second) == 1
    assert {*first, *second} == order_ids


async def test_a_page_token_of_another_list_is_refused(desk: Desk, process: Process):
    await placed(desk, "ann", "ann", "bob")
    _, token = await listed(process, buyer_call("ann"), page_size=1)
    with pytest.raises(Fault) as refused:
        await listed(process, buyer_call("bob"), page_token=token)
    assert field_of(refused) == "page_token"


def watching(process: Process, order_id: str, after_version: int = 0):
    request = order_pb2.WatchOrderRequest(order_id=order_id, after_version=after_version)
    return aclosing(process.orders.watch_order(request, buyer_call()))


async def test_a_watch_tells_of_a_cancellation_and_ends(desk: Desk, process: Process):
    order = await desk.place(capture=MANUAL)
    async with watching(process, order.order_id) as told:
        assert (await anext(told)).order == order
        cancelled = await process.cancel(order.order_id)
        after = [told.order async for told in told]
    assert after[-1] == cancelled
    assert [order.version for order in after] == sorted({order.version for order in after})


async def test_a_watch_hears_of_a_cancellation_by_another_process(desk: Desk):
    # On SQLite there is one process: its two services share what they wait by.
    first, second = await desk.process(), await desk.process()
    watcher = second if desk.db.single_process else first
    order = await desk.place()
    async with watching(watcher, order.order_id) as told:
        await anext(told)
        await second.cancel(order.order_id)
        assert [told.order.state async for told in told][-1] == CANCELLED


async def test_a_watch_of_a_cancelled_order_says_so_and_ends(desk: Desk, process: Process):
    order = await desk.place()
    cancelled = await process.cancel(order.order_id)
    async with watching(process, order.order_id) as told:
        assert [told.order async for told in told] == [cancelled]


async def test_a_watch_says_nothing_that_is_known(desk: Desk, process: Process):
    order = await desk.place()
    cancelled = await process.cancel(order.order_id)
    async with watching(process, order.order_id, cancelled.version) as told:
        assert [told.order async for told in told] == []


async def test_a_quiet_watch_beats(desk: Desk):
    process = await desk.process(heartbeat_s=0.01)
    order = await desk.place()
    async with watching(process, order.order_id) as told:
        await anext(told)
        beat = await anext(told)
    assert not beat.HasField("order")
    assert beat.HasField("server_time")
