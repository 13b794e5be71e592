"""Where a tap's time goes: each stage is a span, and a line in the answer's budget.

The list travels in a context variable, so that the attempt's own task, which the handler started,
adds to the same one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from checkout_server.telemetry import span

_taken: ContextVar[list[tuple[str, float]] | None] = ContextVar("stages", default=None)


def collect() -> list[tuple[str, float]]:
    """Begins a list of (stage, seconds) for this call and the tasks it starts."""
    taken: list[tuple[str, float]] = []
    _taken.set(taken)
    return taken


@contextmanager
def stage(name: str) -> Iterator[None]:
    started = time.monotonic()
    with span(name):
        try:
            yield
        finally:
            taken = _taken.get()
            if taken is not None:
                taken.append((name, time.monotonic() - started))
