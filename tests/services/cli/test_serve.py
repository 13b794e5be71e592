"""`checkout-server serve`: starts, says what runs, stops; or says why it does not start."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from checkout_server import settings
from tests.services.cli.command import Command, run
from tests.services.cli.dev_server import DevServer


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_stop(tmp_path: Path, number: signal.Signals):
    with Command("serve", folder=tmp_path) as command:
        printed = command.printed_until("gateway")
        command.tell(number)
        assert command.printed_until("stopped").startswith("stopping: ")
        assert command.ended() == 0
    assert "listens on 127.0.0.1:" in printed
    assert "environment  development" in printed
    assert "survives a crash of the process or the host" in printed
    assert "gateway      sandbox" in printed
    assert command.errors.read_text() == ""


def test_help_lists_every_setting():
    listed = run("serve", "--help").stdout
    missing = [each.name for each in settings.describe() if each.name not in listed]
    assert missing == []


def test_a_wrong_setting_is_named():
    refused = run("serve", answer_within_ms="soon")
    assert refused.exit_code == 2
    assert "CHECKOUT_ANSWER_WITHIN_MS must be a whole number from 200 to 5000" in refused.stderr


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("databse", "CHECKOUT_DATABSE is no setting; did you mean CHECKOUT_DATABASE?\n"),
        ("xyzzy", "CHECKOUT_XYZZY is no setting\n"),
    ],
)
def test_a_variable_that_is_no_setting_is_named(name: str, said: str):
    # The second stops the start, so that the command ends by itself.
    refused = run("serve", **{name: "x", "drain_s": "x"})
    assert said in refused.stderr


def test_what_dev_prints_to_export_is_no_slip(dev: DevServer):
    refused = run("serve", **dev.settings, drain_s="x")
    assert "is no setting" not in refused.stderr


def test_a_file_of_keys_that_cannot_be_used_is_named(tmp_path: Path):
    keys = tmp_path / "jwks.json"
    keys.write_text("no keys")
    refused = run("serve", jwks_file=str(keys), jwt_issuer="https://issuer.example")
    assert refused.exit_code == 2
    assert f"CHECKOUT_JWKS_FILE cannot be used: {keys} must be a JWKS" in refused.stderr


def test_a_second_server_on_the_same_folder_is_told_the_way_out(dev: DevServer):
    with Command("serve", folder=dev.folder) as command:
        assert command.ended() == 2
    said = command.errors.read_text()
    assert "CHECKOUT_DATABASE=sqlite:FOLDER" in said
    assert "Traceback" not in said


def test_an_address_that_is_taken_is_named(dev: DevServer, tmp_path: Path):
    target = dev.exports["CHECKOUT_TARGET"]
    with Command("serve", folder=tmp_path, listen=target) as command:
        assert command.ended() == 2
    said = command.errors.read_text()
    assert f"cannot listen on {target}" in said
    assert "Traceback" not in said
