from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.world import World, running, settings_for

OpenWorld = Callable[..., AbstractAsyncContextManager[World]]


@pytest.fixture
def open_world(db_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OpenWorld:
    """`async with open_world(challenge_ms=200) as world`: with other settings than the default."""
    # The development issuer's key goes into the data folder, which with PostgreSQL is below here.
    monkeypatch.chdir(tmp_path)

    def opened(**settings: Any) -> AbstractAsyncContextManager[World]:
        return running(settings_for(db_url, tmp_path, **settings))

    return opened


@pytest.fixture
async def world(open_world: OpenWorld) -> AsyncIterator[World]:
    async with open_world() as world:
        yield world
