"""`:name` to psycopg's `%(name)s`, the one spelling that SQLite and psycopg do not share."""

from __future__ import annotations

import functools
import re

# What must be stepped over (literals, quoted names, comments, casts), a parameter, a percent sign.
TOKEN = re.compile(
    r"""(?P<verbatim>'[^']*'|"[^"]*"|--[^\n]*|::)|:(?P<name>[a-z_][a-z0-9_]*)|%""",
)


# Our statements are a fixed set of texts; the limit only matters if somebody builds them.
@functools.lru_cache(maxsize=2048)
def for_psycopg(sql: str, lock: bool = False) -> str:
    text = TOKEN.sub(_token, sql)
    return f"{text.rstrip()} FOR UPDATE" if lock else text


def _token(match: re.Match[str]) -> str:
    if match["name"]:
        return f"%({match['name']})s"
    return match[0].replace("%", "%%")
