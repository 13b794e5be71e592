"""`checkout-server serve`: the server, until somebody says stop."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, NoReturn

import typer
from typer.core import TyperCommand

from checkout_server import identity, telemetry, wiring
from checkout_server import settings as configuration
from checkout_server.cli import table
from checkout_server.database import CannotOpen
from checkout_server.settings import SettingError, Settings

# Of every command: 1 is a no, 2 is "not like this" (as shells and click have it).
CANNOT_START = 2


class WithSettings(TyperCommand):
    """A command whose help lists what can be set from outside."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        super().format_help(ctx, formatter)
        rows = [
            (each.name, each.default, each.unit, each.description)
            for each in configuration.describe()
        ]
        table.show(("Environment variable", "Default", "Unit", "Meaning"), rows)


class CannotListen(Exception):
    """The address is taken, or not this machine's."""


class MustRestart(Exception):
    """A disk has failed: what it kept is safe, and it takes nothing more from this process."""


def serve() -> None:
    """Serve until SIGTERM or Ctrl-C. Configured by the environment."""
    settings = settings_or_exit()

    async def announce(process: wiring.Process, target: str) -> None:
        print(start_lines(settings, process.durability, target), flush=True)

    run(serving(settings, announce))


def settings_or_exit() -> Settings:
    for name, nearest in configuration.unknown().items():
        meant = f"; did you mean {nearest}?" if nearest else ""
        print(f"checkout-server: {name} is no setting{meant}", file=sys.stderr)
    try:
        settings = configuration.from_environment()
        if settings.jwks_file:
            _check_jwks(settings.jwks_file)
    except SettingError as error:
        refuse(error)
    return settings


def _check_jwks(file: Path) -> None:
    """It is read again when the server is built; here before anything is opened or made."""
    try:
        identity.trusted_keys(file)
    except ValueError as error:
        raise SettingError("CHECKOUT_JWKS_FILE", f"cannot be used: {error}") from None


def run(work: Coroutine[Any, Any, None]) -> None:
    """Runs a command to its end, or ends it with what a person must do."""
    try:
        asyncio.run(work)
    except (CannotListen, CannotOpen, MustRestart, SettingError) as error:
        refuse(error)


def refuse(why: object) -> NoReturn:
    print(f"checkout-server: {why}", file=sys.stderr)
    raise typer.Exit(CANNOT_START)


async def serving(
    settings: Settings, started: Callable[[wiring.Process, str], Awaitable[None]]
) -> None:
    """Serves until SIGTERM or SIGINT, then stops in the order that loses nothing. `started` is told
    the address as soon as calls are answered."""
    telemetry.configure_logging(level=settings.log_level, development=settings.development)
    end_tracing = (
        telemetry.start_tracing(settings.otlp_endpoint) if settings.otlp_endpoint else None
    )
    told_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)
    process = await wiring.build(settings)
    try:
        port = await _started(process, settings)
        await started(process, f"{settings.listen.rpartition(':')[0]}:{port}")
        await _told_or_failed(told_to_stop, process)
    finally:
        await process.stop()
        await process.close()
        if end_tracing:
            end_tracing()
    print("stopped", flush=True)


async def _told_or_failed(told_to_stop: asyncio.Event, process: wiring.Process) -> None:
    told = asyncio.create_task(told_to_stop.wait())
    failed = asyncio.create_task(process.failed.wait())
    await asyncio.wait({told, failed}, return_when=asyncio.FIRST_COMPLETED)
    for task in (told, failed):
        task.cancel()
    if not told_to_stop.is_set():
        raise MustRestart(
            "the disk did not keep what was written. Nothing acknowledged is lost; see to the "
            "disk, then start again."
        )
    print("stopping: finishing what is at the provider", flush=True)


async def _started(process: wiring.Process, settings: Settings) -> int:
    try:
        return await process.start()
    except RuntimeError:
        tls = "certificate and key (CHECKOUT_TLS_CERT, CHECKOUT_TLS_KEY) are not a pair in PEM, or "
        raise CannotListen(
            f"cannot listen on {settings.listen}: {tls if settings.tls else ''}another server is "
            "there. Stop it, or choose another place (CHECKOUT_LISTEN=HOST:PORT; port 0: any free)."
        ) from None


def start_lines(settings: Settings, durability: str, target: str) -> str:
    """What runs here. Not the database's address, which may hold a password."""
    security = "TLS" if settings.tls else "plaintext, this machine only"
    tokens = settings.jwt_issuer if settings.jwks_file else "development issuer"
    return (
        f"OneTap checkout listens on {target} ({security})\n"
        f"  environment  {settings.environment}; access tokens of: {tokens}\n"
        f"  database     {durability}\n"
        f"  files in     {settings.data_folder}\n"
        f"  gateway      {settings.gateway}: no real money moves"
    )
