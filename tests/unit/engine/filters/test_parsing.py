import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from recsys.engine.filters import (
    And,
    Attribute,
    Comparison,
    Contains,
    Literal,
    Membership,
    Missing,
    Not,
    Or,
    parse_filter,
)
from recsys.engine.filters.parsing import MAX_CONDITIONS, MAX_DEPTH, MAX_TEXT, MAX_VALUES
from recsys.errors import FilterError, InvalidRequestError

A, B, C = (Comparison(Attribute(name), "=", Literal(1)) for name in "abc")
OPERATORS = "`=`, `!=`, `<`, `<=`, `>`, `>=`, `in`, `between`, `contains`, `is` or `not`"
VALUES = "a text in quotes, a number, `true` or `false`"


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("price < 20", Comparison(Attribute("price"), "<", Literal(20))),
        ("price>=-1.5e1", Comparison(Attribute("price"), ">=", Literal(-15.0))),
        ("a == 1", A),
        ("a != 1", Not(A)),
        ("a <> 1", Not(A)),
        ("a=1 or b=1 and not c=1", Or((A, And((B, Not(C)))))),
        ("(a=1 or b=1) and c=1", And((Or((A, B)), C))),
        ("NOT a=1 AnD b=1", And((Not(A), B))),
        ("((a=1))", A),
        ("x in ('a', \"b\",)", Membership(Attribute("x"), (Literal("a"), Literal("b")))),
        ("x not in (true)", Not(Membership(Attribute("x"), (Literal(True),)))),
        (
            "p between 5 and 10 and a=1",
            And(
                (
                    And(
                        (Comparison(Attribute("p"), ">=", Literal(5)), Comparison(Attribute("p"), "<=", Literal(10)))
                    ),
                    A,
                )
            ),
        ),
        ("t contains 'it\\'s \\\\ \\\"'", Contains(Attribute("t"), Literal("it's \\ \""))),
        ("t not contains 'x'", Not(Contains(Attribute("t"), Literal("x")))),
        ("index is missing", Missing(Attribute("index"))),
        ("`in stock` is not missing", Not(Missing(Attribute("in stock")))),
        ("`a``b` = 'line\nbreak'", Comparison(Attribute("a`b"), "=", Literal("line\nbreak"))),
        ("größe = FALSE", Comparison(Attribute("größe"), "=", Literal(False))),
    ],
)
def test_the_language(text, tree):
    assert parse_filter(text) == tree


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "filter, character 1: expected an attribute, `not` or `(`"),
        ("price", f"filter, character 6: expected {OPERATORS}"),
        ("price < ", f"filter, character 8: expected {VALUES}"),
        ("category = Mugs", f"filter, character 12: expected {VALUES}"),
        ("in stock = true", f"filter, character 4: expected {OPERATORS}"),
        ("20 > price", "filter, character 1: expected an attribute, `not` or `(`"),
        ("(a = 1", "filter, character 7: expected `)`"),
        ("a = 1)", "filter, character 6: expected the end"),
        ("a in ()", f"filter, character 7: expected {VALUES}"),
        ("a is 1", "filter, character 6: expected `missing` or `not`"),
        ("a contains 1", "filter, character 12: expected a text in quotes"),
        ("a = 'b", "filter, character 5: expected a closing quote for the one here"),
        ("`a = 1", "filter, character 1: expected a closing quote for the one here"),
        (r"a = '\d'", r"filter, character 6: expected `\\`, `\"` or `\'`, because a backslash begins an escape"),
        ("a = 9223372036854775808", "filter, character 5: expected a number that 64 bits can hold"),
        ("a = -1e999", "filter, character 5: expected a number that 64 bits can hold"),
        ("a = '\ud800'", "filter, character 6: expected a character that UTF-8 can encode"),
    ],
)
def test_complaints_name_the_place_and_what_fits_there(text, message):
    with pytest.raises(FilterError) as refused:
        parse_filter(text)
    assert str(refused.value) == message
    assert isinstance(refused.value, InvalidRequestError)


@pytest.mark.parametrize(
    ("longest", "longer", "message"),
    [
        ("a=1".ljust(MAX_TEXT), "a=1".ljust(MAX_TEXT + 1), f"filter: expected at most {MAX_TEXT} characters, found "),
        (
            "not " * MAX_DEPTH + "a=1",
            "not " * (MAX_DEPTH + 1) + "a=1",
            f"filter: expected at most {MAX_DEPTH} levels",
        ),
        ("not " * MAX_DEPTH + "a=1", "not " * 1000 + "a=1", f"filter: expected at most {MAX_DEPTH} levels"),
        (
            " or ".join(["a=1"] * MAX_CONDITIONS),
            " or ".join(["a=1"] * (MAX_CONDITIONS + 1)),
            f"filter: expected at most {MAX_CONDITIONS} conditions, found {MAX_CONDITIONS + 1}",
        ),
        (
            f"a in ({','.join('1' * MAX_VALUES)})",
            f"a in ({','.join('1' * (MAX_VALUES + 1))})",
            f"filter, character 1: expected at most {MAX_VALUES} values, found {MAX_VALUES + 1}",
        ),
    ],
)
def test_bounds(longest, longer, message):
    parse_filter(longest)
    with pytest.raises(FilterError, match=message):
        parse_filter(longer)


_WORDS = ("and ", "or ", "not ", "in ", "is ", "missing", "between ", "contains ", "true", "1e9")
_pieces = st.sampled_from([*_WORDS, *"a1-(),=<`'\"\\é \n\x00\ud800"])


@settings(deadline=None)
@given(text=st.text() | st.lists(_pieces, max_size=60).map("".join))
@example(text="(" * MAX_TEXT)
@example(text="(" * 2000 + "a=1" + ")" * 2000)
@example(text="'" + "\\" * (MAX_TEXT - 1))
@example(text="`" * MAX_TEXT)
@example(text="a=" + "9" * (MAX_TEXT - 2))
@example(text="a=1e" + "9" * (MAX_TEXT - 4))
def test_whatever_is_sent_is_a_filter_or_a_complaint(text):
    try:
        parse_filter(text)
    except FilterError as error:
        assert error.position is None or 0 <= error.position <= len(text)
        assert len(str(error)) < 200
        assert len(error.pointing(text)) < 400
