"""PostgreSQL: one schema a service, any number of processes.

What can go wrong, and what makes it safe:
- The connection is lost. Before COMMIT was sent nothing happened (StorageUnavailable); after it
  nobody can say (CommitUnknown), and only a read by key tells. A connection that died while it lay
  in the pool is noticed at BEGIN or at a read, where nothing can have happened: another one is
  taken.
- A synchronous standby is not there. COMMIT then waits; if that wait is cut short the server
  answers success with a warning, for a commit that the standby may lack: CommitUnknown.
- Serialization failures and deadlocks: the whole transaction again, at most TRIES times.
- The caller is cancelled: its transaction goes on in a task of its own, see owned.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import psycopg
from psycopg_pool import AsyncConnectionPool
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from checkout_server.database import CannotOpen, Parameters, Row, StorageUnavailable, Tx
from checkout_server.database.migrate import Migration, migrate
from checkout_server.database.owned import OwnedTasks
from checkout_server.database.postgres_session import (
    Connection,
    configure,
    durability,
    parameters,
)
from checkout_server.database.postgres_tx import ConnectionLost, PostgresTx, TryAgain, commit

T = TypeVar("T")
Body = Callable[[Tx], Awaitable[T]]

TRIES = 5
POOL_WAIT_S = 2.0  # a tap is answered in 0.8 s: who waits longer than this has nobody listening
MIGRATION_WAIT = "60s"  # for another process that is migrating, or for a table in use


class PostgresDatabase:
    single_process = False
    failed = False  # the server knows how to come back from an fsync that failed

    def __init__(self, pool: AsyncConnectionPool[Connection], durability: str) -> None:
        self._pool = pool
        self._owned = OwnedTasks()
        self.durability = durability

    @classmethod
    async def open(
        cls, dsn: str, name: str, migrations: Sequence[Migration], *, pool_size: int
    ) -> PostgresDatabase:
        async with _first_connection(dsn, name) as connection:
            await _migrate(connection, name, migrations)
            kept = await durability(connection)
        return await cls._pooled(parameters(dsn, name), pool_size, kept)

    @classmethod
    async def open_beside(
        cls, dsn: str, name: str, *, durability: str, pool_size: int
    ) -> PostgresDatabase:
        """More connections to what another pool has opened and migrated."""
        return await cls._pooled(parameters(dsn, name), pool_size, durability)

    @classmethod
    async def open_readonly(cls, dsn: str, name: str) -> PostgresDatabase:
        async with _first_connection(dsn, name) as connection:
            kept = await durability(connection)
        read_only = parameters(dsn, name, default_transaction_read_only="on")
        return await cls._pooled(read_only, 1, kept)

    @classmethod
    async def _pooled(
        cls, connection: dict[str, Any], pool_size: int, durability: str
    ) -> PostgresDatabase:
        pool = AsyncConnectionPool[Connection](
            kwargs=connection,
            min_size=1,
            max_size=pool_size,
            timeout=POOL_WAIT_S,
            configure=configure,
            open=False,
        )
        await pool.open()
        return cls(pool, durability)

    async def fetch(self, sql: str, /, *, lock: bool = False, **parameters: Any) -> list[Row]:
        return await self._again(self._read, lambda tx: tx.fetch(sql, **parameters))

    async def fetch_many(
        self, sql: str, rows: Sequence[Parameters], /, *, lock: bool = False
    ) -> list[list[Row]]:
        return await self._again(self._read, lambda tx: tx.fetch_many(sql, rows))

    async def transact(self, body: Body[T], /) -> T:
        return await self._again(self._transact, body)

    async def now_ms(self) -> int:
        [(now_ms,)] = await self.fetch(
            "SELECT CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS BIGINT)"
        )
        return int(now_ms)

    async def close(self) -> None:
        await self._owned.finished()
        await self._pool.close()

    async def _again(
        self, attempt: Callable[[Body[T]], Coroutine[Any, Any, T]], body: Body[T]
    ) -> T:
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(TryAgain),
            stop=stop_after_attempt(TRIES),
            wait=wait_random_exponential(multiplier=0.01, max=0.2),
            before_sleep=self._discard_dead,
            reraise=True,
        )
        return await self._owned.run(retrying(attempt, body))

    async def _discard_dead(self, state: RetryCallState) -> None:
        if state.outcome and isinstance(state.outcome.exception(), ConnectionLost):
            await self._pool.check()

    async def _read(self, body: Body[T]) -> T:
        async with self._lent() as connection:
            try:
                return await body(PostgresTx(connection))
            except StorageUnavailable as error:
                if connection.closed:
                    raise ConnectionLost(str(error)) from None
                raise

    async def _transact(self, body: Body[T]) -> T:
        # Leaving the block by an exception rolls back, and discards the connection if it is broken.
        async with self._lent() as connection:
            try:
                await connection.execute("BEGIN")
            except psycopg.OperationalError as error:
                raise ConnectionLost(str(error)) from None
            tx = PostgresTx(connection)
            try:
                result = await body(tx)
                tx.check()
            finally:
                tx.end()
            await commit(connection)
            return result

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[Connection]:
        try:
            async with self._pool.connection() as connection:
                yield connection
        except psycopg.OperationalError as error:
            raise StorageUnavailable(f"no connection to PostgreSQL: {error}") from None


@asynccontextmanager
async def _first_connection(dsn: str, name: str) -> AsyncIterator[Connection]:
    """Not the pool's: it says what is wrong where a pool would keep trying."""
    try:
        connection = await psycopg.AsyncConnection.connect(**parameters(dsn, name))
        async with connection:
            await configure(connection)
            yield connection
    except (psycopg.Error, StorageUnavailable) as error:
        raise CannotOpen(f"Cannot open the schema {name} in PostgreSQL: {error}") from error


async def _migrate(connection: Connection, name: str, migrations: Sequence[Migration]) -> None:
    async with connection.transaction():
        tx = PostgresTx(connection)
        await tx.run("SET LOCAL statement_timeout = 0")
        await tx.run(f"SET LOCAL lock_timeout = '{MIGRATION_WAIT}'")
        # Held until COMMIT. Of two processes that start at once the second finds it all done.
        await tx.fetch("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))", name=name)
        await tx.run(f"CREATE SCHEMA IF NOT EXISTS {name}")
        [(now_ms,)] = await tx.fetch("SELECT CAST(extract(epoch FROM now()) * 1000 AS BIGINT)")
        await migrate(tx, migrations, now_ms=now_ms)
