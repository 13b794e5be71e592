from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkout_server.quotes.money import chargeable, half_up, shares, step_minor

weights = st.lists(st.integers(0, 10**6), min_size=1, max_size=20)
steps = st.sampled_from([1, 10])


def test_a_half_is_rounded_up():
    assert [half_up(numerator, 2, 1) for numerator in range(5)] == [0, 1, 1, 2, 2]


def test_a_three_decimal_amount_is_rounded_to_a_ten():
    assert [half_up(amount, 1, 10) for amount in (5124, 5125, 5126)] == [5120, 5130, 5130]


def test_the_largest_remainders_get_what_is_left_over():
    assert shares(10, [1, 1, 4], 1) == [2, 2, 6]
    assert shares(100, [10, 20, 31], 1) == [16, 33, 51]


def test_equal_remainders_are_served_in_line_order():
    assert shares(2, [1, 1, 1], 1) == [1, 1, 0]


def test_lines_that_cost_nothing_share_alike():
    assert shares(5, [0, 0], 1) == [3, 2]


@given(weights=weights, units=st.integers(0, 10**9), step=steps)
def test_shares_add_up_exactly_in_steps(weights: list[int], units: int, step: int):
    given_out = shares(units * step, weights, step)
    assert sum(given_out) == units * step
    assert all(share >= 0 and share % step == 0 for share in given_out)


@given(weights=weights, step=steps, data=st.data())
def test_no_line_gets_more_off_than_it_costs(weights: list[int], step: int, data: st.DataObject):
    prices = [weight * step for weight in weights]
    off = data.draw(st.integers(0, sum(weights))) * step
    given_out = shares(off, prices, step)
    assert all(share <= price for share, price in zip(given_out, prices, strict=True))


def test_what_is_not_a_whole_number_of_steps_is_never_shared():
    with pytest.raises(AssertionError):
        shares(1005, [1, 1], 10)


def test_three_decimal_currencies_are_charged_in_tens():
    assert [step_minor(currency) for currency in ("JPY", "USD", "KWD")] == [1, 1, 10]


def test_the_provider_takes_nothing_at_all_or_its_minimum():
    assert [chargeable(total, "USD") for total in (0, 1, 49, 50)] == [True, False, False, True]
    assert chargeable(1, "KWD")
