"""`checkout-server` as a person runs it: in a process where it serves, else within the test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from typer.testing import CliRunner, Result

from checkout_server.cli import app

PATIENCE_S = 30.0


def environment(**settings: str) -> dict[str, str]:
    """Ours without any CHECKOUT_ of the person who runs the tests."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("CHECKOUT_")}
    return ours | {f"CHECKOUT_{name.upper()}": value for name, value in settings.items()}


def run(*arguments: str, **settings: str) -> Result:
    """A command that ends by itself."""
    unset = {name: None for name in os.environ if name.startswith("CHECKOUT_")}
    given = {f"CHECKOUT_{name.upper()}": value for name, value in settings.items()}
    return CliRunner().invoke(app, arguments, env=unset | given)


class Command:
    """A command that runs until it is told to stop; left running, it is killed at the end."""

    def __init__(self, *arguments: str, folder: Path, **settings: str) -> None:
        self.errors = folder / "stderr.txt"
        with self.errors.open("w") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "checkout_server", *arguments],
                cwd=folder,
                env=environment(**{"listen": "127.0.0.1:0"} | settings),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def __enter__(self) -> Command:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def printed_until(self, last: str) -> str:
        """What it prints, up to a line with `last` in it."""
        assert self._process.stdout
        printed = []
        for line in self._process.stdout:
            printed.append(line)
            if last in line:
                return "".join(printed)
        raise AssertionError(f"no {last!r} in {printed}; {self.errors.read_text()}")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Its exit status."""
        self.tell(number)
        return self.ended()

    def tell(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def ended(self) -> int:
        return self._process.wait(PATIENCE_S)
