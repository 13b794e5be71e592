"""The environment: what it may say, and that nothing wrong in it gets past the start."""

from __future__ import annotations

import base64

import pytest

from checkout_server import settings
from checkout_server.settings import SettingError, from_environment

KEY = base64.b64encode(b"k" * 32).decode()
OTHER_KEY = base64.b64encode(b"o" * 32).decode()


@pytest.fixture
def a_file(tmp_path):
    path = tmp_path / "a.pem"
    path.write_text("-")
    return str(path)


@pytest.fixture
def production(a_file):
    return {
        "CHECKOUT_ENVIRONMENT": "production",
        "CHECKOUT_LISTEN": "0.0.0.0:7443",
        "CHECKOUT_TLS_CERT": a_file,
        "CHECKOUT_TLS_KEY": a_file,
        "CHECKOUT_JWKS_FILE": a_file,
        "CHECKOUT_JWT_ISSUER": "https://issuer.example",
        "CHECKOUT_QUOTE_KEYS": f"b:{OTHER_KEY}, a:{KEY}",
    }


def test_nothing_set_is_development_on_this_machine():
    found = from_environment({})
    assert found.development
    assert found.loopback
    assert found.listen == "127.0.0.1:7443"
    assert found.answer_within_ms == 800


def test_what_is_set_wins():
    found = from_environment(
        {"CHECKOUT_ANSWER_WITHIN_MS": "500", "CHECKOUT_DATABASE": "sqlite:/var/lib/shop"}
    )
    assert found.answer_within_ms == 500
    assert str(found.data_folder) == "/var/lib/shop"


def test_an_empty_variable_is_not_set():
    assert from_environment({"CHECKOUT_DRAIN_S": " "}).drain_s == 20


def test_production_starts_when_all_is_said(production):
    found = from_environment(production)
    assert not found.development
    assert found.tls
    assert found.quote_keys == (("b", b"o" * 32), ("a", b"k" * 32))


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ("CHECKOUT_TLS_CERT", "CHECKOUT_TLS_CERT"),
        ("CHECKOUT_TLS_KEY", "CHECKOUT_TLS_KEY"),
        ("CHECKOUT_JWKS_FILE", "CHECKOUT_JWKS_FILE"),
        ("CHECKOUT_JWT_ISSUER", "CHECKOUT_JWT_ISSUER"),
        ("CHECKOUT_QUOTE_KEYS", "CHECKOUT_QUOTE_KEYS"),
    ],
)
def test_production_does_not_start_without(production, missing, told):
    del production[missing]
    with pytest.raises(SettingError, match=f"^{told} must be set"):
        from_environment(production)


def test_plaintext_is_for_this_machine_only():
    with pytest.raises(SettingError, match="CHECKOUT_TLS_CERT must be set"):
        from_environment({"CHECKOUT_LISTEN": "192.168.1.5:7443"})


@pytest.mark.parametrize("listen", ["localhost:1", "127.0.0.1:0", "[::1]:65535"])
def test_loopback_goes_by_three_names(listen):
    assert from_environment({"CHECKOUT_LISTEN": listen}).loopback


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CHECKOUT_ENVIRONMENT", "staging"),
        ("CHECKOUT_LISTEN", "7443"),
        ("CHECKOUT_LISTEN", "localhost:70000"),
        ("CHECKOUT_DATABASE", "mysql://db"),
        ("CHECKOUT_DATABASE", "sqlite:"),
        ("CHECKOUT_TLS_CERT", "/no/such/file"),
        ("CHECKOUT_QUOTE_KEYS", "a"),
        ("CHECKOUT_QUOTE_KEYS", "a:c2hvcnQ="),
        ("CHECKOUT_QUOTE_KEYS", f"a:{KEY[:-2]}"),
        ("CHECKOUT_QUOTE_KEYS", f"a:{KEY},a:{OTHER_KEY}"),
        ("CHECKOUT_GATEWAY", "paypal"),
        ("CHECKOUT_ANSWER_WITHIN_MS", "199"),
        ("CHECKOUT_ANSWER_WITHIN_MS", "5001"),
        ("CHECKOUT_DRAIN_S", "-1"),
        ("CHECKOUT_DRAIN_S", "1.5"),
        ("CHECKOUT_LOG_LEVEL", "LOUD"),
    ],
)
def test_a_value_that_cannot_be_right_is_told_by_name(name, value):
    with pytest.raises(SettingError, match=f"^{name} must"):
        from_environment({name: value})


def test_secrets_are_told_neither_by_repr_nor_by_an_error():
    dsn = "postgresql://owner:s3cret@db/checkout"
    found = from_environment({"CHECKOUT_QUOTE_KEYS": f"a:{KEY}", "CHECKOUT_DATABASE": dsn})
    assert "s3cret" not in repr(found)
    assert "kkkk" not in repr(found)
    with pytest.raises(SettingError) as caught:
        from_environment({"CHECKOUT_QUOTE_KEYS": f"a:{KEY},nonsense"})
    assert KEY not in str(caught.value)


def test_every_setting_is_described_for_help():
    described = settings.describe()
    assert len({each.name for each in described}) == len(described)
    assert all(each.name.startswith("CHECKOUT_") and each.description for each in described)
    units = {each.name: each.unit for each in described}
    assert units["CHECKOUT_DRAIN_S"] == "s"
    assert all(units[name] == "ms" for name in units if name.endswith("_MS"))
