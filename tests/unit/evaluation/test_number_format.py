import pytest

from recsys.evaluation.number_format import brief, count, figure, percent


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


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.10896, "0.109"), (0.0397, "0.040"), (0.01234, "0.0123"), (0.00004, "0.0000"), (2.856, "2.86"),
     (12.345, "12.3"), (123.4, "123"), (-0.5, "-0.500"), (None, "-"), (float("nan"), "-")],
)  # fmt: skip
def test_brief_figures_have_three_decimals_at_most_unless_they_are_small(value, text):
    assert brief(value) == text


def test_bounds_are_as_brief_as_their_mean():
    assert [brief(value, like=0.021) for value in (0.0187, 0.0231)] == ["0.019", "0.023"]
    assert brief(0.0187, like=0.5, sign=True) == "+0.019"
