"""What can be set from outside: the environment is read here, once, and nowhere else.

Each field is the variable CHECKOUT_ and its name in capitals. A value that cannot be right stops
the start with the name of the variable and what it must be.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

PREFIX = "CHECKOUT_"
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
QUOTE_KEY = re.compile(r"([A-Za-z0-9_-]{1,16}):([A-Za-z0-9+/]+={0,2})")
# HMAC-SHA-256 wants a key as long as its output.
LEAST_KEY_BYTES = 32
# Of clients: the SDK reads the first two, and `dev` prints all four to be pasted.
NOT_THE_SERVERS = frozenset(
    {"CHECKOUT_TARGET", "CHECKOUT_TOKEN", "CHECKOUT_DEMO_OFFER", "CHECKOUT_DEMO_BUYER"}
)


class SettingError(ValueError):
    """A setting that cannot be right: which, and what it must be."""

    def __init__(self, name: str, must: str) -> None:
        super().__init__(f"{name} {must}")


@dataclass(frozen=True, slots=True)
class Described:
    """A setting as `serve --help` lists it."""

    name: str
    default: str
    unit: str
    description: str


def _about(description: str, read: Callable[[str], Any], *, unit: str = "") -> Mapping[str, Any]:
    return {"description": description, "read": read, "unit": unit}


def _one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"must be one of: {', '.join(words)}")
        return text

    return read


def _whole(lo: int, hi: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        number = int(text) if re.fullmatch(r"\d{1,10}", text) else -1
        if not lo <= number <= hi:
            raise ValueError(f"must be a whole number from {lo} to {hi}")
        return number

    return read


def _file(text: str) -> Path | None:
    path = Path(text)
    if not path.is_file():
        raise ValueError(f"must name a file; {path} is none")
    return path


def _database(text: str) -> str:
    if not re.match(r"sqlite:.|postgres(ql)?://.", text):
        raise ValueError("must be sqlite:FOLDER or postgresql://USER@HOST/DATABASE")
    return text


def _listen(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not (host and colon and re.fullmatch(r"\d{1,5}", port) and int(port) < 65_536):
        raise ValueError("must be HOST:PORT, like 127.0.0.1:7443 (port 0: any free one)")
    return text


def _quote_keys(text: str) -> tuple[tuple[str, bytes], ...]:
    must = (
        "must be KID:BASE64[,KID:BASE64], each of a different KID of up to 16 letters, digits, "
        f"'_' or '-' and {LEAST_KEY_BYTES} bytes or more; the first signs"
    )
    keys: dict[str, bytes] = {}
    for entry in text.split(","):
        match = QUOTE_KEY.fullmatch(entry.strip())
        try:
            secret = base64.b64decode(match[2], validate=True) if match else b""
        except binascii.Error:
            secret = b""
        if not match or match[1] in keys or len(secret) < LEAST_KEY_BYTES:
            raise ValueError(must)
        keys[match[1]] = secret
    return tuple(keys.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Secrets, and the database's address which may hold one, are left out of `repr`."""

    environment: str = field(
        default="development",
        metadata=_about(
            "production turns all conveniences off", _one_of("development", "production")
        ),
    )
    listen: str = field(default="127.0.0.1:7443", metadata=_about("where gRPC is served", _listen))
    database: str = field(
        default="sqlite:.data",
        repr=False,
        metadata=_about(
            "sqlite:FOLDER (a file a service) or postgresql://... (a schema a service)", _database
        ),
    )
    tls_cert: Path | None = field(
        default=None,
        metadata=_about(
            "certificate chain, PEM; required to listen beyond this machine", _file, unit="file"
        ),
    )
    tls_key: Path | None = field(
        default=None, metadata=_about("the certificate's key, PEM", _file, unit="file")
    )
    jwks_file: Path | None = field(
        default=None,
        metadata=_about(
            "public keys of the token issuer; none: the development issuer", _file, unit="file"
        ),
    )
    jwt_issuer: str = field(default="", metadata=_about("the `iss` that tokens must have", str))
    jwt_audience: str = field(
        default="checkout.onetap.dev", metadata=_about("the `aud` that tokens must have", str)
    )
    quote_keys: tuple[tuple[str, bytes], ...] = field(
        default=(),
        repr=False,
        metadata=_about("KID:BASE64[,KID:BASE64] for quote tokens; the first signs", _quote_keys),
    )
    gateway: str = field(
        default="sandbox", metadata=_about("who takes the money", _one_of("sandbox"))
    )
    sandbox_file: Path | None = field(
        default=None,
        metadata=_about(
            "the sandbox's own book; none: sandbox.db in the data folder", Path, unit="file"
        ),
    )
    answer_within_ms: int = field(
        default=800,
        metadata=_about(
            "a tap not decided by then is answered `accepted`", _whole(200, 5_000), unit="ms"
        ),
    )
    drain_s: int = field(
        default=20,
        metadata=_about("at the end, how long running work may take", _whole(0, 600), unit="s"),
    )
    provider_concurrency: int = field(
        default=256,
        metadata=_about("calls to the provider at once, in this process", _whole(1, 10_000)),
    )
    otlp_endpoint: str = field(
        default="", metadata=_about("OTLP/gRPC collector for traces; none: no traces", str)
    )
    log_level: str = field(
        default="INFO",
        metadata=_about("the least that is logged", _one_of("DEBUG", "INFO", "WARNING", "ERROR")),
    )
    challenge_ms: int = field(
        default=300_000,
        metadata=_about(
            "a buyer's time for the bank's challenge", _whole(100, 3_600_000), unit="ms"
        ),
    )
    flash_challenge_ms: int = field(
        default=90_000,
        metadata=_about("the same for flash offers", _whole(100, 3_600_000), unit="ms"),
    )
    forward_window_ms: int = field(
        default=900_000,
        metadata=_about(
            "after the tap, how long a charge may still be started",
            _whole(100, 3_600_000),
            unit="ms",
        ),
    )
    intent_block_ms: int = field(
        default=60_000,
        metadata=_about(
            "after an order, how long the same purchase is taken for a mistake",
            _whole(0, 3_600_000),
            unit="ms",
        ),
    )

    @property
    def development(self) -> bool:
        return self.environment == "development"

    @property
    def loopback(self) -> bool:
        host = self.listen.rpartition(":")[0]
        return host.removeprefix("[").removesuffix("]") in LOOPBACK_HOSTS

    @property
    def tls(self) -> tuple[Path, Path] | None:
        """Certificate chain and key."""
        if self.tls_cert and self.tls_key:
            return self.tls_cert, self.tls_key
        return None

    @property
    def data_folder(self) -> Path:
        """For the files of this process: beside SQLite's, else where those would be."""
        scheme, _, rest = self.database.partition(":")
        return Path(rest) if scheme == "sqlite" else Path(".data")


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """Raises SettingError. An empty variable counts as not set."""
    values: dict[str, Any] = {}
    for each in fields(Settings):
        name = _variable(each.name)
        text = environment.get(name, "").strip()
        if text:
            try:
                values[each.name] = each.metadata["read"](text)
            except ValueError as error:
                raise SettingError(name, str(error)) from None
    settings = Settings(**values)
    _agree(settings)
    return settings


def unknown(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What is set and read by nobody, perhaps by a slip; with the nearest setting, or ""."""
    known = [each.name for each in fields(Settings)]
    nobodys = environment.keys() - NOT_THE_SERVERS - set(map(_variable, known))
    nearest = {}
    for name in sorted(nobodys):
        if name.startswith(PREFIX):
            # Without the prefix, which would make every name near to every other.
            near = difflib.get_close_matches(name.removeprefix(PREFIX).lower(), known, n=1)
            nearest[name] = _variable(near[0]) if near else ""
    return nearest


def unset(*names: str, environment: Mapping[str, str] = os.environ) -> list[str]:
    """Those of a client's variables that are not there; an empty one counts as not set."""
    return [name for name in names if not environment.get(name, "").strip()]


def describe() -> list[Described]:
    return [
        Described(
            name=_variable(each.name),
            default="" if each.default in (None, ()) else str(each.default),
            unit=each.metadata["unit"],
            description=each.metadata["description"],
        )
        for each in fields(Settings)
    ]


def _agree(settings: Settings) -> None:
    """What settings must be together."""
    if (settings.tls_cert is None) != (settings.tls_key is None):
        missing = "TLS_KEY" if settings.tls_cert else "TLS_CERT"
        raise SettingError(f"CHECKOUT_{missing}", "must be set too: the two belong together")
    if not settings.loopback and settings.tls is None:
        must = "must be set to listen beyond this machine: tokens do not travel in the clear"
        raise SettingError("CHECKOUT_TLS_CERT", must)
    if settings.jwks_file is None and not (settings.development and settings.loopback):
        must = "must be set: the development issuer works in development on loopback only"
        raise SettingError("CHECKOUT_JWKS_FILE", must)
    if settings.jwks_file and not settings.jwt_issuer:
        raise SettingError("CHECKOUT_JWT_ISSUER", "must be set beside CHECKOUT_JWKS_FILE")
    if not settings.development and not settings.quote_keys:
        must = "must be set in production: quotes must outlive this process"
        raise SettingError("CHECKOUT_QUOTE_KEYS", must)


def _variable(field_name: str) -> str:
    return f"{PREFIX}{field_name.upper()}"
