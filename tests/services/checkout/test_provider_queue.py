"""Places at the provider: handed on in order, and never lost."""

from __future__ import annotations

import asyncio

import pytest

from checkout_server.checkout import provider_queue
from checkout_server.checkout.provider_queue import DRAIN_S, FIRST_GUESS_S, Place, ProviderQueue


class Clock:
    """The monotonic one, moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(provider_queue, "time", clock)
    return clock


def taken(queue: ProviderQueue) -> Place:
    place = queue.place_now()
    assert place is not None
    return place


async def line_up(queue: ProviderQueue, count: int = 1, **how: bool) -> list[asyncio.Task[Place]]:
    tasks = [asyncio.create_task(queue.place(**how)) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def test_as_many_places_as_there_are():
    queue = ProviderQueue(2)
    places = [taken(queue), taken(queue)]
    assert queue.place_now() is None
    places[0].give_back()
    taken(queue)


async def test_a_place_goes_to_the_first_in_line():
    queue = ProviderQueue(1)
    place = taken(queue)
    first, second = await line_up(queue, 2)
    place.give_back()
    with await first:
        assert not second.done()
    assert await second


async def test_nobody_walks_past_the_line():
    queue = ProviderQueue(1)
    place = taken(queue)
    [waiting] = await line_up(queue)
    place.give_back()
    assert queue.place_now() is None
    assert await waiting


async def test_what_is_under_way_goes_ahead_of_new_taps():
    queue = ProviderQueue(1)
    place = taken(queue)
    [new] = await line_up(queue)
    [under_way] = await line_up(queue, ahead=True)
    place.give_back()
    with await under_way:
        assert not new.done()
    assert await new


async def test_a_place_given_back_twice_is_one_place():
    queue = ProviderQueue(1)
    place = taken(queue)
    place.give_back()
    place.give_back()
    taken(queue)
    assert queue.place_now() is None


async def test_an_error_gives_the_place_back():
    queue = ProviderQueue(1)
    with pytest.raises(LookupError), taken(queue):
        raise LookupError
    taken(queue)


async def test_who_leaves_the_line_takes_no_place():
    queue = ProviderQueue(1)
    place = taken(queue)
    leaving, staying = await line_up(queue, 2)
    leaving.cancel()
    await asyncio.wait({leaving})
    assert queue.waiting == 1
    place.give_back()
    assert await staying


async def test_who_leaves_as_their_turn_comes_hands_it_on():
    queue = ProviderQueue(1)
    place = taken(queue)
    leaving, staying = await line_up(queue, 2)
    place.give_back()
    leaving.cancel()
    assert await staying


async def test_who_leaves_together_with_the_place_is_passed_over():
    queue = ProviderQueue(1)
    place = taken(queue)
    leaving = await line_up(queue, 3)
    for task in leaving:
        task.cancel()
    place.give_back()
    await asyncio.wait(leaving)
    assert all(task.cancelled() for task in leaving)
    assert queue.waiting == 0
    taken(queue)


async def test_the_line_is_as_long_as_it_drains_in_a_minute(clock: Clock):
    queue = ProviderQueue(2)
    places = [taken(queue), taken(queue)]
    most = int(DRAIN_S / FIRST_GUESS_S) * 2
    line = await line_up(queue, most - 1)
    assert queue.retry_after_ms() is None
    line += await line_up(queue)
    assert queue.waiting == most
    assert queue.retry_after_ms() == 1_250
    assert len(places + line) == most + 2
    for task in line:
        task.cancel()
    await asyncio.wait(line)


async def test_slow_charges_make_the_line_shorter(clock: Clock):
    queue = ProviderQueue(1)
    for _ in range(200):
        with taken(queue):
            clock.now += 30
    place = taken(queue)
    assert queue.retry_after_ms() is None
    line = await line_up(queue, 2)
    wait_ms = queue.retry_after_ms()
    assert wait_ms is not None
    assert 25_000 < wait_ms < 35_000
    place.give_back()
    (await line[0]).give_back()
    await line[1]


async def test_taps_that_were_refused_say_nothing_about_charges(clock: Clock):
    """A sold-out offer gives thousands of places back within milliseconds."""
    queue = ProviderQueue(1)
    for _ in range(1_000):
        taken(queue).give_back()
    place = taken(queue)
    line = await line_up(queue, int(DRAIN_S / FIRST_GUESS_S))
    assert queue.retry_after_ms() is not None
    for task in line:
        task.cancel()
    await asyncio.wait(line)
    place.give_back()
