"""`stepwell` and `python -m stepwell`: the commands of client and server, or of the client alone where it is alone."""

from __future__ import annotations

import gc
import sys
from importlib.util import find_spec


def main() -> int:
    """The exit status."""
    if sys.version_info >= (3, 11) and find_spec("apsw") is not None:
        if sys.argv[1:2] == ["serve"]:
            gc.disable()  # nothing that a start makes is garbage; the server turns it on (web.running)
        from stepwell.cli import main as run  # noqa: PLC0415  needs the server's packages

        return run()
    from stepwell.client import commands, terminal  # noqa: PLC0415
    from stepwell.transfer import commands as transfer  # noqa: PLC0415

    return commands.main(None, terminal.add, transfer.add)


if __name__ == "__main__":
    sys.exit(main())
