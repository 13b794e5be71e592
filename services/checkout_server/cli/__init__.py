"""The commands of `checkout-server`, a file each."""

from __future__ import annotations

import typer

from checkout_server.cli import apply, demo, dev, serve, show

app = typer.Typer(
    help="One-tap checkout inside a video: the server.",
    no_args_is_help=True,
    add_completion=False,
    # A traceback as Python prints it: what we expect to go wrong is told in a sentence instead.
    pretty_exceptions_enable=False,
)
app.command(cls=serve.WithSettings)(serve.serve)
app.command()(dev.dev)
app.command()(demo.demo)
app.command()(show.show)
app.command()(apply.apply)
