"""What the code may lean on, read from its source.

Who imports whom, and where time, chance and the environment come in. A new exception is a line here
with its reason, in plain sight of the review.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import files
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SERVER = ROOT / "services" / "checkout_server"
SDK = ROOT / "checkout_sdk"
LONGEST = 400  # lines: past it there is a second idea in the file

# Each service is a database, its rooms, and nothing that the others may import.
SERVICES = {
    "checkout": ("catalog", "checkout", "merchants", "offers", "orders", "quotes"),
    "address": ("address",),
    "payment": ("charge", "wallet"),
}
ROOMS = tuple(room for rooms in SERVICES.values() for room in rooms)


@dataclass(frozen=True)
class Module:
    path: str  # from the root of its package: checkout_server/ids.py
    text: str

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(ast.parse(self.text)))

    @cached_property
    def uses(self) -> list[tuple[int, str]]:
        """What it imports and what it reads of that, by full dotted name, with the line."""
        imported = list(self.imports())
        meant = {local: name for _, name, local in imported}
        found = [(line, name) for line, name, _ in imported]
        for node in self.nodes:
            if isinstance(node, ast.Attribute):
                root, _, rest = ast.unparse(node).partition(".")
                if root in meant:
                    found.append((node.lineno, f"{meant[root]}.{rest}"))
        return found

    def imports(self) -> Iterator[tuple[int, str, str]]:
        """The line, the full name, and the local name that stands for it."""
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield node.lineno, alias.name, alias.asname or alias.name
            elif isinstance(node, ast.ImportFrom):
                origin = self.origin(node)
                for alias in node.names:
                    yield node.lineno, f"{origin}.{alias.name}", alias.asname or alias.name

    def origin(self, node: ast.ImportFrom) -> str:
        package = self.path.split("/")[: -node.level] if node.level else []
        return ".".join([*package, *(node.module or "").split(".")]).strip(".")


def modules(package: Path) -> list[Module]:
    return [
        Module(path.relative_to(package.parent).as_posix(), path.read_text())
        for path in sorted(package.rglob("*.py"))
        if "_pb" not in path.relative_to(package).parts
    ]


@dataclass(frozen=True)
class Rule:
    """`forbidden` names, and all below them, are not used in files whose path matches `where`."""

    says: str
    where: str
    forbidden: tuple[str, ...]
    except_in: Mapping[str, str] = field(default_factory=dict)  # path -> reason

    def broken_by(self, module: Module) -> list[str]:
        if module.path in self.except_in or not re.match(self.where, module.path):
            return []
        return self.found_in(module)

    def found_in(self, module: Module) -> list[str]:
        below = tuple(f"{name}." for name in self.forbidden)
        return [
            f"{module.path}:{line}: {name}"
            for line, name in module.uses
            if name in self.forbidden or name.startswith(below)
        ]


def rooms(names: tuple[str, ...]) -> str:
    return rf"checkout_server/({'|'.join(names)})/"


def apart(service: str) -> Rule:
    others = tuple(room for room in ROOMS if room not in SERVICES[service])
    return Rule(
        says=f"the {service} service knows the others by their stubs alone",
        where=rooms(SERVICES[service]),
        forbidden=tuple(f"checkout_server.{room}" for room in others),
    )


RULES = (
    *(apart(service) for service in SERVICES),
    Rule(
        says="the SDK knows the server by its protos alone",
        where="checkout_sdk/",
        forbidden=("checkout_server",),
    ),
    Rule(
        says="rooms are wired from above and do not know by whom",
        where=rooms(ROOMS),
        forbidden=tuple(
            f"checkout_server.{name}" for name in ("cli", "handlers", "settings", "wiring")
        ),
    ),
    Rule(
        says="only the settings read the environment",
        where="checkout_server/",
        forbidden=("os.environ", "os.environb", "os.getenv"),
        except_in={"checkout_server/settings.py": "it is the reader"},
    ),
    Rule(
        says="what time it is comes from the service clock; time.monotonic measures",
        where="checkout_server/",
        forbidden=(
            *("time.time", "time.time_ns", "time.localtime", "time.gmtime"),
            *(f"datetime.datetime.{name}" for name in ("now", "today", "utcnow")),
            "datetime.date.today",
        ),
        except_in={"checkout_server/database/sqlite.py": "SQLite's clock is the host's"},
    ),
    Rule(
        says="chance comes from ids alone, so that a run can be told again",
        where=rooms(ROOMS),
        forbidden=("random", "secrets", "uuid", "os.urandom"),
    ),
    Rule(
        # Python 3.11 loses the cancellation, 3.12 and later the result (RELIABILITY.md 0.10).
        says="nothing waits with wait_for: it cancels what it waits for",
        where="checkout_server/",
        forbidden=("asyncio.wait_for",),
    ),
    Rule(
        # The simulation runs these with virtual time, and both databases share the planner.
        says="what decides is pure",
        where=r"checkout_server/(checkout/(planner|attempt|intent|outcome)"
        r"|quotes/(pricing|delivery|tax|discounts|money))\.py",
        forbidden=("asyncio", "grpc", "time", "checkout_server.database", "structlog"),
    ),
)


def names_of(rule: Rule) -> str:
    return rule.says


@pytest.mark.parametrize("rule", RULES, ids=names_of)
def test_the_code_keeps_to(rule: Rule):
    assert [line for module in ALL for line in rule.broken_by(module)] == []


@pytest.mark.parametrize("rule", RULES, ids=names_of)
def test_no_rule_has_an_exception_that_nothing_needs(rule: Rule):
    needed = {module.path for module in ALL if rule.found_in(module)}
    assert set(rule.except_in) - needed == set()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("checkout_server/quotes/service.py", "from checkout_server.address import masking"),
        ("checkout_server/quotes/service.py", "from checkout_server import wallet"),
        ("checkout_server/quotes/service.py", "from ..charge.service import Charges"),
        ("checkout_server/charge/service.py", "import checkout_server.checkout.store"),
        ("checkout_server/address/service.py", "from checkout_server.wallet import service"),
        ("checkout_server/orders/service.py", "from checkout_server.settings import Settings"),
        ("checkout_sdk/_async/client.py", "from checkout_server import ids"),
        ("checkout_server/cli/serve.py", "import os; target = os.environ['CHECKOUT_TARGET']"),
        ("checkout_server/cli/serve.py", "from os import getenv"),
        ("checkout_server/identity.py", "import time; now = time.time()"),
        ("checkout_server/identity.py", "from datetime import datetime as at; at.now(tz)"),
        ("checkout_server/quotes/token.py", "import secrets"),
        ("checkout_server/database/postgres.py", "import asyncio; asyncio.wait_for(commit, 1)"),
        ("checkout_server/checkout/planner.py", "import asyncio"),
    ],
)
def test_a_rule_sees_what_it_forbids(path: str, text: str):
    assert [rule for rule in RULES if rule.broken_by(Module(path, text))]


def asserted_on_the_server(module: Module) -> Iterator[int]:
    if module.path.startswith("checkout_server/"):
        yield from (node.lineno for node in module.nodes if isinstance(node, ast.Assert))


EVERYTHING = r"\bSELECT\s+(\w+\.)?\*"


def unnamed_columns(module: Module) -> Iterator[int]:
    for node in module.nodes:
        if isinstance(node, ast.Constant) and re.search(EVERYTHING, str(node.value)):
            yield node.lineno


def past_the_longest(module: Module) -> Iterator[int]:
    lines = len(module.text.splitlines())
    if lines > LONGEST:
        yield lines


@pytest.mark.parametrize(
    ("found", "offence"),
    [
        # `python -O` drops them; what must hold raises AssertionError by itself.
        pytest.param(asserted_on_the_server, "assert captured <= total", id="no assert"),
        pytest.param(unnamed_columns, "tx.fetch('SELECT * FROM offer')", id="columns are named"),
        pytest.param(past_the_longest, "x = 1\n" * (LONGEST + 1), id="no file is too long"),
    ],
)
def test_every_module_is_written_with(found: Callable[[Module], Iterator[int]], offence: str):
    assert list(found(Module("checkout_server/offence.py", offence)))
    assert [f"{module.path}:{line}" for module in ALL for line in found(module)] == []


def provided_by(distribution: str) -> set[str]:
    """The modules that a distribution installs, by full name."""
    paths = [path for path in files(distribution) or () if path.suffix in (".py", ".so", ".pyd")]
    names = (".".join([*path.parts[:-1], path.name.partition(".")[0]]) for path in paths)
    return {name.removesuffix(".__init__") for name in names}


@pytest.mark.parametrize(
    ("project", "package"), [(ROOT, SDK), (ROOT / "services", SERVER)], ids=["sdk", "server"]
)
def test_every_dependency_is_used_by_the_package_that_declares_it(project: Path, package: Path):
    declared = tomllib.loads((project / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {re.split(r"[^\w.-]", line)[0] for line in declared} - {"checkout-sdk"}
    imported = {name for module in modules(package) for _, name, _ in module.imports()}
    # `from psycopg import sql` names psycopg as well.
    imported |= {name.rpartition(".")[0] for name in imported}
    assert {name for name in names if not provided_by(name) & imported} == set()


ALL = modules(SDK) + modules(SERVER)
