"""Work on the database that must come to its end, whoever stops waiting for it.

gRPC cancels a handler at its deadline. A cancelled COMMIT would leave nobody who knows how it
ended, and a cancelled psycopg statement opens a second connection to cancel itself. So each runs
in a task of its own, and only the waiting is cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class OwnedTasks:
    def __init__(self) -> None:
        # A strong reference each: the event loop's own are weak, and a lost task is never finished.
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(_seen)
        return await asyncio.shield(task)

    async def finished(self) -> None:
        while self._tasks:
            await asyncio.wait(self._tasks)


def _seen(task: asyncio.Task[Any]) -> None:
    """Whoever waits gets the exception. When nobody does any more, the loop would log it at the
    task's end, with its text: one for each tap whose deadline passed while the database was away.
    """
    if not task.cancelled():
        task.exception()
