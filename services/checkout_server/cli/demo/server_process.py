"""A `checkout-server serve` of its own, to talk to over the network and to kill."""

from __future__ import annotations

import select
import signal
import subprocess
import sys
from pathlib import Path

from checkout_server.settings import Settings

# Some 2 s on two slow cores; after this long something is broken.
START_LIMIT_S = 20.0
STOP_LIMIT_S = 30.0


class DidNotStart(Exception):
    """The server said no; the message is its own."""


class ServerProcess:
    """On SQLite in `folder`. The port is found at the first start and kept over the next ones."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(database=f"sqlite:{folder}", listen="127.0.0.1:0")
        self.target = self.settings.listen
        self._errors = folder / "server.log"
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        # Nothing of our own environment: the demo is the same whatever is set for a server here.
        environment = {
            "CHECKOUT_DATABASE": self.settings.database,
            "CHECKOUT_LISTEN": self.target,
            "CHECKOUT_LOG_LEVEL": "WARNING",
        }
        with self._errors.open("a") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "checkout_server", "serve"],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self.target = self._announced(self._process)

    def kill(self) -> None:
        """As a crash does: nothing is finished, nothing is written."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            process.wait(STOP_LIMIT_S)
            if process.stdout:
                process.stdout.close()

    def _announced(self, process: subprocess.Popen[str]) -> str:
        """The address, out of the first line that the server prints."""
        out = process.stdout
        if out is None:
            raise AssertionError("the server's output is not ours to read")
        ready, _, _ = select.select([out], [], [], START_LIMIT_S)
        words = out.readline().split() if ready else []
        for word in words:
            host, _, port = word.rpartition(":")
            if host and port.isdecimal():
                return word
        self.kill()
        raise DidNotStart(self._errors.read_text() or "the server did not start")
