"""Rows for people, the same on a terminal as in a pipe or a file."""

from __future__ import annotations

import re
from collections.abc import Sequence

Row = Sequence[str]
NUMBER = re.compile(r"[\d.]+|-")


def show(headers: Row, rows: Sequence[Row]) -> None:
    print("\n".join(aligned(headers, rows)))


def aligned(headers: Row, rows: Sequence[Row]) -> list[str]:
    """One line a row, columns two spaces apart, nothing cut; columns of numbers to the right."""
    numbers = _numbers(rows)
    widths = [max(map(len, column)) for column in zip(headers, *rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, numbers, strict=True)
        ).rstrip()
        for row in (headers, *rows)
    ]


def _numbers(rows: Sequence[Row]) -> list[bool]:
    return [all(map(NUMBER.fullmatch, column)) for column in zip(*rows, strict=True)]
