"""The right to drive attempts: how it is kept, lost and given up."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from checkout_server.checkout import worker
from checkout_server.checkout.worker import LEASE_MS, MARGIN_MS, Lease
from checkout_server.database import Database, Row, Tx
from checkout_server.database.clock import SLOWEST_SAMPLE_S, ServiceClock
from tests.fakes.clock import FakeClock
from tests.services.checkout.conftest import OpenWorld
from tests.world import World

HOUR_MS = 60 * 60 * 1000
START_MS = 1_800_000_000_000
ONLY_POSTGRES = pytest.mark.parametrize("db_url", ["postgres"], indirect=True)


class Elsewhere:
    """A database with a clock that moves when told to, over a network that can be slow."""

    def __init__(self, database: Database) -> None:
        self.time_ms = START_MS
        self.seconds = 0.0  # the monotonic clock of the process that asks
        self.round_trip_s = 0.0
        self._database = database

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def now_ms(self) -> int:
        self.seconds += self.round_trip_s
        return self.time_ms

    def pass_by(self, ms: int) -> None:
        """As it does for a process that runs."""
        self.time_ms += ms
        self.seconds += ms / 1000

    async def lease(self) -> Lease:
        clock = ServiceClock(self, monotonic=lambda: self.seconds)  # type: ignore[arg-type]  # wraps one
        await clock.sample()
        lease = Lease(self, clock, "one")  # type: ignore[arg-type]  # it wraps one
        await lease._register()
        return lease


@pytest.fixture
def elsewhere(checkout_db: Database) -> Elsewhere:
    return Elsewhere(checkout_db)


async def rows(database: Any) -> list[Row]:
    return list(await database.fetch("SELECT worker, epoch, seen_ms FROM worker"))


async def test_renewed_in_time_it_keeps_its_epoch(elsewhere: Elsewhere):
    lease = await elsewhere.lease()
    for _ in range(10):
        elsewhere.pass_by(1_000)
        await lease.renew()
    assert (lease.epoch, lease.held) == (1, True)
    assert await rows(elsewhere) == [("one", 1, START_MS + 10_000)]


async def test_a_machine_that_was_suspended_comes_back_under_a_new_epoch(elsewhere: Elsewhere):
    lease = await elsewhere.lease()
    elsewhere.time_ms += HOUR_MS  # and its own clock stood still
    assert lease.held
    await lease.renew()
    assert (lease.epoch, lease.held) == (2, True)
    assert await rows(elsewhere) == [("one", 2, START_MS + HOUR_MS)]


async def test_one_that_was_taken_away_is_not_renewed(elsewhere: Elsewhere):
    lease = await elsewhere.lease()
    await elsewhere.transact(lambda tx: tx.run("UPDATE worker SET seen_ms = 0"))
    await lease.renew()
    assert lease.epoch == 2


async def test_its_owner_stops_before_anybody_else_may_begin(elsewhere: Elsewhere):
    lease = await elsewhere.lease()
    assert lease.ends_ms == START_MS + LEASE_MS - MARGIN_MS
    elsewhere.pass_by(LEASE_MS - MARGIN_MS)
    assert not lease.held
    # Whose clock is ahead of ours by as much as a sample may be wrong.
    others_ms = elsewhere.time_ms + int(SLOWEST_SAMPLE_S * 1000)
    [(_, _, seen_ms)] = await rows(elsewhere)
    assert seen_ms >= others_ms - LEASE_MS
    # Nor is it renewed any more.
    await lease.renew()
    assert lease.epoch == 2


async def test_without_the_time_it_is_not_renewed(elsewhere: Elsewhere):
    lease = await elsewhere.lease()
    ends_ms = lease.ends_ms
    elsewhere.round_trip_s = SLOWEST_SAMPLE_S + 0.1
    await lease.renew()
    assert (lease.epoch, lease.ends_ms) == (1, ends_ms)
    assert await rows(elsewhere) == [("one", 1, START_MS)]


async def test_given_up_it_is_nobodys(checkout_db: Database, clock: FakeClock):
    lease = Lease(checkout_db, clock, "one")  # type: ignore[arg-type]  # a clock it is
    await lease.start()
    await lease.stop()
    assert not lease.held
    assert await rows(checkout_db) == []


async def test_with_attempts_left_it_runs_out(checkout_db: Database, clock: FakeClock):
    lease = Lease(checkout_db, clock, "one")  # type: ignore[arg-type]  # a clock it is
    await lease.start()
    await lease.stop(left=1)
    assert not lease.held
    assert await rows(checkout_db) == [("one", 1, clock.now_ms())]


class Stumbling(FakeClock):
    """Breaks once in a way nobody has thought of, when it is asked for a sample."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.went_on = asyncio.Event()

    async def sample(self) -> bool:
        self.asked += 1
        if self.asked == 1:
            raise ValueError("not thought of")
        self.went_on.set()
        return True


async def test_a_mistake_does_not_end_the_renewing(
    checkout_db: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(worker, "RENEW_S", 0)
    clock = Stumbling()
    lease = Lease(checkout_db, clock, "one")  # type: ignore[arg-type]  # a clock it is
    await lease.start()
    await clock.went_on.wait()
    await lease.stop()


async def test_what_its_loop_died_of_does_not_stop_the_stopping(
    checkout_db: Database, clock: FakeClock
):
    async def dead() -> None:
        raise ValueError("long ago")

    lease = Lease(checkout_db, clock, "one")  # type: ignore[arg-type]  # a clock it is
    await lease.start()
    assert lease._renewing is not None
    lease._renewing.cancel()
    lease._renewing = asyncio.create_task(dead())
    await asyncio.wait({lease._renewing})
    await lease.stop()
    assert await rows(checkout_db) == []
    lease._renewing.exception()


@ONLY_POSTGRES
async def test_a_burst_does_not_cost_the_lease(open_world: OpenWorld):
    async with open_world() as world:
        over = asyncio.Event()
        holders = await _take_every_connection(world, over)
        lease = world.process._lease
        before = lease.ends_ms
        world.process._clock._sampled_at -= 1  # a second later
        await lease.renew()
        assert (lease.epoch, lease.ends_ms > before) == (1, True)
        over.set()
        await asyncio.gather(*holders)


async def _take_every_connection(world: World, over: asyncio.Event) -> list[asyncio.Task[None]]:
    connections = 10
    taken = asyncio.Barrier(connections + 1)

    async def hold(tx: Tx) -> None:
        await taken.wait()
        await over.wait()

    holders = [asyncio.create_task(world.database.transact(hold)) for _ in range(connections)]
    await taken.wait()
    return holders
