"""The answers of one story, in order, and how long they took."""

from __future__ import annotations

import time
from collections.abc import Callable

from checkout_sdk import (
    Accepted,
    ActionRequired,
    Budget,
    Buyer,
    OfferChanged,
    Outcome,
    Placed,
    Rejected,
    Throttled,
    Unavailable,
    Unrecognized,
)

# The slowest story waits for a restart and for the lease of a dead worker, 5 s, to run out.
FINAL_WITHIN_S = 20.0
ASK_EVERY_S = 0.1


class NotAsExpected(Exception):
    """What a story met instead of what it is about."""


class Taps:
    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self._began: float | None = None
        self._ended = 0.0

    @property
    def words(self) -> str:
        return ", then ".join(map(described, self.outcomes))

    @property
    def took_ms(self) -> float:
        """From the first tap to the last answer."""
        return 0.0 if self._began is None else (self._ended - self._began) * 1000

    @property
    def budget(self) -> Budget | None:
        """Of the last answer to a tap; an answer to a question has none."""
        budgets = [outcome.budget for outcome in self.outcomes if outcome.budget]
        return budgets[-1] if budgets else None

    def note(self, call: Callable[[], Outcome | None]) -> Outcome:
        self._began = time.monotonic() if self._began is None else self._began
        outcome = call()
        self._ended = time.monotonic()
        if outcome is None:
            raise NotAsExpected("the server does not know the tap")
        self.outcomes.append(outcome)
        return outcome

    def note_the_end(self, buyer: Buyer, attempt_id: str) -> Outcome:
        """Asks until the outcome is final, also while the server is away."""
        until = time.monotonic() + FINAL_WITHIN_S
        return self.note(lambda: _asked(buyer, attempt_id, until))


def described(outcome: Outcome) -> str:
    match outcome:
        case Placed():
            refreshed = any(message.code == "QUOTE_REFRESHED" for message in outcome.messages)
            notes = ["replayed"] * outcome.replayed + ["quote refreshed"] * refreshed
            return f"placed ({', '.join(notes)})" if notes else "placed"
        case Accepted():
            return "accepted"
        case ActionRequired():
            return "challenge"
        case OfferChanged(changes=changes):
            return f"offer changed ({', '.join(change['field'] for change in changes)})"
        case Rejected(code=code):
            return f"rejected ({code})"
        case Throttled():
            return "throttled"
        case Unrecognized():
            return "unrecognized"


def attempt_of(outcome: Outcome) -> str:
    if outcome.attempt_id is None:
        raise NotAsExpected(f"{described(outcome)}, without an attempt")
    return outcome.attempt_id


def _asked(buyer: Buyer, attempt_id: str, until: float) -> Outcome | None:
    while True:
        try:
            outcome = buyer.ask(attempt_id=attempt_id)
        except Unavailable:
            outcome = None
        if isinstance(outcome, Placed | Rejected) or time.monotonic() > until:
            return outcome
        time.sleep(ASK_EVERY_S)
