"""What only PostgreSQL can do wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import psycopg
import pytest

from checkout_server.database import (
    CannotOpen,
    CommitUnknown,
    Contended,
    Database,
    DuplicateRow,
    StorageUnavailable,
    Tx,
    postgres,
)
from checkout_server.database.open import open_database, open_readonly, open_reserved

INSERT = "INSERT INTO worker (worker, epoch, seen_ms) VALUES (:worker, 0, 0)"
WORKERS = "SELECT worker FROM worker ORDER BY worker"
OWN_PID = "SELECT pg_backend_pid()"
KILL = "SELECT pg_terminate_backend(%s, 5000)"
# A deferred trigger runs within COMMIT.
AT_COMMIT = """
CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {} RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON worker
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_commit();
"""
FAIL_AS = "DO $$ BEGIN RAISE EXCEPTION 'on purpose' USING ERRCODE = '{}'; END $$"


pytestmark = pytest.mark.parametrize("db_url", ["postgres"], indirect=True)


@pytest.fixture
def server(db_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(db_url, autocommit=True) as connection:
        yield connection


async def test_a_connection_killed_in_a_transaction_is_unavailable(
    checkout_db: Database, server: psycopg.Connection
) -> None:
    async def body(tx: Tx) -> None:
        await tx.run(INSERT, worker="a")
        [(pid,)] = await tx.fetch(OWN_PID)
        server.execute(KILL, [pid])
        await tx.run(INSERT, worker="b")

    with pytest.raises(StorageUnavailable) as raised:
        await checkout_db.transact(body)
    assert not isinstance(raised.value, CommitUnknown)
    assert await checkout_db.fetch(WORKERS) == []


async def test_connections_killed_in_the_pool_go_unnoticed(
    checkout_db: Database, server: psycopg.Connection
) -> None:
    for operation in (
        lambda: checkout_db.transact(lambda tx: tx.run(INSERT, worker="a")),
        lambda: checkout_db.fetch(WORKERS),
        lambda: checkout_db.fetch_many(WORKERS, [{}]),
    ):
        [(pid,)] = await checkout_db.fetch(OWN_PID)
        server.execute(KILL, [pid])
        await operation()
    assert await checkout_db.fetch(WORKERS) == [("a",)]


async def test_a_connection_lost_during_commit_leaves_it_unknown(
    checkout_db: Database, server: psycopg.Connection
) -> None:
    await _at_commit(checkout_db, "PERFORM pg_terminate_backend(pg_backend_pid());")
    with pytest.raises(CommitUnknown):
        await checkout_db.transact(lambda tx: tx.run(INSERT, worker="a"))


async def test_a_commit_with_a_warning_is_unknown(checkout_db: Database) -> None:
    await _at_commit(checkout_db, "RAISE WARNING 'the standby may not have it';")
    with pytest.raises(CommitUnknown, match="the standby may not have it"):
        await checkout_db.transact(lambda tx: tx.run(INSERT, worker="a"))
    assert await checkout_db.fetch(WORKERS) == [("a",)]


@pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
async def test_a_conflict_is_tried_again_a_few_times(checkout_db: Database, sqlstate: str) -> None:
    runs = 0

    async def body(tx: Tx) -> None:
        nonlocal runs
        runs += 1
        await tx.run(FAIL_AS.format(sqlstate))

    with pytest.raises(StorageUnavailable, match=sqlstate):
        await checkout_db.transact(body)
    assert runs == postgres.TRIES


async def test_a_conflict_at_commit_is_tried_again(checkout_db: Database) -> None:
    await _at_commit(
        checkout_db,
        "IF NEW.worker = 'a' THEN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END IF;",
    )
    names = iter("aab")
    assert await checkout_db.transact(lambda tx: tx.run(INSERT, worker=next(names))) == 1
    assert await checkout_db.fetch(WORKERS) == [("b",)]


async def test_a_deadlock_ends_well_for_both(checkout_db: Database) -> None:
    both_hold_one = asyncio.Barrier(2)
    lock = "SELECT worker FROM worker WHERE worker = :worker"

    def locking(*names: str) -> asyncio.Task[None]:
        first_run = True

        async def body(tx: Tx) -> None:
            nonlocal first_run
            await tx.run("SET LOCAL deadlock_timeout = '10ms'")
            await tx.fetch(lock, worker=names[0], lock=True)
            if first_run:
                first_run = False
                await both_hold_one.wait()
            await tx.fetch(lock, worker=names[1], lock=True)

        return asyncio.create_task(checkout_db.transact(body))

    rows = [{"worker": "a"}, {"worker": "b"}]
    await checkout_db.transact(lambda tx: tx.run_many(INSERT, rows))
    assert await asyncio.gather(locking("a", "b"), locking("b", "a")) == [None, None]


@pytest.mark.parametrize("sqlstate", ["53100", "57014", "55P03", "25P03", "25006", "53300"])
async def test_trouble_of_the_server_is_unavailable(checkout_db: Database, sqlstate: str) -> None:
    with pytest.raises(StorageUnavailable, match=sqlstate):
        await checkout_db.transact(lambda tx: tx.run(FAIL_AS.format(sqlstate)))


@pytest.mark.parametrize("sqlstate", ["40001", "40P01", "55P03", "57014"])
async def test_a_row_that_others_hold_is_told_from_a_server_in_trouble(
    checkout_db: Database, sqlstate: str
) -> None:
    with pytest.raises(Contended, match=sqlstate):
        await checkout_db.transact(lambda tx: tx.run(FAIL_AS.format(sqlstate)))


async def test_an_error_does_not_quote_the_row(checkout_db: Database) -> None:
    async def twice(tx: Tx) -> None:
        await tx.run_many(INSERT, [{"worker": "Lovelace"}] * 2)

    with pytest.raises(DuplicateRow, match="worker_pkey") as raised:
        await checkout_db.transact(twice)
    assert "Lovelace" not in str(raised.value)
    assert raised.value.__cause__ is None


async def test_a_pool_in_use_is_unavailable(db_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "POOL_WAIT_S", 0.01)
    database = await open_database(db_url, "checkout", pool_size=1)
    held, over = asyncio.Event(), asyncio.Event()

    async def hold(tx: Tx) -> None:
        held.set()
        await over.wait()

    holder = asyncio.create_task(database.transact(hold))
    await held.wait()
    with pytest.raises(StorageUnavailable):
        await database.fetch(WORKERS)
    over.set()
    await holder
    await database.close()


async def test_reserved_connections_are_left_when_the_pool_has_none(db_url: str) -> None:
    database = await open_database(db_url, "checkout", pool_size=1)
    reserved = await open_reserved(database, db_url, "checkout")
    held, over = asyncio.Event(), asyncio.Event()

    async def hold(tx: Tx) -> None:
        held.set()
        await over.wait()

    holder = asyncio.create_task(database.transact(hold))
    await held.wait()
    assert await reserved.transact(lambda tx: tx.run(INSERT, worker="a")) == 1
    over.set()
    await holder
    assert await database.fetch(WORKERS) == [("a",)]
    for each in (reserved, database):
        await each.close()


@pytest.mark.usefixtures("db_url")
async def test_a_server_that_is_not_there_is_said_so_at_the_start() -> None:
    with pytest.raises(CannotOpen, match="PostgreSQL"):
        await open_database("postgresql://somebody:secret@127.0.0.1:1/nothing", "checkout")


async def test_its_sessions_are_durable_and_have_limits(checkout_db: Database) -> None:
    names = ["synchronous_commit", "transaction_isolation", "statement_timeout", "lock_timeout"]
    settings = await checkout_db.fetch_many(
        "SELECT current_setting(:name)", [{"name": name} for name in names]
    )
    assert [value for [(value,)] in settings] == ["on", "read committed", "5s", "2s"]


async def test_a_reader_sees_what_is_committed_and_cannot_write(
    checkout_db: Database, db_url: str
) -> None:
    async with open_readonly(db_url, "checkout") as reader:
        await checkout_db.transact(lambda tx: tx.run(INSERT, worker="a"))
        assert await reader.fetch(WORKERS) == [("a",)]
        with pytest.raises(StorageUnavailable):
            await reader.fetch("DELETE FROM worker RETURNING worker")


async def _at_commit(database: Database, statements: str) -> None:
    await database.transact(lambda tx: tx.run(AT_COMMIT.format(statements)))
