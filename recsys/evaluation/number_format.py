"""How numbers are written in sentences and tables."""

import math


def figure(value: float | None, *, sign: bool = False) -> str:
    """Four decimals, two from 10 on, two significant digits if four decimals would show nothing; "-" for none."""
    if value is None or math.isnan(value):
        return "-"
    plus = "+" if sign else ""
    if abs(value) >= 10:
        return f"{value:{plus}.2f}"
    return f"{value:{plus}.4f}" if value == 0 or abs(value) >= 0.00095 else f"{value:{plus}.2g}"


def brief(value: float | None, *, like: float | None = None, sign: bool = False) -> str:
    """Up to three decimals, four below 0.02; with `like`, as many as that value gets; "-" for none."""
    if value is None or math.isnan(value):
        return "-"
    size = abs(value if like is None else like)
    decimals = next((at for at, bound in enumerate((100, 10, 1, 0.02)) if size >= bound), 4)
    return f"{value:{'+' if sign else ''}.{decimals}f}"


def count(value: int) -> str:
    """With a comma between thousands."""
    return f"{value:,}"


def percent(share: float) -> str:
    """A share as a percentage: up to two decimals, without zeros at the end."""
    return f"{100 * share:.2f}".rstrip("0").rstrip(".") + " %"
