import pytest

from recsys.evaluation.figures import count, figure, percent


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.18594, "0.1859"), (0, "0.0000"), (11.2345, "11.23"), (-0.5, "-0.5000"), (0.0000312, "3.1e-05"),
     (None, "-"), (float("nan"), "-")],
)  # fmt: skip
def test_figures_have_four_decimals_unless_that_hides_them(value, text):
    assert figure(value) == text


def test_differences_carry_their_sign():
    assert [figure(value, sign=True) for value in (0.03, -0.03, 12)] == ["+0.0300", "-0.0300", "+12.00"]


def test_counts_and_percentages():
    assert count(1234567) == "1,234,567"
    assert [percent(share) for share in (0.95, 0.0314, 0.02, 0, 1, 0.999)] == [
        "95 %", "3.14 %", "2 %", "0 %", "100 %", "99.9 %",
    ]  # fmt: skip
