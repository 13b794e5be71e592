"""How we talk to PostgreSQL: the settings of every session, and why each has its value."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.numeric import Int8BinaryDumper, NumericBinaryLoader

from checkout_server.database import Row

Connection = psycopg.AsyncConnection[Row]

SESSION = {
    # `on` waits for the local disk, and for a synchronous standby if one is configured. Said here
    # because the default of a role or a database may be less.
    "synchronous_commit": "on",
    "default_transaction_isolation": "read\\ committed",
    # Statements take milliseconds. One that takes this long is stuck, its caller long answered.
    "statement_timeout": "5s",
    # Shorter: a queue for one row ends in an error here, and not in a pool without connections.
    "lock_timeout": "2s",
    # A process that stops between two statements (SIGSTOP, swap) gives its row locks back.
    "idle_in_transaction_session_timeout": "10s",
}
CONNECTION: dict[str, Any] = {
    "connect_timeout": 5,
    # A half-open connection answers nothing, not even a cancel: the kernel gives it up after this.
    "tcp_user_timeout": 5_000,
    "keepalives_idle": 10,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    # Plain reads take one round trip; transactions say BEGIN themselves.
    "autocommit": True,
}


class _WholeNumber(NumericBinaryLoader):
    """SUM of BIGINT is NUMERIC here and an integer in SQLite; no table of ours has fractions."""

    def load(self, data: Any) -> int:  # type: ignore[override]  # the base says Any
        value = super().load(data)
        if value != int(value):
            raise AssertionError("a NUMERIC with a fraction: say in the SQL what it should become")
        return int(value)


def parameters(dsn: str, schema: str, **session: str) -> dict[str, Any]:
    given = conninfo_to_dict(dsn)
    settings = {"search_path": schema, **SESSION, **session}
    options = " ".join(f"-c {key}={value}" for key, value in settings.items())
    return {
        **CONNECTION,
        "application_name": f"checkout-server {schema}",
        **given,
        "options": f"{given.get('options') or ''} {options}",
    }


async def configure(connection: Connection) -> None:
    # Every int as BIGINT: psycopg would choose by its size, and `:a * :b` overflow a SMALLINT.
    connection.adapters.register_dumper(int, Int8BinaryDumper)
    connection.adapters.register_loader("numeric", _WholeNumber)


async def durability(connection: Connection) -> str:
    cursor = await connection.execute(
        "SELECT current_setting('synchronous_commit'), current_setting('fsync'),"
        " current_setting('synchronous_standby_names')"
    )
    [(commit, fsync, standbys)] = await cursor.fetchall()
    if fsync == "off":
        return "PostgreSQL with fsync off: survives a crash of its process, not of the host"
    if standbys:
        return (
            f"PostgreSQL, synchronous_commit={commit}, synchronous standby {standbys}: survives "
            "the loss of the primary"
        )
    return (
        f"PostgreSQL, synchronous_commit={commit}, no synchronous standby: survives a crash of the "
        "process or the host; a failover may lose the latest orders"
    )
