"""Pages of a list: where the next one begins, as a token that only this list understands."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode

from checkout_server.faults import invalid

DEFAULT_PAGE_SIZE = 50
CHECK_BYTES = 6


def page_token(listing: str, *position: str) -> str:
    """`listing` names the list and whose it is; `position` is the key of the page's last entry."""
    key = "\0".join(position).encode()
    return urlsafe_b64encode(_check(listing, key) + key).rstrip(b"=").decode()


def position_of(token: str, listing: str) -> list[str]:
    """The check is no secret: it catches tokens of other lists and typing errors. A made-up one
    opens nothing, because the list it continues is looked up by the caller's own keys."""
    try:
        decoded = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError:
        decoded = b""
    check, key = decoded[:CHECK_BYTES], decoded[CHECK_BYTES:]
    if check != _check(listing, key):
        raise invalid("page_token", "must be a next_page_token of this same list, or empty")
    return key.decode().split("\0")


def _check(listing: str, key: bytes) -> bytes:
    return hashlib.sha256(listing.encode() + b"\0" + key).digest()[:CHECK_BYTES]
