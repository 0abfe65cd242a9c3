import pytest

from recsys.errors import ConfigError
from recsys.evaluation.acceptance import accept, check_names
from recsys.evaluation.gates import ACCEPTED, REFUSED, Gate, verdict

FINE, FEW, WORSE = Gate("items", True, "fine"), Gate("users", False, "few"), Gate("no_metric_drop", False, "worse")


def test_only_a_gate_that_failed_and_is_named_is_accepted() -> None:
    gates = accept((FINE, FEW, WORSE), ["users", "items"])
    assert [gate.accepted for gate in gates] == [False, True, False]
    assert [gate.refuses for gate in gates] == [False, False, True]
    assert verdict(gates) == REFUSED
    assert verdict(accept(gates, ["users", "no_metric_drop"])) == ACCEPTED


def test_names_are_those_of_gates() -> None:
    assert check_names(["users", "catalogue", "users", "beats_popular"]) == ("users", "catalogue", "beats_popular")
    with pytest.raises(ConfigError, match="--accept user: no gate has this name; did you mean 'users'"):
        check_names(["user"])
