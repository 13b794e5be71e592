"""`checkout-server serve`: the server, until somebody says stop."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NoReturn

import typer
from typer.core import TyperCommand

from checkout_server import settings as configuration
from checkout_server import telemetry, wiring
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


def serve() -> None:
    """Serve until SIGTERM or Ctrl-C. Configured by the environment."""
    settings = settings_or_exit()

    async def announce(process: wiring.Process, target: str) -> None:
        print(start_lines(settings, process.durability, target), flush=True)

    run(serving(settings, announce))


def settings_or_exit() -> Settings:
    try:
        return configuration.from_environment()
    except SettingError as error:
        refuse(error)


def run(work: Coroutine[Any, Any, None]) -> None:
    """Runs a command to its end, or ends it with what a person must do."""
    try:
        asyncio.run(work)
    except (CannotListen, CannotOpen, SettingError) as error:
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
        await told_to_stop.wait()
    finally:
        await process.stop()
        await process.close()
        if end_tracing:
            end_tracing()


async def _started(process: wiring.Process, settings: Settings) -> int:
    try:
        return await process.start()
    except RuntimeError:
        raise CannotListen(
            f"cannot listen on {settings.listen}. Is another server there? "
            "Stop it, or choose another place (CHECKOUT_LISTEN=HOST:PORT; port 0: any free one)."
        ) from None


def start_lines(settings: Settings, durability: str, target: str) -> str:
    """What runs here. Not the database's address, which may hold a password."""
    security = "TLS" if settings.tls else "plaintext, this machine only"
    tokens = settings.jwt_issuer if settings.jwks_file else "development issuer"
    return (
        f"OneTap checkout listens on {target} ({security})\n"
        f"  environment  {settings.environment}; access tokens of: {tokens}\n"
        f"  database     {durability}\n"
        f"  gateway      {settings.gateway}: no real money moves"
    )
