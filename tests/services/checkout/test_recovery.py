"""Recovery goes on looking, whatever goes wrong with one of the things it looks for."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from checkout_server.checkout import recovery
from checkout_server.checkout.recovery import Recovery
from checkout_server.checkout.waiting import Waiting
from checkout_server.database import Row, StorageUnavailable


class Alive:
    held = True
    worker = "one"
    alive_since_ms = 0


class Rows:
    """A database that finds nothing, and fails where its script says so."""

    single_process = False

    def __init__(self, *script: Exception | None) -> None:
        self._script = list(script)
        self.asked = 0

    async def fetch(self, sql: str, /, **_: object) -> list[Row]:
        self.asked += 1
        error = self._script.pop(0) if self._script else None
        if error is not None:
            raise error
        return []


class Due:
    """Operations, to be looked at so many times."""

    def __init__(self, times: int = 1) -> None:
        self._left = times
        self.looked_at = asyncio.Event()

    async def look(self) -> None:
        self._left -= 1
        if self._left == 0:
            self.looked_at.set()
        raise ValueError("an operation nobody has thought of")


def looking(rows: Rows, due: Due) -> Recovery:
    return Recovery(rows, Alive(), None, due)  # type: ignore[arg-type]  # small fakes


@pytest.mark.parametrize("error", [ValueError("not thought of"), StorageUnavailable()])
async def test_trouble_with_one_part_does_not_keep_the_others(error: Exception):
    rows, due = Rows(error, error), Due()
    with capture_logs() as logs:
        await looking(rows, due).look()
    assert rows.asked == 2
    assert due.looked_at.is_set()
    parts = ["_look_for_orphans", "_look_for_strays", "look"]
    assert [line["operation"] for line in logs] == parts


async def test_it_goes_on_looking(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recovery, "LOOK_EVERY_S", 0)
    due = Due(times=3)
    looking_on = looking(Rows(ValueError()), due)
    looking_on.start()
    await due.looked_at.wait()
    await looking_on.stop()


async def test_what_its_loop_died_of_does_not_stop_the_stopping():
    async def dead() -> None:
        raise ValueError("long ago")

    stopped = looking(Rows(), Due())
    stopped._task = asyncio.create_task(dead())
    await asyncio.wait({stopped._task})
    await stopped.stop()
    stopped._task.exception()


class Elsewhere:
    """Where somebody else has written version 2, once it can be read."""

    single_process = False

    def __init__(self) -> None:
        self._fails = True

    async def fetch(self, sql: str, /, **_: object) -> list[Row]:
        if self._fails:
            self._fails = False
            raise ValueError("not thought of")
        return [("att_1", 2)]


async def test_a_mistake_does_not_end_the_waiting_for_a_row():
    waiting = Waiting[str](Elsewhere(), "SELECT")  # type: ignore[arg-type]  # it only reads
    with waiting.watch("m", "att_1") as watch:
        assert await watch.newer(1, timeout_s=20) == (True, None)
