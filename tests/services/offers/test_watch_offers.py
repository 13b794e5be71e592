from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from typing import Any

import pytest

from checkout_sdk._pb.offer_pb2 import EndOfferRequest, Offer, UpdateOfferRequest
from checkout_sdk._pb.quote_pb2 import OfferStatus, WatchOffersResponse
from checkout_server.call import Call
from checkout_server.database import Database, Parameters, Row, StorageUnavailable
from checkout_server.faults import Fault
from checkout_server.offers import watch
from checkout_server.protobuf_time import duration_ms, timestamp
from tests.services.seller_support import (
    CALL,
    HOUR_MS,
    TAG,
    Seller,
    call_of,
    eur,
    item,
    seller_of,
)

Stream = AsyncGenerator[WatchOffersResponse, None]


class CountedReads:
    """A database that counts the statements for sets, and can be made to stop answering them."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.sizes: list[int] = []
        self.asked = asyncio.Event()
        self.down = False

    async def fetch_many(
        self, sql: str, rows: Sequence[Parameters], /, *, lock: bool = False
    ) -> list[list[Row]]:
        self.sizes.append(len(rows))
        self.asked.set()
        if self.down:
            raise StorageUnavailable
        return await self._db.fetch_many(sql, rows, lock=lock)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)


async def update(seller: Seller, offer_id: str, mask: str, **changed: object) -> None:
    request = UpdateOfferRequest(offer=Offer(offer_id=offer_id, **changed))
    request.update_mask.FromJsonString(mask)
    await seller.offers.update_offer(request, CALL)


async def status_of(stream: Stream) -> OfferStatus:
    """The one status that the next message holds."""
    (status,) = (await anext(stream)).offers
    return status


def left(status: OfferStatus) -> int:
    return status.variants[0].stock.available


def pollers() -> list[asyncio.Task[Any]]:
    return [task for task in asyncio.all_tasks() if task.get_name() == "poll watched offers"]


async def test_the_first_message_is_the_state_of_every_offer(seller: Seller) -> None:
    await seller.put_items(item("plate", price=eur(700)))
    await seller.set_stock(3)
    one = await seller.create_offer("r1", skus=["plate", "mug"], price=eur(990))
    two = await seller.create_offer("r2")
    async with aclosing(seller.watch(two.offer_id, one.offer_id)) as stream:
        message = await anext(stream)
    assert [status.offer_id for status in message.offers] == [two.offer_id, one.offer_id]
    assert message.server_time == timestamp(seller.clock.now_ms())
    second, first = message.offers
    assert (first.open, first.epoch, duration_ms(first.ends_in)) == (True, 1, HOUR_MS)
    assert [(v.sku, v.stock.available, v.price) for v in first.variants] == [
        ("plate", 0, eur(990)),
        ("mug", 3, eur(990)),
    ]
    assert second.variants[0].price == eur(1200)


async def test_a_change_of_stock_is_told_with_a_higher_version(seller: Seller) -> None:
    offer = await seller.create_offer()
    async with aclosing(seller.watch(offer.offer_id)) as stream:
        before = await status_of(stream)
        await seller.set_stock(5)
        after = await status_of(stream)
    assert (left(before), left(after)) == (0, 5)
    assert after.version > before.version


async def test_all_offers_of_an_item_hear_of_its_stock(seller: Seller) -> None:
    one, two = await seller.create_offer("r1"), await seller.create_offer("r2", quota=2)
    async with aclosing(seller.watch(one.offer_id, two.offer_id)) as stream:
        await anext(stream)
        await seller.set_stock(5)
        told: dict[str, int] = {}
        while len(told) < 2:  # each is read at its own instant, so it may take two messages
            told |= {status.offer_id: left(status) for status in (await anext(stream)).offers}
    assert told == {one.offer_id: 5, two.offer_id: 2}


async def test_only_what_changed_is_told(seller: Seller) -> None:
    await seller.put_items(item("plate"))
    mug = await seller.create_offer("r1")
    plate = await seller.create_offer("r2", skus=["plate"])
    async with aclosing(seller.watch(mug.offer_id, plate.offer_id)) as stream:
        await anext(stream)
        await seller.set_stock(5, "plate")
        assert (await status_of(stream)).offer_id == plate.offer_id


async def test_a_unit_held_and_a_unit_sold_are_told(seller: Seller) -> None:
    await seller.set_stock(5)
    offer = await seller.create_offer(quota=4)
    async with aclosing(seller.watch(offer.offer_id)) as stream:
        await anext(stream)
        await seller.hold("quota", offer.offer_id, held=3)
        stock = (await status_of(stream)).variants[0].stock
    assert (stock.available, stock.held) == (1, 3)


async def test_an_update_is_told_with_the_new_variants_and_epoch(seller: Seller) -> None:
    await seller.put_items(item("plate"))
    offer = await seller.create_offer()
    async with aclosing(seller.watch(offer.offer_id)) as stream:
        await anext(stream)
        await update(seller, offer.offer_id, "skus", skus=["plate", "mug"])
        status = await status_of(stream)
    assert status.epoch == 2
    assert [variant.sku for variant in status.variants] == ["plate", "mug"]


async def test_an_ended_offer_is_told_as_closed(seller: Seller) -> None:
    offer = await seller.create_offer()
    async with aclosing(seller.watch(offer.offer_id)) as stream:
        assert (await status_of(stream)).open
        await seller.offers.end_offer(EndOfferRequest(offer_id=offer.offer_id), CALL)
        assert not (await status_of(stream)).open


async def test_an_offer_closes_when_its_time_is_over(seller: Seller) -> None:
    offer = await seller.create_offer()
    async with aclosing(seller.watch(offer.offer_id)) as stream:
        await anext(stream)
        seller.clock.advance(HOUR_MS)
        status = await status_of(stream)
    assert (status.open, duration_ms(status.ends_in)) == (False, 0)


async def test_an_offer_of_a_suspended_merchant_is_closed(seller: Seller) -> None:
    offer = await seller.create_offer()
    async with aclosing(seller.watch(offer.offer_id)) as stream:
        await anext(stream)
        await seller.open_shop(suspended=True)
        assert not (await status_of(stream)).open


async def test_a_slow_reader_gets_the_newest_and_no_backlog(seller: Seller) -> None:
    offer = await seller.create_offer()
    async with aclosing(seller.watch(offer.offer_id)) as stream:
        await anext(stream)
        for on_hand in range(1, 21):
            await seller.set_stock(on_hand)
        messages = 1
        while left(await status_of(stream)) != 20:
            messages += 1
    # At most what was in the slot, a look under way at the last change, and that change.
    assert messages <= 3


async def test_what_another_process_changes_is_told(seller: Seller) -> None:
    offer = await seller.create_offer()
    elsewhere = seller_of(seller.db, seller.clock)
    async with aclosing(elsewhere.watch(offer.offer_id)) as stream:
        await anext(stream)
        await seller.set_stock(5)
        assert left(await status_of(stream)) == 5


async def test_a_quiet_stream_sends_an_empty_heartbeat(seller: Seller) -> None:
    offer = await seller.create_offer()
    quick = seller_of(seller.db, seller.clock, heartbeat_s=0.001)
    async with aclosing(quick.watch(offer.offer_id)) as stream:
        await anext(stream)
        seller.clock.advance(5)
        heartbeat = await anext(stream)
    assert heartbeat == WatchOffersResponse(server_time=timestamp(seller.clock.now_ms()))


async def test_two_watchers_share_one_statement_a_tick(seller: Seller) -> None:
    one, two = await seller.create_offer("r1"), await seller.create_offer("r2")
    db = CountedReads(seller.db)
    shared = seller_of(db, seller.clock)
    async with (
        aclosing(shared.watch(one.offer_id, two.offer_id)) as first,
        aclosing(shared.watch(two.offer_id)) as second,
    ):
        await anext(first)
        db.sizes.clear()
        await anext(second)
        assert len(pollers()) == 1
        await seller.set_stock(5)
        await asyncio.gather(anext(first), anext(second))
    assert db.sizes
    assert set(db.sizes) == {2}


async def test_a_second_watcher_begins_with_the_version_the_first_has(seller: Seller) -> None:
    offer = await seller.create_offer()
    async with (
        aclosing(seller.watch(offer.offer_id)) as first,
        aclosing(seller.watch(offer.offer_id)) as second,
    ):
        await anext(first)
        await seller.set_stock(5)
        assert await status_of(first) == await status_of(second)


async def test_versions_go_on_for_who_comes_back(seller: Seller) -> None:
    offer = await seller.create_offer()
    async with aclosing(seller.watch(offer.offer_id)) as stream:
        before = (await status_of(stream)).version
    seller.clock.advance(1)
    async with aclosing(seller.watch(offer.offer_id)) as stream:
        assert (await status_of(stream)).version > before


async def test_the_poller_stops_with_the_last_watcher(seller: Seller) -> None:
    offer = await seller.create_offer()
    async with aclosing(seller.watch(offer.offer_id)) as stays:
        async with aclosing(seller.watch(offer.offer_id)) as leaves:
            await anext(stays)
            await anext(leaves)
        (poller,) = pollers()
        assert not poller.cancelling()
    with suppress(asyncio.CancelledError):
        await poller
    assert pollers() == []


async def test_a_cancelled_watcher_leaves(seller: Seller) -> None:
    offer = await seller.create_offer()
    stream = seller.watch(offer.offer_id)
    await anext(stream)
    (poller,) = pollers()
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting
    with suppress(asyncio.CancelledError):
        await poller
    assert poller.done()


async def test_a_short_outage_is_waited_out(seller: Seller) -> None:
    offer = await seller.create_offer()
    db = CountedReads(seller.db)
    async with aclosing(seller_of(db, seller.clock).watch(offer.offer_id)) as stream:
        await anext(stream)
        db.asked.clear()
        db.down = True
        await db.asked.wait()
        db.down = False
        await seller.set_stock(5)
        assert left(await status_of(stream)) == 5


async def test_a_long_outage_ends_the_stream(
    seller: Seller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "MOST_FAILED_LOOKS", 3)
    offer = await seller.create_offer()
    db = CountedReads(seller.db)
    watcher = seller_of(db, seller.clock)
    async with aclosing(watcher.watch(offer.offer_id)) as stream:
        await anext(stream)
        db.down = True
        with pytest.raises(StorageUnavailable):
            await anext(stream)
    db.down = False
    async with aclosing(watcher.watch(offer.offer_id)) as stream:
        assert (await status_of(stream)).open


async def test_too_many_watched_offers_are_refused(
    seller: Seller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "MOST_WATCHED", 1)
    one, two = await seller.create_offer("r1"), await seller.create_offer("r2")
    async with aclosing(seller.watch(one.offer_id)) as stream:
        await anext(stream)
        with pytest.raises(Fault) as refused:
            await anext(seller.watch(two.offer_id))
    assert refused.value.reason == "OVER_CAPACITY"


async def test_a_token_for_other_merchants_may_watch(seller: Seller) -> None:
    offer = await seller.create_offer()
    async with aclosing(seller.watch(offer.offer_id, call=call_of("streamly", "plates"))) as stream:
        assert (await status_of(stream)).open


@pytest.mark.parametrize("watched_already", [False, True])
async def test_an_offer_of_another_platform_is_not_found(
    seller: Seller, watched_already: bool
) -> None:
    offer = await seller.create_offer()
    async with aclosing(seller.watch(offer.offer_id)) as own:
        if watched_already:
            await anext(own)
        await _not_found(seller, [offer.offer_id], call_of("other"))


@pytest.mark.parametrize("offer_id", ["off_x", "", f"off_{TAG}{'a' * 22}"])
async def test_one_unknown_offer_spoils_the_call(seller: Seller, offer_id: str) -> None:
    known = await seller.create_offer()
    await _not_found(seller, [known.offer_id, offer_id], CALL)
    assert pollers() == []


async def _not_found(seller: Seller, offer_ids: list[str], call: Call) -> None:
    with pytest.raises(Fault) as refused:
        await anext(seller.watch(*offer_ids, call=call))
    assert refused.value.reason == "NOT_FOUND"
