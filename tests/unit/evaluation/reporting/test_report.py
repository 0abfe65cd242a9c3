import json
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest

from recsys.config import EvaluateConfig
from recsys.data.cleaning import CleaningSummary
from recsys.data.ingest.accounting import RowCounts
from recsys.evaluation.evaluator import evaluate
from recsys.evaluation.examples import Example, Listed, Regressed, Regressions
from recsys.evaluation.gates import Gate
from recsys.evaluation.provenance import (
    Attempt,
    Choice,
    IndexSummary,
    LogSource,
    MeanOfVisitors,
    SessionWeight,
    SplitSummary,
    Stopping,
    Tradeoff,
    TradeoffPoint,
    VisitorsSummary,
    VisitorsWithItems,
)
from recsys.evaluation.reporting.pages import render_html, render_markdown
from recsys.evaluation.reporting.report_plots import report_plots
from recsys.evaluation.results import Cohort
from recsys.evaluation.serving_comparison import Paired, ServingComparison, ServingVersion
from recsys.evaluation.significance import Interval
from recsys.evaluation.slices import slices_of

EVALUATE = EvaluateConfig(cutoffs=(10, 20), bootstrap=50)
GATES = (
    Gate("beats_popular", True, "als beats popular on ndcg@20 by +0.0310"),
    Gate("no_metric_drop", False, "ndcg@20 0.1010 is 2.88 % below the serving version's 0.1040"),
)


PERSON = Example(
    user_id="u|1",
    history=("A *b*", "C"),
    n_history=12,
    relevant=("D\nE",),
    n_relevant=1,
    lists={"als": (Listed("<script>", False), Listed("D\nE", True)), "popular": (Listed("C", False),)},
)


def html_of(report):
    """The page without its plots, which have tests of their own and take time to draw."""
    return render_html(report, defaultdict(lambda: None))


@pytest.fixture
def report_of(evaluation_of, built):
    def make(**parts):
        columns = [f"{name}@{k}" for name in ("recall", "ndcg", "novelty", "popularity_bias") for k in (10, 20)]
        als = evaluation_of(
            "als", dict.fromkeys(columns, (0.5, 0.25, 0.125)), coverage_at_10=0.5, coverage_at_20=0.75
        )
        popular = evaluation_of(
            "popular", dict.fromkeys(columns, (0.25, 0.25, np.nan)), coverage_at_10=0.01, coverage_at_20=0.02
        )
        return built([als, popular], metric="ndcg@20", evaluate=EVALUATE, **{"gates": GATES, **parts})

    return make


@pytest.fixture
def full(report_of):
    return report_of(
        index=IndexSummary.model_validate({"kind": "exact", "recall@100": 0.99871}),
        cleaning=CleaningSummary(5000, 4900, 4500, {"user_above_max_events": 100}, 4100, 900),
        ingest=RowCounts(rows_read=5200, accepted=5000, refused={"missing_user": 150}, merged=50),
        holdout_ingest=RowCounts(rows_read=11, accepted=11, refused={}, merged=0),
        settings={"workspace": "w", "items": None, "log": {"event_weights": {"view": 1.0}, "value": None}},
        examples=(PERSON,),
        regressed=Regressions("item_knn", (Regressed(before=1.0, now=0.25, example=PERSON),)),
        losses=(3.0, 2.0, 1.5),
        timings={"prepare": np.float64(1.23456789), "nothing": float("nan")},
    )  # fmt: skip


def test_json_holds_what_the_contract_names(full):
    tree = json.loads(full.to_json())
    assert tree["verdict"] == "refused"
    assert [gate["passed"] for gate in tree["gates"]] == [True, False]
    assert set(tree["models"]["als"]["ndcg@20"]) == {"mean", "low", "high"}
    assert tree["models"]["popular"]["ndcg@20"]["users"] == 2
    assert tree["differences"]["als minus popular"]["ndcg@20"]["mean"] == 0.125
    assert tree["split"]["n_eval_users"] == 3
    assert tree["split"]["cut"] == "2011-11-11T00:00:00Z"
    assert tree["split"]["dropped"] == {"new_user": 1203, "already_seen": 7}
    assert tree["index"] == {"kind": "exact", "recall@100": 0.99871}
    assert tree["ingest"]["rows_read"] == 5200
    assert tree["definitions"]["recall@k"]["formula"] == "hits in the first k / min(k, relevant)"
    assert tree["definitions"]["recall@k"]["denominator"]
    assert {"new_user", "already_seen", "missing_user", "user_above_max_events"} == set(tree["reasons"])
    assert tree["examples"][0]["lists"]["als"][1] == {"title": "D\nE", "hit": True}
    assert tree["regressed"]["against"] == "item_knn"
    assert tree["regressed"]["users"][0]["example"] == tree["examples"][0]
    assert tree["losses"] == [3.0, 2.0, 1.5]
    assert tree["timings"] == {"prepare": 1.2345679, "nothing": None, "evaluate als": 1.5, "evaluate popular": 1.5}


def test_json_is_the_same_text_every_time(report_of):
    assert report_of().to_json() == report_of().to_json()


def test_a_report_before_the_gates_has_no_verdict(report_of):
    report = report_of(gates=())
    assert report.verdict is None
    assert json.loads(report.to_json())["verdict"] is None
    assert "Not judged yet" in render_markdown(report)
    assert report_of(gates=GATES[:1]).verdict == "accepted"


def test_markdown_says_the_verdict_first_and_why(full):
    lines = render_markdown(full).splitlines()
    assert lines[2] == "**✗ Refused: this version may not be published, and no other one serves yet.**"
    failed = next(line for line in lines if line.startswith("* ✗ ndcg@20 0.1010 is 2.88 % below"))
    passed = lines.index("* als beats popular on ndcg@20 by +0.0310.")
    assert lines.index(failed) < lines.index("## Gates that passed") < passed


def test_markdown_puts_the_best_accuracy_in_bold_and_nothing_else(full):
    page = render_markdown(full)
    row = next(line for line in page.splitlines() if line.startswith("| ndcg@20 | **0.2917** ("))
    assert row.endswith("| 0.2500 (0.2500 to 0.2500) |")
    assert "| coverage@20 | 0.7500 | 0.0200 |" in page
    assert not any("**" in line for line in page.splitlines() if line.startswith("| novelty@"))


def test_markdown_has_its_sections_in_order(full):
    headings = [line for line in render_markdown(full).splitlines() if line.startswith("#")]
    assert headings == [
        "# Evaluation report", "## Models", "### The first 10 places", "### The first 20 places",
        "## Differences", "## Gates that passed", "## What was evaluated", "### What could not be evaluated, and why",
        "## Rows of the log", "## Rows of the held-out files", "## Cleaning of the whole log", "## Index",
        "## Lists of some users", "### User u\\|1", "## Users who lose most against item\\_knn", "### User u\\|1",
        "## Settings", "## Definitions", "## Timings",
    ]  # fmt: skip


def test_markdown_accounts_for_everything_left_out(full):
    page = render_markdown(full)
    assert "so no model knows them (`new_user`) | 1,203 | 320 |" in page
    assert "(`already_seen`) | 7 | 0 |" in page
    assert "| all | 1,210 | 320 |" in page
    assert "| the user's id is empty, or one of log.null_ids (`missing_user`) | 150 |" in page
    assert "(`user_above_max_events`) | 100 |" in page


def test_foreign_text_stays_text(full):
    page = render_markdown(full)
    assert "| 1 | \\<script\\> | C |" in page
    assert "| 2 | **D E** |  |" in page
    assert "History: A \\*b\\*; C and 10 more." in page
    assert "Held out: D E." in page
    assert "ndcg@20 0.2500 instead of 1.0000." in page


def test_the_first_refusal_says_that_nothing_serves_and_a_later_one_that_the_old_stays(report_of, beside):
    assert "Refused: this version may not be published, and no other one serves yet." in html_of(report_of())
    later = beside({})
    for page in (render_markdown(later), html_of(later)):
        assert "Refused: the serving version stays." in page


def test_the_report_names_its_log(report_of):
    log = LogSource(fingerprint="0123456789abcdef", files=tuple(f"day{n}.csv" for n in range(7)), newest=0)
    line = (
        "Log: day0.csv, day1.csv, day2.csv, day3.csv, day4.csv and 2 more, newest event 1970-01-01T00:00:00Z,"
        " fingerprint 0123456789ab."
    )
    for page in (render_markdown(report_of(log=log)), html_of(report_of(log=log))):
        assert line in page
    assert "Log: " not in render_markdown(report_of())


@pytest.mark.parametrize(("lead", "told"), [(0.25, True), (0.0, False), (-0.25, False)])
def test_a_baseline_that_is_clearly_better_is_told(evaluation_of, built, lead, told):
    als = np.linspace(0.2, 0.4, 40)
    models = [evaluation_of("als", {"ndcg@10": als}), evaluation_of("item_knn", {"ndcg@10": als + lead})]
    report = built(models, metric="ndcg@10", evaluate=EVALUATE)
    sentence = (
        "item_knn is better than als: ndcg@10 0.5500 against 0.3000"
        " (difference 0.2500, 95 % interval 0.2500 to 0.2500)"
    )
    assert (f"* ⚠ {sentence}. → `recsys tune" in render_markdown(report).replace("\\", "")) is told
    assert (f"<b>⚠</b> {sentence}. → `recsys tune" in html_of(report)) is told


def test_few_users_are_said_not_to_be_trusted(report_of, evaluation_of, built):
    warning = "With so few users the values are not reliable."
    assert warning in render_markdown(report_of())
    for n_users, warned in ((1, True), (29, True), (30, False)):
        als = evaluation_of("als", {"ndcg@10": np.full(n_users, 0.5)})
        page = render_markdown(built([als], metric="ndcg@10", evaluate=EVALUATE))
        assert (warning in page) is warned


def test_pages_round_once(evaluation_of, built):
    als = evaluation_of("als", {"ndcg@10": np.full(40, 0.16254996)})
    report = built([als], metric="ndcg@10", evaluate=EVALUATE)
    assert "| ndcg@10 | 0.1625 (" in render_markdown(report)


def test_settings_read_like_the_file(full):
    page = render_markdown(full)
    assert '```toml\nworkspace = "w"\n[log]\nevent_weights = { "view" = 1.0 }\n```' in page


def test_what_is_not_known_is_not_shown(report_of):
    page = render_markdown(
        report_of(split=SplitSummary(kind="temporal", cut=None, counts={}, dropped={}, dropped_users={}))
    )
    for absent in ("## Index", "## Cleaning", "## Rows", "## Lists", "## Settings", "None"):
        assert absent not in page
    assert "Every held-out pair is evaluated." in page


def test_short_lists_are_told(report_of, evaluation_of, built):
    als = evaluation_of("als", {"ndcg@10": [0.5, 0.25]})
    object.__setattr__(als, "n_short", 1)
    page = render_markdown(built([als], metric="ndcg@10", evaluate=EVALUATE))
    assert "Users with a list shorter than the largest cut-off: als (1). Empty places count as misses." in page
    assert "## Differences" not in page


@pytest.fixture
def sliced(split_of, listed, built, split_summary):
    split = split_of([[0, 1], [0], [0, 1, 2]], [[2], [1]], 3)
    models = [
        evaluate(listed(name, lists), split, cutoffs=(1,)) for name, lists in (("als", [[2], [2]]), ("b", [[], []]))
    ]
    slices = slices_of(models, Cohort.of(split), k=1, split=split_summary, evaluate=EVALUATE)
    return built(models, metric="ndcg@1", evaluate=EVALUATE, slices=slices)


def test_slices_are_in_the_json_under_their_own_key(sliced):
    slices = json.loads(sliced.to_json())["slices"]
    assert slices["k"] == 1
    assert slices["user_activity"][0]["models"]["als"]["ndcg@1"]["mean"] == 0.5
    assert [row["slice"] for row in slices["item_popularity"]] == ["mid", "tail"]
    assert slices["new_users"] == {"pairs": 1203, "users": 320}


def test_markdown_shows_slices_by_the_metric_that_matters(sliced):
    page = render_markdown(sliced)
    assert "### By user activity\n\nndcg@1 by the number of distinct items in the history." in page
    assert "| 1 to 4 | 2 | 0.5000 (0.0000 to 1.0000) | 0.0000 (0.0000 to 0.0000) |" in page
    assert "| tail | 1 | 1 to 1 | 1 | 1.0000 | 0.0000 |" in page
    assert "320 new users with 1,203 held-out pairs, and 0 pairs with a new item." in page


def test_without_slices_there_is_no_section(report_of):
    report = report_of()
    assert json.loads(report.to_json())["slices"] is None
    assert "## Slices" not in render_markdown(report)


@pytest.fixture
def beside(report_of, record_of):
    """A report beside a serving version of which two users are shared."""

    def make(paired, not_paired=None):
        rows = np.arange(2, dtype=np.int32)
        kept = record_of({"ndcg@20": [0.5, 0.25]})
        serving = ServingComparison(kept, ServingVersion("v0123", {}, kept), rows, rows, paired, not_paired)
        return report_of(serving=serving, regressed=Regressions("serving", (Regressed(1.0, 0.5, PERSON),)))

    return make


PAIRED = {
    "coverage@20": Paired(0.5, Interval(-0.25, -0.3, -0.2)),
    "ndcg@20": Paired(0.25, Interval(0.125, 0.1, 0.15)),
}


def test_json_holds_the_differences_from_the_serving_version(beside):
    tree = json.loads(beside(PAIRED).to_json())
    assert tree["serving"] == {
        "version": "v0123", "because": None, "n_shared": 2, "not_paired": None,
        "before": {"coverage@20": 0.5, "ndcg@20": 0.25},
    }  # fmt: skip
    assert list(tree["differences"]) == ["als minus popular", "als minus serving"]
    assert tree["differences"]["als minus serving"] == {
        "ndcg@20": {"mean": 0.125, "low": 0.1, "high": 0.15, "users": 2},
        "coverage@20": {"mean": -0.25, "low": -0.3, "high": -0.2, "users": 2},
    }


def test_the_pages_show_the_differences_from_the_serving_version(beside):
    report = beside(PAIRED)
    page = render_markdown(report)
    assert "| metric | als minus popular | als minus serving |" in page
    assert "**+0.1250** (+0.1000 to +0.1500) |" in next(row for row in page.splitlines() if "| ndcg@20 | +" in row)
    assert next(row for row in page.splitlines() if "| recall@20 | +" in row).endswith("| - |")
    assert "| coverage@20 | +0.7300 | **-0.2500** (-0.3000 to -0.2000) |" in page
    for text in (page, html_of(report)):
        assert (
            "the serving version, v0123, on the 2 users evaluated for both. Each version is measured on the holdout"
            in text
        )
        assert "Users who lose most against the serving version, v0123" in text


def test_the_pages_say_why_there_is_nothing_to_pair(beside):
    report = beside({}, "only 2 users were evaluated for both")
    assert list(json.loads(report.to_json())["differences"]) == ["als minus popular"]
    for text in (render_markdown(report), html_of(report)):
        assert "the serving version, v0123: only 2 users were evaluated for both." in text


def test_where_nobody_lost_there_is_no_heading_over_nothing(report_of):
    page = render_markdown(report_of(regressed=Regressions("item_knn", ())))
    assert "lose most" not in page


@pytest.mark.parametrize(
    ("curve", "words"),
    [
        ((0.1, 0.2, 0.15, 0.1), "Trained for 2 iterations, after which ndcg@20 was best for 40 users"),
        (
            (0.1, 0.2),
            "Trained for 2 iterations, the most that model.iterations allows: ndcg@20 was best after the last one",
        ),
    ],
)
def test_a_fit_that_was_stopped_and_one_that_met_its_limit_are_told_apart(report_of, curve, words):
    measured_after = tuple(range(1, len(curve) + 1))
    stopping = Stopping(iterations=2, metric="ndcg@20", curve=curve, measured_after=measured_after, n_users=40)
    report = report_of(stopping=stopping)
    assert words in render_markdown(report)
    assert words in html_of(report)


def test_accuracy_is_shown_beside_coverage_by_popularity_exponent(report_of):
    points = tuple(TradeoffPoint.of(at / 10, 0.2 + at / 100, 0.6 - at / 20, float("nan")) for at in (-4, 0, 1))
    tradeoff = Tradeoff(metric="ndcg@20", n_users=1000, popularity_exponent=0.1, points=points)
    report = report_of(tradeoff=tradeoff)
    assert "| 0.1 (tonight) | 0.2100 | 0.5500 | - |" in render_markdown(report)
    assert "| -0.4 | 0.1600 | 0.8000 | - |" in render_markdown(report)
    page = html_of(report)
    assert '<tr class="first"><th scope="row">0.1 (tonight)</th><td>0.2100</td><td>0.5500</td><td>-</td></tr>' in page
    for words in (
        "for 1,000 users of a validation part",
        "model.popularity_exponent is 0.1 tonight",
        "--coverage-weight",
    ):
        assert words in render_markdown(report).replace("\\", "")
        assert words in page
    assert report_plots(report)["tradeoff"].count("ndcg@20 against coverage@20 by popularity exponent") == 1
    assert json.loads(report.to_json())["tradeoff"]["points"][2] == {
        "popularity_exponent": 0.1,
        "score": 0.21,
        "coverage": 0.55,
    }
    for page in (render_markdown(report_of()), html_of(report_of())):
        assert "(tonight)" not in page


def test_chosen_settings_are_shown_with_what_was_tried(report_of):
    tried = tuple(Attempt(settings={"factors": n, "alpha": 0.3}, score=n / 100, n_users=1234) for n in (16, 32))
    choice = Choice(metric="ndcg@20", settings={"factors": 32, "alpha": 0.3}, score=0.32, n_users=900, attempts=tried)
    for page in (render_markdown(report_of(choice=choice)), html_of(report_of(choice=choice))):
        assert "(ndcg@20 for 900 users), the best of 2 fits: factors 32, alpha 0.3" in page
        assert page.index("0.3200") < page.index("0.1600")
        assert "1,234" in page
    kept = choice.model_copy(update={"kept_from": "v7"})
    assert "those of v7, because none of 2 fits is clearly better" in render_markdown(report_of(choice=kept))
    ended = choice.model_copy(update={"ended_early": 1})
    stopping = Stopping(iterations=5, metric="ndcg@20", curve=(0.1,), measured_after=(1,), n_users=900)
    words = render_markdown(report_of(choice=ended, stopping=stopping))
    assert "ended this fit after one iteration, before the best number was known" in words
    assert "the model is trained for 5 iterations." in words
    assert "Trained for" not in words
    none = Choice(metric="ndcg@20", reason="no times")
    assert "have their defaults: no times." in render_markdown(report_of(choice=none))


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            SessionWeight(weight=5, metric="ndcg@20", n_users=1234, tried=(1, 5), scores=(0.1, 0.25), session_gap=60),
            "counts 5 times as much as one of the stored history. The session weight was tried on the newest sessions"
            " of 1,234 users of the train side, which end before a pause of more than 1m; ndcg@20 of the rest of each"
            " session by weight: 1: 0.1000, 5: 0.2500.",
        ),
        (SessionWeight(weight=1, metric="n@1", tried=(1,), scores=(0.1,)), "counts as much as one of the stored"),
        (SessionWeight(weight=1, metric="n@1", reason="no times"), "The session weight stays 1: no times."),
    ],
)
def test_how_the_session_weight_was_found_is_told(report_of, found, words):
    report = report_of(session_weight=found)
    assert words in render_markdown(report)
    assert words in html_of(report)
    assert json.loads(report.to_json())["session_weight"]["weight"] == found.weight


def test_visitors_have_a_table_in_every_page(report_of):
    means = dict.fromkeys(report_of().models, MeanOfVisitors(mean=0.4321, low=0.41, high=0.45))
    known = (VisitorsWithItems(n_known=1, n_visitors=1234, models=means),)
    report = report_of(visitors=VisitorsSummary(metric="ndcg@20", source="the first session", known=known))
    markdown, page = render_markdown(report), html_of(report)
    assert "| 1 | 1,234 | 0.4321 (0.4100 to 0.4500) |" in markdown
    for text in (markdown, page):
        assert "Known and to be found: the first session." in text
        assert "1,234" in text
    assert json.loads(report.to_json())["visitors"]["known"][0]["n_visitors"] == 1234
    assert "Visitors" not in render_markdown(report_of())


def test_new_items_that_are_measured_are_told(sliced, split_summary):
    measured = split_summary.model_copy(update={"counts": {"n_new_items": 5}, "dropped": {"new_user": 1203}})
    report = replace(sliced, provenance=replace(sliced.provenance, split=measured))
    for page in (render_markdown(report), html_of(report)):
        assert "320 with 1,203 held-out pairs. The 5 new items of the holdout are measured" in page
