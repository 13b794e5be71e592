"""Statements on SQLite, and what its errors mean to us."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import apsw

from checkout_server.database import (
    CannotOpen,
    ConstraintBroken,
    DuplicateRow,
    Parameters,
    Row,
    StorageFull,
    StorageUnavailable,
)

T = TypeVar("T")

# Nobody else writes here but a person with a sqlite3 shell; waiting for them blocks the event loop.
BUSY_TIMEOUT_MS = 50

UNIQUE = {
    apsw.SQLITE_CONSTRAINT_UNIQUE,
    apsw.SQLITE_CONSTRAINT_PRIMARYKEY,
    apsw.SQLITE_CONSTRAINT_ROWID,
}
UNAVAILABLE = (
    apsw.BusyError,
    apsw.LockedError,
    apsw.IOError,
    apsw.CantOpenError,
    apsw.ReadOnlyError,
)


class SqliteReader:
    """A connection that cannot write, for what is committed."""

    def __init__(self, file: Path) -> None:
        try:
            self._connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
        except apsw.CantOpenError:
            raise CannotOpen(f"There is no database {file}, or it may not be read.") from None
        self._connection.set_busy_timeout(BUSY_TIMEOUT_MS)

    async def fetch(self, sql: str, /, *, lock: bool = False, **parameters: Any) -> list[Row]:
        with translating():
            return self._connection.execute(sql, parameters).fetchall()

    async def fetch_many(
        self, sql: str, rows: Sequence[Parameters], /, *, lock: bool = False
    ) -> list[list[Row]]:
        with translating():
            return [self._connection.execute(sql, row).fetchall() for row in rows]

    async def close(self) -> None:
        self._connection.close()


class SqliteTx:
    """Its methods never suspend: that is what lets a body be driven by hand."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._over = False
        self._failed: Exception | None = None

    async def fetch(self, sql: str, /, *, lock: bool = False, **parameters: Any) -> list[Row]:
        with self._statement():
            return self._connection.execute(sql, parameters).fetchall()

    async def fetch_many(
        self, sql: str, rows: Sequence[Parameters], /, *, lock: bool = False
    ) -> list[list[Row]]:
        with self._statement():
            return [self._connection.execute(sql, row).fetchall() for row in rows]

    async def run(self, sql: str, /, **parameters: Any) -> int:
        with self._statement():
            before = self._connection.total_changes()
            _run_through(self._connection.execute(sql, parameters))
            return self._connection.total_changes() - before

    async def run_many(self, sql: str, rows: Sequence[Parameters], /) -> int:
        with self._statement():
            before = self._connection.total_changes()
            _run_through(self._connection.executemany(sql, rows))
            return self._connection.total_changes() - before

    def check(self) -> None:
        """Raises what spoiled the transaction, in case the body kept it for itself."""
        if self._failed is not None:
            raise self._failed

    def end(self) -> None:
        self._over = True

    @contextmanager
    def _statement(self) -> Iterator[None]:
        if self._over:
            raise AssertionError("a Tx was used after its transaction had ended")
        try:
            with translating():
                yield
        except Exception as error:
            self._failed = self._failed or error
            raise


def _run_through(cursor: apsw.Cursor) -> None:
    # RETURNING, PRAGMA and scripts of several statements stop at each row until it is taken.
    for _ in cursor:
        pass


def driven(body: Awaitable[T]) -> T:
    """Runs a transaction body to its end without ever giving way to the event loop."""
    steps = body.__await__()
    try:
        next(steps)
    except StopIteration as stop:
        result: T = stop.value
        return result
    stopped = AssertionError("a transaction body awaited something other than its Tx")
    with suppress(StopIteration):
        steps.throw(stopped)
    raise stopped


@contextmanager
def translating() -> Iterator[None]:
    try:
        yield
    except apsw.Error as error:
        raise translated(error) from error


def translated(error: apsw.Error) -> Exception:
    if isinstance(error, apsw.ConstraintError):
        kind = DuplicateRow if extended_code(error) in UNIQUE else ConstraintBroken
        return kind(str(error))
    if isinstance(error, apsw.FullError):
        return StorageFull(str(error))
    return StorageUnavailable(str(error)) if isinstance(error, UNAVAILABLE) else error


def extended_code(error: apsw.Error) -> int:
    code: int = getattr(error, "extendedresult", 0)  # apsw's stubs do not know it
    return code
