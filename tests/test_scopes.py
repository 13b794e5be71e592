"""The table of calls agrees with the protos, and with what their README tells."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from pathlib import Path

import pytest

import checkout_sdk._pb
import checkout_server._pb
from checkout_server import contract, scopes
from checkout_server.scopes import ACCESS, INTERNAL, PUBLIC, Repeat, Scope

README = Path(__file__).parent.parent / "proto" / "README.md"
# Where the key of a repeat stands in the request: itself, or in the message it updates.
FIELDS = {
    Repeat.REQUEST_ID: {"request_id"},
    Repeat.IDEMPOTENCY_KEY: {"idempotency_key", "key"},
    Repeat.ETAG: {"etag"},
    Repeat.VERSION: {"version"},
}


def services():
    for package in (checkout_sdk._pb, checkout_server._pb):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            if module.name.endswith("_pb2"):
                yield from import_module(module.name).DESCRIPTOR.services_by_name.values()


METHODS = {
    f"{service.full_name}/{method.name}": method
    for service in services()
    for method in service.methods
}


def test_every_call_has_a_row_and_every_row_a_call():
    assert ACCESS.keys() == METHODS.keys()


def test_every_service_of_the_protos_can_be_served():
    assert contract.DESCRIPTORS.keys() == {service.full_name for service in services()}


@pytest.mark.parametrize("name", METHODS)
def test_what_makes_a_call_safe_to_repeat_is_in_its_request(name):
    request = METHODS[name].input_type
    inner = [field.message_type for field in request.fields if field.message_type]
    found = {field.name for message in (request, *inner) for field in message.fields}
    wanted = FIELDS.get(ACCESS[name].repeat)
    assert wanted is None or wanted & found
    # And a request_id that nobody looks at would be a lie.
    assert ("request_id" in request.fields_by_name) == (ACCESS[name].repeat is Repeat.REQUEST_ID)


def test_internal_calls_are_for_our_services_and_public_ones_never():
    for name, access in ACCESS.items():
        assert (Scope.SERVICE in access.scopes) == name.startswith(f"{INTERNAL}.")
        assert access.scopes


def test_what_a_buyer_may_do_the_buyers_platform_may():
    for access in ACCESS.values():
        assert Scope.BUYER not in access.scopes or Scope.PLATFORM in access.scopes


def test_the_readme_shows_the_table():
    assert scopes.markdown() in README.read_text()


def test_the_table_shows_the_public_calls_only():
    public = [name for name in ACCESS if name.startswith(f"{PUBLIC}.")]
    assert len(scopes.markdown().splitlines()) == len(public) + 2
