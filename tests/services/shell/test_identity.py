"""Tokens: who they speak for, and every way of forging one that we know of."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import stat
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from checkout_server.faults import Fault
from checkout_server.identity import (
    DEVELOPMENT_KEY_FILE,
    LEEWAY_S,
    MOST_TOKEN_CHARACTERS,
    Issuer,
    Verifier,
    trusted_keys,
)
from checkout_server.settings import Settings
from tests.fakes.clock import FakeClock

NOW_S = 1_800_000_000
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()
RSA_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
STRANGER = ec.generate_private_key(ec.SECP256R1())
CLAIMS = {
    "iss": "https://issuer.example",
    "aud": "checkout",
    "sub": "b-1",
    "exp": NOW_S + 600,
    "iat": NOW_S,
    "nbf": NOW_S,
    "platform": "acme",
    "buyer": "b-1",
    "scope": "buyer profile",
}


def jwk(kid: str, key, algorithm: str) -> dict:
    makers = {
        "ES256": jwt.algorithms.ECAlgorithm,
        "EdDSA": jwt.algorithms.OKPAlgorithm,
        "RS256": jwt.algorithms.RSAAlgorithm,
    }
    shown = makers[algorithm].to_jwk(key.public_key(), as_dict=True)
    return {**shown, "kid": kid, "alg": algorithm}


JWKS = {
    "keys": [jwk("ec", EC_KEY, "ES256"), jwk("ed", ED_KEY, "EdDSA"), jwk("rsa", RSA_KEY, "RS256")]
}


def token(key=EC_KEY, algorithm="ES256", headers=None, **changed) -> str:
    claims = {name: value for name, value in {**CLAIMS, **changed}.items() if value is not Ellipsis}
    return jwt.encode(
        claims, key, algorithm=algorithm, headers=headers if headers is not None else {"kid": "ec"}
    )


def part(value: bytes | dict) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(header: dict, payload: bytes) -> str:
    """A token of our own issuer around any bytes."""
    signing_input = f"{part(header)}.{part(payload)}"
    signature = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256).sign(
        signing_input.encode(), EC_KEY
    )
    return f"{signing_input}.{part(signature)}"


def hmac_with_public_key() -> str:
    pem = RSA_KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    signing_input = f"{part({'alg': 'HS256', 'kid': 'rsa'})}.{part(CLAIMS)}"
    mac = hmac.new(pem, signing_input.encode(), hashlib.sha256).digest()
    return f"{signing_input}.{part(mac)}"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW_S * 1_000)


@pytest.fixture
def verifier(tmp_path: Path, clock: FakeClock) -> Verifier:
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps(JWKS))
    return Verifier(
        trusted_keys(path), issuer="https://issuer.example", audience="checkout", clock=clock
    )


@pytest.mark.parametrize(
    ("kid", "key", "algorithm"),
    [("ec", EC_KEY, "ES256"), ("ed", ED_KEY, "EdDSA"), ("rsa", RSA_KEY, "RS256")],
)
def test_a_token_of_each_algorithm_names_its_caller(verifier, kid, key, algorithm):
    caller = verifier.caller(token(key, algorithm, {"kid": kid}))
    assert (caller.platform, caller.buyer) == ("acme", "b-1")
    assert caller.scopes == {"buyer"}


def test_a_merchants_token_names_its_merchants(verifier):
    caller = verifier.caller(token(scope="merchant", buyer=..., merchants=["m-1", "m-2"]))
    assert caller.merchants == {"m-1", "m-2"}


def test_an_audience_may_be_a_list(verifier):
    assert verifier.caller(token(aud=["other", "checkout"]))


def test_times_are_read_on_the_services_clock_with_some_leeway(verifier, clock):
    clock.advance((600 + LEEWAY_S) * 1_000 - 1)
    assert verifier.caller(token())
    clock.advance(1)
    with pytest.raises(Fault):
        verifier.caller(token())


def test_a_token_that_was_good_is_refused_once_it_has_expired(verifier, clock):
    good = token()
    verifier.caller(good)
    verifier.caller(good)
    clock.advance((600 + LEEWAY_S) * 1_000)
    with pytest.raises(Fault):
        verifier.caller(good)


def test_the_same_token_gives_the_same_caller(verifier):
    good = token()
    assert verifier.caller(good) is verifier.caller(good)


ATTACKS = {
    "empty": "",
    "not a token": "abc",
    "two parts": "abc.def",
    "not base64": "a.b.c",
    "not ascii": "ä.ö.ü",
    "alg none": f"{part({'alg': 'none', 'kid': 'ec'})}.{part(CLAIMS)}.",
    "alg None": f"{part({'alg': 'None', 'kid': 'ec'})}.{part(CLAIMS)}.",
    "no alg": f"{part({'kid': 'ec'})}.{part(CLAIMS)}.{part(b'x' * 64)}",
    "HMAC with the public key": hmac_with_public_key(),
    "another key's algorithm": token(RSA_KEY, "RS256", {"kid": "ec"}),
    "a stronger hash than the key's": token(RSA_KEY, "RS512", {"kid": "rsa"}),
    "a stranger's key under our kid": token(STRANGER),
    "a stranger's key in jku": token(
        STRANGER, headers={"kid": "mine", "jku": "https://evil.example/jwks"}
    ),
    "a stranger's key in jwk": token(
        STRANGER, headers={"kid": "ec", "jwk": jwk("ec", STRANGER, "ES256")}
    ),
    "x5u": token(STRANGER, headers={"kid": "ec", "x5u": "https://evil.example/x"}),
    "no kid": token(headers={}),
    "unknown kid": token(headers={"kid": "other"}),
    "a path as kid": token(headers={"kid": "../../etc/passwd"}),
    "SQL as kid": token(headers={"kid": "' OR 1=1 --"}),
    "a list as kid": signed({"alg": "ES256", "kid": ["ec"]}, json.dumps(CLAIMS).encode()),
    "crit": signed(
        {"alg": "ES256", "kid": "ec", "crit": ["x"], "x": 1}, json.dumps(CLAIMS).encode()
    ),
    "b64": signed({"alg": "ES256", "kid": "ec", "b64": False}, json.dumps(CLAIMS).encode()),
    "a changed claim": ".".join(
        [token().split(".")[0], part({**CLAIMS, "buyer": "b-2"}), token().split(".")[2]]
    ),
    "no signature": token().rpartition(".")[0] + ".",
    "expired": token(exp=NOW_S - LEEWAY_S),
    "not yet valid": token(nbf=NOW_S + LEEWAY_S + 1),
    "issued in the future": token(iat=NOW_S + LEEWAY_S + 1),
    "another issuer": token(iss="https://evil.example"),
    "another audience": token(aud="billing"),
    "huge": token(extra="x" * MOST_TOKEN_CHARACTERS),
    "deeply nested": signed({"alg": "ES256", "kid": "ec"}, b'{"a":' * 300 + b"1" + b"}" * 300),
    "claims twice": signed(
        {"alg": "ES256", "kid": "ec"}, json.dumps(CLAIMS)[:-1].encode() + b', "buyer": "b-2"}'
    ),
    "claims that are a list": signed({"alg": "ES256", "kid": "ec"}, b"[]"),
    "claims that are not JSON": signed({"alg": "ES256", "kid": "ec"}, b"{"),
    "claims that are not UTF-8": signed({"alg": "ES256", "kid": "ec"}, b'{"a": "\xff"}'),
    **{f"no {name}": token(**{name: ...}) for name in CLAIMS if name not in ("iat", "nbf")},
    "exp true": token(exp=True),
    "exp text": token(exp=str(NOW_S + 600)),
    "exp infinite": signed(
        {"alg": "ES256", "kid": "ec"},
        json.dumps(CLAIMS).replace(str(NOW_S + 600), "Infinity").encode(),
    ),
    "exp NaN": signed(
        {"alg": "ES256", "kid": "ec"},
        json.dumps(CLAIMS).replace(str(NOW_S + 600), "NaN").encode(),
    ),
    "aud a number": signed(
        {"alg": "ES256", "kid": "ec"}, json.dumps({**CLAIMS, "aud": 7}).encode()
    ),
    "scope a list": token(scope=["buyer"]),
    "platform a list": token(platform=["acme"]),
    "platform empty": token(platform=""),
    "platform with a NUL": token(platform="ac\0me"),
    "buyer null": token(buyer=None),
    "buyer empty": token(buyer=""),
    "buyer too long": token(buyer="x" * 129),
    "merchants text": token(merchants="m-1"),
    "merchants empty": token(merchants=[]),
    "merchants numbers": token(merchants=[1]),
    "a buyer's scope without a buyer": token(buyer=..., scope="buyer"),
    "a platform's scope with a buyer": token(scope="platform"),
    "a merchant's scope without merchants": token(buyer=..., scope="merchant"),
}


@pytest.mark.parametrize("forged", ATTACKS.values(), ids=ATTACKS.keys())
def test_a_token_that_is_not_good_is_refused_without_a_why(verifier, forged):
    with pytest.raises(Fault) as caught:
        verifier.caller(forged)
    fault = caught.value
    assert (fault.reason, fault.violations, fault.metadata) == ("UNAUTHENTICATED", (), {})


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [{"kty": "oct", "kid": "a", "k": "c2VjcmV0LXNlY3JldA"}],
        [{"kid": "a"}],
        [{"kty": "RSA"}],
        [jwk("a", EC_KEY, "ES256"), jwk("a", STRANGER, "ES256")],
        [{**jwk("a", EC_KEY, "ES256"), "alg": "HS256"}],
        [{**jwk("a", RSA_KEY, "RS256"), "alg": "none"}],
        [
            {
                **jwt.algorithms.ECAlgorithm.to_jwk(EC_KEY, as_dict=True),
                "kid": "a",
                "alg": "ES256",
            }
        ],
        [jwk("a", rsa.generate_private_key(public_exponent=65_537, key_size=1_024), "RS256")],
        [jwk("a", ec.generate_private_key(ec.SECP384R1()), "ES256")],
        "text",
    ],
    ids=[
        "none",
        "a secret",
        "no kind",
        "no kid",
        "a kid twice",
        "an HMAC",
        "alg none",
        "a private key",
        "a short key",
        "another curve",
        "not a list",
    ],
)
def test_a_key_file_that_is_not_safe_stops_the_start_and_quotes_nothing(tmp_path, entries):
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": entries}))
    with pytest.raises(ValueError, match=r".") as caught:
        trusted_keys(path)
    assert "c2VjcmV0" not in str(caught.value)


def test_the_development_issuer_makes_tokens_that_it_takes(tmp_path, clock):
    issuer = Issuer(Settings(database=f"sqlite:{tmp_path}"), clock)
    verifier = issuer.verifier()
    assert verifier.caller(issuer.mint("acme", "buyer", buyer="b-1")).buyer == "b-1"
    assert verifier.caller(issuer.mint("acme", "platform loadtest")).scopes == {
        "platform",
        "loadtest",
    }
    assert verifier.caller(issuer.mint("acme", "merchant", merchants=("m-1",))).merchants == {"m-1"}


def test_the_development_key_is_kept_for_its_owner_only(tmp_path, clock):
    settings = Settings(database=f"sqlite:{tmp_path / 'data'}")
    minted = Issuer(settings, clock).mint("acme", "platform")
    assert Issuer(settings, clock).verifier().caller(minted).platform == "acme"
    path = tmp_path / "data" / DEVELOPMENT_KEY_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    "settings",
    [Settings(environment="production"), Settings(listen="0.0.0.0:7443")],
    ids=["production", "not loopback"],
)
def test_the_development_issuer_works_nowhere_else(settings, clock):
    with pytest.raises(ValueError, match="development on loopback only"):
        Issuer(settings, clock)
