"""What a request is expected to cost before its body is read."""

import pytest

from api.cost import COST_LISTENER, DEFAULT_BUDGET, content_length, expected_points, tell_points


def scope(path, method="GET", **headers):
    return {
        "type": "http",
        "path": path,
        "method": method,
        "headers": [(name.replace("_", "-").encode(), value) for name, value in headers.items()],
    }


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
def test_probes_are_free(path):
    assert expected_points(scope(path)) == 0


def test_a_longer_body_is_expected_to_cost_more_up_to_a_whole_budget():
    lengths = [b"0", b"100", b"10000", b"2097152", b"99999999"]
    batch = [expected_points(scope("/v1/recommendations:batch", "POST", content_length=n)) for n in lengths]
    assert batch == [*sorted(set(batch[:4])), DEFAULT_BUDGET]
    assert batch[3] == DEFAULT_BUDGET
    one = [expected_points(scope("/v1/recommendations", "POST", content_length=n)) for n in lengths[:4]]
    assert one == sorted(set(one))
    assert all(few <= many for few, many in zip(one, batch, strict=False))


@pytest.mark.parametrize("value", [b"-1", b"1e9", b"", b"9" * 5000, "٣".encode()])
def test_a_length_that_is_no_number_counts_as_unknown(value):
    assert content_length(scope("/v1/rank", "POST", content_length=value)) == 65_536


def test_a_chunked_body_counts_as_unknown():
    assert content_length(scope("/v1/rank", "POST", transfer_encoding=b"chunked")) == 65_536


def test_the_points_of_the_parsed_body_are_told():
    told = []
    tell_points({**scope("/v1/rank", "POST"), COST_LISTENER: told.append}, 77)
    tell_points(scope("/v1/rank", "POST"), 78)
    assert told == [77]
