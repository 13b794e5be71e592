"""Servers in processes of their own, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.processes import SQLITE, ServerProcess

Serve = Callable[..., ServerProcess]


@pytest.fixture
def database(db_url: str) -> str:
    """For a server's settings: SQLite keeps its files where the server runs."""
    return SQLITE if db_url.startswith("sqlite:") else db_url


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Makes servers that share a folder and end with the test; SQLite unless told otherwise."""
    with ExitStack() as servers:

        def make(**settings: str) -> ServerProcess:
            server = ServerProcess(tmp_path / "served", **settings)
            return servers.enter_context(server)

        yield make
