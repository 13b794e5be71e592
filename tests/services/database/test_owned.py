"""Work that goes on when nobody waits for it any more."""

from __future__ import annotations

import asyncio
import gc
import logging

import pytest

from checkout_server.database import StorageUnavailable
from checkout_server.database.owned import OwnedTasks


async def test_a_failure_that_nobody_waits_for_is_not_told_by_its_text(
    caplog: pytest.LogCaptureFixture,
):
    owned, may_fail = OwnedTasks(), asyncio.Event()

    async def work() -> None:
        await may_fail.wait()
        raise StorageUnavailable("postgresql://user:secret@host")

    waiting = asyncio.create_task(owned.run(work()))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    may_fail.set()
    with caplog.at_level(logging.DEBUG, logger="asyncio"):
        await owned.finished()
        del waiting
        gc.collect()
    assert "secret" not in caplog.text
