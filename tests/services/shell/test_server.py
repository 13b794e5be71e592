"""The server itself: limits, health, reflection, TLS, and the order in which it stops."""

from __future__ import annotations

import asyncio
import datetime
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from grpc import StatusCode
from grpc.aio import AioRpcError
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from checkout_sdk._pb.address_pb2 import ListAddressesRequest, ListAddressesResponse
from checkout_sdk._pb.address_pb2_grpc import AddressServiceStub
from checkout_server.server import Server
from checkout_server.settings import Settings
from tests.services.shell.toy import AS_BUYER, Toy

Status = health_pb2.HealthCheckResponse
SERVICE = "onetap.checkout.v1.CheckoutService"


class Running:
    """A server on any port, with a health that the test sets and a note of when it drained."""

    def __init__(self, toy: Toy, settings: Settings | None = None) -> None:
        self.healthy = True
        self.drained: list[int] = []
        self.toy = toy
        self.server = Server(
            settings or Settings(listen="127.0.0.1:0"),
            toy.handlers(),
            healthy=lambda: self.healthy,
            drain=self._drain,
        )

    async def __aenter__(self) -> Running:
        self.target = f"127.0.0.1:{await self.server.start()}"
        self.channel = grpc.aio.insecure_channel(self.target)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.channel.close()
        await self.server.stop(0)

    async def _drain(self) -> None:
        self.drained.append(len(self.toy.calls))

    async def health(self, service: str = "") -> int:
        answer = await health_pb2_grpc.HealthStub(self.channel).Check(
            health_pb2.HealthCheckRequest(service=service)
        )
        return answer.status

    def ask(self) -> grpc.aio.UnaryUnaryCall:
        return AddressServiceStub(self.channel).ListAddresses(
            ListAddressesRequest(), metadata=(AS_BUYER,)
        )


async def test_health_follows_the_service(toy):
    async with Running(toy) as running:
        assert await running.health() == Status.SERVING
        assert await running.health(SERVICE) == Status.SERVING
        running.healthy = False
        await running.server.tell_health()
        assert await running.health() == Status.NOT_SERVING
        assert await running.health(SERVICE) == Status.NOT_SERVING


async def test_a_server_that_starts_unwell_says_so(toy):
    running = Running(toy)
    running.healthy = False
    async with running:
        assert await running.health() == Status.NOT_SERVING


async def test_stopping_tells_health_first_lets_calls_end_and_drains_last(toy):
    started = asyncio.Event()
    release = asyncio.Event()

    async def unary(request, call):
        started.set()
        await release.wait()
        return ListAddressesResponse(next_page_token="done")

    toy.unary = unary
    async with Running(toy) as running:
        watch = health_pb2_grpc.HealthStub(running.channel).Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == Status.SERVING
        call = running.ask()
        answer = asyncio.ensure_future(_result(call))
        await started.wait()
        stopping = asyncio.create_task(running.server.stop(30))
        assert (await watch.read()).status == Status.NOT_SERVING
        watch.cancel()
        assert not running.drained
        release.set()
        assert (await answer).next_page_token == "done"
        await stopping
        assert running.drained == [1]


async def test_a_message_over_the_limit_is_refused(toy):
    async with Running(toy) as running:
        with pytest.raises(AioRpcError) as caught:
            await AddressServiceStub(running.channel).ListAddresses(
                ListAddressesRequest(buyer_id="x" * 65_536), metadata=(AS_BUYER,)
            )
    assert caught.value.code() is StatusCode.RESOURCE_EXHAUSTED
    assert not toy.calls


async def test_a_port_that_is_taken_is_not_shared(toy):
    async with Running(toy) as running:
        second = Running(toy, Settings(listen=running.target))
        with pytest.raises(RuntimeError):
            await second.server.start()


async def test_reflection_answers_in_development(toy):
    async with Running(toy) as running:
        assert SERVICE in await _reflected(running.channel)


async def test_reflection_is_off_in_production(toy):
    settings = Settings(listen="127.0.0.1:0", environment="production")
    async with Running(toy, settings) as running:
        with pytest.raises(AioRpcError) as caught:
            await _reflected(running.channel)
    assert caught.value.code() is StatusCode.UNIMPLEMENTED


async def test_with_a_certificate_the_server_speaks_tls(toy, tmp_path):
    certificate, key = _self_signed(tmp_path)
    settings = Settings(listen="127.0.0.1:0", tls_cert=certificate, tls_key=key)
    async with Running(toy, settings) as running:
        credentials = grpc.ssl_channel_credentials(certificate.read_bytes())
        options = (("grpc.ssl_target_name_override", "localhost"),)
        async with grpc.aio.secure_channel(running.target, credentials, options) as channel:
            await AddressServiceStub(channel).ListAddresses(
                ListAddressesRequest(), metadata=(AS_BUYER,)
            )
        with pytest.raises(AioRpcError) as caught:
            await running.ask()
    assert caught.value.code() is StatusCode.UNAVAILABLE


async def _result(call):
    return await call


async def _reflected(channel: grpc.aio.Channel) -> set[str]:
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([request]))
    answer = await call.read()
    return {service.name for service in answer.list_services_response.service}


def _self_signed(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "cert.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths
