"""A real database that tells what was committed in it, and fails where a script says so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from checkout_server.database import CommitUnknown, Database, Parameters, Row, Tx

T = TypeVar("T")


@dataclass(frozen=True)
class Failure:
    """Strikes the first transaction with a statement that contains `statement`."""

    statement: str
    error: Exception
    # After the commit: the work is done and its acknowledgement is lost.
    committed: bool


class ScriptedDatabase:
    """`commits`: the statements of each transaction that was acknowledged or lost after COMMIT."""

    def __init__(self, inner: Database) -> None:
        self._inner = inner
        self.commits: list[tuple[str, ...]] = []
        self._script: list[Failure] = []
        # Cleared: reads outside a transaction are asked and never answered.
        self.reads_answer = asyncio.Event()
        self.reads_answer.set()

    @property
    def single_process(self) -> bool:
        return self._inner.single_process

    @property
    def durability(self) -> str:
        return self._inner.durability

    @property
    def failed(self) -> bool:
        return self._inner.failed

    def break_at(self, statement: str, error: Exception, *, times: int = 1) -> None:
        """The next transactions with such a statement fail there, and write nothing."""
        self._script += [Failure(statement, error, committed=False)] * times

    def lose_commit_of(self, statement: str, *, times: int = 1) -> None:
        """The next transactions with such a statement are durable, and nobody hears of it."""
        lost = CommitUnknown("scripted")
        self._script += [Failure(statement, lost, committed=True)] * times

    def mend(self) -> None:
        self._script.clear()

    def commits_of(self, table: str) -> list[tuple[str, ...]]:
        """Those that wrote that table."""
        verbs = (f"INSERT INTO {table} ", f"UPDATE {table} ", f"DELETE FROM {table} ")
        return [
            commit
            for commit in self.commits
            if any(verb in statement for statement in commit for verb in verbs)
        ]

    async def fetch(self, sql: str, /, *, lock: bool = False, **parameters: Any) -> list[Row]:
        await self.reads_answer.wait()
        return await self._inner.fetch(sql, lock=lock, **parameters)

    async def fetch_many(
        self, sql: str, rows: Sequence[Parameters], /, *, lock: bool = False
    ) -> list[list[Row]]:
        return await self._inner.fetch_many(sql, rows, lock=lock)

    async def transact(self, body: Callable[[Tx], Awaitable[T]], /) -> T:
        statements: list[str] = []

        async def watched(tx: Tx) -> T:
            statements.clear()  # a body may run more than once
            return await body(_WatchedTx(tx, statements, self))

        result = await self._inner.transact(watched)
        self.commits.append(tuple(statements))
        for statement in statements:
            self.strike(statement, committed=True)
        return result

    async def now_ms(self) -> int:
        return await self._inner.now_ms()

    async def close(self) -> None:
        await self._inner.close()

    def strike(self, statement: str, *, committed: bool) -> None:
        for failure in self._script:
            if failure.committed == committed and failure.statement in statement:
                self._script.remove(failure)
                raise failure.error


class _WatchedTx:
    def __init__(self, tx: Tx, statements: list[str], database: ScriptedDatabase) -> None:
        self._tx = tx
        self._statements = statements
        self._database = database

    async def fetch(self, sql: str, /, *, lock: bool = False, **parameters: Any) -> list[Row]:
        return await self._tx.fetch(sql, lock=lock, **parameters)

    async def fetch_many(
        self, sql: str, rows: Sequence[Parameters], /, *, lock: bool = False
    ) -> list[list[Row]]:
        return await self._tx.fetch_many(sql, rows, lock=lock)

    async def run(self, sql: str, /, **parameters: Any) -> int:
        self._note(sql)
        return await self._tx.run(sql, **parameters)

    async def run_many(self, sql: str, rows: Sequence[Parameters], /) -> int:
        self._note(sql)
        return await self._tx.run_many(sql, rows)

    def _note(self, sql: str) -> None:
        self._database.strike(sql, committed=False)
        self._statements.append(sql)
