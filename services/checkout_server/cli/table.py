"""Rows for people: a drawn table on a terminal, aligned columns in a pipe or a file."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

Row = Sequence[str]


def show(headers: Row, rows: Sequence[Row], *, styles: Sequence[str] | None = None) -> None:
    """`styles`, one a row, colour it on a terminal."""
    if sys.stdout.isatty():
        _draw(headers, rows, styles or [""] * len(rows))
    else:
        print("\n".join(aligned((headers, *rows))))


def aligned(rows: Sequence[Row]) -> list[str]:
    """One line a row, columns two spaces apart, nothing cut."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _draw(headers: Row, rows: Sequence[Row], styles: Sequence[str]) -> None:
    table = Table(header_style="bold", title_justify="left")
    for header in headers:
        table.add_column(header, overflow="fold")
    for row, style in zip(rows, styles, strict=True):
        table.add_row(*(Text(cell) for cell in row), style=style)
    Console().print(table)
