"""Extras: what only some commands need, and is installed only where it is asked for."""

from importlib.util import find_spec

from recsys.errors import ConfigError


def require_extra(extra: str, *modules: str) -> None:
    """Raise ConfigError that says what to install, unless all of `modules` are there."""
    if missing := [module for module in modules if find_spec(module) is None]:
        raise ConfigError(f"{' and '.join(missing)} not installed; install the extra: pip install -e '.[{extra}]'")
