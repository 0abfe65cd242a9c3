"""How much may be asked: rates, quotas, wrong keys."""

import pytest

from api.access.counters import SharedCounters
from api.access.limiter import Limiter
from api.access.wrong_keys import MAX_ADDRESSES, MOST, SECONDS, WrongKeys, network_of
from api.access_errors import RateLimitedError
from api.settings import Settings
from recsys.api_keys.key_text import new_key
from recsys.api_keys.records import Allowance
from tests.api.access.raw_request import ask_raw


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("api.access.limiter.time.time", clock)
    return clock


@pytest.fixture
def limiter(clock):
    return Limiter(SharedCounters(clock=clock))


def spend_all(limiter, who, allowance, cost=1):
    """How often `who` is let through before the limit."""
    for count in range(allowance.amount + 2):
        try:
            limiter.spend(who, [allowance], cost)
        except RateLimitedError:
            return count
    return None


@pytest.mark.parametrize("allowance", [Allowance(5, 1), Allowance(100, 60), Allowance(7, 86_400)])
def test_exactly_as_many_questions_as_allowed_and_again_when_the_time_is_over(limiter, clock, allowance):
    assert spend_all(limiter, "a", allowance) == allowance.amount
    assert spend_all(limiter, "b", allowance) == allowance.amount
    clock.now += 2 * allowance.seconds
    assert spend_all(limiter, "a", allowance) == allowance.amount


def test_the_window_before_counts_by_what_of_it_is_left(limiter, clock):
    allowance = Allowance(100, 10)
    assert spend_all(limiter, "a", allowance) == 100
    clock.now += 15  # the middle of the next window: half of the last one still counts
    assert spend_all(limiter, "a", allowance) == 50


def test_many_questions_at_once_count_all_or_none(limiter):
    allowance = Allowance(10, 60)
    limiter.spend("a", [allowance], 8)
    with pytest.raises(RateLimitedError) as refused:
        limiter.spend("a", [allowance], 3)
    assert refused.value.headers["Retry-After"].isdigit()
    limiter.spend("a", [allowance], 2)
    with pytest.raises(RateLimitedError, match="11 questions at once; 10 questions in 60 s are allowed") as refused:
        limiter.spend("a", [allowance], 11)
    assert refused.value.headers == {}  # waiting would not help


def test_both_limits_hold(limiter, clock):
    rate, quota = Allowance(5, 1), Allowance(8, 86_400)
    for _ in range(5):
        limiter.spend("a", [rate, quota], 1)
    with pytest.raises(RateLimitedError, match="5 questions in 1 s"):
        limiter.spend("a", [rate, quota], 1)
    clock.now += 2
    for _ in range(3):
        headers = limiter.spend("a", [rate, quota], 1)
    assert headers["RateLimit-Policy"] == '"1s";q=5;w=1, "86400s";q=8;w=86400'
    assert headers["RateLimit"].startswith('"1s";r=2;')
    assert '"86400s";r=0;' in headers["RateLimit"]
    with pytest.raises(RateLimitedError, match="8 questions in 86400 s"):
        limiter.spend("a", [rate, quota], 1)


def test_workers_share_their_counts(tmp_path, clock):
    """Two tables of one file, as two workers have them: together they let through what one would."""
    first, second = (Limiter(SharedCounters(tmp_path / "table", clock=clock)) for _ in range(2))
    allowance = Allowance(10, 60)
    for limiter in (first, second) * 5:
        limiter.spend("a", [allowance], 1)
    for limiter in (first, second):
        with pytest.raises(RateLimitedError):
            limiter.spend("a", [allowance], 1)


def test_a_table_has_room_for_all_keys_and_keeps_its_size(tmp_path, clock):
    counters = SharedCounters(tmp_path / "table", clock=clock)
    limiter, size = Limiter(counters), (tmp_path / "table").stat().st_size
    allowances = [Allowance(1, 60), Allowance(1, 86_400)]
    for at in range(1_000):
        limiter.spend(f"key {at}", allowances, 1)
    for at in range(1_000):
        with pytest.raises(RateLimitedError):
            limiter.spend(f"key {at}", allowances, 1)
    for at in range(20_000):
        limiter.spend(f"address {at}", [Allowance(1, 1)], 1)
    assert (tmp_path / "table").stat().st_size == size < 2**20


def test_a_key_over_its_rate_is_a_429_and_others_are_answered(start, store, keys):
    slow, fast = keys.add("slow", "read", rate="3/day"), keys.add("fast", "read")
    service = start(Settings(store=store, keys=str(keys.path)))
    replies = [service.get("/v1/model", headers=slow) for _ in range(4)]
    assert [reply.status_code for reply in replies] == [200, 200, 200, 429]
    assert replies[0].headers["ratelimit-policy"] == '"86400s";q=3;w=86400'
    assert replies[0].headers["ratelimit"].startswith('"86400s";r=2;')
    assert replies[3].json()["code"] == "rate_limited"
    assert int(replies[3].headers["retry-after"]) >= 1
    assert service.get("/v1/model", headers=fast).status_code == 200
    assert "ratelimit" not in service.get("/v1/model", headers=fast).headers


def test_a_batch_counts_its_questions(start, store, keys, tmp_path):
    shop = keys.add("shop", "read", "events", quota="10/day")
    service = start(Settings(store=store, keys=str(keys.path), events=tmp_path / "events.db"))

    def batch(n):
        body = {"requests": [{"user_id": "ada", "k": 1}] * n}
        return service.send("POST", "/v1/recommendations:batch", json=body, headers=shop)

    assert batch(6).headers["ratelimit"].startswith('"86400s";r=4;')
    assert batch(5).status_code == 429
    events = {"events": [{"user_id": "ada", "item_id": "dune"}] * 2}
    assert (
        service.send("POST", "/v1/events", json=events, headers=shop).headers["ratelimit"].startswith('"86400s";r=1;')
    )
    rows = {"user_id": "ada", "rows": [{"kind": "popular", "k": 1}, {"kind": "for_you", "k": 1}]}
    assert service.send("POST", "/v1/pages", json=rows, headers=shop).status_code == 429


def test_an_address_has_a_rate_if_nobody_needs_a_key(start, store):
    service = start(Settings(store=store, rate="2/day"))
    first = [ask_raw(service.app, "GET", b"/v1/model", address="192.0.2.1").status for _ in range(3)]
    other = ask_raw(service.app, "GET", b"/v1/model", address="192.0.2.2").status
    assert (first, other) == ([200, 200, 429], 200)
    assert ask_raw(service.app, "GET", b"/livez", address="192.0.2.1").status == 200


def test_wrong_keys_are_slowed_down_and_right_ones_of_the_same_address_are_not(start, store, keys):
    keys.add("shop", "read")
    right = [(b"authorization", b"Bearer " + keys.by_name["shop"].encode())]
    service = start(Settings(store=store, keys=str(keys.path), admin_key="correct horse battery"))
    wrong = [[(b"authorization", f"Bearer {key}".encode())] for key in ("guess", new_key())]
    for at in range(MOST):
        assert ask_raw(service.app, "GET", b"/v1/model", wrong[at % 2]).status == 401
    for headers in wrong:
        reply = ask_raw(service.app, "GET", b"/v1/model", headers)
        assert reply.status == 429
        assert 1 <= int(reply.headers["retry-after"]) <= SECONDS
    assert ask_raw(service.app, "GET", b"/v1/model", right).status == 200
    chosen = [(b"authorization", b"Bearer correct horse battery")]  # may be guessed, so it has to wait
    assert ask_raw(service.app, "GET", b"/v1/model", chosen).status == 429
    assert ask_raw(service.app, "GET", b"/v1/model", chosen, address="192.0.2.9").status == 200
    assert ask_raw(service.app, "GET", b"/v1/model").status == 401


def test_an_address_may_try_again_after_a_minute():
    clock = Clock()
    wrong = WrongKeys(clock=clock)
    for _ in range(MOST):
        assert wrong.wait("192.0.2.1") == 0
        wrong.add("192.0.2.1")
    assert wrong.wait("192.0.2.1") == SECONDS
    clock.now += SECONDS
    assert wrong.wait("192.0.2.1") == 0
    wrong.add("192.0.2.1")
    assert wrong.wait("192.0.2.1") == 0


def test_a_bounded_number_of_addresses_is_remembered():
    wrong = WrongKeys()
    for at in range(MAX_ADDRESSES + 1_000):
        wrong.add(f"10.{at >> 16}.{at >> 8 & 255}.{at & 255}")
    assert len(wrong) == MAX_ADDRESSES


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::2:3", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("", "", True),
    ],
)
def test_what_one_sender_may_choose_is_counted_together(one, other, same):
    assert (network_of(one) == network_of(other)) is same
