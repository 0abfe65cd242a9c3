"""JSON of bodies: what could be read in two ways, or would cost much to read, is refused by name."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.messages.json_text import MAX_BRACES, MAX_COMMAS, MAX_KEYS, parse_json
from api.messages.question_bodies import BatchBody, QuestionBody
from api.messages.reading import LARGE_BYTES, body_in
from api.messages.validation import validated_in_steps
from recsys.errors import InvalidRequestError

PADDING = " " * LARGE_BYTES
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@settings(max_examples=40)
@given(JSON)
def test_all_other_json_is_read_as_it_is(tree):
    for ascii_only in (True, False):
        try:
            raw = json.dumps(tree, ensure_ascii=ascii_only).encode()
        except UnicodeEncodeError:
            continue
        assert parse_json(raw) == tree


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        (b"", "invalid JSON, line 1, column 1"),
        (b'{"a": 1,}', "invalid JSON, line 1, column 9"),
        (b'{"a": 1} 2', "invalid JSON, line 1, column 10: Extra data"),
        (b"\xef\xbb\xbf{}", "invalid JSON"),
        (b'{"a": "\x01"}', "invalid JSON, line 1, column 8"),
        (b'{"a": "\xed\xa0\x80"}', "byte 7 is not UTF-8"),
        (b'{"a": "\\ud800"}', "half of a surrogate pair"),
        (b'{"\\uDFFF": 1}', "half of a surrogate pair"),
        (b'{"a": "\\ud83d\\ud83d\\ude00"}', "half of a surrogate pair"),
        (b'{"a": 1, "b": 2, "a": 3}', "one key twice"),
        (b'[{"b": {"a": 1, "\\u0061": 1}}]', "one key twice"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"a":' * 20_000, "nested too deep"),
        (b"9" * 4_301, "more than 4300 digits"),
        (b"[" + b"1," * MAX_COMMAS + b"1,1]", "`,` more than 200000 times"),
        (json.dumps(dict.fromkeys(map(str, range(MAX_KEYS + 1)))).encode(), "1001 keys; expected at most 1000"),
        (b"[" + b"{}," * MAX_BRACES + b"{}]", "`{` more than 30000 times"),
    ],
    ids=range(17),
)
def test_what_could_be_read_in_two_ways_or_would_cost_much_is_refused(raw, detail):
    with pytest.raises(InvalidRequestError, match=detail):
        parse_json(raw)


def test_an_escaped_backslash_is_no_surrogate_and_a_pair_is_one_character():
    assert parse_json(b'["\\\\ud800", "\\ud83d\\ude00"]') == ["\\ud800", "\U0001f600"]


@pytest.mark.parametrize("padding", ["", PADDING])
class TestRefusals:
    """The same of small bodies and of large ones, which are validated object by object."""

    def refused(self, model, text, padding):
        with pytest.raises(InvalidRequestError) as refusal:
            body_in((text + padding).encode(), model)
        assert "hunter2" not in str(refusal.value)
        return str(refusal.value)

    def test_a_field_that_is_given_twice_is_named_unless_the_client_made_it_up(self, padding):
        assert "the field k twice" in self.refused(QuestionBody, '{"k": 1, "k": 2}', padding)
        twice = '{"requests": [{"events": [{"item_id": "a", "item_id": "b"}]}]}'
        assert "the field item_id twice" in self.refused(BatchBody, twice, padding)
        assert "one key twice" in self.refused(QuestionBody, '{"boosts": {"hunter2": 1, "hunter2": 1}}', padding)

    def test_a_wrong_field_deep_in_a_body_is_named_by_its_place(self, padding):
        text = json.dumps({"requests": [{"k": 1}, {"events": [{"item_id": "a"}, {"item_id": "b", "hunter2": 1}]}]})
        expected = "body.requests.1.events.1: holds an unknown field; expected only item_id, event, value, timestamp"
        assert self.refused(BatchBody, text, padding) == expected

    def test_no_more_than_ten_problems_are_named(self, padding):
        text = json.dumps({"boosts": {f"hunter2-{at}": at + 2000 for at in range(50)}, "k": 0, "explain": 1})
        assert len(self.refused(QuestionBody, text, padding).split("; ")) <= 10


class CountingList(list):
    """Counts the members that are looked at."""

    n_looked_at = 0

    def __iter__(self):
        for member in super().__iter__():
            self.n_looked_at += 1
            yield member


@pytest.mark.parametrize(("event", "n_looked_at"), [({"item_id": 1}, 10), ({"a": 1, "b": 1, "c": 1}, 3)])
def test_of_a_large_body_ten_problems_are_named_and_the_rest_not_looked_at(event, n_looked_at):
    events = CountingList([event] * 9_000)
    with pytest.raises(InvalidRequestError) as refusal:
        validated_in_steps(QuestionBody, {"events": events})
    assert len(str(refusal.value).split("; body")) <= 10
    assert str(refusal.value).startswith("body.events.0")
    assert events.n_looked_at == n_looked_at + 1


def test_large_bodies_become_what_small_ones_become():
    events = [{"item_id": f"i{at}", "timestamp": "2024-01-01T00:00:00Z", "value": at} for at in range(20)]
    body = json.dumps({"requests": [{"k": 5.0, "events": events}, {"boosts": {"a": 2}, "exclude": ["b"]}]})
    assert body_in(body.encode(), BatchBody) == body_in((body + PADDING).encode(), BatchBody)
