"""Statements on PostgreSQL, and what its errors mean to us.

A server's error can quote a row (`Key (buyer_id)=(...) already exists`). What leaves here carries
the primary message or the constraint's name alone, and not its cause: no log may hold a buyer's
data.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import errors

from checkout_server.database import (
    CommitUnknown,
    ConstraintBroken,
    Contended,
    DuplicateRow,
    Parameters,
    Row,
    StorageFull,
    StorageUnavailable,
)
from checkout_server.database.dialect import for_psycopg
from checkout_server.database.postgres_session import Connection


class TryAgain(StorageUnavailable):
    """Nothing was done, and the same again may well succeed."""


class Conflict(TryAgain, Contended):
    """Deadlock or serialization failure."""


class ConnectionLost(TryAgain):
    """It was dead before anything was asked of it; others in the pool may be, too."""


class PostgresTx:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._over = False
        self._failed: Exception | None = None

    async def fetch(self, sql: str, /, *, lock: bool = False, **parameters: Any) -> list[Row]:
        async with self._statement():
            cursor = await self._connection.execute(for_psycopg(sql, lock), parameters, binary=True)
            return await cursor.fetchall()

    async def fetch_many(
        self, sql: str, rows: Sequence[Parameters], /, *, lock: bool = False
    ) -> list[list[Row]]:
        if not rows:
            return []
        async with self._statement(), self._connection.cursor(binary=True) as cursor:
            # executemany is a pipeline: one round trip, whatever the number of rows.
            await cursor.executemany(for_psycopg(sql, lock), rows, returning=True)
            return [await result.fetchall() async for result in cursor.results()]

    async def run(self, sql: str, /, **parameters: Any) -> int:
        async with self._statement():
            cursor = await self._connection.execute(for_psycopg(sql), parameters)
            return max(cursor.rowcount, 0)  # -1 where it means nothing

    async def run_many(self, sql: str, rows: Sequence[Parameters], /) -> int:
        if not rows:
            return 0
        async with self._statement(), self._connection.cursor() as cursor:
            await cursor.executemany(for_psycopg(sql), rows)
            return cursor.rowcount

    def check(self) -> None:
        """Raises what spoiled the transaction, in case the body kept it for itself."""
        # COMMIT would answer ROLLBACK, and raise nothing.
        if self._failed is not None:
            raise self._failed

    def end(self) -> None:
        self._over = True

    @asynccontextmanager
    async def _statement(self) -> AsyncIterator[None]:
        if self._over:
            raise AssertionError("a Tx was used after its transaction had ended")
        try:
            yield
        except psycopg.Error as error:
            meaning = translated(error)
            self._failed = self._failed or meaning
            raise meaning from None


async def commit(connection: Connection) -> None:
    warnings: list[str] = []

    def hear(notice: errors.Diagnostic) -> None:
        if notice.severity_nonlocalized == "WARNING":
            warnings.append(notice.message_primary or "")

    connection.add_notice_handler(hear)
    try:
        await connection.execute("COMMIT")
    except psycopg.Error as error:
        if connection.closed:
            raise CommitUnknown(f"the connection was lost during COMMIT: {error}") from None
        raise translated(error) from None
    finally:
        connection.remove_notice_handler(hear)
    if warnings:  # "... already committed locally, but might not have been replicated"
        raise CommitUnknown("; ".join(warnings))


def translated(error: psycopg.Error) -> Exception:
    text = f"{error.sqlstate} {error.diag.message_primary}" if error.sqlstate else str(error)
    match error:
        case errors.UniqueViolation():
            return DuplicateRow(error.diag.constraint_name)
        case errors.IntegrityError():
            return ConstraintBroken(text)
        case errors.DiskFull():
            return StorageFull(text)
        case errors.SerializationFailure() | errors.DeadlockDetected():
            return Conflict(text)
        case errors.LockNotAvailable() | errors.QueryCanceled():
            return Contended(text)
        case (
            psycopg.OperationalError()
            | errors.IdleInTransactionSessionTimeout()
            | errors.ReadOnlySqlTransaction()  # what was the primary is a standby now
        ):
            return StorageUnavailable(text)
    return error
