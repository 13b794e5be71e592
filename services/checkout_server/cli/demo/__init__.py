"""`checkout-server demo`: buys in every way there is, over real gRPC, and checks what it got."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from rich.console import Console

from checkout_sdk import Checkout
from checkout_server.cli import table
from checkout_server.cli.demo.evidence import Evidence
from checkout_server.cli.demo.server_process import DidNotStart, ServerProcess
from checkout_server.cli.demo.shop import Shop
from checkout_server.cli.demo.stories import STORIES
from checkout_server.cli.demo.telling import HEADERS, LEGEND, Told, tell
from checkout_server.cli.serve import refuse
from checkout_server.identity import Issuer

NOT_AS_IT_SHOULD_BE = 1


def demo(
    gateway: Annotated[
        str, typer.Option(envvar=["CHECKOUT_GATEWAY", "GATEWAY"], help="Who takes the money.")
    ] = "sandbox",
    split: Annotated[
        bool, typer.Option("--split", envvar="SPLIT", help="A process for each service.")
    ] = False,
) -> None:
    """Start a server and buy from it in every way there is: one row a story, each checked.

    Exit status 0 when every row is as it should be.
    """
    if gateway != "sandbox":
        refuse(f"there is no gateway {gateway} in this version; the demo runs with sandbox")
    if split:
        refuse("this version runs all services in one process; the demo runs without SPLIT")
    # Ids of real traces, sent to the server with every call; nobody collects them here.
    trace.set_tracer_provider(TracerProvider())
    with TemporaryDirectory(prefix="onetap-demo-") as folder:
        server = ServerProcess(Path(folder))
        try:
            server.start()
            as_it_should_be = _run(server)
        except DidNotStart as error:
            refuse(error)
        finally:
            server.stop()
    if not as_it_should_be:
        raise typer.Exit(NOT_AS_IT_SHOULD_BE)


def _run(server: ServerProcess) -> bool:
    evidence = Evidence(server.settings)
    token = Issuer(server.settings, evidence.now()).mint("demo_platform", "platform merchant")
    try:
        with Checkout(target=server.target, token=token) as checkout:
            shop = Shop(server, checkout, evidence)
            shop.open()
            told = _tell_all(shop)
        return report(told, evidence)
    finally:
        evidence.close()


def _tell_all(shop: Shop) -> list[Told]:
    told = []
    with Console(stderr=True).status("") as status:
        for story in STORIES:
            status.update(f"{story.name} ...")
            told.append(tell(story, shop))
    return told


def report(told: list[Told], evidence: Evidence) -> bool:
    table.show(HEADERS, [each.cells for each in told])
    print(LEGEND)
    for each in told:
        for problem in each.problems:
            print(f"NOT AS IT SHOULD BE  {each.story.name}: {problem}")
    contradictions = evidence.contradictions()
    for contradiction in contradictions:
        print(f"NOT AS IT SHOULD BE  {contradiction}")
    counts = evidence.counts()
    print(f"{counts.orders} orders, {counts.charges} live charges in the provider's book.", end=" ")
    as_it_should_be = not contradictions and not any(each.problems for each in told)
    print("Every order has its one charge." if as_it_should_be else "See above.")
    sys.stdout.flush()
    return as_it_should_be
