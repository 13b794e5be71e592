"""Places at the provider: so many charges at a time, and a line that is only as long as it drains
in a minute.

A tap that finds a place free goes straight to CHARGING. One that does not is RESERVED and waits its
turn. One that would wait longer than the line may be is `throttled` before anything is written or
held.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from types import TracebackType

# A buyer who has waited a minute has left; what cannot be charged by then should not hold stock.
DRAIN_S = 60
# Charge times are averaged over about this many.
MEMORY = 32
# Before anything was measured: a provider's usual answer.
FIRST_GUESS_S = 0.5


class ProviderQueue:
    def __init__(self, concurrency: int) -> None:
        self._free = concurrency
        self._concurrency = concurrency
        self._line: deque[asyncio.Future[None]] = deque()
        self._mean_s = FIRST_GUESS_S

    @property
    def waiting(self) -> int:
        return len(self._line)

    def retry_after_ms(self) -> int | None:
        """None: come in. Else when there is likely to be room in the line."""
        wait_s = (len(self._line) + 1) * self._mean_s / self._concurrency
        return int((wait_s - DRAIN_S) * 1000) + 1000 if wait_s > DRAIN_S else None

    def place_now(self) -> Place | None:
        """A place, if one is free and nobody is in line for it."""
        if self._free == 0 or self._line:
            return None
        self._free -= 1
        return Place(self)

    async def place(self, *, ahead: bool = False) -> Place:
        """A place, in turn; `ahead` of the new taps for what is under way already (a buyer at the
        bank, money that may have moved)."""
        free = self.place_now()
        if free is not None:
            return free
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if ahead:
            self._line.appendleft(turn)
        else:
            self._line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                with suppress(ValueError):  # `_next` has passed over it when both left together
                    self._line.remove(turn)
            else:
                self._next()
            raise
        return Place(self)

    def _leave(self, took_s: float | None) -> None:
        if took_s is not None:
            self._mean_s += (took_s - self._mean_s) / MEMORY
        self._next()

    def _next(self) -> None:
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


class Place:
    """Held while one charge is at the provider; given back on the way out."""

    def __init__(self, queue: ProviderQueue) -> None:
        self._queue = queue
        self._given_back = False
        # Not entered: a tap that T1 refused says nothing about how long charges take.
        self._since: float | None = None

    def __enter__(self) -> Place:
        self._since = time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.give_back()

    def give_back(self) -> None:
        if not self._given_back:
            self._given_back = True
            self._queue._leave(None if self._since is None else time.monotonic() - self._since)
