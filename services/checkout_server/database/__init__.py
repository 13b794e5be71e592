"""The database, as everything above sees it: SQL as SQL, one small transaction at a time.

SQL is written once for SQLite and PostgreSQL, with `:name` parameters. What must differ (row locks, sets) is
asked for by an argument. A transaction body is an async function over a `Tx`; it awaits nothing but that `Tx`.
On SQLite a body that awaits anything else is stopped with an AssertionError, so that no network call can ever
creep into a transaction.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
Row = tuple[Any, ...]
Parameters = Mapping[str, Any]


class StorageUnavailable(Exception):
    """No answer from the database: nothing is known to have been written by this attempt."""


class StorageFull(StorageUnavailable):
    """No room left on the disk."""


class CommitUnknown(StorageUnavailable):
    """COMMIT was sent and its acknowledgement lost: it may have happened. Read again by key."""


class DuplicateRow(Exception):
    """A UNIQUE constraint refused a row. The transaction is rolled back."""


class Reader(Protocol):
    async def fetch(self, sql: str, /, *, lock: bool = False, **parameters: Any) -> list[Row]:
        """All rows. `lock=True` locks them until the transaction ends (a no-op where there is one writer)."""
        ...

    async def fetch_many(
        self, sql: str, rows: Sequence[Parameters], /, *, lock: bool = False
    ) -> list[list[Row]]:
        """One result per parameter set, run in order, in one round trip."""
        ...


class Tx(Reader, Protocol):
    async def run(self, sql: str, /, **parameters: Any) -> int:
        """Runs one statement; how many rows it changed."""
        ...

    async def run_many(self, sql: str, rows: Sequence[Parameters], /) -> int:
        """Runs one statement per parameter set, in one round trip; how many rows they changed altogether."""
        ...


class Database(Reader, Protocol):
    """`fetch` and `fetch_many` outside a transaction see what is committed. They take no locks."""

    @property
    def single_process(self) -> bool:
        """Whether this process is the only one that writes here (SQLite)."""
        ...

    @property
    def durability(self) -> str:
        """What survives what, in one sentence, for the start-up line and health."""
        ...

    async def transact(self, body: Callable[[Tx], Awaitable[T]], /) -> T:
        """Runs `body` in one transaction and returns once it is durable.

        The body may run more than once (serialization failures and deadlocks are tried again, at most 5
        times), so it must have no effect but its statements. An exception out of the body rolls back and is
        passed on. Cancelling the caller does not stop a commit under way.
        """
        ...

    async def now_ms(self) -> int:
        """The database's own clock, asked now. `clock.ServiceClock` samples it."""
        ...

    async def close(self) -> None: ...
