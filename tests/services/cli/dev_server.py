"""A `checkout-server dev` in a process of its own, and what it says to export."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.services.cli.command import Command

EXPORT = re.compile(r"^export (\w+)=(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class DevServer:
    printed: str
    folder: Path

    @property
    def exports(self) -> dict[str, str]:
        return dict(EXPORT.findall(self.printed))

    @property
    def settings(self) -> dict[str, str]:
        """The exports, and where the data lies, as arguments of `run`."""
        given = {
            name.removeprefix("CHECKOUT_").lower(): text for name, text in self.exports.items()
        }
        return given | {"database": f"sqlite:{self.folder / '.data'}"}

    @property
    def environment(self) -> dict[str, str]:
        """Of somebody who pasted the exports."""
        return os.environ | self.exports

    def lines_of_the_paste(self) -> str:
        begin, end = self.printed.index("export "), self.printed.index("\nEND\n") + len("\nEND\n")
        return self.printed[begin:end]


@contextmanager
def dev_server(folder: Path) -> Iterator[DevServer]:
    with Command("dev", folder=folder) as command:
        yield DevServer(command.printed_until("END\n"), folder)
        assert command.stop() == 0, command.errors.read_text()
