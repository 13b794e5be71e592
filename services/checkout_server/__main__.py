"""`checkout-server`, also as `python -m checkout_server`."""

from __future__ import annotations

import os


def main() -> None:
    # gRPC's core reads it when it is imported, so before anything else is. We never fork; with fork
    # handlers a library that does would stop the server in the middle of a call.
    os.putenv("GRPC_ENABLE_FORK_SUPPORT", "0")
    from checkout_server.cli import app

    app()


if __name__ == "__main__":
    main()
