from __future__ import annotations

from collections.abc import Iterator

import pytest

from checkout_sdk import AsyncCheckout, Checkout
from checkout_sdk.testing import fake_checkout as fake_checkout
from tests.sdk.both import Blocking
from tests.sdk.scripted import ScriptedServer


@pytest.fixture(params=["async", "sync"])
def client_class(request: pytest.FixtureRequest) -> object:
    """Both clients, with the same words: the blocking one runs in a thread, so that tests can await
    it."""
    return AsyncCheckout if request.param == "async" else Blocking.of(Checkout)


@pytest.fixture
async def checkout(client_class, fake_checkout):
    async with client_class.from_env(timeout=5.0) as client:
        yield client


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as scripted:
        yield scripted


@pytest.fixture
async def scripted_checkout(client_class, server):
    async with client_class(target=server.target, token="t", timeout=5.0) as client:
        yield client
