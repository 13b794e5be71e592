"""Rows for people: a drawn table on a terminal, aligned columns in a pipe or a file."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

Row = Sequence[str]
NUMBER = re.compile(r"[\d.]+|-")
# The least that tells a name or a trace from another, where the terminal is narrow.
NARROWEST = 16


def show(headers: Row, rows: Sequence[Row], *, styles: Sequence[str] = ()) -> None:
    """Columns of numbers go to the right. `styles`, one a row, show on a terminal."""
    if sys.stdout.isatty():
        Console().print(_drawn(headers, rows, styles or [""] * len(rows)))
    else:
        print("\n".join(aligned(headers, rows)))


def aligned(headers: Row, rows: Sequence[Row]) -> list[str]:
    """One line a row, columns two spaces apart, nothing cut."""
    numbers = _numbers(rows)
    widths = [max(map(len, column)) for column in zip(headers, *rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, numbers, strict=True)
        ).rstrip()
        for row in (headers, *rows)
    ]


def _drawn(headers: Row, rows: Sequence[Row], styles: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1, 0, 0), pad_edge=False)
    for header, number in zip(headers, _numbers(rows), strict=True):
        if number:
            table.add_column(header, justify="right", no_wrap=True)
        else:
            table.add_column(header, overflow="fold", min_width=min(NARROWEST, len(header)))
    for row, style in zip(rows, styles, strict=True):
        table.add_row(*map(Text, row), style=style)
    return table


def _numbers(rows: Sequence[Row]) -> list[bool]:
    return [all(map(NUMBER.fullmatch, column)) for column in zip(*rows, strict=True)]
