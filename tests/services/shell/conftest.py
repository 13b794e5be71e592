from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import pytest

from checkout_server.local_channel import LocalChannel
from checkout_server.server import Server
from checkout_server.settings import Settings
from tests.services.shell.toy import Toy

ANY_PORT = Settings(listen="127.0.0.1:0")


@pytest.fixture
def toy() -> Toy:
    return Toy()


@pytest.fixture
async def dialed(toy: Toy) -> AsyncIterator[grpc.aio.Channel]:
    async def nothing() -> None:
        return

    server = Server(ANY_PORT, toy.handlers(), healthy=lambda: True, drain=nothing)
    port = await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(0)


@pytest.fixture
async def local(toy: Toy) -> AsyncIterator[grpc.aio.Channel]:
    async with LocalChannel(toy.handlers()) as channel:
        yield channel


@pytest.fixture(params=["dialed", "local"])
def channel(request: pytest.FixtureRequest) -> grpc.aio.Channel:
    """The toy service, over the network and in this process: each test runs both ways."""
    return request.getfixturevalue(request.param)
