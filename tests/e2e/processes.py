"""`checkout-server serve` in a process of its own: started, asked, stopped, killed and frozen.

Every process of one folder has that folder for its working directory, and so shares the development
issuer's key and the sandbox's book with the others; on PostgreSQL they share the database too, on
SQLite one starts when the other has ended.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from checkout_server.identity import Issuer
from checkout_server.settings import Settings

SERVE = (sys.executable, "-m", "checkout_server", "serve")
LISTENS = re.compile(r"listens on (127\.0\.0\.1:\d+)")
# Only so that a test ends when the server never does what it waits for.
PATIENCE_S = 30.0
SQLITE = "sqlite:.data"
MOST_SHOWN = 60  # lines of a server's log
SERVING = health_pb2.HealthCheckResponse.SERVING


class HostClock:
    """The time a development issuer puts into its tokens."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


class ServerProcess:
    """`serve` in `folder`. `settings` are CHECKOUT_... variables without their prefix."""

    def __init__(self, folder: Path, *, database: str = SQLITE, **settings: str) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.database = database
        self.target = ""
        self.log: list[str] = []
        self._settings = {"listen": "127.0.0.1:0", "database": database, **settings}
        self._process: subprocess.Popen[str] | None = None
        self._heard = threading.Condition()
        self._silent = False

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()
        # Shown by pytest when the test has failed.
        print(*self.log[-MOST_SHOWN:], sep="")

    def start(self) -> ServerProcess:
        self.launch()
        return self.ready()

    def ready(self) -> ServerProcess:
        """Returns once its health is SERVING."""
        self.target = self.told(LISTENS).group(1)
        with health_of(self.target) as health:
            statuses = (answer.status for answer in health)
            assert SERVING in statuses, "the server ended before it was SERVING"
        return self

    def launch(self) -> None:
        """Starts the process, and no more."""
        self.log.clear()
        self._process = subprocess.Popen(
            SERVE,
            cwd=self.folder,
            env=environment(self._settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._silent = False
        threading.Thread(target=self._listen, args=[self._process.stdout], daemon=True).start()

    def told(self, pattern: re.Pattern[str]) -> re.Match[str]:
        """The first match in what the process has printed, or prints soon."""
        give_up_at = time.monotonic() + PATIENCE_S
        with self._heard:
            while True:
                for line in self.log:
                    if match := pattern.search(line):
                        return match
                left_s = give_up_at - time.monotonic()
                if self._silent or not self._heard.wait(left_s):
                    raise AssertionError(f"no {pattern.pattern!r} in:\n{''.join(self.log)}")

    def stop(self) -> int:
        """SIGTERM; its exit status."""
        self.signal(signal.SIGTERM)
        return self.ended()

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.ended()

    def freeze(self) -> None:
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)

    def signal(self, number: signal.Signals) -> None:
        self._running.send_signal(number)

    def ended(self) -> int:
        """Waits for the end; the exit status, and all that was printed is in `log`."""
        status = self._running.wait(PATIENCE_S)
        with self._heard:
            assert self._heard.wait_for(lambda: self._silent, PATIENCE_S)
        return status

    @property
    def issuer(self) -> Issuer:
        """The development issuer, whose key lies in the folder whatever the database."""
        return Issuer(Settings(database=f"sqlite:{self.data}"), HostClock())

    @property
    def data(self) -> Path:
        """Where its files lie: all that SQLite keeps, the issuer's key, the provider's book."""
        return self.folder / ".data"

    @property
    def _running(self) -> subprocess.Popen[str]:
        assert self._process is not None, "it was never started"
        return self._process

    def _listen(self, output: IO[str]) -> None:
        with output:
            for line in output:
                with self._heard:
                    self.log.append(line)
                    self._heard.notify_all()
        with self._heard:
            self._silent = True
            self._heard.notify_all()


@contextmanager
def health_of(target: str) -> Iterator[Iterator[health_pb2.HealthCheckResponse]]:
    """The health of a server as it changes, beginning with what it is now."""
    with grpc.insecure_channel(target) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(
            health_pb2.HealthCheckRequest(), timeout=PATIENCE_S, wait_for_ready=True
        )
        try:
            yield watch
        finally:
            watch.cancel()


def environment(settings: dict[str, str]) -> dict[str, str]:
    """Ours without any CHECKOUT_ of the person who runs the tests."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("CHECKOUT_")}
    return ours | {f"CHECKOUT_{name.upper()}": value for name, value in settings.items()}
