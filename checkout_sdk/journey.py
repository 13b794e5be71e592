"""Steps and time from the card to the order, as values that travel with the card."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from checkout_sdk._pb import attempt_pb2, quote_pb2
from checkout_sdk._values import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a journey may take. The default is the promise: one tap, two steps if the bank forces a
    challenge, an answer within 0.8 s."""

    steps: int = 2
    elapsed: timedelta = timedelta(milliseconds=800)


ONE_TAP = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey(Value):
    """What the viewer had to do so far. Send it with `quote`, get it back in the quote, send it
    with the tap.

    `elapsed` runs from the card being shown, so it holds the time a person takes to look. A script
    that taps at once may compare it with 0.8 s; for people compare `outcome.budget`, which counts
    the tap alone.
    """

    PB: ClassVar = quote_pb2.Journey
    journey_id: str | None = None
    """The platform's own, at most 64 characters."""
    steps: int = 0
    """What the viewer did so far, from 0 to 100. The tap itself is not among them until it
    happened."""
    elapsed: timedelta = timedelta()

    def stepped(self, *, elapsed: timedelta) -> Journey:
        """The journey after one more thing the viewer did; `elapsed` since the card was shown."""
        return dataclasses.replace(self, steps=self.steps + 1, elapsed=elapsed)

    def assert_within(self, limits: Limits = ONE_TAP) -> None:
        """Raises AssertionError, saying by how much, when the journey took more. For tests and load
        runs."""
        _assert_within(self.steps, self.elapsed, limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage(Value):
    """One part of the tap's time: verify, reserve, charge, record or answer."""

    PB: ClassVar = attempt_pb2.Stage
    name: str
    duration: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget(Value):
    """What the tap took of what it may take, as the server measured it."""

    PB: ClassVar = attempt_pb2.Budget
    steps_used: int
    steps_allowed: int
    time_used: timedelta
    time_allowed: timedelta
    stages: tuple[Stage, ...] = ()

    def assert_within(self) -> None:
        """Raises AssertionError, saying by how much, when the tap took more than it may."""
        limits = Limits(steps=self.steps_allowed, elapsed=self.time_allowed)
        _assert_within(self.steps_used, self.time_used, limits)


def _assert_within(steps: int, elapsed: timedelta, limits: Limits) -> None:
    if steps > limits.steps or elapsed > limits.elapsed:
        raise AssertionError(
            f"{steps} steps in {elapsed.total_seconds():.3f} s;"
            f" at most {limits.steps} steps in {limits.elapsed.total_seconds():.3f} s"
        )
