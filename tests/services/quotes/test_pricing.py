"""Prices as pure functions: no database, no clock."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkout_sdk._pb.item_pb2 import Item
from checkout_sdk._pb.merchant_pb2 import DeliveryOption, DiscountCode, TaxRate
from checkout_sdk._pb.money_pb2 import Money
from checkout_server.protobuf_time import timestamp
from checkout_server.quotes.discounts import GivenCode
from checkout_server.quotes.money import step_minor
from checkout_server.quotes.pricing import Conditions, Price, PricedItem, price
from checkout_server.quotes.tax import rates_at

NOW_MS = 1_800_000_000_000
FIELDS = ("items", "discount", "delivery", "tax", "total")


def line(unit_price: int, quantity: int = 1, *, weight: int = 0, tax_class: str = "") -> PricedItem:
    return PricedItem(Item(sku="s", weight_grams=weight, tax_class=tax_class), quantity, unit_price)


def option(
    name: str, cost: int, *, countries: Sequence[str] = (), lo: int = 0, hi: int = 0
) -> DeliveryOption:
    return DeliveryOption(
        delivery_option_id=name,
        price=Money(amount_minor=cost, currency="EUR"),
        countries=countries,
        min_weight_grams=lo,
        max_weight_grams=hi,
    )


def rate(ppm: int, *, tax_class: str = "", region: str = "", **flags: bool) -> TaxRate:
    return TaxRate(country="DE", region=region, tax_class=tax_class, rate_ppm=ppm, **flags)


def code(name: str = "TEN", *, used_up: bool = False, **terms: object) -> GivenCode:
    return GivenCode(name, DiscountCode(code=name, **terms), used_up)


def priced(
    *lines: PricedItem,
    currency: str = "EUR",
    country: str | None = "DE",
    region: str = "BE",
    options: Sequence[DeliveryOption] = (),
    wished: str = "",
    rates: Sequence[TaxRate] = (),
    codes: Sequence[GivenCode] = (),
) -> Price:
    conditions = Conditions(
        currency=currency,
        country=country,
        options=options,
        delivery_option_id=wished,
        rates=rates_at(rates, country=country or "", region=region),
        codes=codes,
        now_ms=NOW_MS,
    )
    return price(lines, conditions)


def figures(of: Price) -> tuple[int, ...]:
    return tuple(getattr(of.totals, f"{field}_minor") for field in FIELDS)


def refusal(of: Price) -> str:
    [(_, why)] = of.discounts.refused
    return why


# The money property


def tens(currency: str, most: int) -> st.SearchStrategy[int]:
    step = step_minor(currency)
    return st.integers(0, most // step).map(lambda units: units * step)


@st.composite
def purchases(draw: st.DrawFn) -> tuple[str, Price]:
    currency = draw(st.sampled_from(["JPY", "USD", "KWD"]))
    amounts = tens(currency, 10**7)
    classes = st.sampled_from(["", "food", "none"])
    a_line = st.builds(line, amounts, st.integers(1, 99), tax_class=classes)
    ppm = st.integers(0, 1_000_000)
    included, on_delivery = draw(st.booleans()), draw(st.booleans())
    kinds = st.one_of(
        st.builds(code, percentage_ppm=st.integers(1, 1_000_000)),
        st.builds(code, amount=st.integers(1, 10**8).map(lambda n: Money(amount_minor=n))),
        st.builds(code, free_delivery=st.just(True)),
    )
    of = priced(
        *draw(st.lists(a_line, min_size=1, max_size=20)),
        currency=currency,
        options=draw(st.sampled_from([[], [option("post", draw(amounts))]])),
        rates=[
            rate(draw(ppm), included=included, on_delivery=on_delivery),
            rate(draw(ppm), included=included, on_delivery=on_delivery, tax_class="food"),
        ],
        codes=draw(st.lists(kinds, max_size=3)),
    )
    return currency, of


@given(purchases())
def test_every_figure_of_the_lines_adds_up_to_the_whole(purchase: tuple[str, Price]):
    _, of = purchase
    for field in FIELDS:
        parts = [getattr(share, f"{field}_minor") for share in of.shares]
        assert sum(parts) == getattr(of.totals, f"{field}_minor")


@given(purchases())
def test_the_total_is_what_its_parts_say_in_the_whole_and_in_each_line(
    purchase: tuple[str, Price],
):
    _, of = purchase
    for figure in (of.totals, *of.shares):
        on_top = 0 if figure.tax_included else figure.tax_minor
        after_discount = figure.items_minor - figure.discount_minor
        assert figure.total_minor == after_discount + figure.delivery_minor + on_top
        assert figure.discount_minor <= figure.items_minor + figure.delivery_minor


@given(purchases())
def test_no_figure_is_negative_and_each_can_be_charged(purchase: tuple[str, Price]):
    currency, of = purchase
    for figure in (of.totals, *of.shares):
        for field in FIELDS:
            amount = getattr(figure, f"{field}_minor")
            assert amount >= 0
            assert amount % step_minor(currency) == 0


# Tax


def test_added_tax_comes_on_top():
    assert figures(priced(line(1000), rates=[rate(72_500)])) == (1000, 0, 0, 73, 1073)


def test_included_tax_is_within_the_total():
    of = priced(line(1190), rates=[rate(190_000, included=True)])
    assert figures(of) == (1190, 0, 0, 190, 1190)
    assert of.totals.tax_included


def test_tax_is_rounded_once_per_rate_and_not_by_line():
    of = priced(line(5), line(5), line(5), rates=[rate(100_000)])
    assert of.totals.tax_minor == 2
    assert [share.tax_minor for share in of.shares] == [1, 1, 0]


def test_each_rate_is_rounded_for_itself():
    rates = [rate(100_000), rate(90_000, tax_class="food")]
    of = priced(line(5), line(5, tax_class="food"), rates=rates)
    assert [share.tax_minor for share in of.shares] == [1, 0]


def test_a_row_of_the_region_wins_over_its_country():
    rates = [rate(100_000), rate(200_000, region="BE"), rate(300_000, region="BY")]
    assert priced(line(100), rates=rates).totals.tax_minor == 20
    assert priced(line(100), rates=rates[::-1], region="HH").totals.tax_minor == 10


def test_a_class_without_a_row_pays_no_tax():
    assert priced(line(100, tax_class="books"), rates=[rate(190_000)]).totals.tax_minor == 0


def test_tax_is_taken_on_discounted_amounts():
    of = priced(line(1000), rates=[rate(100_000)], codes=[code(percentage_ppm=500_000)])
    assert figures(of) == (1000, 500, 0, 50, 550)


def test_delivery_is_taxed_where_the_rate_of_the_first_line_says_so():
    rates = [rate(100_000, on_delivery=True), rate(0, tax_class="food")]
    post = [option("post", 500)]
    first = priced(line(1000), line(1000, tax_class="food"), rates=rates, options=post)
    second = priced(line(1000, tax_class="food"), line(1000), rates=rates, options=post)
    assert (first.totals.tax_minor, second.totals.tax_minor) == (150, 100)


def test_a_delivery_that_is_given_away_is_not_taxed():
    of = priced(
        line(1000),
        rates=[rate(100_000, on_delivery=True)],
        options=[option("post", 500)],
        codes=[code(free_delivery=True)],
    )
    assert figures(of) == (1000, 500, 500, 100, 1100)


def test_a_three_decimal_tax_is_a_multiple_of_ten():
    assert priced(line(1230), currency="KWD", rates=[rate(50_000)]).totals.tax_minor == 60


# Delivery


def test_the_first_option_that_reaches_is_taken():
    options = [
        option("home", 1, countries=["FR"]),
        option("light", 2, hi=500),
        option("heavy", 3, lo=501),
    ]
    of = priced(line(100, weight=501), options=options)
    assert of.option == options[2]
    assert of.options == (options[2],)


def test_both_ends_of_a_weight_are_within_it():
    options = [option("post", 1, lo=500, hi=500)]
    assert priced(line(100, 2, weight=250), options=options).deliverable
    assert not priced(line(100, weight=499), options=options).deliverable
    assert not priced(line(100, weight=501), options=options).deliverable


def test_a_wished_option_is_taken_when_it_reaches():
    options = [option("slow", 100), option("fast", 900), option("abroad", 1, countries=["FR"])]
    assert priced(line(100), options=options, wished="fast").totals.delivery_minor == 900
    assert priced(line(100), options=options, wished="abroad").totals.delivery_minor == 100


def test_a_merchant_without_options_delivers_free_of_charge():
    of = priced(line(100))
    assert of.deliverable
    assert of.totals.delivery_minor == 0


def test_nothing_is_said_about_delivery_before_the_place_is_known():
    of = priced(line(100), country=None, options=[option("post", 500)])
    assert of.deliverable
    assert (of.options, of.totals.delivery_minor) == ((), 0)


def test_delivery_is_shared_by_what_lines_cost():
    of = priced(line(300), line(100), options=[option("post", 401)])
    assert [share.delivery_minor for share in of.shares] == [301, 100]


# Discount codes


def test_codes_apply_in_the_order_given_each_off_what_is_left():
    half = code("HALF", percentage_ppm=500_000)
    five = code("FIVE", amount=Money(amount_minor=500, currency="EUR"))
    assert priced(line(2000), codes=[half, five]).totals.discount_minor == 1500
    assert priced(line(2000), codes=[five, half]).totals.discount_minor == 1250


def test_an_amount_takes_off_what_items_cost_at_most():
    of = priced(line(300), codes=[code(amount=Money(amount_minor=500))])
    assert figures(of) == (300, 300, 0, 0, 0)


def test_an_amount_in_three_decimals_is_rounded_down_to_a_ten():
    of = priced(line(3000), currency="KWD", codes=[code(amount=Money(amount_minor=505))])
    assert of.totals.discount_minor == 500


def test_free_delivery_shows_the_delivery_and_takes_it_off():
    of = priced(line(300), options=[option("post", 500)], codes=[code(free_delivery=True)])
    assert figures(of) == (300, 500, 500, 0, 300)


@pytest.mark.parametrize(
    ("given_code", "why"),
    [
        (GivenCode("TEN", None), "there is no such code"),
        (code(percentage_ppm=1, starts_at=timestamp(NOW_MS + 1)), "it is not valid yet"),
        (code(percentage_ppm=1, ends_at=timestamp(NOW_MS)), "it has expired"),
        (code(percentage_ppm=100_000, used_up=True), "it is used up"),
        (code(free_delivery=True), "there is nothing that it could take off"),
        (
            code(percentage_ppm=1, minimum_items=Money(amount_minor=1001, currency="EUR")),
            "the items must cost 1001 EUR in minor units",
        ),
    ],
)
def test_a_code_that_does_not_apply_says_why(given_code: GivenCode, why: str):
    of = priced(line(1000), codes=[given_code])
    assert refusal(of) == why
    assert of.totals.total_minor == 1000


def test_a_code_holds_from_its_start_to_right_before_its_end():
    within = code(
        percentage_ppm=100_000, starts_at=timestamp(NOW_MS), ends_at=timestamp(NOW_MS + 1)
    )
    assert priced(line(1000), codes=[within]).totals.discount_minor == 100
