"""Waiting for a row, in the process that writes it and in another one."""

from __future__ import annotations

import asyncio

from checkout_server.checkout.waiting import Waiting
from tests.world import PATIENCE_S

POLLER = "poll rows waited for"
VERSIONS = "SELECT id, version FROM row WHERE merchant = ANY(:merchants) AND id = ANY(:ids)"


class OtherProcess:
    """A database in which somebody else writes. It tells how often it was asked."""

    single_process = False

    def __init__(self) -> None:
        self.versions: dict[str, int] = {}
        self.asked: asyncio.Queue[list[str]] = asyncio.Queue()

    async def fetch(self, sql: str, /, *, ids: list[str], **_: object) -> list[tuple[str, int]]:
        await self.asked.put(ids)
        return [(row_id, self.versions[row_id]) for row_id in ids if row_id in self.versions]


def waiting_on(database: OtherProcess) -> Waiting[str]:
    return Waiting[str](database, VERSIONS)


async def test_a_row_written_here_comes_with_the_news():
    waiting = waiting_on(OtherProcess())
    with waiting.watch("m", "att_1") as watch:
        waiting.changed("att_1", 2, "the row")
        assert await watch.newer(1, timeout_s=5) == (True, "the row")


async def test_a_version_written_elsewhere_is_found_without_its_row():
    database = OtherProcess()
    database.versions["att_1"] = 2
    with waiting_on(database).watch("m", "att_1") as watch:
        assert await watch.newer(1, timeout_s=5) == (True, None)


async def test_the_version_that_a_waiter_has_already_is_no_news():
    database = OtherProcess()
    database.versions["att_1"] = 1
    with waiting_on(database).watch("m", "att_1") as watch:
        waiter = asyncio.create_task(watch.newer(1, timeout_s=60))
        for _ in range(3):
            await database.asked.get()
        assert not waiter.done()
        database.versions["att_1"] = 2
        assert await waiter == (True, None)


async def test_no_time_left_means_what_is_known_now():
    waiting = waiting_on(OtherProcess())
    with waiting.watch("m", "att_1") as watch:
        assert await watch.newer(1, timeout_s=-1) == (False, None)
        waiting.changed("att_1", 2, "the row")
        assert await watch.newer(1, timeout_s=-1) == (True, "the row")


async def test_all_rows_waited_for_are_asked_for_together_and_none_when_nobody_waits():
    database = OtherProcess()
    waiting = waiting_on(database)
    with waiting.watch("m", "att_1"), waiting.watch("m", "att_2"):
        assert sorted(await database.asked.get()) == ["att_1", "att_2"]
    pollers = [task for task in asyncio.all_tasks() if task.get_name() == POLLER]
    await asyncio.wait(pollers, timeout=PATIENCE_S)
    assert [poller.done() for poller in pollers] == [True]
