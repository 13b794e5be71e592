import pytest

from checkout_server.card_numbers import holds_card_number


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111111",
        "Flat 12, 4111 1111 1111 1111",
        "5555-5555-5555-4444 thanks",
        "card:378282246310005.",
        "6011.1111.1111.1117",
        "４１１１ １１１１ １１１１ １１１１",  # noqa: RUF001 - as a phone types
    ],
)
def test_a_card_number_is_found(text: str) -> None:
    assert holds_card_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "12 Main Street, Floor 4",
        "4111111111111112",
        "科技南路18号A座1203室",
        "1111111111111117",
        "41111111111111111111111",
    ],
)
def test_other_digits_are_let_through(text: str) -> None:
    assert not holds_card_number(text)
