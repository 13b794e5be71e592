"""Servers in processes of their own, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import grpc
import pytest

from tests.e2e.processes import SQLITE, ServerProcess
from tests.e2e.shop import PLATFORM, shop_at
from tests.e2e.wire import Wire

Prepare = Callable[..., ServerProcess]


class Served(NamedTuple):
    """A server that the tests of a session share, and its one offer."""

    server: ServerProcess
    offer_id: str


@pytest.fixture
def database(db_url: str) -> str:
    """For a server's settings: SQLite keeps its files where the server runs."""
    return SQLITE if db_url.startswith("sqlite:") else db_url


@pytest.fixture
def prepare(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Prepare]:
    """Makes servers that share a folder, not started yet; they end with the test."""
    if "database" in request.fixturenames:
        request.getfixturevalue("database")  # first, so that it goes when the servers have gone
    with ExitStack() as servers:

        def prepared(**settings: str) -> ServerProcess:
            return servers.enter_context(ServerProcess(tmp_path / "served", **settings))

        yield prepared


@pytest.fixture
def serve(prepare: Prepare) -> Prepare:
    """The same, and waits until they are SERVING."""
    return lambda **settings: prepare(**settings).start()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    # Nobody measures here: a busy machine must not turn `placed` into `accepted`.
    with ServerProcess(tmp_path_factory.mktemp("shared"), answer_within_ms="5000") as server:
        yield Served(server.start(), asyncio.run(_with_an_offer(server)))


async def _with_an_offer(server: ServerProcess) -> str:
    async with shop_at(server) as shop:
        return await shop.open(stock=1_000)


@pytest.fixture
async def wire(served: Served) -> AsyncIterator[Wire]:
    """With a token that may make every public call."""
    async with grpc.aio.insecure_channel(served.server.target) as channel:
        yield Wire(channel, served.server.issuer.mint(PLATFORM, "platform merchant"))
