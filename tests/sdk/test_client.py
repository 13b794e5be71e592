from __future__ import annotations

import inspect

import grpc
import grpc.aio
import pytest

from checkout_sdk import AsyncCheckout, Checkout, ConfigurationError, Unavailable
from checkout_sdk._channels import endpoints

OFFER = "off_demo_mug"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    monkeypatch.delenv("CHECKOUT_TARGET", raising=False)
    monkeypatch.delenv("CHECKOUT_TOKEN", raising=False)


@pytest.mark.parametrize("client", [Checkout, AsyncCheckout])
@pytest.mark.parametrize("make", [lambda client: client(), lambda client: client.from_env()])
def test_the_first_error_says_what_to_do(client, make):
    with pytest.raises(ConfigurationError) as caught:
        make(client)

    assert str(caught.value) == (
        "no target. Set CHECKOUT_TARGET=host:port or pass target=."
        " For a local server: checkout-server dev"
    )


@pytest.mark.parametrize("client", [Checkout, AsyncCheckout])
def test_a_client_without_a_token_is_refused_before_any_call(client):
    with pytest.raises(ConfigurationError) as caught:
        client.from_env(target="localhost:1")

    assert str(caught.value) == (
        "no token. Set CHECKOUT_TOKEN or pass token=."
        " For a local server: checkout-server dev prints one"
    )


@pytest.mark.parametrize("token", ["ey.a.b\n", "ey\x00", "“ey”"])
async def test_a_token_that_metadata_cannot_carry_is_named(client_class, token):
    with pytest.raises(ConfigurationError, match="the token has a line break"):
        client_class(target="localhost:1", token=token)

    async with client_class(target="localhost:1", token=lambda: token) as checkout:
        with pytest.raises(ConfigurationError, match="the token has a line break"):
            await checkout.for_buyer("u_1").quote(offer_id=OFFER)


@pytest.mark.parametrize("target", ["http://127.0.0.1:7443", "HTTPS://pay.example:443"])
def test_a_url_is_no_target(target):
    with pytest.raises(ConfigurationError, match="must be host:port, without http://"):
        Checkout(target=target, token="t")


@pytest.mark.parametrize("target", ["127.0.0.1", "localhost:", ":7443", "[::1]", "a.example:1/"])
def test_a_target_has_a_host_and_a_port(target):
    with pytest.raises(ConfigurationError, match="must be host:port, such as"):
        Checkout(target=target, token="t")


@pytest.mark.parametrize("target", ["[::1]:7443", "unix:/run/checkout.sock", "dns:///a.example:1"])
def test_targets_that_grpc_resolves_are_let_through(target):
    assert endpoints(target, None, plaintext=False, given=False)[0].target == target


async def test_nobody_listening_here_says_how_to_start_a_server(client_class):
    async with client_class(target="127.0.0.1:1", token="t", max_retries=0) as checkout:
        with pytest.raises(Unavailable, match="checkout-server dev"):
            await checkout.for_buyer("u_1").quote(offer_id=OFFER)


async def test_arguments_win_over_the_environment(client_class, server, monkeypatch):
    monkeypatch.setenv("CHECKOUT_TARGET", "127.0.0.1:1")
    monkeypatch.setenv("CHECKOUT_TOKEN", "from-env")

    async with client_class.from_env(target=server.target) as checkout:
        with pytest.raises(Exception, match="NOT_IMPLEMENTED"):
            await checkout.for_buyer("u_1").quote(offer_id=OFFER)

    assert server.seen["CreateQuote"][0].metadata["authorization"] == "Bearer from-env"


async def test_the_environment_may_name_several_targets(client_class, fake_checkout, monkeypatch):
    monkeypatch.setenv("CHECKOUT_TARGET", f"127.0.0.1:1, {fake_checkout.target}")

    async with client_class.from_env() as checkout:
        assert await checkout.for_buyer("u_1").quote(offer_id=OFFER)


def test_plaintext_stays_on_this_machine_unless_told():
    near, far = endpoints("localhost:1,far.example:1", None, plaintext=False, given=False)
    told = endpoints("far.example:1", None, plaintext=True, given=False)[0]

    assert near.credentials is None
    assert far.credentials is not None
    assert told.credentials is None


@pytest.mark.parametrize("client", [Checkout, AsyncCheckout])
def test_contradictions_are_refused(client):
    with pytest.raises(ConfigurationError, match="exclude"):
        client(target="a:1", credentials=grpc.ssl_channel_credentials(), plaintext=True)
    with pytest.raises(ConfigurationError, match="at least 0"):
        client(target="a:1", max_retries=-1)


async def test_a_channel_of_the_apps_own_is_used_and_left_open(fake_checkout):
    async with grpc.aio.insecure_channel(fake_checkout.target) as channel:
        async with AsyncCheckout(channel=channel) as checkout:
            assert await checkout.for_buyer("u_1").quote(offer_id=OFFER)
        async with AsyncCheckout(channel=channel) as checkout:
            assert await checkout.for_buyer("u_1").quote(offer_id=OFFER)


def test_a_blocking_channel_of_the_apps_own_is_used_and_left_open(fake_checkout):
    with grpc.insecure_channel(fake_checkout.target) as channel:
        for _ in range(2):
            with Checkout(channel=channel) as checkout:
                assert checkout.for_buyer("u_1").quote(offer_id=OFFER)
        with pytest.raises(ConfigurationError, match="instead of target"):
            Checkout(channel=channel, target="a:1")


async def test_a_closed_client_says_so(client_class, fake_checkout):
    async with client_class.from_env(target=fake_checkout.target) as checkout:
        pass

    with pytest.raises(ConfigurationError, match="closed"):
        await checkout.for_buyer("u_1").quote(offer_id=OFFER)


class Counting(grpc.UnaryUnaryClientInterceptor):
    calls = 0

    def intercept_unary_unary(self, continuation, details, request):
        self.calls += 1
        return continuation(details, request)


class AsyncCounting(grpc.aio.UnaryUnaryClientInterceptor):
    calls = 0

    async def intercept_unary_unary(self, continuation, details, request):
        self.calls += 1
        return await continuation(details, request)


async def test_interceptors_see_every_call(client_class, fake_checkout):
    counting = AsyncCounting() if client_class is AsyncCheckout else Counting()

    async with client_class.from_env(
        target=fake_checkout.target, interceptors=[counting]
    ) as checkout:
        await checkout.for_buyer("u_1").quote(offer_id=OFFER)

    assert counting.calls == 1


def test_an_async_client_made_before_the_loop_works_in_each(fake_checkout):
    import asyncio

    checkout = AsyncCheckout.from_env()

    async def quoted():
        return await checkout.for_buyer("u_1").quote(offer_id=OFFER)

    assert asyncio.run(quoted()).total == asyncio.run(quoted()).total


def nouns(client):
    buyer = client.for_buyer("u_1")
    return {
        "client": client,
        "admin": client.admin,
        "buyer": buyer,
        "addresses": buyer.addresses,
        "wallet": buyer.wallet,
        "orders": buyer.orders,
    }


def test_both_clients_have_the_same_methods_and_arguments():
    async_nouns = nouns(AsyncCheckout(target="localhost:1", token="t"))
    sync_nouns = nouns(Checkout(target="localhost:1", token="t"))

    for name, noun in async_nouns.items():
        assert public_methods(noun) == public_methods(sync_nouns[name])


def public_methods(noun):
    return {
        name.replace("__a", "__"): str(inspect.signature(method))
        .replace("Async", "")
        .replace("grpc.aio.", "grpc.")
        for name, method in inspect.getmembers(type(noun), inspect.isroutine)
        if not name.startswith("_") or name in ("__init__", "__aenter__", "__enter__")
    }


def test_every_public_method_says_what_it_does():
    undocumented = [
        f"{noun}.{name}"
        for noun, value in nouns(Checkout(target="localhost:1", token="t")).items()
        for name, method in inspect.getmembers(type(value), inspect.isfunction)
        if not name.startswith("_") and not method.__doc__
    ]

    assert undocumented == []
