"""What only SQLite can do wrong."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import apsw
import pytest

from checkout_server.database import (
    CannotOpen,
    CommitUnknown,
    Database,
    StorageFull,
    StorageUnavailable,
    Tx,
)
from checkout_server.database.open import open_database, open_readonly, open_reserved

INSERT = "INSERT INTO worker (worker, epoch, seen_ms) VALUES (:worker, 0, 0)"
WORKERS = "SELECT worker FROM worker ORDER BY worker"
HOLD = """
import asyncio, sys
from checkout_server.database.open import open_database
INSERT = "INSERT INTO worker (worker, epoch, seen_ms) VALUES ('acknowledged', 0, 0)"
async def main():
    database = await open_database(sys.argv[1], "checkout")
    await database.transact(lambda tx: tx.run(INSERT))
    print("held", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:{tmp_path / 'data'}"


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = await open_database(url, "checkout")
    yield database
    await database.close()


async def test_a_body_that_awaits_something_else_is_stopped(database: Database) -> None:
    async def body(tx: Tx) -> None:
        await tx.run(INSERT, worker="a")
        await asyncio.sleep(0)

    with pytest.raises(AssertionError, match="other than its Tx"):
        await database.transact(body)
    assert await database.fetch(WORKERS) == []
    assert await database.transact(lambda tx: tx.run(INSERT, worker="b")) == 1


async def test_a_body_cannot_talk_itself_out_of_being_stopped(database: Database) -> None:
    async def body(tx: Tx) -> None:
        await tx.run(INSERT, worker="a")
        try:
            await asyncio.sleep(0)
        except AssertionError:
            return

    with pytest.raises(AssertionError, match="other than its Tx"):
        await database.transact(body)
    assert await database.fetch(WORKERS) == []


async def test_transactions_run_in_the_order_they_came(database: Database) -> None:
    order: list[int] = []

    def body(number: int) -> asyncio.Task[None]:
        async def append(tx: Tx) -> None:
            order.append(number)

        return asyncio.create_task(database.transact(append))

    await asyncio.gather(*(body(number) for number in range(10)))
    assert order == list(range(10))


async def test_its_settings_are_the_durable_ones(database: Database) -> None:
    async def body(tx: Tx) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys", "secure_delete", "mmap_size")
        return [value for name in names for [value] in await tx.fetch(f"PRAGMA {name}")]

    assert await database.transact(body) == ["wal", 2, 1, 1, 0]


async def test_it_has_no_connections_to_reserve(database: Database, url: str) -> None:
    assert await open_reserved(database, url, "checkout") is database


async def test_a_second_process_is_refused_and_told_what_to_do(
    database: Database, url: str
) -> None:
    process = await _holder(url)
    _, error = await process.communicate()
    assert process.returncode != 0
    assert url.removeprefix("sqlite:") in error.decode()
    assert "CHECKOUT_DATABASE=" in error.decode()


@pytest.mark.usefixtures("database")
async def test_the_same_file_is_not_opened_twice(url: str) -> None:
    with pytest.raises(CannotOpen, match="in use"):
        await open_database(url, "checkout")


@pytest.mark.usefixtures("database")
async def test_several_services_share_a_folder(url: str) -> None:
    other = await open_database(url, "address")
    await other.close()


async def test_an_acknowledged_commit_survives_a_killed_process(url: str) -> None:
    process = await _holder(url)
    assert process.stdout
    assert await process.stdout.readline() == b"held\n"
    process.kill()
    await process.wait()
    async with _opened(url) as database:
        assert await database.fetch(WORKERS) == [("acknowledged",)]


async def test_a_full_disk_is_storage_full_and_nothing_is_written(database: Database) -> None:
    async def body(tx: Tx) -> None:
        [(pages,)] = await tx.fetch("PRAGMA page_count")
        await tx.fetch(f"PRAGMA max_page_count = {pages}")
        await tx.run(INSERT, worker="a" * 100_000)

    with pytest.raises(StorageFull):
        await database.transact(body)
    assert await database.fetch(WORKERS) == []


async def test_a_file_locked_from_outside_is_unavailable(database: Database, url: str) -> None:
    shell = apsw.Connection(f"{url.removeprefix('sqlite:')}/checkout.db")
    shell.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageUnavailable):
        await database.transact(lambda tx: tx.run(INSERT, worker="a"))
    shell.execute("ROLLBACK")
    shell.close()
    assert await database.transact(lambda tx: tx.run(INSERT, worker="a")) == 1


@pytest.fixture
def garbage(tmp_path: Path) -> str:
    (tmp_path / "checkout.db").write_bytes(b"not a database" * 1000)
    return f"sqlite:{tmp_path}"


class FailingDisk(apsw.VFS):
    """The system's files, whose fsync can be made to fail."""

    def __init__(self) -> None:
        self.failing = False
        super().__init__("failing", "unix", makedefault=True)

    def xOpen(self, name: object, flags: list[int]) -> apsw.VFSFile:
        return FailingFile(self, name, flags)


class FailingFile(apsw.VFSFile):
    def __init__(self, disk: FailingDisk, name: object, flags: list[int]) -> None:
        super().__init__("unix", name, flags)
        self._disk = disk

    def xSync(self, flags: int) -> None:
        if self._disk.failing:
            raise apsw.exception_for(apsw.SQLITE_IOERR_FSYNC)
        super().xSync(flags)


@pytest.fixture
def disk() -> Iterator[FailingDisk]:
    disk = FailingDisk()
    yield disk
    disk.unregister()


async def test_after_a_failed_fsync_nothing_is_written_any_more(
    disk: FailingDisk, url: str
) -> None:
    async with _opened(url) as database:
        disk.failing = True
        with pytest.raises(CommitUnknown):
            await database.transact(lambda tx: tx.run(INSERT, worker="a"))
        disk.failing = False
        assert await database.fetch(WORKERS) == []
        with pytest.raises(StorageUnavailable, match="restart"):
            await database.transact(lambda tx: tx.run(INSERT, worker="b"))
        assert database.failed


async def test_after_a_failed_rollback_nothing_is_written_any_more(database: Database) -> None:
    def no_rollback(_cursor: object, sql: str, _bindings: object) -> bool:
        if sql == "ROLLBACK":
            raise apsw.IOError("scripted")
        return True

    async def body(tx: Tx) -> None:
        await tx.run(INSERT, worker="a")
        raise KeyError("a body's own")

    assert not database.failed
    database._writer.exec_trace = no_rollback  # type: ignore[attr-defined]  # SQLite's own
    with pytest.raises(KeyError):
        await database.transact(body)
    with pytest.raises(StorageUnavailable, match="restart"):
        await database.transact(lambda tx: tx.run(INSERT, worker="b"))
    assert database.failed
    assert await database.fetch(WORKERS) == []


async def test_a_reader_looks_in_while_the_server_writes(database: Database, url: str) -> None:
    async with open_readonly(url, "checkout") as reader:
        await database.transact(lambda tx: tx.run(INSERT, worker="a"))
        assert await reader.fetch(WORKERS) == [("a",)]
        with pytest.raises(StorageUnavailable):
            await reader.fetch("DELETE FROM worker")


async def test_a_reader_looks_in_when_no_server_runs(url: str) -> None:
    async with _opened(url) as database:
        await database.transact(lambda tx: tx.run(INSERT, worker="a"))
    async with open_readonly(url, "checkout") as reader:
        assert await reader.fetch(WORKERS) == [("a",)]


async def test_a_reader_is_told_that_there_is_nothing(url: str) -> None:
    with pytest.raises(CannotOpen, match="no database"):
        async with open_readonly(url, "checkout"):
            pass


async def test_a_file_that_is_no_database_is_refused(garbage: str) -> None:
    with pytest.raises(CannotOpen, match=r"checkout\.db"):
        await open_database(garbage, "checkout")


async def test_a_sqlite_with_the_wal_bug_is_refused(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.40.1")
    with pytest.raises(CannotOpen, match=r"3\.40\.1"):
        await open_database(url, "checkout")


@pytest.mark.parametrize("location", ["", "data", "mysql://host/db"])
async def test_a_location_of_another_kind_is_refused(location: str) -> None:
    with pytest.raises(CannotOpen, match="CHECKOUT_DATABASE"):
        await open_database(location, "checkout")


async def _holder(url: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLD, url, stdout=PIPE, stderr=PIPE
    )


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[Database]:
    database = await open_database(url, "checkout")
    yield database
    await database.close()
