"""`checkout-server dev`: a server with a seeded shop, for the first tap within a minute."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from checkout_sdk import AsyncCheckout
from checkout_server import wiring
from checkout_server.charge import sandbox_methods
from checkout_server.cli import table
from checkout_server.cli.seed import BUYER, Seeded, seed
from checkout_server.cli.serve import refuse, run, serving, settings_or_exit, start_lines
from checkout_server.cli.service_time import service_time
from checkout_server.identity import Issuer
from checkout_server.settings import Settings

PLATFORM = "demo_platform"
TOKEN_LIFE_S = 365 * 24 * 3_600


def dev(
    ephemeral: Annotated[bool, typer.Option(help="Forget everything at the end.")] = False,
) -> None:
    """Serve with the sandbox and a seeded shop; prints what to paste for a first tap.

    Configured by the environment as serve is. The data is kept, in .data unless told otherwise.
    """
    settings = settings_or_exit()
    if not settings.development or not settings.loopback or settings.jwks_file:
        refuse(
            "dev makes access tokens of its own, which works in development on this machine only. "
            "Unset CHECKOUT_ENVIRONMENT, CHECKOUT_LISTEN and CHECKOUT_JWKS_FILE, or use serve."
        )
    if ephemeral:
        with TemporaryDirectory(prefix="onetap-") as folder:
            run(_dev(replace(settings, database=f"sqlite:{folder}")))
    else:
        run(_dev(settings))


async def _dev(settings: Settings) -> None:
    async def announce(process: wiring.Process, target: str) -> None:
        now = await service_time(settings.database)
        token = Issuer(settings, now).mint(PLATFORM, "platform merchant", life_s=TOKEN_LIFE_S)
        async with AsyncCheckout(target=target, token=token) as checkout:
            seeded = await seed(checkout, now.utc)
        lines = start_lines(settings, process.durability, target).splitlines()
        print("\n".join(f"# {line}" for line in lines))
        show_methods()
        # Last, so that it stands right above the prompt of who pastes it.
        print(to_paste(target, token, seeded), end="", flush=True)

    await serving(settings, announce)


def to_paste(target: str, token: str, seeded: Seeded) -> str:
    """All of it is shell: paste it whole, or a line of it."""
    return f"""
export CHECKOUT_TARGET={target}
export CHECKOUT_TOKEN={token}
export CHECKOUT_DEMO_OFFER={seeded.mug}
export CHECKOUT_DEMO_BUYER={BUYER}
# More offers: {seeded.tee} (three sizes, one or two)
#              {seeded.poster} (one a buyer, 20 in all)

# The first tap. Again within a minute it is taken for a mistake: rejected, DUPLICATE_INTENT.
{shlex.quote(sys.executable)} - <<'END'
from checkout_sdk import Checkout

with Checkout.from_env() as checkout:
    buyer = checkout.for_buyer("{BUYER}")
    quote = buyer.quote(offer_id="{seeded.mug}")
    outcome = buyer.place_order(quote)
    print(quote.total, outcome)
END
"""


def show_methods() -> None:
    print("\n# Payment methods of the sandbox: buyer.wallet.save(REFERENCE, make_default=True)")
    rows = [
        (method.reference, f"{method.brand} {method.last4}", method.does)
        for method in sandbox_methods.METHODS
    ]
    table.show(("Reference", "Card", "The tap"), rows)
