"""The decisions of a call, without a network."""

from __future__ import annotations

import pytest

from checkout_sdk import ConfigurationError
from checkout_sdk._calls import Policy, RetryBudget
from checkout_sdk._channels import is_loopback


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_budget_lets_through_what_successes_earn():
    budget = RetryBudget(Clock())
    for _ in range(11):  # the ten tokens, and the floor of one every 10 s
        assert budget.take()

    for _ in range(10):
        budget.give_back()

    assert budget.take()
    assert not budget.take()


def test_an_empty_budget_lets_one_retry_through_every_ten_seconds():
    clock = Clock()
    budget = RetryBudget(clock)
    while budget.take():
        pass

    clock.now_s += 9.9
    assert not budget.take()
    clock.now_s += 0.2
    assert budget.take()
    assert not budget.take()


def test_a_total_outage_costs_at_most_a_tenth_more():
    clock = Clock()
    budget = RetryBudget(clock)
    while budget.take():
        pass

    retries = 0
    for _ in range(1000):  # ten calls a second for 100 s, all failing
        clock.now_s += 0.1
        retries += budget.take()

    assert retries <= 100


def test_tries_share_what_is_left():
    clock = Clock()
    tries = Policy(timeout_s=8.0, max_retries=3, clock=clock).tries({})

    assert tries.timeout_s() == 2.0
    clock.now_s += 6
    assert tries.timeout_s() == 1.0  # never less than a second, as long as there is one
    clock.now_s += 1.5
    assert tries.timeout_s() == 0.5


def test_a_tap_keeps_time_to_ask():
    clock = Clock()
    tries = Policy(timeout_s=8.0, max_retries=0, clock=clock).tap_tries({})

    assert tries.timeout_s() == 7.0
    clock.now_s += 7.0
    assert tries.timeout_s() == 0.0
    assert tries.time_to_ask_s() == 1.0


def test_a_stream_has_no_end_unless_it_is_given_one():
    clock = Clock()
    policy = Policy(clock=clock)

    assert policy.stream_tries({}).time_left_s() is None
    assert policy.stream_tries({"timeout": 3.0}).time_left_s() == 3.0


@pytest.mark.parametrize("options", [{"timeout": 0}, {"timeout": -1.0}, {"max_retries": -1}])
def test_impossible_options_are_refused(options):
    with pytest.raises(ConfigurationError):
        Policy().tries(options)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("localhost:7443", True),
        ("127.0.0.1:7443", True),
        ("[::1]:7443", True),
        ("dns:///localhost:7443", True),
        ("unix:/run/checkout.sock", True),
        ("10.0.0.7:7443", False),
        ("checkout.example:443", False),
        ("localhost.example:443", False),
    ],
)
def test_this_machine_is_told_from_others(target, expected):
    assert is_loopback(target) is expected
