"""Tax by a merchant's table: a rate per (country, region, tax class), on top of prices or within.

Rounded once per rate and then shared over the lines, because an invoice shows the tax of each rate
(Japan's qualified invoices forbid rounding by line). A class without a row pays no tax.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from checkout_sdk._pb.merchant_pb2 import TaxRate
from checkout_server.quotes.money import half_up, shares

STANDARD = "standard"
PPM = 1_000_000

Rates = Mapping[str, TaxRate]


def rates_at(table: Iterable[TaxRate], *, country: str, region: str) -> Rates:
    """The row of each tax class that holds at a place. A region's row wins over its country's."""
    found: dict[str, TaxRate] = {}
    for rate in table:
        if rate.country != country or rate.region.upper() not in ("", region.upper()):
            continue
        tax_class = rate.tax_class or STANDARD
        if rate.region or tax_class not in found:
            found[tax_class] = rate
    return found


def included(rates: Rates) -> bool:
    """Whether prices contain the tax. All rows of a country agree, so any of them knows."""
    return any(rate.included for rate in rates.values())


def per_line(
    rates: Rates,
    *,
    tax_classes: Sequence[str],
    goods_minor: Sequence[int],
    delivery_minor: Sequence[int],
    step: int,
) -> list[int]:
    """The tax of each line on its goods and its share of the delivery, both after discounts."""
    # rate -> what is taxed at it, as (line, amount)
    taxed: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for line, tax_class in enumerate(tax_classes):
        if rate := rates.get(tax_class or STANDARD):
            taxed[rate.rate_ppm].append((line, goods_minor[line]))
    if (first := rates.get(tax_classes[0] or STANDARD)) and first.on_delivery:
        taxed[first.rate_ppm].extend(enumerate(delivery_minor))
    result = [0] * len(tax_classes)
    within = included(rates)
    for rate_ppm, parts in taxed.items():
        amounts = [amount for _, amount in parts]
        whole = half_up(sum(amounts) * rate_ppm, PPM + rate_ppm if within else PPM, step)
        for (line, _), share in zip(parts, shares(whole, amounts, step), strict=True):
            result[line] += share
    return result
