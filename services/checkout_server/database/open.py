"""Where a location leads: `sqlite:FOLDER` to FOLDER/NAME.db, `postgresql://...` to the schema NAME
there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from checkout_server.database import CannotOpen, Database, Reader
from checkout_server.database.migrate import packaged
from checkout_server.database.postgres import PostgresDatabase
from checkout_server.database.sqlite import SqliteDatabase
from checkout_server.database.sqlite_tx import SqliteReader

SQLITE = "sqlite:"
POSTGRES = ("postgresql://", "postgres://")
# One each for the lease, the clock and recovery, which ask one thing after the other: none of them
# ever waits for a connection.
RESERVED = 3


async def open_database(location: str, name: str, *, pool_size: int = 10) -> Database:
    """The tables of the service `name`, up to date. `pool_size`: connections, on PostgreSQL.

    Raises CannotOpen with what to do about it.
    """
    if location.startswith(POSTGRES):
        return await PostgresDatabase.open(location, name, packaged(name), pool_size=pool_size)
    return await SqliteDatabase.open(_sqlite_file(location, name), packaged(name))


async def open_reserved(database: Database, location: str, name: str) -> Database:
    """The same tables for what must go on when every connection of `database` is taken. SQLite has
    no connections to run out of: there it is `database` itself."""
    if not location.startswith(POSTGRES):
        return database
    return await PostgresDatabase.open_beside(
        location, name, durability=database.durability, pool_size=RESERVED
    )


@asynccontextmanager
async def open_readonly(location: str, name: str) -> AsyncIterator[Reader]:
    """A look from outside, also while a server writes there: no lock, no migration, no writing."""
    reader: PostgresDatabase | SqliteReader
    if location.startswith(POSTGRES):
        reader = await PostgresDatabase.open_readonly(location, name)
    else:
        reader = SqliteReader(_sqlite_file(location, name))
    try:
        yield reader
    finally:
        await reader.close()


def _sqlite_file(location: str, name: str) -> Path:
    if not location.startswith(SQLITE):
        raise CannotOpen(
            "The database must be sqlite:FOLDER or postgresql://USER@HOST/NAME (CHECKOUT_DATABASE)."
        )
    return Path(location.removeprefix(SQLITE)) / f"{name}.db"
