import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from checkout_sdk._pb.address_pb2 import Address, PostalAddress
from checkout_server._pb.stored_pb2 import AddressRecord
from checkout_server.address.masking import masked

# Anything people can type but the mask itself: what is typed masked hides nothing.
TYPED = st.text(
    st.characters(exclude_categories=["C"], exclude_characters="*"), min_size=1, max_size=40
).filter(lambda text: any(map(str.isalnum, text)))


def shown(*, name: str = "Ada Lovelace", line: str = "1 Main St", **fields: str) -> Address:
    address = PostalAddress(name=name, country="US", lines=[line], **fields)
    record = AddressRecord(typed=address, normalised=address, create_ms=1_000)
    return masked("adr_1", record, is_default=True)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Ada Lovelace", "A. L***"),
        ("Ada King Lovelace", "A. L***"),
        ("Cher", "C***"),
        ("王小明", "王***"),
        ("山田 太郎", "山. 太***"),
        ("X", "***"),
        ("A. B", "*. ***"),
    ],
)
def test_a_name_is_shown_by_its_initials(name: str, expected: str) -> None:
    assert shown(name=name).name == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("123 Main Street", "1** Main St***"),
        ("221B Baker Street", "2*** Baker S***"),
        ("5 Elm", "* E***"),
        ("Friedrichstraße 43", "Friedrichstr***"),
        ("朝阳区建国路88号", "朝阳区建国路***"),
        ("1", "***"),
    ],
)
def test_a_line_loses_its_end_and_its_house_number(line: str, expected: str) -> None:
    assert shown(line=line).line == expected


def test_a_phone_is_shown_by_its_last_two_digits() -> None:
    assert shown(phone="+14155552671").phone == "*** 71"


def test_what_was_not_given_is_not_shown() -> None:
    address = shown()
    assert (address.phone, address.city, address.region, address.postal_code) == ("", "", "", "")


def test_a_region_whose_code_is_a_number_is_shown_as_typed() -> None:
    record = AddressRecord(
        typed=PostalAddress(region="Tokyo"),
        normalised=PostalAddress(name="A", region="13", lines=["1"]),
    )
    assert masked("adr_1", record, is_default=False).region == "Tokyo"


@given(name=TYPED)
@example(name="J. R")
@example(name="A.")
def test_the_whole_name_is_never_shown(name: str) -> None:
    assert name.strip() not in shown(name=name).name


@given(line=TYPED)
@example(line="² ")
def test_a_whole_line_is_never_shown(line: str) -> None:
    assert line.strip() not in shown(line=line).line


@given(number=st.integers(10, 99_999), street=TYPED)
def test_a_house_number_is_never_shown(number: int, street: str) -> None:
    assert str(number) not in shown(line=f"{number} {street}").line


@given(digits=st.from_regex(r"\+[0-9]{8,15}", fullmatch=True))
def test_a_whole_phone_is_never_shown(digits: str) -> None:
    phone = shown(phone=digits).phone
    assert sum(character.isdigit() for character in phone) == 2
