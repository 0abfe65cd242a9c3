import pytest

from recsys.errors import ConfigError
from recsys.models.baselines import BASELINES, fit_baseline


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_is_known_by_its_name(name, groups):
    assert fit_baseline(name, groups).name == name


def test_an_unknown_baseline_is_refused_with_the_known_ones(groups):
    with pytest.raises(ConfigError, match=r"evaluate\.baselines: 'bpr' is unknown; .* popular, item_knn"):
        fit_baseline("bpr", groups)
