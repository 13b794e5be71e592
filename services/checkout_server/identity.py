"""Who calls: a bearer token is verified into a `Caller`, or the call ends with UNAUTHENTICATED.

The token names a key of ours by `kid`; the key, and never the token, decides the algorithm (so
`none`, or an HMAC made with a public key, cannot pass), and nothing a token points to (`jku`,
`x5u`, an embedded `jwk`) is ever fetched or used. Why it was refused stays untold: all refusals
look alike.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from checkout_server.call import Caller
from checkout_server.faults import Fault
from checkout_server.scopes import Scope
from checkout_server.settings import Settings

ALGORITHMS = frozenset({"ES256", "EdDSA", "RS256"})
REQUIRED = ("iss", "aud", "exp", "sub", "platform", "scope")
# Between an issuer's clock and ours.
LEEWAY_S = 30
# A token of ours has some 500; half of what all metadata together may have.
MOST_TOKEN_CHARACTERS = 4_096
MOST_NAME_CHARACTERS = 128
MOST_MERCHANTS = 100
# Verifying a signature costs about 100 us, a third of an empty call, and an app's backend sends the
# same token with every call until it expires. Kept by hash, so that no bearer token lies about in
# memory; only tokens that passed get in, so garbage cannot push them out.
MOST_CACHED = 10_000
LEAST_RSA_BITS = 2_048

DEVELOPMENT_ISSUER = "onetap-development"
DEVELOPMENT_KEY_FILE = "development-issuer.pem"


class Clock(Protocol):
    def now_ms(self) -> int: ...


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A public key, and the one algorithm it is for."""

    algorithm: str
    key: Any


class Verifier:
    """Turns tokens of one issuer into callers."""

    def __init__(
        self, keys: Mapping[str, TrustedKey], *, issuer: str, audience: str, clock: Clock
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._cache: dict[bytes, tuple[float, Caller]] = {}

    def caller(self, token: str) -> Caller:
        """Raises UNAUTHENTICATED."""
        if len(token) > MOST_TOKEN_CHARACTERS:
            raise Fault("UNAUTHENTICATED")
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        now_s = self._clock.now_ms() / 1000
        expires_s, caller = self._cache.get(digest, (0.0, None))
        if caller and now_s < expires_s:
            return caller
        try:
            expires_s, caller = self._verified(token, now_s)
        except (jwt.InvalidTokenError, ValueError, TypeError, RecursionError):
            raise Fault("UNAUTHENTICATED") from None
        self._keep(digest, expires_s, caller)
        return caller

    def _verified(self, token: str, now_s: float) -> tuple[float, Caller]:
        header = jwt.get_unverified_header(token)
        trusted = self._keys.get(header.get("kid", ""))
        if trusted is None or header.get("alg") != trusted.algorithm or "crit" in header:
            raise ValueError
        claims = jwt.decode(
            token,
            trusted.key,
            algorithms=[trusted.algorithm],
            issuer=self._issuer,
            audience=self._audience,
            # The times are checked below, against service time.
            options={
                "require": [*REQUIRED],
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
        _refuse_repeated_names(token)
        return _expiry(claims, now_s), _caller(claims)

    def _keep(self, digest: bytes, expires_s: float, caller: Caller) -> None:
        if len(self._cache) >= MOST_CACHED:
            del self._cache[next(iter(self._cache))]
        self._cache[digest] = (expires_s, caller)


def trusted_keys(path: Path) -> dict[str, TrustedKey]:
    """The public keys of a JWKS file by `kid`. Raises ValueError with what is wrong with it."""
    try:
        entries = json.loads(path.read_bytes())["keys"]
        keys = {entry["kid"]: _trusted_key(entry) for entry in entries}
    except (KeyError, TypeError, jwt.PyJWTError, json.JSONDecodeError) as error:
        # Not the error's own text: it may quote a key.
        problem = type(error).__name__
        raise ValueError(
            f"{path} must be a JWKS of keys with kid, kty and alg ({problem})"
        ) from None
    if not keys or len(keys) != len(entries):
        raise ValueError(f"{path} must have one key or more, each with a kid of its own")
    return keys


class Issuer:
    """Makes tokens for development. Its key is made at first use and kept in the data folder."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        if not (settings.development and settings.loopback):
            raise ValueError("the development issuer works in development on loopback only")
        self._audience = settings.jwt_audience
        self._clock = clock
        self._key = _kept_key(settings.data_folder / DEVELOPMENT_KEY_FILE)
        self._kid = hashlib.sha256(_raw_public(self._key)).hexdigest()[:16]

    def verifier(self) -> Verifier:
        keys = {self._kid: TrustedKey("EdDSA", self._key.public_key())}
        return Verifier(keys, issuer=DEVELOPMENT_ISSUER, audience=self._audience, clock=self._clock)

    def mint(
        self,
        platform: str,
        scope: str,
        *,
        buyer: str | None = None,
        merchants: tuple[str, ...] = (),
        life_s: int = 3_600,
    ) -> str:
        """A token; `scope` is one or more of scopes.Scope, with spaces between."""
        now_s = self._clock.now_ms() // 1000
        claims: dict[str, Any] = {
            "iss": DEVELOPMENT_ISSUER,
            "aud": self._audience,
            "sub": buyer or platform,
            "iat": now_s,
            "exp": now_s + life_s,
            "platform": platform,
            "scope": scope,
        }
        if buyer is not None:
            claims["buyer"] = buyer
        if merchants:
            claims["merchants"] = list(merchants)
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers={"kid": self._kid})


def verifier(settings: Settings, clock: Clock) -> Verifier:
    """For the keys of the settings: a JWKS file, or the development issuer's own."""
    if settings.jwks_file is None:
        return Issuer(settings, clock).verifier()
    return Verifier(
        trusted_keys(settings.jwks_file),
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        clock=clock,
    )


def _refuse_repeated_names(token: str) -> None:
    """Of two claims with one name, another reader of this token may take the other one."""
    for part in token.split(".")[:2]:
        json.loads(jwt.utils.base64url_decode(part), object_pairs_hook=_unrepeated)


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError
    return values


def _expiry(claims: Mapping[str, Any], now_s: float) -> float:
    """When the token ends for us, leeway included. ValueError: it has ended, or not begun."""
    expires_s = _time(claims["exp"]) + LEEWAY_S
    if now_s >= expires_s:
        raise ValueError
    for name in ("nbf", "iat"):
        if name in claims and _time(claims[name]) > now_s + LEEWAY_S:
            raise ValueError
    return expires_s


def _time(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**53:
        raise ValueError
    return float(value)


def _caller(claims: Mapping[str, Any]) -> Caller:
    scope = claims["scope"]
    _name(claims["sub"])
    if not isinstance(scope, str):
        raise ValueError
    scopes = frozenset(scope.split(" ")) & frozenset(Scope)
    buyer = _name(claims["buyer"]) if "buyer" in claims else None
    merchants = _merchants(claims["merchants"]) if "merchants" in claims else frozenset()
    # A Caller without a buyer, or without merchants, acts for all that its platform has: that must
    # have been meant.
    if (Scope.BUYER in scopes) != (buyer is not None):
        raise ValueError
    if Scope.MERCHANT in scopes and Scope.PLATFORM not in scopes and not merchants:
        raise ValueError
    return Caller(
        platform=_name(claims["platform"]), scopes=scopes, buyer=buyer, merchants=merchants
    )


def _merchants(value: Any) -> frozenset[str]:
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_MERCHANTS:
        raise ValueError
    return frozenset(_name(one) for one in value)


def _name(value: Any) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= MOST_NAME_CHARACTERS:
        raise ValueError
    if not value.isprintable():
        raise ValueError
    return value


def _trusted_key(entry: Mapping[str, Any]) -> TrustedKey:
    named = f"key {entry['kid']}"
    if "d" in entry:
        raise ValueError(f"{named} is private: it belongs with its issuer only")
    if entry.get("alg") not in ALGORITHMS:
        raise ValueError(f"{named} must have an alg of {', '.join(sorted(ALGORITHMS))}")
    key = jwt.PyJWK(dict(entry))
    if isinstance(key.key, EllipticCurvePublicKey) and not isinstance(key.key.curve, SECP256R1):
        raise ValueError(f"{named} must be on the curve of ES256, P-256")
    if isinstance(key.key, RSAPublicKey) and key.key.key_size < LEAST_RSA_BITS:
        raise ValueError(f"{named} must have {LEAST_RSA_BITS} bits or more")
    return TrustedKey(key.algorithm_name, key.key)


def _kept_key(path: Path) -> Ed25519PrivateKey:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_key(path)
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{path} is not a key of the development issuer; remove it")
    return key


def _write_key(path: Path) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    # Readable by nobody else from its first byte, and in place only when whole: of two processes
    # that start at once, the second to link uses the first one's.
    draft = path.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(pem)
    with contextlib.suppress(FileExistsError):
        path.hardlink_to(draft)
    draft.unlink()


def _raw_public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
