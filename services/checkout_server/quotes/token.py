"""The quote token: claims and their signature as text, `hs256.<kid>.<claims>.<signature>`.

What can go wrong, and what makes it safe:
- A forger picks the algorithm or the key. The algorithm belongs to the key, and a key id that is
  not ours is no key.
- Two texts mean the same claims, so that a filter on one misses the other. The signature is over
  the text as it came and is compared as text: no character may differ, trailing bits included.
- Unsigned bytes reach a parser. Nothing is decoded before the signature holds.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping

from google.protobuf.message import DecodeError

from checkout_server._pb.stored_pb2 import QuoteClaims
from checkout_server.faults import Fault, invalid

ALGORITHM = "hs256"
VERSION = 1
MOST_CLAIMS_BYTES = 2048
# The contract's; the above makes 2,798 with the longest key id and the signature's 43 characters.
MOST_TEXT = 2800
# An HMAC key shorter than its hash is the weakest part.
LEAST_SECRET_BYTES = 32
# Two are valid while a key is being replaced; two more make room for mistakes.
MOST_KEYS = 4
KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,16}")


class SigningKeys:
    """Secrets by key id, in order: the first signs, the others only verify.

    A new key is added last on every process before it comes first on any.
    """

    __slots__ = ("_secrets", "_signing")

    def __init__(self, secrets: Mapping[str, bytes]) -> None:
        if not 1 <= len(secrets) <= MOST_KEYS:
            raise ValueError(f"there must be 1 to {MOST_KEYS} quote keys, not {len(secrets)}")
        for kid, secret in secrets.items():
            if not KEY_ID.fullmatch(kid):
                raise ValueError("a quote key's id must have 1 to 16 letters, digits, '_' or '-'")
            if len(secret) < LEAST_SECRET_BYTES:
                raise ValueError(f"quote key {kid} must have {LEAST_SECRET_BYTES} bytes or more")
        self._secrets = dict(secrets)
        self._signing = next(iter(self._secrets))

    def sign(self, claims: str) -> str:
        """`claims` with its header before it and its signature behind it."""
        signed = f"{ALGORITHM}.{self._signing}.{claims}"
        return f"{signed}.{_signature(self._secrets[self._signing], signed)}"

    def verified(self, text: str) -> str | None:
        """The claims within a text that one of these keys signed, else None."""
        if len(text) > MOST_TEXT or not text.isascii():
            return None
        parts = text.split(".")
        if len(parts) != 4:
            return None
        algorithm, kid, claims, signature = parts
        secret = self._secrets.get(kid)
        if secret is None or algorithm != ALGORITHM:
            return None
        signed = f"{algorithm}.{kid}.{claims}"
        genuine = hmac.compare_digest(_signature(secret, signed), signature)
        return claims if genuine else None


def seal(claims: QuoteClaims, keys: SigningKeys) -> str:
    body = claims.SerializeToString(deterministic=True)
    if len(body) > MOST_CLAIMS_BYTES:
        raise invalid("lines", "must be fewer or have shorter SKUs: this is too much for one quote")
    return keys.sign(_encode(body))


def unseal(text: str, keys: SigningKeys) -> QuoteClaims:
    """The claims of a token of ours. Whose it is, and whether it still holds, the caller checks."""
    body = keys.verified(text)
    if body is None:
        raise Fault("QUOTE_INVALID")
    try:
        claims = QuoteClaims.FromString(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (DecodeError, ValueError) as error:
        # A key of ours signed something else: a release to come, or a secret used twice.
        raise Fault("QUOTE_INVALID") from error
    if claims.version != VERSION:
        raise Fault("QUOTE_INVALID")
    return claims


def _signature(secret: bytes, signed: str) -> str:
    return _encode(hmac.digest(secret, signed.encode("ascii"), "sha256"))


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
