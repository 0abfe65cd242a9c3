"""The driver of an address."""

import pytest

from recsys.databases.drivers import DRIVERS, kind_of
from recsys.errors import ConfigError


def test_schemes_are_known() -> None:
    assert {kind_of(name) for name in DRIVERS} == set(DRIVERS)
    assert kind_of("postgres") == "postgresql"


def test_a_typo_is_told_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no database is read by postgresq://; did you mean postgresql://\?"):
        kind_of("postgresq")
    with pytest.raises(ConfigError, match="known: postgresql://, sqlite://"):
        kind_of("xyz")
