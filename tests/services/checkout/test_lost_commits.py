"""A group whose commit failed, or was done and nobody heard of it: each unit finds its own end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from checkout_server.checkout import store
from checkout_server.checkout.attempt import AttemptRow, State, Units
from checkout_server.checkout.group import MOST_TRIES, Groups
from checkout_server.checkout.planner import Answer, Counter, KeyTaken, Short, Unit, Written
from checkout_server.database import CommitUnknown, Database, DuplicateRow, Tx
from tests.fakes.clock import FakeClock
from tests.fakes.database import ScriptedDatabase
from tests.services.checkout.rows import MUG, SHOP, advance, attempt, reserve

INSERT = "INSERT INTO attempt"
OPEN = Units("open", "ann", 1, 3)


class Desk:
    """Groups over a scripted database with three mugs in stock. `written` hears as waiters do."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        self.database = ScriptedDatabase(database)
        self.written: list[AttemptRow] = []
        self.groups = Groups(self.database, clock, self.written.append)

    async def submit(self, *units: Unit) -> list[Any]:
        """All in one group."""
        return list(
            await asyncio.gather(
                *(self.groups.submit(unit) for unit in units), return_exceptions=True
            )
        )

    async def row(self, attempt_id: str) -> AttemptRow | None:
        return await store.by_id(self.database, SHOP, attempt_id)

    async def counter(self, units: Units = MUG) -> Counter:
        [row] = await self.database.fetch(
            store.COUNTER, merchant=SHOP, kind=units.kind, id=units.id
        )
        return Counter(*row)


@pytest.fixture
async def desk(checkout_db: Database, clock: FakeClock) -> Desk:
    async def stock(tx: Tx) -> None:
        await tx.run(
            "INSERT INTO counter (merchant, kind, id, on_hand) VALUES (:shop, 'stock', 'mug', 3)",
            shop=SHOP,
        )

    await checkout_db.transact(stock)
    return Desk(checkout_db, clock)


def kinds(answers: list[Answer]) -> list[type]:
    return [type(answer) for answer in answers]


async def test_taps_of_one_moment_share_one_commit(desk: Desk):
    answers = await desk.submit(*(reserve(f"att_{number}") for number in range(5)))
    assert kinds(answers) == [Written, Written, Written, Short, Short]
    assert len(desk.database.commits) == 1
    assert (await desk.counter()).held == 3
    assert len(desk.written) == 3


async def test_each_of_a_group_whose_commit_was_lost_finds_its_own_row(desk: Desk):
    desk.database.lose_commit_of(INSERT)
    answers = await desk.submit(*(reserve(f"att_{number}") for number in range(5)))
    assert kinds(answers) == [Written, Written, Written, Short, Short]
    assert (await desk.counter()).held == 3
    assert len(desk.written) == 3


async def test_each_of_a_group_that_was_not_committed_is_written_alone(desk: Desk):
    desk.database.break_at(INSERT, CommitUnknown("scripted"))
    answers = await desk.submit(*(reserve(f"att_{number}") for number in range(5)))
    assert kinds(answers) == [Written, Written, Written, Short, Short]
    assert (await desk.counter()).held == 3


async def test_a_commit_that_stays_unknown_is_told_as_unknown(desk: Desk):
    desk.database.break_at(INSERT, CommitUnknown("scripted"), times=1 + MOST_TRIES)
    [answer] = await desk.submit(reserve())
    assert isinstance(answer, CommitUnknown)
    # The same again, later, is safe.
    [answer] = await desk.submit(reserve())
    assert isinstance(answer, Written)
    assert (await desk.counter()).held == 1


async def test_an_end_whose_commit_was_lost_moves_the_counters_once(desk: Desk):
    await desk.submit(reserve())
    row = await desk.row("att_1")
    assert row is not None
    unit = advance(row, State.PLACED)
    desk.database.lose_commit_of("INSERT INTO orders")
    [answer] = await desk.submit(unit)
    assert answer == Written(unit.row)
    [again] = await desk.submit(unit)
    assert again == Written(unit.row)
    counter = await desk.counter()
    assert (counter.held, counter.committed) == (0, 1)
    assert len(desk.database.commits_of("orders")) == 1


async def test_a_poisoned_unit_is_its_own_trouble_only(desk: Desk):
    await desk.submit(reserve("att_1"))
    row = await desk.row("att_1")
    assert row is not None
    poisoned = advance(row, State.RESERVED)  # which CHARGING may never become
    answers = await desk.submit(reserve("att_2"), poisoned, reserve("att_3"))
    assert kinds(answers) == [Written, AssertionError, Written]
    assert await desk.row("att_1") == row
    assert (await desk.counter()).held == 3


async def test_a_row_that_another_process_made_first_is_read_again(desk: Desk):
    """Two processes make a buyer's first counter at the same moment: the loser counts on it."""
    desk.database.break_at("INSERT INTO counter", DuplicateRow("scripted"), times=2)
    answers = await desk.submit(reserve("att_1", MUG, OPEN), reserve("att_2", MUG, OPEN))
    assert kinds(answers) == [Written, Written]
    assert (await desk.counter(OPEN)).held == 2


async def test_a_key_that_was_taken_meanwhile_tells_whose_it_is(desk: Desk):
    first = attempt("att_1")
    await desk.submit(reserve(row=first))
    again = attempt("att_2", buyer_id=first.buyer_id, idempotency_key=first.idempotency_key)
    [answer] = await desk.submit(reserve("att_2", row=again))
    assert answer == KeyTaken(first)
    assert await desk.row("att_2") is None


async def test_a_caller_who_leaves_does_not_take_the_unit_back(desk: Desk):
    leaving = asyncio.create_task(desk.groups.submit(reserve()))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait({leaving})
    await asyncio.gather(*desk.groups._runners)
    assert await desk.row("att_1") is not None
    assert [row.attempt_id for row in desk.written] == ["att_1"]
