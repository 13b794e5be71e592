"""An address checked and put into one form, by the rules of its country (countries.py).

- A region becomes its ISO 3166-2 code, which tax tables use; an unknown one is refused.
- City and district stay as typed. The lists of them are years behind (CN) and know no missing
  accent (BR), and nothing is decided by them: to refuse one would only lose a sale.
- A region or postal code is left out where the country uses none. The city stays: it carries half
  of an address in Japan, whose format has no place for it.

What was typed is kept beside it, so nothing is lost. No violation repeats what was typed: errors
are logged in more places than an address may be.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

import phonenumbers

from checkout_sdk._pb.address_pb2 import PostalAddress
from checkout_server.address import countries
from checkout_server.address.countries import Country
from checkout_server.card_numbers import holds_card_number
from checkout_server.faults import Fault, Violation, invalid

CARD_NUMBER = "must hold no card number: cards are typed into the provider's own form only"


def normalise(typed: PostalAddress) -> PostalAddress:
    """Raises INVALID_FIELD with every field that is wrong and what it must be."""
    country = countries.country(typed.country)
    if country is None:
        raise invalid("address.country", "must be the ISO 3166-1 code of a country, like US")
    region = country.region(typed.region)
    rules = country.rules_in(region)
    address = PostalAddress(
        name=_clean(typed.name),
        country=typed.country,
        region=_region_code(typed.region, region, country),
        city=_clean(typed.city),
        district=_clean(typed.district),
        postal_code=_postal_code(typed.postal_code, rules),
        lines=[line for line in map(_clean, typed.lines) if line],
        phone=_phone(typed.phone, typed.country),
    )
    violations = [*_card_numbers(typed), *_unmet(typed, address, rules)]
    if violations:
        raise Fault("INVALID_FIELD", violations=violations)
    return address


def _unmet(typed: PostalAddress, address: PostalAddress, rules: Any) -> Iterator[Violation]:
    """What is needed and missing, or typed and not understood: both are empty by now."""
    country = rules.country_code

    def needs(field: str, typed_text: str) -> bool:
        return field in rules.required_fields or (
            bool(typed_text) and field in rules.allowed_fields
        )

    if not address.name:
        yield _wrong("name", "must have a letter: it is who receives the parcel")
    if not address.lines:
        yield _wrong("lines", "must have the street and the house number")
    if not address.city and "city" in rules.required_fields:
        yield _wrong("city", f"must have the city: every address in {country} has one")
    if not address.region and needs("country_area", typed.region):
        yield _wrong("region", _must_be_a_region(rules))
    if not address.postal_code and needs("postal_code", typed.postal_code):
        yield _wrong("postal_code", _must_be_a_postal_code(address.region, rules))
    if not address.phone and typed.phone:
        yield _wrong("phone", f"must be a phone number: as dialled in {country}, or from the + on")


def _must_be_a_region(rules: Any) -> str:
    kind = rules.country_area_type.replace("_", " ")
    names = [name for _, name in rules.country_area_choices]
    like = f", like {names[0]}" if names else ""
    return f"must be a {kind} of {rules.country_code}, by its name or code{like}"


def _must_be_a_postal_code(region: str, rules: Any) -> str:
    place = f"{region}, {rules.country_code}" if region else rules.country_code
    like = f", like {rules.postal_code_examples[0]}" if rules.postal_code_examples else ""
    return f"must be a postal code of {place}{like}"


def _region_code(typed: str, region: str, country: Country) -> str:
    if region:
        return country.codes.get(region, region)
    # Some countries use regions that the data does not list.
    any_region = "country_area" in country.rules.allowed_fields and not country.keys
    return _clean(typed) if any_region else ""


def _postal_code(typed: str, rules: Any) -> str:
    """As typed if that is its form, else without spaces and hyphens ("560 001"). Empty if wrong."""
    if "postal_code" not in rules.allowed_fields:
        return ""
    text = " ".join(unicodedata.normalize("NFKC", typed).upper().split())
    for form in (text, re.sub(r"[\s-]", "", text)):
        if all(matcher.match(form) for matcher in rules.postal_code_matchers):
            return form
    return ""


def _phone(typed: str, country: str) -> str:
    """In E.164; empty if there can be no such number."""
    try:
        number = phonenumbers.parse(typed, country)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_valid_number(number):
        return ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _card_numbers(typed: PostalAddress) -> Iterator[Violation]:
    """Phones are left out: German ones have 13 digits too, and 15 or more are no valid phone."""
    for field in ("name", "region", "city", "district", "postal_code"):
        if holds_card_number(getattr(typed, field)):
            yield _wrong(field, CARD_NUMBER)
    if holds_card_number(" ".join(typed.lines)):
        yield _wrong("lines", CARD_NUMBER)


def _clean(text: str) -> str:
    """Composed, without doubled spaces; empty when there is nothing to read in it."""
    clean = " ".join(unicodedata.normalize("NFC", text).split())
    return clean if any(map(str.isalnum, clean)) else ""


def _wrong(field: str, description: str) -> Violation:
    return Violation(f"address.{field}", description)
