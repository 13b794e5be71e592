from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from checkout_server.database import CannotOpen, Database
from checkout_server.database.migrate import Migration, for_sqlite, migrate, packaged
from checkout_server.database.open import open_database

CREATE = Migration(1, "0001_init.sql", "CREATE TABLE thing (\n  n BIGINT NOT NULL\n);\n")
ADD = Migration(2, "0002_more.sql", "ALTER TABLE thing ADD COLUMN m BIGINT;\n")
BROKEN = Migration(2, "0002_more.sql", "CREATE TABLE other (n BIGINT);\nCREATE NONSENSE;\n")
OPEN = """
import asyncio, sys
from checkout_server.database.open import open_database
async def main():
    database = await open_database(sys.argv[1], "checkout")
    print(await database.fetch("SELECT COUNT(*) FROM schema_migration"))
    await database.close()
asyncio.run(main())
"""


@pytest.fixture
async def scratch(db_url: str) -> AsyncIterator[Database]:
    """A service whose package has no migrations."""
    database = await open_database(db_url, "scratch")
    yield database
    await database.close()


async def apply(database: Database, migrations: Sequence[Migration]) -> None:
    dialect = for_sqlite if database.single_process else str
    await database.transact(lambda tx: migrate(tx, migrations, now_ms=7, dialect=dialect))


async def applied(database: Database) -> list[tuple[object, ...]]:
    return await database.fetch(
        "SELECT version, name, applied_ms FROM schema_migration ORDER BY version"
    )


async def test_each_is_applied_once_and_in_order(scratch: Database) -> None:
    await apply(scratch, [CREATE])
    await apply(scratch, [CREATE, ADD])
    await apply(scratch, [CREATE, ADD])
    assert await applied(scratch) == [(1, "0001_init.sql", 7), (2, "0002_more.sql", 7)]
    assert await scratch.fetch("SELECT n, m FROM thing") == []


async def test_a_changed_file_is_refused(scratch: Database) -> None:
    await apply(scratch, [CREATE])
    changed = Migration(1, CREATE.name, CREATE.sql + "-- later\n")
    with pytest.raises(CannotOpen, match=r"0001_init\.sql was changed"):
        await apply(scratch, [changed, ADD])
    assert len(await applied(scratch)) == 1


async def test_a_database_newer_than_the_code_is_refused(scratch: Database) -> None:
    await apply(scratch, [CREATE, ADD])
    with pytest.raises(CannotOpen, match="migration 2"):
        await apply(scratch, [CREATE])


async def test_a_broken_file_leaves_nothing_behind(scratch: Database) -> None:
    await apply(scratch, [CREATE])
    with pytest.raises(Exception, match="syntax error"):
        await apply(scratch, [CREATE, BROKEN])
    await apply(scratch, [CREATE, ADD])
    assert len(await applied(scratch)) == 2


async def test_opening_again_applies_nothing(db_url: str) -> None:
    async with _opened(db_url) as database:
        first = await applied(database)
    async with _opened(db_url) as database:
        assert await applied(database) == first
    assert len(first) == len(packaged("checkout"))


async def test_two_processes_at_once_apply_each_once(db_url: str) -> None:
    runs = [await _process(db_url) for _ in range(2)]
    outputs = [await run.communicate() for run in runs]
    count = f"[({len(packaged('checkout'))},)]"
    served = [out.decode().strip() for out, _ in outputs if out]
    refused = [error.decode() for out, error in outputs if not out]
    if db_url.startswith("postgresql"):
        assert served == [count] * 2
    else:  # one process at a time: the second is refused, or came when the first was gone
        assert served in ([count], [count] * 2)
        assert all("is in use" in error for error in refused)


@pytest.mark.parametrize("name", ["checkout", "address", "payment"])
async def test_the_packaged_tables_can_be_made(db_url: str, name: str) -> None:
    database = await open_database(db_url, name)
    await database.close()
    assert [migration.version for migration in packaged(name)] == list(
        range(1, len(packaged(name)) + 1)
    )


def test_sqlite_gets_its_own_types_and_strict_tables() -> None:
    sql = "CREATE TABLE t (\n  n BIGINT NOT NULL,\n  b BYTEA CHECK (b <> ''),\n  s TEXT\n);\n"
    assert for_sqlite(sql) == (
        "CREATE TABLE t (\n  n INTEGER NOT NULL,\n  b BLOB CHECK (b <> ''),\n  s TEXT\n) STRICT;\n"
    )


async def _process(db_url: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", OPEN, db_url, stdout=PIPE, stderr=PIPE
    )


@asynccontextmanager
async def _opened(db_url: str) -> AsyncIterator[Database]:
    database = await open_database(db_url, "checkout")
    yield database
    await database.close()
