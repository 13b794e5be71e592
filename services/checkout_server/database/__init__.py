"""The database, as everything above sees it: SQL as SQL, one small transaction at a time.

SQL is written once for SQLite and PostgreSQL, with `:name` parameters (any name but `lock`). What
must differ (row locks, sets) is asked for by an argument. A transaction body is an async function
over a `Tx`; it awaits nothing but that `Tx`, one statement after the other. On SQLite a body that
awaits anything else is stopped with an AssertionError, so that no network call can ever creep into
a transaction.

    CannotOpen                  at the start: a person must act, and the message says how
    StorageUnavailable          try again later
    +-- StorageFull
    +-- CommitUnknown           read again by key first
    +-- Contended               others hold its rows: a smaller transaction may get through
    DuplicateRow                another row has that key
    AssertionError
    +-- ConstraintBroken        a bug of ours, stopped by the schema

Whatever a statement raises spoils its transaction, on both databases: a body that catches it and
goes on is rolled back all the same, and the caller gets that first error.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
Row = tuple[Any, ...]
Parameters = Mapping[str, Any]


class CannotOpen(Exception):
    """The database cannot be used as it is. The message says why, and what to do about it."""


class StorageUnavailable(Exception):
    """No answer from the database: nothing was written by this transaction."""


class StorageFull(StorageUnavailable):
    """No room left on the disk."""


class CommitUnknown(StorageUnavailable):
    """COMMIT was sent and its acknowledgement lost: it may have happened. Read again by key."""


class Contended(StorageUnavailable):
    """Others held what this transaction needs for too long: a lock or a statement timed out, or it
    was the victim of deadlocks to the last try. The database itself is well."""


class DuplicateRow(Exception):
    """A UNIQUE constraint refused a row. The transaction is rolled back."""


class ConstraintBroken(AssertionError):
    """CHECK, NOT NULL or a foreign key refused a row: our rules should have prevented that."""


class Reader(Protocol):
    async def fetch(self, sql: str, /, *, lock: bool = False, **parameters: Any) -> list[Row]:
        """All rows. `lock=True` locks them until the end (a no-op where there is one writer)."""
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
        """Runs one statement per parameter set, in one round trip; how many rows all changed."""
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

    @property
    def failed(self) -> bool:
        """Nothing is written here any more until this process has been started anew."""
        ...

    async def transact(self, body: Callable[[Tx], Awaitable[T]], /) -> T:
        """Runs `body` in one transaction and returns once it is durable.

        The body may run more than once (serialization failures and deadlocks are tried again, at
        most 5 times), so it must have no effect but its statements. An exception out of the body
        rolls back and is passed on. Cancelling the caller only stops its waiting: the transaction
        is still run, as a whole or not at all.
        """
        ...

    async def now_ms(self) -> int:
        """The database's own clock, asked now. `clock.ServiceClock` samples it."""
        ...

    async def close(self) -> None: ...
