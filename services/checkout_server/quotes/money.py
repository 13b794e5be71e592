"""Exact money: integers of minor units, one rounding for a whole, shares that add up to it.

In a currency of three decimals the provider charges tens only (5.124 KWD must become 5120 or 5130),
so there every amount that is computed is rounded to a ten, shares included; prices are tens from
the start (merchants/currency.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

# ISO 4217 currencies with three decimals.
THREE_DECIMALS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})

# The least the provider charges, in minor units, where it says so: docs.stripe.com/currencies,
# "Minimum and maximum charge amounts", from a copy of 2025. It is per settlement currency; where
# that is another than the charge's, the provider says so at the charge.
MINIMUM_MINOR: Mapping[str, int] = {
    "AED": 200,
    "AUD": 50,
    "BGN": 100,
    "BRL": 50,
    "CAD": 50,
    "CHF": 50,
    "CZK": 1500,
    "DKK": 250,
    "EUR": 50,
    "GBP": 30,
    "HKD": 400,
    "HUF": 17500,
    "INR": 50,
    "JPY": 50,
    "MXN": 1000,
    "MYR": 200,
    "NOK": 300,
    "NZD": 50,
    "PLN": 200,
    "RON": 200,
    "SEK": 300,
    "SGD": 50,
    "THB": 1000,
    "USD": 50,
}


def step_minor(currency: str) -> int:
    """What every amount of this currency is a multiple of."""
    return 10 if currency in THREE_DECIMALS else 1


def chargeable(total_minor: int, currency: str) -> bool:
    """Nothing at all needs no provider; something must be enough for it."""
    return total_minor == 0 or total_minor >= MINIMUM_MINOR.get(currency, 0)


def half_up(numerator: int, denominator: int, step: int) -> int:
    """numerator / denominator to the nearest multiple of `step`, a half upwards; none negative."""
    unit = denominator * step
    return (2 * numerator + unit) // (2 * unit) * step


def shares(whole: int, weights: Sequence[int], step: int) -> list[int]:
    """`whole` by weight in multiples of `step`, exactly: largest remainder, ties by order.

    Where nothing weighs anything, everybody weighs the same (delivery of free items). No share is
    more than its weight while the whole is not more than all weights together, and all of them are
    multiples of `step`.
    """
    units, rest = divmod(whole, step)
    if rest or whole < 0:
        raise AssertionError(f"{whole} cannot be shared in steps of {step}")
    if len(weights) == 1:
        return [whole]
    if not any(weights):
        weights = [1] * len(weights)
    all_weights = sum(weights)
    given = [divmod(units * weight, all_weights) for weight in weights]
    left_over = units - sum(share for share, _ in given)
    # sorted() is stable: equal remainders stay in order.
    first = sorted(range(len(given)), key=lambda position: -given[position][1])[:left_over]
    result = [share * step for share, _ in given]
    for position in first:
        result[position] += step
    return result
