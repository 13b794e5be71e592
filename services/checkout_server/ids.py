"""Ids that nobody can guess and that name their merchant.

`att_` + 8 characters of tag + 22 random ones (131 bits). The tag is the merchant's, derived from
platform and merchant id, and is also the value of the `merchant` column that leads every key of
checkout's tables: a lookup by id alone knows its shard, and no two platforms meet in one row.
"""

from __future__ import annotations

import hashlib
import re
import secrets

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
TAG_LENGTH = 8  # 47 bits; a clash is caught by UNIQUE (platform_id, merchant_id) beside the key
RANDOM_LENGTH = 22
ID = re.compile(r"([a-z]{2,4})_([A-Za-z0-9]{8})([A-Za-z0-9]{22,})")


def tag(*names: str) -> str:
    """The tag of a merchant (platform, merchant id), or of a platform alone (for what is not a
    merchant's)."""
    digest = hashlib.sha256("\0".join(names).encode()).digest()
    number = int.from_bytes(digest[:8], "big")
    return _base62(number, TAG_LENGTH)


def new_id(prefix: str, of_tag: str) -> str:
    # One draw of 256 bits, of which 22 digits use 131: choosing digit by digit takes ten times as
    # long, and a quote makes an id for each of its choices.
    return f"{prefix}_{of_tag}{_base62(secrets.randbits(256), RANDOM_LENGTH)}"


def tag_of(text: str, prefix: str) -> str | None:
    """The tag within an id of ours; None when the text is no such id."""
    match = ID.fullmatch(text)
    return match.group(2) if match and match.group(1) == prefix else None


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "".join(digits)
