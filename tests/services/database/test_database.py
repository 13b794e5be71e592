"""What the contract promises, on both databases."""

from __future__ import annotations

import asyncio

import pytest

from checkout_server.database import (
    ConstraintBroken,
    Database,
    DuplicateRow,
    Tx,
)
from checkout_server.database.open import open_database

INSERT = "INSERT INTO worker (worker, epoch, seen_ms) VALUES (:worker, :epoch, 0)"
WORKERS = "SELECT worker, epoch FROM worker ORDER BY worker"
EPOCH = "SELECT epoch FROM worker WHERE worker = :worker"
SET_EPOCH = "UPDATE worker SET epoch = :epoch WHERE worker = :worker"
INSERT_KEY = "INSERT INTO signing_key (kid, secret, created_ms) VALUES (:kid, :secret, 0)"


async def test_a_commit_is_visible_afterwards(checkout_db: Database) -> None:
    assert await checkout_db.transact(lambda tx: tx.run(INSERT, worker="a", epoch=1)) == 1
    assert await checkout_db.fetch(WORKERS) == [("a", 1)]


async def test_a_commit_survives_closing(db_url: str) -> None:
    database = await open_database(db_url, "checkout")
    await database.transact(lambda tx: tx.run(INSERT, worker="a", epoch=1))
    await database.close()
    assert await _workers(db_url) == [("a", 1)]


async def test_an_exception_rolls_back_and_is_passed_on(checkout_db: Database) -> None:
    async def body(tx: Tx) -> None:
        await tx.run(INSERT, worker="a", epoch=1)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await checkout_db.transact(body)
    assert await checkout_db.fetch(WORKERS) == []


async def test_a_transaction_sees_its_own_writes_and_others_do_not(checkout_db: Database) -> None:
    async def body(tx: Tx) -> tuple[int, int]:
        await tx.run(INSERT, worker="a", epoch=1)
        return len(await tx.fetch(WORKERS)), len(await checkout_db.fetch(WORKERS))

    assert await checkout_db.transact(body) == (1, 0)


async def test_a_second_row_under_a_key_is_a_duplicate(checkout_db: Database) -> None:
    await checkout_db.transact(lambda tx: tx.run(INSERT, worker="a", epoch=1))
    with pytest.raises(DuplicateRow):
        await checkout_db.transact(lambda tx: tx.run(INSERT, worker="a", epoch=2))
    assert await checkout_db.fetch(WORKERS) == [("a", 1)]


async def test_a_swallowed_error_spoils_the_transaction_all_the_same(checkout_db: Database) -> None:
    async def body(tx: Tx) -> None:
        await tx.run(INSERT, worker="a", epoch=1)
        try:
            await tx.run(INSERT, worker="a", epoch=2)
        except DuplicateRow:
            return

    with pytest.raises(DuplicateRow):
        await checkout_db.transact(body)
    assert await checkout_db.fetch(WORKERS) == []


async def test_an_error_of_the_body_wins_over_the_statement_it_swallowed(
    checkout_db: Database,
) -> None:
    async def body(tx: Tx) -> None:
        try:
            await tx.run_many(INSERT, [{"worker": "a", "epoch": 1}] * 2)
        except DuplicateRow:
            raise KeyError("mine") from None

    with pytest.raises(KeyError, match="mine"):
        await checkout_db.transact(body)
    assert await checkout_db.fetch(WORKERS) == []


async def test_an_impossible_row_is_an_assertion(checkout_db: Database) -> None:
    oversold = (
        "INSERT INTO counter (merchant, kind, id, on_hand, held) VALUES ('m', 'stock', 's', 1, 2)"
    )
    with pytest.raises(ConstraintBroken):
        await checkout_db.transact(lambda tx: tx.run(oversold))


async def test_concurrent_transactions_on_one_row_lose_no_update(checkout_db: Database) -> None:
    async def increment(tx: Tx) -> None:
        [(epoch,)] = await tx.fetch(EPOCH, worker="a", lock=True)
        await tx.run(SET_EPOCH, worker="a", epoch=epoch + 1)

    await checkout_db.transact(lambda tx: tx.run(INSERT, worker="a", epoch=0))
    await asyncio.gather(*(checkout_db.transact(increment) for _ in range(30)))
    assert await checkout_db.fetch(EPOCH, worker="a") == [(30,)]


async def test_a_cancelled_caller_leaves_the_transaction_whole(db_url: str) -> None:
    database = await open_database(db_url, "checkout")
    begun = asyncio.Event()

    async def body(tx: Tx) -> None:
        begun.set()
        await tx.run(INSERT, worker="a", epoch=1)
        await tx.run(INSERT, worker="b", epoch=1)

    caller = asyncio.create_task(database.transact(body))
    await begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    await database.close()
    assert await _workers(db_url) == [("a", 1), ("b", 1)]


async def test_callers_cancelled_at_once_leave_the_database_in_order(checkout_db: Database) -> None:
    def insert(number: int) -> asyncio.Task[int]:
        row = {"worker": f"w{number}", "epoch": number}
        return asyncio.create_task(checkout_db.transact(lambda tx: tx.run(INSERT, **row)))

    callers = [insert(number) for number in range(20)]
    await asyncio.sleep(0)
    for caller in callers[::2]:
        caller.cancel()
    results = await asyncio.gather(*callers, return_exceptions=True)
    assert results[1::2] == [1] * 10
    assert await checkout_db.transact(lambda tx: tx.run(INSERT, worker="x", epoch=0)) == 1


async def test_a_transaction_that_has_ended_takes_no_statement(checkout_db: Database) -> None:
    async def body(tx: Tx) -> Tx:
        return tx

    ended = await checkout_db.transact(body)
    with pytest.raises(AssertionError, match="ended"):
        await ended.run(INSERT, worker="a", epoch=1)


async def test_sets_are_answered_in_the_order_they_were_asked(checkout_db: Database) -> None:
    rows = [{"worker": name, "epoch": epoch} for epoch, name in enumerate("abc")]
    assert await checkout_db.transact(lambda tx: tx.run_many(INSERT, rows)) == 3
    found = await checkout_db.fetch_many(EPOCH, [{"worker": name} for name in "cxa"])
    assert found == [[(2,)], [], [(0,)]]


async def test_a_set_of_nothing_changes_nothing(checkout_db: Database) -> None:
    assert await checkout_db.transact(lambda tx: tx.run_many(INSERT, [])) == 0
    assert await checkout_db.fetch_many(EPOCH, []) == []


async def test_a_set_can_return_rows(checkout_db: Database) -> None:
    rows = [{"worker": name, "epoch": 7} for name in "ab"]
    returning = f"{INSERT} RETURNING worker"
    found = await checkout_db.transact(lambda tx: tx.fetch_many(returning, rows))
    assert found == [[("a",)], [("b",)]]


async def test_run_tells_how_many_rows_changed(checkout_db: Database) -> None:
    rows = [{"worker": name, "epoch": 7} for name in "abc"]

    async def body(tx: Tx) -> tuple[int, int]:
        await tx.run_many(INSERT, rows)
        changed = await tx.run("UPDATE worker SET epoch = 8 WHERE worker <> :worker", worker="a")
        return changed, await tx.run(SET_EPOCH, worker="nobody", epoch=1)

    assert await checkout_db.transact(body) == (2, 0)


@pytest.mark.parametrize("secret", [b"", b"\x00\xff%s:x", bytes(range(256))])
async def test_bytes_come_back_as_bytes(checkout_db: Database, secret: bytes) -> None:
    await checkout_db.transact(lambda tx: tx.run(INSERT_KEY, kid="k", secret=secret))
    [(found,)] = await checkout_db.fetch("SELECT secret FROM signing_key")
    assert (type(found), found) == (bytes, secret)


@pytest.mark.parametrize("text", ["100% :epoch 'x' \"y\" -- z", "日本 🛍", "\u202e", "a\nb", "$1 ?"])
async def test_texts_come_back_as_they_were(checkout_db: Database, text: str) -> None:
    await checkout_db.transact(lambda tx: tx.run(INSERT, worker=text, epoch=1))
    assert await checkout_db.fetch(WORKERS) == [(text, 1)]


async def test_literals_are_no_parameters(checkout_db: Database) -> None:
    rows = await checkout_db.fetch("SELECT '100% :a' || :a -- and not :b\n", a="!")
    assert rows == [("100% :a!",)]


async def test_numbers_keep_their_size_and_sums_are_integers(checkout_db: Database) -> None:
    rows = [{"worker": "a", "epoch": 2**62}, {"worker": "b", "epoch": 2**40}]
    await checkout_db.transact(lambda tx: tx.run_many(INSERT, rows))
    [(total, product)] = await checkout_db.fetch(
        "SELECT SUM(epoch), :a * :b FROM worker", a=30_000, b=30_000
    )
    assert (type(total), total, product) == (int, 2**62 + 2**40, 900_000_000)


async def test_nothing_is_none(checkout_db: Database) -> None:
    assert await checkout_db.fetch("SELECT MAX(epoch), COUNT(*) FROM worker") == [(None, 0)]


async def test_its_clock_does_not_go_back(checkout_db: Database) -> None:
    first = await checkout_db.now_ms()
    assert 0 < first <= await checkout_db.now_ms()


async def test_it_says_what_survives(checkout_db: Database) -> None:
    assert "survives a crash" in checkout_db.durability


async def test_services_do_not_share_tables(address_db: Database, payment_db: Database) -> None:
    table = "SELECT COUNT(*) FROM request"
    insert = (
        "INSERT INTO request (scope, method, request_id, fingerprint, response, created_ms)"
        " VALUES ('s', 'm', 'r', :body, :body, 0)"
    )
    await address_db.transact(lambda tx: tx.run(insert, body=b""))
    assert await address_db.fetch(table) == [(1,)]
    assert await payment_db.fetch(table) == [(0,)]


async def _workers(db_url: str) -> list[tuple[object, ...]]:
    database = await open_database(db_url, "checkout")
    try:
        return await database.fetch(WORKERS)
    finally:
        await database.close()
