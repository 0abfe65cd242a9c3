"""`python -P -m api`, which is what `recsys serve` runs.

-P keeps a folder named `api` in the working folder from being imported instead of this one.
"""

import sys
from collections.abc import Sequence

from api.access.exposure import check_exposure
from api.access.key_source import check_keys
from api.process.server import serve
from api.settings import load_settings
from recsys.errors import RecsysError


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; returns the exit code."""
    try:
        settings = load_settings(sys.argv[1:] if arguments is None else arguments)
        check_exposure(settings)
        check_keys(settings)
        serve(settings)
    except RecsysError as error:
        sys.stderr.write(f"recsys serve: {error}\n")
        return 2
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
