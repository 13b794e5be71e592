from __future__ import annotations

import base64
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkout_server._pb.stored_pb2 import ClaimedLine, QuoteClaims
from checkout_server.faults import Fault
from checkout_server.quotes.token import (
    MOST_CLAIMS_BYTES,
    MOST_TEXT,
    VERSION,
    SigningKeys,
    seal,
    unseal,
)

OLD, NEW = b"o" * 32, b"n" * 32
KEYS = SigningKeys({"k1": OLD})
CLAIMS = QuoteClaims(version=VERSION, buyer_id="u_42", tap_key="tap_1", expires_ms=1)
TOKEN = seal(CLAIMS, KEYS)


def refused(text: str, keys: SigningKeys = KEYS) -> bool:
    with pytest.raises(Fault) as raised:
        unseal(text, keys)
    return raised.value.reason == "QUOTE_INVALID"


def text_of(length: int) -> QuoteClaims:
    """Claims that serialize to so many bytes."""
    claims = QuoteClaims(version=VERSION, buyer_id="x" * (length - 10))
    claims.buyer_id += "x" * (length - claims.ByteSize())
    assert claims.ByteSize() == length
    return claims


def forged(signed: str, secret: bytes = OLD) -> str:
    mac = hmac.digest(secret, signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def test_what_was_sealed_comes_back():
    assert unseal(TOKEN, KEYS) == CLAIMS


def test_the_same_claims_make_the_same_token():
    assert seal(QuoteClaims.FromString(CLAIMS.SerializeToString()), KEYS) == TOKEN


def test_the_token_names_its_algorithm_and_key():
    assert TOKEN.startswith("hs256.k1.")


def test_any_altered_bit_of_any_character_is_refused():
    for position, character in enumerate(TOKEN):
        for bit in range(8):
            altered = chr(ord(character) ^ (1 << bit))
            assert refused(TOKEN[:position] + altered + TOKEN[position + 1 :])


@given(st.integers(0, len(TOKEN) - 1), st.characters())
def test_no_other_character_passes_anywhere(position: int, other: str):
    altered = TOKEN[:position] + other + TOKEN[position + 1 :]
    assert altered == TOKEN or refused(altered)


def test_altered_trailing_bits_count_as_altered():
    # 32 bytes make 43 characters, of which the last holds two bits that mean nothing.
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = TOKEN[:-1] + alphabet[alphabet.index(TOKEN[-1]) ^ 1]
    assert base64.urlsafe_b64decode(twin.split(".")[3] + "=") == base64.urlsafe_b64decode(
        TOKEN.split(".")[3] + "="
    )
    assert refused(twin)


@pytest.mark.parametrize("change", [str.upper, lambda text: text + "=", lambda text: f" {text}"])
def test_another_spelling_is_refused(change):
    assert refused(change(TOKEN))


@given(st.text())
def test_no_text_raises_anything_but_quote_invalid(text: str):
    assert refused(text)


@given(st.binary(max_size=4000))
def test_no_bytes_raise_anything_but_quote_invalid(data: bytes):
    assert refused(data.decode("latin-1"))
    assert refused(data.decode("utf-8", errors="surrogateescape"))


@given(st.binary(max_size=64))
def test_what_a_key_of_ours_signed_but_is_no_quote_is_refused(data: bytes):
    assert refused(forged(f"hs256.k1.{base64.urlsafe_b64encode(data).decode().rstrip('=')}"))


def test_claims_that_are_no_base64_are_refused_though_signed():
    assert refused(forged("hs256.k1.A"))


@pytest.mark.parametrize("algorithm", ["none", "HS256", "hs512", ""])
def test_the_algorithm_is_the_keys_and_not_the_tokens(algorithm: str):
    assert refused(forged(f"{algorithm}.k1.{TOKEN.split('.')[2]}"))


def test_an_unknown_key_is_no_key():
    assert refused(forged(f"hs256.k9.{TOKEN.split('.')[2]}"))


def test_another_version_is_not_ours():
    assert refused(seal(QuoteClaims(version=VERSION + 1), KEYS))


def test_an_old_key_still_verifies_while_the_new_one_signs():
    both = SigningKeys({"k2": NEW, "k1": OLD})
    assert unseal(TOKEN, both) == CLAIMS
    assert seal(CLAIMS, both).startswith("hs256.k2.")


def test_a_new_key_verifies_before_it_signs():
    both = SigningKeys({"k1": OLD, "k2": NEW})
    assert unseal(seal(CLAIMS, SigningKeys({"k2": NEW})), both) == CLAIMS
    assert seal(CLAIMS, both) == TOKEN


def test_a_removed_key_verifies_nothing():
    assert refused(TOKEN, SigningKeys({"k2": NEW}))


def test_the_largest_quote_fits_the_contract():
    keys = SigningKeys({"k" * 16: OLD})
    claims = text_of(MOST_CLAIMS_BYTES)
    token = seal(claims, keys)
    assert len(token) <= MOST_TEXT
    assert unseal(token, keys) == claims


def test_too_much_for_one_quote_is_a_fault_of_the_lines():
    claims = QuoteClaims(version=VERSION, lines=[ClaimedLine(sku="s" * 64)] * 40)
    with pytest.raises(Fault) as raised:
        seal(claims, KEYS)
    assert [violation.field for violation in raised.value.violations] == ["lines"]


@pytest.mark.parametrize(
    "secrets",
    [
        {},
        {"k": b"short"},
        {"": OLD},
        {"k.1": OLD},
        {"k" * 17: OLD},
        {f"k{number}": OLD for number in range(5)},
    ],
)
def test_keys_that_are_no_keys_are_refused_at_start(secrets: dict[str, bytes]):
    with pytest.raises(ValueError, match="quote key"):
        SigningKeys(secrets)


def test_a_refused_secret_is_not_repeated():
    with pytest.raises(ValueError, match="32 bytes") as raised:
        SigningKeys({"k": b"hunter2"})
    assert "hunter2" not in str(raised.value)
