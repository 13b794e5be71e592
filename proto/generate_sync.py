"""Writes `checkout_sdk/_sync` from `checkout_sdk/_async`: the same code without async. `--check`
only compares.

A blocking twin differs from its original in words alone (`await` falls away, `AsyncCheckout` is
`Checkout`, `grpc.aio` is `grpc`), so it is written by replacing words. What differs in more than
words is not in `_async/`: see `AsyncChannels` and `Channels`. ruff gives the result the form of the
rest.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "checkout_sdk" / "_async"
TARGET = ROOT / "checkout_sdk" / "_sync"

# In this order, on whole words.
WORDS: Mapping[str, str] = {
    r"import grpc\.aio\n": "",
    r"\bgrpc\.aio\b": "grpc",
    r"\basync (?=def|for|with)": "",
    r"\bawait ": "",
    r"\b__a(?=enter__|exit__)": "__",
    r"\ba(?=(?:next|iter)\()": "",
    r"\bAsync(?=[A-Z])": "",
    r"\b_async\b": "_sync",
}
NOTICE = "# Made from _async/{name} by proto/generate_sync.py; not to be edited.\n"


def twin(name: str, text: str) -> str:
    for pattern, replacement in WORDS.items():
        text = re.sub(pattern, replacement, text)
    return formatted(NOTICE.format(name=name) + text, name)


def formatted(text: str, name: str) -> str:
    # First-party by name: ruff would look for the modules, and some are not written yet.
    first_party = 'lint.isort.known-first-party = ["checkout_sdk"]'
    sort = ["check", "--select", "I", "--fix", "--quiet", "--config", first_party]
    for command in (sort, ["format", "--quiet"]):
        text = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(TARGET / name), "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        ).stdout
    return text


def twins() -> dict[str, str]:
    return {path.name: twin(path.name, path.read_text()) for path in sorted(SOURCE.glob("*.py"))}


def stale() -> list[str]:
    """The names in `_sync/` that are not what `_async/` says."""
    wanted = twins()
    found = {path.name: path.read_text() for path in TARGET.glob("*.py")}
    return sorted(name for name in wanted.keys() | found if wanted.get(name) != found.get(name))


def generate() -> None:
    TARGET.mkdir(exist_ok=True)
    for path in TARGET.glob("*.py"):
        path.unlink()
    for name, text in twins().items():
        (TARGET / name).write_text(text)


def main() -> int:
    if "--check" in sys.argv[1:]:
        names = stale()
        for name in names:
            print(f"checkout_sdk/_sync/{name} is not what _async/{name} says: run `make generate`")
        return 1 if names else 0
    generate()
    return 0


if __name__ == "__main__":
    sys.exit(main())
