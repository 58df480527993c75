"""What ``aos`` starts: an interrupt while the commands are still being imported is no traceback either."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    try:
        from cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        sys.exit(130)
