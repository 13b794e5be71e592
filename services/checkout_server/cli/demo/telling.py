"""Plays a story, compares what came of it with what must, and makes a row of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from opentelemetry import trace

from checkout_sdk import Budget, CheckoutError
from checkout_server.cli.demo.evidence import Counts
from checkout_server.cli.demo.server_process import DidNotStart
from checkout_server.cli.demo.shop import Shop
from checkout_server.cli.demo.stories import Story
from checkout_server.cli.demo.taps import NotAsExpected, Taps

# As the server names them, in the order they run.
STAGES = ("verify", "reserve", "charge", "record")
# What the tap's answer took besides: when it is `accepted`, above all waiting for the provider.
REST = "rest"
# The trace id last: where a line is too long, a terminal wraps it whole, to be copied whole.
HEADERS = ("Story", "Outcome", "Steps", "Total ms", *STAGES, REST, "Trace id")
LEGEND = """
Steps: what the viewer did. challenge: action_required. accepted: answered at 800 ms, money pending.
Total: the whole story. Stages: its last tap, in ms; rest: what that tap waited for beside them.
"""

_tracer = trace.get_tracer("checkout_demo")


@dataclass(frozen=True, slots=True)
class Told:
    story: Story
    outcome: str
    took_ms: float
    budget: Budget | None
    trace_id: str
    problems: tuple[str, ...]

    @property
    def cells(self) -> tuple[str, ...]:
        spent = _spent_ms(self.budget) if self.budget else {}
        return (
            self.story.name,
            self.outcome or "none",
            str(self.budget.steps_used) if self.budget else "-",
            f"{self.took_ms:.0f}",
            *(f"{spent[name]:.1f}" if name in spent else "-" for name in (*STAGES, REST)),
            self.trace_id,
        )


def tell(story: Story, shop: Shop) -> Told:
    """Everything in a story happens within one trace; its id is told."""
    before, taps, problems = shop.evidence.counts(), Taps(), list[str]()
    with _tracer.start_as_current_span(story.name) as span:
        trace_id = trace.format_trace_id(span.get_span_context().trace_id)
        try:
            story.play(shop, taps)
        except (NotAsExpected, CheckoutError, DidNotStart) as error:
            problems.append(f"{type(error).__name__}: {error}")
    problems += _differences(story, taps, shop.evidence.counts().since(before))
    problems += _foreign_traces(taps, shop, trace_id)
    return Told(story, taps.words, taps.took_ms, taps.budget, trace_id, tuple(problems))


def _spent_ms(budget: Budget) -> dict[str, float]:
    spent = {stage.name: stage.duration.total_seconds() * 1000 for stage in budget.stages}
    return {**spent, REST: budget.time_used.total_seconds() * 1000 - sum(spent.values())}


def _differences(story: Story, taps: Taps, counted: Counts) -> Iterator[str]:
    steps = taps.budget.steps_used if taps.budget else 0
    for what, seen, expected in (
        ("outcome", taps.words or "none", story.expected),
        ("viewer steps", steps, story.steps),
        ("orders", counted.orders, story.orders),
        ("charges", counted.charges, story.charges),
    ):
        if seen != expected:
            yield f"{what}: expected {expected}, saw {seen}"


def _foreign_traces(taps: Taps, shop: Shop, trace_id: str) -> Iterator[str]:
    """The server keeps the trace that an attempt was made in with it."""
    for attempt_id in {outcome.attempt_id for outcome in taps.outcomes if outcome.attempt_id}:
        kept = shop.evidence.trace_of(attempt_id)
        if kept != trace_id:
            yield f"trace: expected {trace_id} with {attempt_id}, saw {kept or 'none'}"
