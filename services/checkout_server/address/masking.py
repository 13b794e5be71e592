"""An address as answers show it: its owner knows it again, whoever looks over a shoulder learns
little.

However short a name or line is, what is shown is never all of it: a word gives its first letter
only when it has another one to hide, and a line loses its end and the tails of its numbers.
"""

from __future__ import annotations

import re
import unicodedata

from checkout_sdk._pb.address_pb2 import Address
from checkout_server._pb.stored_pb2 import AddressRecord
from checkout_server.protobuf_time import timestamp

HIDDEN = "***"
# A house number with its letter: "221B", "88号".
NUMBER = re.compile(r"\d+\w?")
# Enough to tell Main Street from Market Street.
LONGEST_LINE_SHOWN = 12


def masked(address_id: str, record: AddressRecord, *, is_default: bool) -> Address:
    normalised = record.normalised
    return Address(
        address_id=address_id,
        name=_name(normalised.name),
        line=_line(normalised.lines[0]),
        city=normalised.city,
        region=_region(record),
        postal_code=normalised.postal_code,
        country=normalised.country,
        phone=_phone(normalised.phone),
        is_default=is_default,
        create_time=timestamp(record.create_ms),
    )


def _name(name: str) -> str:
    """As in "A. L***"; of one word, or in a script without spaces, the first letter."""
    words = unicodedata.normalize("NFC", name).split()
    if len(words) < 2:
        return _initial(name) + HIDDEN
    return f"{_initial(words[0]) or '*'}. {_initial(words[-1])}{HIDDEN}"


def _initial(word: str) -> str:
    letters = [character for character in word if character.isalnum()]
    return letters[0] if len(letters) > 1 else ""


def _line(line: str) -> str:
    """As in "1** Main St***"."""
    line = line.strip()  # padding must not count as what is hidden
    shown = line[: min(len(line) * 3 // 4, LONGEST_LINE_SHOWN)]
    return NUMBER.sub(_number, shown).rstrip() + HIDDEN


def _number(match: re.Match[str]) -> str:
    text = match[0]
    return text[0] + "*" * (len(text) - 1) if len(text) > 1 else "*"


def _region(record: AddressRecord) -> str:
    """Prefectures and provinces have numbers for codes ("13"), which say nothing to a buyer."""
    code = record.normalised.region
    return record.typed.region if code.isdecimal() else code


def _phone(phone: str) -> str:
    return f"{HIDDEN} {phone[-2:]}" if phone else ""
