"""SQLite: one file a service, one process, one writer.

What can go wrong, and what makes it safe:
- Two writers or two checkpointers on one file corrupt it in SQLite before 3.51.3 (the WAL-reset
  bug). There is one connection that writes, it alone checkpoints, a lock file keeps other
  processes out, and an older SQLite is refused.
- An fsync takes as long as the disk likes. Transaction bodies run on the event loop (microseconds,
  and nothing else can come between their statements), COMMIT in a thread of its own, where apsw
  lets go of the GIL.
- A body that waits for something would hold the one write lock meanwhile. It is driven by hand,
  and stopped at the first await that is not its Tx.
- COMMIT can fail. It is rolled back. After an I/O error its frames may nevertheless lie in the
  WAL, and a crash right then would bring them back: the answer is CommitUnknown. After a failed
  fsync the kernel may have dropped what it could not write and call the next fsync a success, and
  after a failed ROLLBACK its transaction is still open: nothing is written any more until the
  process has been started anew (`failed`).
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import apsw

from checkout_server.database import (
    CannotOpen,
    CommitUnknown,
    Parameters,
    Row,
    StorageUnavailable,
    Tx,
)
from checkout_server.database.migrate import Migration, for_sqlite, migrate
from checkout_server.database.owned import OwnedTasks
from checkout_server.database.sqlite_tx import (
    BUSY_TIMEOUT_MS,
    SqliteReader,
    SqliteTx,
    driven,
    extended_code,
    translated,
    translating,
)

T = TypeVar("T")
Body = Callable[[Tx], Awaitable[T]]

OLDEST_SOUND = (3, 51, 3)  # the first release without the WAL-reset corruption bug
WAL_LEFT_BYTES = 64 << 20  # after a checkpoint the WAL is cut back to this

PRAGMAS = f"""
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA fullfsync = ON;
PRAGMA foreign_keys = ON;
PRAGMA secure_delete = ON;
PRAGMA mmap_size = 0;
PRAGMA journal_size_limit = {WAL_LEFT_BYTES};
"""


class SqliteDatabase:
    single_process = True
    durability = (
        "SQLite WAL, synchronous=FULL: survives a crash of the process or the host, "
        "not the loss of the disk"
    )

    def __init__(self, file: Path, lock: int) -> None:
        self._lock = lock
        self._writer = _writer(file)
        self._reader = SqliteReader(file)
        self._turn = asyncio.Lock()  # fair: transactions run in the order they came
        self._committer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="commit")
        self._owned = OwnedTasks()
        self._failed = False
        self._latest_ms = 0

    @classmethod
    async def open(cls, file: Path, migrations: Sequence[Migration]) -> SqliteDatabase:
        database = _opened(file)
        now_ms = await database.now_ms()
        try:
            await database.transact(
                lambda tx: migrate(tx, migrations, now_ms=now_ms, dialect=for_sqlite)
            )
        except BaseException:
            await database.close()
            raise
        return database

    async def fetch(self, sql: str, /, *, lock: bool = False, **parameters: Any) -> list[Row]:
        return await self._reader.fetch(sql, **parameters)

    async def fetch_many(
        self, sql: str, rows: Sequence[Parameters], /, *, lock: bool = False
    ) -> list[list[Row]]:
        return await self._reader.fetch_many(sql, rows)

    @property
    def failed(self) -> bool:
        return self._failed

    async def transact(self, body: Body[T], /) -> T:
        return await self._owned.run(self._transact(body))

    async def now_ms(self) -> int:
        self._latest_ms = max(self._latest_ms, time.time_ns() // 1_000_000)
        return self._latest_ms

    async def close(self) -> None:
        await self._owned.finished()
        await self._reader.close()
        # The last connection to go checkpoints and removes the WAL, which takes fsyncs.
        await asyncio.get_running_loop().run_in_executor(self._committer, self._writer.close)
        self._committer.shutdown()
        os.close(self._lock)

    async def _transact(self, body: Body[T]) -> T:
        async with self._turn:
            result = self._run(body)
            await asyncio.get_running_loop().run_in_executor(self._committer, self._commit)
            return result

    def _run(self, body: Body[T]) -> T:
        if self._failed:
            raise StorageUnavailable("the disk has failed; nothing is written until a restart")
        with translating():
            self._writer.execute("BEGIN IMMEDIATE")
        tx = SqliteTx(self._writer)
        try:
            result = driven(body(tx))
            tx.check()
            return result
        except BaseException:
            self._roll_back()
            raise
        finally:
            tx.end()

    def _commit(self) -> None:
        try:
            self._writer.execute("COMMIT")
        except apsw.IOError as error:
            self._failed = extended_code(error) == apsw.SQLITE_IOERR_FSYNC
            self._roll_back()
            raise CommitUnknown(str(error)) from error
        except apsw.Error as error:
            self._roll_back()
            raise translated(error) from error

    def _roll_back(self) -> None:
        # A full disk or an I/O error may have rolled back already.
        if not self._writer.in_transaction:
            return
        try:
            self._writer.execute("ROLLBACK")
        except apsw.Error:
            # The caller hears what went wrong before it; the next one, that nothing goes any more.
            self._failed = True


def _opened(file: Path) -> SqliteDatabase:
    version = apsw.sqlite_lib_version()
    if tuple(int(part) for part in version.split(".")) < OLDEST_SOUND:
        raise CannotOpen(f"SQLite {version} can corrupt its files. Install apsw 3.51.3 or later.")
    lock = _taken_lock(file)
    try:
        return SqliteDatabase(file, lock)
    except apsw.Error as error:
        os.close(lock)
        raise CannotOpen(f"Cannot open {file}: {error}") from error


def _taken_lock(file: Path) -> int:
    """A lock on NAME.lock that is ours until this process ends, however it ends."""
    try:
        # Closed to others: buyers' names and addresses lie in there.
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise CannotOpen(f"Cannot write in the folder {file.parent}: {error.strerror}.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise CannotOpen(
            f"{file.name} in the folder {file.parent} is in use, and SQLite takes one process. "
            "Stop the other one, choose another folder (CHECKOUT_DATABASE=sqlite:FOLDER), or let "
            "them share a PostgreSQL (CHECKOUT_DATABASE=postgresql://...)."
        ) from None
    return lock


def _writer(file: Path) -> apsw.Connection:
    connection = apsw.Connection(str(file))
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    for _ in connection.execute(PRAGMAS):
        pass
    return connection
