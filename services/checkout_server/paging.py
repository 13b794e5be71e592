"""Pages of a list: where the next one begins, as a token that only this list understands."""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

from checkout_server.faults import Fault, invalid

DEFAULT_PAGE_SIZE = 50
CHECK_BYTES = 6


def page_token(listing: str, *position: str) -> str:
    """`listing` names the list and whose it is; `position` is the key of the page's last entry."""
    key = "\0".join(position).encode()
    return urlsafe_b64encode(_check(listing, key) + key).rstrip(b"=").decode()


def position_of(token: str, listing: str) -> str:
    """The key of the last entry of the page before, of one part.

    The check is no secret: it catches tokens of other lists and typing errors. A made-up one opens
    nothing, because the list it continues is looked up by the caller's own keys.
    """
    return _parts(token, listing, 1)[0]


def dated_position_of(token: str, listing: str) -> tuple[int, str]:
    """The same for lists that are sorted by a moment, in ms, and then by id."""
    created_ms, entry_id = _parts(token, listing, 2)
    if not re.fullmatch(r"[0-9]{1,15}", created_ms):
        raise _not_of_this_list()
    return int(created_ms), entry_id


def _parts(token: str, listing: str, count: int) -> list[str]:
    try:
        decoded = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        check, key = decoded[:CHECK_BYTES], decoded[CHECK_BYTES:]
        parts = key.decode().split("\0")
    except ValueError:
        raise _not_of_this_list() from None
    if check != _check(listing, key) or len(parts) != count:
        raise _not_of_this_list()
    return parts


def _not_of_this_list() -> Fault:
    return invalid("page_token", "must be a next_page_token of this same list, or empty")


def _check(listing: str, key: bytes) -> bytes:
    return hashlib.sha256(listing.encode() + b"\0" + key).digest()[:CHECK_BYTES]
