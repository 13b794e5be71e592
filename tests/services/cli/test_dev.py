"""`checkout-server dev`: what it prints can be pasted, and works."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from checkout_server.charge.sandbox_methods import METHODS
from tests.services.cli.command import run
from tests.services.cli.dev_server import DevServer, dev_server


def test_the_printed_block_buys_when_pasted(dev: DevServer, tmp_path: Path):
    pasted = subprocess.run(
        ["bash"],
        input=dev.lines_of_the_paste(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.fullmatch(r"USD 24\.21 placed: ord_\w+\n", pasted.stdout)


def test_it_prints_every_payment_method_of_the_sandbox(dev: DevServer):
    assert [method for method in METHODS if method.does not in dev.printed] == []


def test_what_is_to_be_pasted_comes_last(dev: DevServer):
    assert dev.printed.endswith(dev.lines_of_the_paste())


def test_a_second_start_finds_the_shop_of_the_first(tmp_path: Path):
    with dev_server(tmp_path) as first:
        pass
    with dev_server(tmp_path) as second:
        pass
    assert second.exports["CHECKOUT_DEMO_OFFER"] == first.exports["CHECKOUT_DEMO_OFFER"]


def test_it_refuses_tokens_that_are_not_its_own(tmp_path: Path):
    public = Ed25519PrivateKey.generate().public_key()
    key = OKPAlgorithm.to_jwk(public, as_dict=True) | {"kid": "k", "alg": "EdDSA"}
    keys = tmp_path / "jwks.json"
    keys.write_text(json.dumps({"keys": [key]}))
    refused = run("dev", jwks_file=str(keys), jwt_issuer="https://issuer.example")
    assert refused.exit_code == 2
    assert "Unset" in refused.stderr
    assert "CHECKOUT_JWKS_FILE" in refused.stderr
