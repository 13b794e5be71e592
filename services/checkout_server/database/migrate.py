"""The tables' history: plain SQL files, applied once each, in order, never edited afterwards.

What can go wrong: two processes start at once; a file is edited after it ran somewhere; an old
binary meets a newer database. So all of it happens in one transaction under the lock its caller
took (an advisory lock, or SQLite's one writer), each file is recorded with its hash, and a
difference stops the start.

Files are written in PostgreSQL's types, of which we use three: TEXT, BIGINT, BYTEA.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from checkout_server.database import CannotOpen, Tx

FILE = re.compile(r"(\d{4})_\w+\.sql")
SQLITE_TYPES = {"BIGINT": "INTEGER", "BYTEA": "BLOB"}

HISTORY = """
CREATE TABLE IF NOT EXISTS schema_migration (
  version BIGINT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  applied_ms BIGINT NOT NULL
);
"""
RECORD = """
INSERT INTO schema_migration (version, name, sha256, applied_ms)
VALUES (:version, :name, :sha256, :applied_ms)
"""


@dataclass(frozen=True, slots=True)
class Migration:
    version: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def packaged(name: str) -> list[Migration]:
    """The migrations of one service, in order, as they lie in this package."""
    folder = resources.files("checkout_server") / "migrations" / name
    if not folder.is_dir():  # a wheel holds no empty folders
        return []
    files = sorted((file.name, file) for file in folder.iterdir())
    return [
        Migration(version=int(match[1]), name=file_name, sql=file.read_text(encoding="utf-8"))
        for file_name, file in files
        if (match := FILE.fullmatch(file_name))
    ]


def for_sqlite(sql: str) -> str:
    """The same tables for SQLite, STRICT: otherwise it would keep a text in a number's column."""
    sql = re.sub(r"\b(BIGINT|BYTEA)\b", lambda match: SQLITE_TYPES[match[1]], sql)
    return re.sub(r"^\);$", ") STRICT;", sql, flags=re.MULTILINE)


async def migrate(
    tx: Tx,
    migrations: Sequence[Migration],
    *,
    now_ms: int,
    dialect: Callable[[str], str] = str,
) -> None:
    """Brings the tables up to date within `tx`, which holds the lock that keeps others out."""
    await tx.run(dialect(HISTORY))
    rows = await tx.fetch("SELECT version, sha256 FROM schema_migration ORDER BY version")
    for migration in _pending(migrations, dict(rows)):
        await tx.run(dialect(migration.sql))
        await tx.run(
            RECORD,
            version=migration.version,
            name=migration.name,
            sha256=migration.sha256,
            applied_ms=now_ms,
        )


def _pending(migrations: Sequence[Migration], applied: Mapping[int, str]) -> list[Migration]:
    newer = applied.keys() - {migration.version for migration in migrations}
    if newer:
        raise CannotOpen(
            f"The database has migration {max(newer)}, which this checkout-server does not know. "
            "Start the version that made it, or a later one."
        )
    for migration in migrations:
        if applied.get(migration.version, migration.sha256) != migration.sha256:
            raise CannotOpen(
                f"The migration {migration.name} was changed after it was applied here. Restore it "
                "as it was, and put the change into a new file."
            )
    return [migration for migration in migrations if migration.version not in applied]
