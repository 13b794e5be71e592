"""A process dies with attempts in hand: the next one goes on from their rows, once."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from checkout_server.checkout import store
from checkout_server.checkout.attempt import AttemptRow
from checkout_server.settings import Settings
from tests.answers import outcome_of, refusal_of, state_of
from tests.services.checkout.conftest import OpenWorld
from tests.world import HURRIED_MS, TAG, World, audited, eventually

CHALLENGE = "pm_card_threeDSecure2Required"
ONLY_POSTGRES = pytest.mark.parametrize("db_url", ["postgres"], indirect=True)


@asynccontextmanager
async def next_process(world: World, **changed):
    """After a crash of that one."""
    await world.die()
    settings = Settings(
        **{name: getattr(world.settings, name) for name in Settings.__dataclass_fields__} | changed
    )
    successor = await World.start(settings)
    try:
        yield successor
    finally:
        await successor.stop()
    await audited(settings)


async def row_of(world: World, attempt_id: str) -> AttemptRow:
    row = await store.by_id(world.database, TAG, attempt_id)
    assert row is not None
    return row


async def test_a_crash_with_the_charge_out_ends_as_one_order_and_one_charge(open_world: OpenWorld):
    async with open_world(answer_within_ms=HURRIED_MS) as world:
        offer = await world.offer()
        ann = await world.buyer("pm_sandbox_slow_800")
        quote = await ann.quote(offer)
        attempt_id = (await ann.tap(quote)).attempt.attempt_id
        async with next_process(world) as successor:
            placed = await successor.reaches(attempt_id, "PLACED", "PARKED")
            assert outcome_of(placed) == "placed"
            assert len(successor.book.live_charges(attempt_id)) == 1
            ann.world = successor
            again = await ann.tap(quote)
            assert (again.replayed, again.attempt) == (True, placed)


async def test_a_crash_of_the_line_loses_nobody_in_it(open_world: OpenWorld):
    async with open_world(answer_within_ms=HURRIED_MS, provider_concurrency=1) as world:
        offer = await world.offer()
        first, *others = await world.buyers(4)
        world.line.hold()
        charging = (await first.buy(offer)).attempt.attempt_id
        answers = await asyncio.gather(*(buyer.buy(offer) for buyer in others))
        queued = [answer.attempt for answer in answers]
        assert [state_of(attempt) for attempt in queued] == ["RESERVED"] * 3
        async with next_process(world) as successor:
            for attempt_id in (charging, *(attempt.attempt_id for attempt in queued)):
                await successor.reaches(attempt_id, "PLACED")
            assert [successor.creates(attempt.attempt_id) for attempt in queued] == [1, 1, 1]


async def test_a_crash_with_the_buyer_at_the_bank_keeps_the_challenge(open_world: OpenWorld):
    async with open_world() as world:
        ann = await world.buyer(CHALLENGE)
        answer = await ann.buy(await world.offer())
        attempt_id = answer.attempt.attempt_id
        async with next_process(world) as successor:
            ann.world = successor
            assert state_of(await successor.attempt(attempt_id)) == "ACTION_REQUIRED"
            successor.bank(attempt_id, passed=True)
            await ann.comes_back(attempt_id)
            await successor.reaches(attempt_id, "PLACED")
            assert successor.creates(attempt_id) == 1


async def test_a_word_left_while_nobody_drives_is_heard_by_the_next(open_world: OpenWorld):
    async with open_world(answer_within_ms=HURRIED_MS) as world:
        ann = await world.buyer(CHALLENGE)
        attempt_id = (await ann.buy(await world.offer())).attempt.attempt_id
        await world.reaches(attempt_id, "ACTION_REQUIRED")
        [task] = [one for name, one in world.process._driver._tasks.items() if name == attempt_id]
        task.cancel()
        assert state_of(await ann.cancels(attempt_id)) == "ACTION_REQUIRED"
        async with next_process(world) as successor:
            cancelled = await successor.reaches(attempt_id, "CANCELLED")
            assert refusal_of(cancelled) == "CANCELLED"


async def test_a_crash_outlived_by_the_forward_window_charges_nobody(open_world: OpenWorld):
    """The charge went out before the crash; the buyer has left since: it is given back."""
    async with open_world(answer_within_ms=HURRIED_MS) as world:
        ann = await world.buyer()
        world.line.hold()
        attempt_id = (await ann.buy(await world.offer())).attempt.attempt_id
        async with next_process(world, forward_window_ms=100) as successor:
            refunded = await successor.reaches(attempt_id, "COMPENSATED", "PLACED")
            assert refusal_of(refunded) == "REFUNDED"
            operations = [operation for operation, _ in successor.results(attempt_id)]
            assert operations[:2] == ["authorize", "tombstone"]
            assert (await successor.stock()).held == 0


async def test_a_queued_tap_outlived_by_the_forward_window_is_never_sent(open_world: OpenWorld):
    async with open_world(answer_within_ms=HURRIED_MS, provider_concurrency=1) as world:
        offer = await world.offer()
        first, second = await world.buyers(2)
        world.line.hold()
        await first.buy(offer)
        queued = (await second.buy(offer)).attempt.attempt_id
        async with next_process(world, forward_window_ms=100) as successor:
            assert refusal_of(await successor.reaches(queued, "EXPIRED")) == "ACTION_EXPIRED"
            assert successor.results(queued) == []


async def test_a_cancelled_order_is_given_back_by_the_next_process(open_world: OpenWorld):
    async with open_world() as world:
        ann = await world.buyer(CHALLENGE)
        attempt_id = (await ann.buy(await world.offer())).attempt.attempt_id
        world.bank(attempt_id, passed=True)
        # Cancelled and placed in one step: the refund is journalled with the order.
        order_id = (await ann.cancels(attempt_id)).placed.order.order_id
        async with next_process(world) as successor:

            async def given_back() -> bool:
                order = await successor.order(order_id)
                return order.refunded == order.captured

            await eventually(given_back)


@ONLY_POSTGRES
async def test_a_process_taken_for_dead_writes_nothing_more(open_world: OpenWorld):
    """It was stopped for longer than its lease, and comes back while another one drives on."""
    async with open_world() as zombie:
        ann = await zombie.buyer()
        quote = await ann.quote(await zombie.offer())
        zombie.line.hold()
        call = ann.tapping(quote)
        await zombie.sent()
        renewing = zombie.process._lease._renewing
        assert renewing is not None
        renewing.cancel()
        await zombie.bury()
        successor = await World.start(zombie.settings)
        try:
            placed = await call
            assert outcome_of(placed) == "placed"
            row = await row_of(successor, placed.attempt.attempt_id)
            assert row.worker == successor.process._lease.worker
            assert await successor.count("orders") == 1
            assert len(successor.book.live_charges(row.attempt_id)) == 1
            zombie.line.release()

            async def gave_up() -> bool:
                return not zombie.process._driver._tasks

            await eventually(gave_up)
            assert await row_of(successor, row.attempt_id) == row
            assert zombie.database.commits_of("orders") == []
        finally:
            await successor.stop()


@ONLY_POSTGRES
async def test_a_key_under_way_in_another_process_is_joined(open_world: OpenWorld):
    async with open_world() as world:
        ann = await world.buyer()
        quote = await ann.quote(await world.offer())
        world.line.hold()
        call = ann.tapping(quote)
        await world.sent()
        other = await World.start(world.settings)
        try:
            ann.world = other
            joining = asyncio.create_task(ann.tap(quote))

            async def waits() -> bool:
                return bool(other.process._driver._waiting._watches)

            await eventually(waits)
            world.line.release()
            joined = await joining
            assert (outcome_of(joined), joined.replayed) == ("placed", True)
            assert joined.attempt == (await call).attempt
            assert world.book.posts() == 1
        finally:
            await other.stop()


@ONLY_POSTGRES
async def test_a_word_left_in_another_process_is_heard_by_the_driver(open_world: OpenWorld):
    async with open_world() as world:
        ann = await world.buyer(CHALLENGE)
        attempt_id = (await ann.buy(await world.offer())).attempt.attempt_id
        other = await World.start(world.settings)
        try:
            ann.world = other
            assert refusal_of(await ann.cancels(attempt_id)) == "CANCELLED"
            worker = (await row_of(other, attempt_id)).worker
            assert worker == world.process._lease.worker
        finally:
            await other.stop()


@ONLY_POSTGRES
async def test_two_processes_sell_the_last_unit_once(open_world: OpenWorld):
    async with open_world() as world:
        await world.set_stock(1)
        offer = await world.offer()
        ann, bob = await world.buyers(2)
        quotes = await ann.quote(offer), await bob.quote(offer)
        other = await World.start(world.settings)
        try:
            bob.world = other
            calls = [ann.tapping(quotes[0]), bob.tapping(quotes[1])]
            answers = [await call for call in calls]
            assert sorted(outcome_of(answer) for answer in answers) == ["placed", "rejected"]
        finally:
            await other.stop()
