"""Units that share a transaction: what one meets is not the others' fate, and not all may wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from checkout_server.checkout import group
from checkout_server.checkout.attempt import AttemptRow, State
from checkout_server.checkout.group import Groups
from checkout_server.checkout.planner import Advance, Event, Reserve, Written
from checkout_server.database import Contended, Database, StorageFull, StorageUnavailable, Tx
from checkout_server.faults import Fault
from tests.fakes.clock import FakeClock
from tests.fakes.database import ScriptedDatabase


def row(name: str, *, version: int = 1) -> AttemptRow:
    return AttemptRow(
        merchant="m",
        attempt_id=f"att_{name}",
        platform_id="p",
        buyer_id=name,
        idempotency_key=name,
        fingerprint=b"",
        state=State.CHARGING,
        version=version,
        hold_state="held",
        worker="one",
        worker_epoch=1,
        next_ms=0,
        tries=0,
        created_ms=0,
        updated_ms=0,
        body=b"",
        outcome=None,
    )


def tap(name: str) -> Reserve:
    return Reserve(row(name), (), name.encode(), Event(f"evt_{name}", "attempt.charging", b""))


def step(name: str) -> Advance:
    return Advance(row(name), row(name, version=2), (), b"")


def groups_on(database: Any, clock: FakeClock) -> Groups:
    return Groups(database, clock, lambda row: None)  # type: ignore[arg-type]  # small fakes


async def together(groups: Groups, *names: str) -> list[object]:
    return list(
        await asyncio.gather(*(groups.submit(tap(name)) for name in names), return_exceptions=True)
    )


def kinds(answers: list[object]) -> list[type]:
    return [type(answer) for answer in answers]


async def test_a_group_that_met_somebodys_lock_is_tried_one_by_one(
    checkout_db: Database, clock: FakeClock
):
    database = ScriptedDatabase(checkout_db)
    database.break_at("INSERT INTO attempt", Contended(), times=2)
    answers = await together(groups_on(database, clock), "ann", "bob", "eve")
    assert kinds(answers) == [Contended, Written, Written]


async def test_the_last_of_a_group_do_not_wait_for_every_lock_before_them(
    checkout_db: Database, clock: FakeClock
):
    database = ScriptedDatabase(checkout_db)
    database.break_at("INSERT INTO attempt", Contended(), times=1 + group.MOST_CONTENDED)
    answers = await together(groups_on(database, clock), *"abcdefgh")
    assert kinds(answers) == [Contended] * 8
    assert database.commits == []


@pytest.mark.parametrize("error", [StorageUnavailable(), StorageFull()])
async def test_a_database_in_trouble_is_not_asked_by_each_of_a_group(
    checkout_db: Database, clock: FakeClock, error: StorageUnavailable
):
    database = ScriptedDatabase(checkout_db)
    database.break_at("INSERT INTO attempt", error)
    answers = await together(groups_on(database, clock), "ann", "bob")
    assert kinds(answers) == [type(error)] * 2


class Stuck:
    """A database whose transactions never come to an end."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()

    async def transact(self, body: Callable[[Tx], Awaitable[object]], /) -> object:
        self.begun.set()
        return await asyncio.Event().wait()


async def test_a_tap_behind_too_many_is_sent_away_and_a_step_of_an_attempt_is_not(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(group, "MOST_WAITING", 2)
    stuck = Stuck()
    groups = groups_on(stuck, clock)
    waiting = [asyncio.create_task(groups.submit(tap("first")))]
    await stuck.begun.wait()
    waiting += [asyncio.create_task(groups.submit(unit)) for unit in (tap("ann"), tap("bob"))]
    await asyncio.sleep(0)
    with pytest.raises(Fault) as refused:
        await groups.submit(tap("eve"))
    assert (refused.value.reason, refused.value.retry_after_ms) == ("OVER_CAPACITY", 1_000)
    waiting.append(asyncio.create_task(groups.submit(step("first"))))
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    for task in (*waiting, *groups._runners):
        task.cancel()
    await asyncio.gather(*waiting, *groups._runners, return_exceptions=True)
