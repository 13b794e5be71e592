from __future__ import annotations

import asyncio

import pytest

from checkout_server.database import Database, StorageUnavailable
from checkout_server.database.clock import FRESH_FOR_S, SLOWEST_SAMPLE_S, ServiceClock


class Host:
    """A monotonic clock in seconds, and a database with a script of answers; the last stays."""

    def __init__(self, *answers: int | Exception, round_trip_s: float = 0.0) -> None:
        self.seconds = 1000.0
        self._answers = list(answers)
        self.round_trip_s = round_trip_s
        self.exhausted = asyncio.Event()

    def monotonic(self) -> float:
        return self.seconds

    async def now_ms(self) -> int:
        self.seconds += self.round_trip_s
        if len(self._answers) == 1:
            self.exhausted.set()
        answer = self._answers[0] if self.exhausted.is_set() else self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def clock_of(host: Host) -> ServiceClock:
    return ServiceClock(host, monotonic=host.monotonic)  # type: ignore[arg-type]  # the clock is all it needs


async def test_it_goes_on_between_samples() -> None:
    host = Host(5_000)
    clock = clock_of(host)
    await clock.sample()
    host.seconds += 1.5
    assert clock.now_ms() == 6_500


async def test_it_is_never_behind_the_database() -> None:
    clock = clock_of(Host(5_000, round_trip_s=0.2))
    await clock.sample()
    assert clock.now_ms() == 5_200


async def test_an_answer_that_took_too_long_is_not_used() -> None:
    host = Host(5_000, 60_000)
    clock = clock_of(host)
    assert await clock.sample()
    host.round_trip_s = SLOWEST_SAMPLE_S + 0.1
    assert not await clock.sample()
    assert clock.now_ms() == 6_100


async def test_it_does_not_start_without_the_time() -> None:
    with pytest.raises(StorageUnavailable, match="too long"):
        await clock_of(Host(5_000, round_trip_s=SLOWEST_SAMPLE_S + 0.1)).start()


async def test_a_mistake_does_not_end_the_sampling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("checkout_server.database.clock.SAMPLE_EVERY_S", 0)
    host = Host(1_000, ValueError(), 2_000)
    clock = clock_of(host)
    await clock.start()
    await host.exhausted.wait()
    await clock.stop()
    assert clock.now_ms() == 2_000


async def test_it_stands_still_where_the_database_went_back() -> None:
    host = Host(5_000, 3_000)
    clock = clock_of(host)
    await clock.sample()
    assert clock.now_ms() == 5_000
    await clock.sample()
    host.seconds += 1
    assert clock.now_ms() == 5_000
    host.seconds += 1.5
    assert clock.now_ms() == 5_500


async def test_it_follows_the_database_forward() -> None:
    clock = clock_of(Host(5_000, 9_000))
    await clock.sample()
    await clock.sample()
    assert clock.now_ms() == 9_000


async def test_it_is_stale_without_a_sample_for_too_long() -> None:
    host = Host(5_000, StorageUnavailable(), 50_000)
    clock = clock_of(host)
    assert not clock.fresh()
    await clock.sample()
    host.seconds += FRESH_FOR_S - 1
    assert clock.fresh()
    with pytest.raises(StorageUnavailable):
        await clock.sample()
    host.seconds += 2
    assert not clock.fresh()
    await clock.sample()
    assert clock.fresh()


async def test_start_has_taken_a_sample(checkout_db: Database) -> None:
    clock = ServiceClock(checkout_db)
    await clock.start()
    assert clock.fresh()
    assert abs(await checkout_db.now_ms() - clock.now_ms()) < 60_000
    await clock.stop()


async def test_an_outage_does_not_end_the_sampling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("checkout_server.database.clock.SAMPLE_EVERY_S", 0)
    host = Host(1_000, StorageUnavailable(), 2_000)
    clock = clock_of(host)
    await clock.start()
    await host.exhausted.wait()
    await clock.stop()
    assert clock.now_ms() == 2_000
