"""`python -P -m api`, which is what `recsys serve` runs.

-P, because a folder named `api` where it is started must not be taken for this one.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from api.server import serve
from api.settings import SECRETS, Settings, flag, variable
from recsys.errors import RecsysError

_EPILOG = """\
Every option but --host, --port and --workers can be given as an environment variable, too (RECSYS_STORE,
RECSYS_POLL_SECONDS, ...); an option wins over its variable. RECSYS_ADMIN_KEY, at least 16 characters, is a variable
only: with it, POST /admin/reload and /admin/rollback exist.
Exit codes: 0 stopped by SIGTERM or Ctrl-C, 1 unexpected, 2 an option, the store or the address is wrong.
"""

_FLAGS = [name for name in Settings.model_fields if name not in SECRETS]


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; returns the exit code."""
    options = _parser().parse_args(arguments)
    flags = {variable(name): value for name in _FLAGS if (value := getattr(options, name)) is not None}
    try:
        settings = Settings.from_environment({**os.environ, **flags})
        serve(settings, host=options.host, port=options.port, workers=options.workers)
    except RecsysError as error:
        sys.stderr.write(f"recsys serve: {error}\n")
        return 2
    except KeyboardInterrupt:
        pass
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "recsys serve",
        description="Answer over HTTP from the version that the store points at, and from the next one as soon as it "
        "is published.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 for all (default: %(default)s)")
    add("--port", type=_between(0, 65_535), default=8000, help="port to listen on (default: %(default)s)")
    add(
        "--workers",
        type=_between(1, 256),
        default=1,
        help="processes, each with its own model (default: %(default)s)",
    )
    for name in _FLAGS:
        field = Settings.model_fields[name]
        default = "required" if field.is_required() else f"default: {field.default or 'none'}"
        add(flag(name), help=f"{field.description} ({default})")
    return parser


def _between(lowest: int, highest: int) -> Callable[[str], int]:
    def whole_number(text: str) -> int:
        if not text.isdecimal() or not lowest <= int(text) <= highest:
            raise argparse.ArgumentTypeError(f"got {text!r}; expected a whole number from {lowest} to {highest}")
        return int(text)

    return whole_number


if __name__ == "__main__":
    sys.exit(main())
