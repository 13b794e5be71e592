"""Addresses as people type them, country by country."""

from collections.abc import Mapping

import pytest

from checkout_sdk._pb.address_pb2 import PostalAddress
from checkout_server.address.normalise import normalise
from checkout_server.faults import Fault

VALID = {
    "CN": PostalAddress(
        name="王小明",
        country="CN",
        region="广东省",
        city="深圳市",
        district="南山区",
        postal_code="518057",
        lines=["科技南路18号A座1203室"],
        phone="138 0013 8000",
    ),
    "US": PostalAddress(
        name="Ada Lovelace",
        country="US",
        region="California",
        city="San Francisco",
        postal_code="94103",
        lines=["1355 Market Street", "Suite 900"],
        phone="(415) 555-2671",
    ),
    "JP": PostalAddress(
        name="山田 太郎",
        country="JP",
        region="東京都",
        city="渋谷区",
        postal_code="150-0001",
        lines=["神宮前1-5-8"],
        phone="03-3470-1234",
    ),
    "GB": PostalAddress(
        name="Joan Clarke",
        country="GB",
        city="London",
        postal_code="sw1a 2aa",
        lines=["10 Downing Street"],
        phone="020 7925 0918",
    ),
    "DE": PostalAddress(
        name="Emmy Noether",
        country="DE",
        city="Berlin",
        postal_code="10117",
        lines=["Friedrichstraße 43"],
        phone="+49 30 901820",
    ),
    "FR": PostalAddress(
        name="Sophie Germain",
        country="FR",
        city="Paris",
        postal_code="75004",
        lines=["12 rue de Rivoli"],
        phone="01 42 72 93 42",
    ),
    "BR": PostalAddress(
        name="Maria da Silva",
        country="BR",
        region="Sao Paulo",
        city="São Paulo",
        district="Bela Vista",
        postal_code="01310-100",
        lines=["Avenida Paulista, 1578"],
        phone="(11) 96123-4567",
    ),
    "IN": PostalAddress(
        name="Asha Rao",
        country="IN",
        region="Karnataka",
        city="Bengaluru",
        postal_code="560 001",
        lines=["27 Mahatma Gandhi Road"],
        phone="080 2222 5555",
    ),
}
# Region, postal code and phone in the form the rest of the system reads.
NORMALISED = {
    "CN": ("44", "518057", "+8613800138000"),
    "US": ("CA", "94103", "+14155552671"),
    "JP": ("13", "150-0001", "+81334701234"),
    "GB": ("", "SW1A 2AA", "+442079250918"),
    "DE": ("", "10117", "+4930901820"),
    "FR": ("", "75004", "+33142729342"),
    "BR": ("SP", "01310-100", "+5511961234567"),
    "IN": ("KA", "560001", "+918022225555"),
}
# What a person gets wrong there, and the field that the answer must name.
BROKEN = [
    ("CN", {"postal_code": "51805"}, "address.postal_code"),
    ("CN", {"region": "东方省"}, "address.region"),
    ("CN", {"city": ""}, "address.city"),
    ("US", {"postal_code": "9410"}, "address.postal_code"),
    ("US", {"postal_code": "10001"}, "address.postal_code"),
    ("US", {"region": "Ontario"}, "address.region"),
    ("US", {"city": ""}, "address.city"),
    ("JP", {"postal_code": "1500"}, "address.postal_code"),
    ("JP", {"region": "Springfield"}, "address.region"),
    ("JP", {"region": ""}, "address.region"),
    ("GB", {"postal_code": "94103"}, "address.postal_code"),
    ("GB", {"city": ""}, "address.city"),
    ("DE", {"postal_code": "1011"}, "address.postal_code"),
    ("DE", {"city": ""}, "address.city"),
    ("FR", {"postal_code": "7500"}, "address.postal_code"),
    ("FR", {"city": ""}, "address.city"),
    ("BR", {"postal_code": "1310"}, "address.postal_code"),
    ("BR", {"region": "Lisboa"}, "address.region"),
    ("BR", {"city": ""}, "address.city"),
    ("IN", {"postal_code": "5600"}, "address.postal_code"),
    ("IN", {"region": "Punjabi"}, "address.region"),
    ("IN", {"city": ""}, "address.city"),
]


def changed(country: str, fields: Mapping[str, str]) -> PostalAddress:
    address = PostalAddress()
    address.CopyFrom(VALID[country])
    for field, value in fields.items():
        setattr(address, field, value)
    return address


def violations(address: PostalAddress) -> dict[str, str]:
    with pytest.raises(Fault) as caught:
        normalise(address)
    assert caught.value.reason == "INVALID_FIELD"
    return {violation.field: violation.description for violation in caught.value.violations}


@pytest.mark.parametrize("country", VALID)
def test_a_real_address_gets_the_form_that_tax_and_delivery_read(country: str) -> None:
    address = normalise(VALID[country])
    assert (address.region, address.postal_code, address.phone) == NORMALISED[country]


@pytest.mark.parametrize("country", VALID)
def test_name_lines_and_city_stay_as_typed(country: str) -> None:
    typed, address = VALID[country], normalise(VALID[country])
    assert (address.name, address.lines, address.city) == (typed.name, typed.lines, typed.city)


@pytest.mark.parametrize(("country", "change", "field"), BROKEN)
def test_a_wrong_field_is_named_with_what_it_must_be(
    country: str, change: Mapping[str, str], field: str
) -> None:
    found = violations(changed(country, change))
    assert list(found) == [field]
    assert country in found[field]


@pytest.mark.parametrize(
    ("country", "region", "code"),
    [
        ("US", "ca", "CA"),
        ("US", " California ", "CA"),
        ("CN", "Guangdong", "44"),
        ("CN", "广东", "44"),
        ("JP", "Tokyo", "13"),
        ("JP", "13", "13"),
        ("BR", "SP", "SP"),
        ("IN", "KA", "KA"),
    ],
)
def test_a_region_is_known_by_all_its_names(country: str, region: str, code: str) -> None:
    assert normalise(changed(country, {"region": region})).region == code


def test_kyoto_is_not_taken_for_tokyo() -> None:
    kyoto = changed("JP", {"region": "京都", "postal_code": "600-8216"})
    assert normalise(kyoto).region == "26"


def test_a_postal_code_of_another_region_is_refused_with_one_of_this() -> None:
    found = violations(changed("US", {"postal_code": "10001"}))
    assert found["address.postal_code"] == "must be a postal code of CA, US, like 90000"


def test_wide_digits_are_digits() -> None:
    typed = changed("JP", {"postal_code": "１５０－０００１"})  # noqa: RUF001 - as a phone types
    assert normalise(typed).postal_code == "150-0001"


def test_a_region_is_left_out_where_addresses_have_none() -> None:
    assert normalise(changed("DE", {"region": "Brandenburg"})).region == ""


def test_an_unknown_country_is_refused() -> None:
    assert list(violations(PostalAddress(name="A B", country="XX", lines=["1 A"]))) == [
        "address.country"
    ]


def test_every_wrong_field_is_named_at_once() -> None:
    typed = changed("US", {"region": "", "city": "", "postal_code": "", "name": " - "})
    assert set(violations(typed)) == {
        "address.name",
        "address.region",
        "address.city",
        "address.postal_code",
    }


@pytest.mark.parametrize("phone", ["911", "415 555", "+999 123 456 789", "call me"])
def test_a_phone_that_cannot_exist_is_refused(phone: str) -> None:
    assert list(violations(changed("US", {"phone": phone}))) == ["address.phone"]


def test_a_phone_from_abroad_is_taken_in_international_form() -> None:
    assert normalise(changed("US", {"phone": "+81 3-3470-1234"})).phone == "+81334701234"


def test_an_address_needs_no_phone() -> None:
    assert normalise(changed("US", {"phone": ""})).phone == ""


@pytest.mark.parametrize("field", ["name", "city", "district", "region"])
def test_a_card_number_is_refused_wherever_it_is_pasted(field: str) -> None:
    assert f"address.{field}" in violations(changed("US", {field: "Ada 4111 1111 1111 1111"}))


def test_a_card_number_spread_over_two_lines_is_refused() -> None:
    typed = changed("US", {})
    typed.lines[:] = ["12 Main St 4111 1111", "1111-1111"]
    assert list(violations(typed)) == ["address.lines"]


def test_a_violation_never_repeats_what_was_typed() -> None:
    typed = changed("US", {"region": "Secretland", "postal_code": "S3CR3T", "phone": "5ecret"})
    assert "cret" not in " ".join(violations(typed).values()).lower()
