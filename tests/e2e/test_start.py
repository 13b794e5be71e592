"""How the server starts and ends, and what it refuses to start with."""

from __future__ import annotations

import base64
import json
import signal
from pathlib import Path

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from grpc import StatusCode
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from jwt.algorithms import OKPAlgorithm

from checkout_sdk._pb.address_pb2 import ListAddressesRequest
from checkout_sdk._pb.address_pb2_grpc import AddressServiceStub
from tests.e2e.conftest import Prepare
from tests.e2e.processes import ServerProcess, health_of
from tests.e2e.shop import PLATFORM

Status = health_pb2.HealthCheckResponse


def test_health_is_serving_until_sigterm(serve: Prepare):
    server = serve()
    with health_of(server.target) as health:
        assert next(health).status == Status.SERVING
        server.signal(signal.SIGTERM)
        assert next(health).status == Status.NOT_SERVING
    assert server.ended() == 0


def test_a_server_without_calls_ends_at_once_and_starts_again(serve: Prepare):
    server = serve()
    assert server.stop() == 0
    assert server.start().stop() == 0


@pytest.fixture
def production(tmp_path: Path) -> dict[str, str]:
    """All that production wants to be told."""
    key = json.loads(OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate().public_key()))
    jwks = tmp_path / "jwks.json"
    jwks.write_text(json.dumps({"keys": [key | {"kid": "k1", "alg": "EdDSA"}]}))
    return {
        "environment": "production",
        "jwks_file": str(jwks),
        "jwt_issuer": "https://issuer.example",
        "quote_keys": f"q1:{base64.b64encode(b'q' * 32).decode()}",
    }


def reflected(server: ServerProcess) -> StatusCode:
    """What a generic client is told that asks which services there are."""
    asked = reflection_pb2.ServerReflectionRequest(list_services="")
    with grpc.insecure_channel(server.target) as channel:
        answers = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
            iter([asked]), timeout=10
        )
        try:
            return StatusCode.OK if next(answers) else StatusCode.UNKNOWN
        except grpc.RpcError as error:
            return error.code()


def test_production_has_no_conveniences(serve: Prepare, production: dict[str, str]):
    server = serve(**production)
    assert reflected(server) is StatusCode.UNIMPLEMENTED
    token = server.issuer.mint(PLATFORM, "platform")
    with grpc.insecure_channel(server.target) as channel, pytest.raises(grpc.RpcError) as caught:
        AddressServiceStub(channel).ListAddresses(
            ListAddressesRequest(buyer_id="ann"), metadata=(("authorization", f"Bearer {token}"),)
        )
    assert caught.value.code() is StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize(
    ("left_out", "named"),
    [("jwks_file", "CHECKOUT_JWKS_FILE"), ("quote_keys", "CHECKOUT_QUOTE_KEYS")],
)
def test_production_does_not_start_on_conveniences(
    prepare: Prepare, production: dict[str, str], left_out: str, named: str
):
    del production[left_out]
    refused(prepare(**production), named)


def test_plaintext_beyond_this_machine_is_refused(prepare: Prepare):
    refused(prepare(listen="0.0.0.0:0"), "CHECKOUT_TLS_CERT")


def test_a_second_server_on_one_sqlite_folder_is_refused(prepare: Prepare, serve: Prepare):
    serve()
    refused(prepare(), "in use")


def refused(server: ServerProcess, why: str) -> None:
    """It ends by itself and says what must be done, in a sentence and not in a traceback."""
    server.launch()
    assert server.ended() == 2
    [line] = server.log
    assert why in line
