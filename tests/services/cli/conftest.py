from __future__ import annotations

from collections.abc import Iterator

import pytest

from checkout_sdk import Checkout
from tests.services.cli.dev_server import DevServer, dev_server


@pytest.fixture(scope="session")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    with dev_server(tmp_path_factory.mktemp("dev")) as server:
        yield server


@pytest.fixture
def checkout(dev: DevServer) -> Iterator[Checkout]:
    given = dev.exports
    with Checkout(target=given["CHECKOUT_TARGET"], token=given["CHECKOUT_TOKEN"]) as checkout:
        yield checkout
