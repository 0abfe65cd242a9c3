import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.engine.filters import Attribute, Literal, parse_filter


@given(data=st.data())
def test_the_text_of_a_tree_parses_to_the_same_tree(trees, data):
    tree = data.draw(trees)
    again = parse_filter(str(tree))
    assert again == tree
    assert repr(again) == repr(parse_filter(str(again)))


@given(name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_any_name_can_be_an_attribute(name):
    assert parse_filter(f"{Attribute(name)} = 1").attribute == Attribute(name)


@given(value=st.text(st.characters(exclude_categories=["Cs"])) | st.integers(-(2**63), 2**63 - 1) | st.booleans())
def test_any_value_can_be_written(value):
    read = parse_filter(f"a = {Literal(value)}").value.value
    assert (type(read), read) == (type(value), value)


@pytest.mark.parametrize("word", ["and", "In", "MISSING", "true"])
def test_words_of_the_language_are_quoted_as_names(word):
    assert str(Attribute(word)) == f"`{word}`"


def test_parentheses_stand_where_they_change_or_clarify_something():
    assert str(parse_filter("a=1 and (b=2 or not c=3) and not (d=4 and e=5)")) == (
        "a = 1 and (b = 2 or not c = 3) and not (d = 4 and e = 5)"
    )
