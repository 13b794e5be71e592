from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from checkout_server.charge.sandbox import Sandbox
from checkout_server.charge.service import Charges
from tests.fakes.clock import FakeClock
from tests.services.charge.till import Till


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def book_file(tmp_path: Path) -> str:
    return str(tmp_path / "sandbox.db")


@pytest.fixture
def sandbox(book_file: str, clock: FakeClock) -> Iterator[Sandbox]:
    sandbox = Sandbox(book_file, clock)
    yield sandbox
    sandbox.book.close()


@pytest.fixture
def till(sandbox: Sandbox, clock: FakeClock) -> Till:
    return Till(Charges(sandbox, clock), clock)
