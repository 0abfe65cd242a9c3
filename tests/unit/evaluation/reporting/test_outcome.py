"""The few sentences that a night ends with."""

import numpy as np
import pytest

from recsys.config import EvaluateConfig
from recsys.evaluation.gates import Gate
from recsys.evaluation.outcome import Outcome, Statement
from recsys.evaluation.provenance import Choice, LogSource, SplitSummary
from recsys.evaluation.reporting.pages import render_html, render_markdown

EVALUATE = EvaluateConfig(cutoffs=(20,), bootstrap=50)
DAY = 86_400
PASSED = (Gate("g", True, "fine"),)
FOUND = np.repeat([1.0, 0.0], [51, 49])
SPLIT = SplitSummary(kind="temporal", cut=20_000 * DAY, counts={}, dropped={}, dropped_users={})
LOG = LogSource(fingerprint="f", files=("log.csv",), newest=20_028 * DAY)


@pytest.fixture
def report_of(evaluation_of, built):
    def make(lead=0.1, *, found=FOUND, gates=PASSED, **parts):
        ndcg = np.linspace(0.2, 0.4, len(found))
        models = [
            evaluation_of("als", {"ndcg@20": ndcg, "hit_rate@20": found}, coverage_at_20=0.5),
            evaluation_of(
                "popular",
                {"ndcg@20": ndcg - lead, "hit_rate@20": np.roll(found, 1) * (np.arange(len(found)) < 41)},
                coverage_at_20=0.25,
            ),
        ]
        return built(
            models, metric="ndcg@20", evaluate=EVALUATE, gates=gates, **{"split": SPLIT, "log": LOG, **parts}
        )

    return make


def test_the_headline_is_for_a_shop_manager(report_of):
    assert report_of().outcome.headline == (
        "51 % of users found an item they later took among the first 20; with the most popular items for everybody it"
        " would be 40 % (100 users, holdout 2024-10-04 to 2024-11-01)"
    )


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (np.zeros(40), "0 % of users"),
        (np.ones(40), "100 % of users"),
        (np.repeat([1.0, 0.0], [1, 399]), "less than 1 % of users"),
        (np.repeat([1.0, 0.0], [399, 1]), "99 % of users"),
        (np.ones(1), "(1 user, holdout 2024-10-04 to 2024-11-01: too few to rely on)"),
    ],
)
def test_shares_are_not_rounded_to_all_or_none(report_of, found, said):
    assert said in report_of(found=found).outcome.headline


@pytest.mark.parametrize(
    ("kind", "said"),
    [("held_out_users", "kept from the model"), ("given", "of the given holdout"), ("last_n", "they later took")],
)
def test_the_headline_says_what_was_found(report_of, kind, said):
    assert said in report_of(split=SPLIT.model_copy(update={"kind": kind, "cut": None})).outcome.headline


@pytest.mark.parametrize(
    ("lead", "light", "said"),
    [
        (0.1, "good", "als is better than popular, the best baseline: ndcg@20 0.3000 against 0.2000 (diff"),
        (-0.1, "attention", "popular is better than als: ndcg@20 0.4000 against 0.3000 (difference 0.1000, 95"),
    ],
)
def test_how_the_model_stands_beside_the_best_baseline(report_of, lead, light, said):
    outcome = report_of(lead).outcome
    (standing,) = outcome.statements
    assert (outcome.light, standing.light, standing.text.startswith(said)) == (light, light, True)
    assert standing.text.endswith(
        ", coverage@20 " + ("0.5000 against 0.2500" if light == "good" else "0.2500 against 0.5000")
    )
    assert ("recsys tune" in (standing.remedy or "")) is (light == "attention")


@pytest.mark.parametrize(
    ("model", "choice", "said"),
    [
        ({"auto": True, "neighbours": 100}, Choice(metric="ndcg@20"), "`recsys tune"),
        (
            {"auto": True, "neighbours": 100},
            None,
            "leave settings of [model] out: the night then chooses them; or `rec",
        ),
        ({"auto": False, "neighbours": 0}, None, "set model.auto = true and leave the other settings of [model] out"),
        ({"auto": True, "neighbours": 0}, Choice(metric="ndcg@20"), "set model.neighbours = 50; or `recsys tune"),
        ({"auto": True, "neighbours": 0}, Choice(metric="ndcg@20", settings={"neighbours": 0}), "`recsys tune"),
    ],
)
def test_the_remedy_names_what_is_off(report_of, model, choice, said):
    (standing,) = report_of(-0.1, settings={"model": model}, choice=choice).outcome.statements
    assert (standing.remedy or "").startswith(said)


@pytest.mark.parametrize("lead", [0.0, np.tile([0.3, -0.31], 50), np.tile([0.31, -0.3], 50)])
def test_a_difference_that_may_be_chance_is_not_mentioned(report_of, lead):
    outcome = report_of(lead).outcome
    assert (outcome.light, outcome.statements) == ("good", ())


def test_the_most_serious_sentence_gives_the_icon_of_every_page(report_of):
    for gates, notes, light, symbol in (
        ((Gate("g", True, "fine"),), (), "good", "✓"),
        ((Gate("g", True, "fine"),), (Statement(light="attention", text="a note"),), "attention", "⚠"),
        ((Gate("g", False, "worse"),), (Statement(light="attention", text="a note"),), "bad", "✗"),
        ((), (), "good", "✓"),
    ):
        report = report_of(gates=gates, notes=notes)
        assert (report.outcome.light, report.outcome.symbol) == (light, symbol)
        assert render_markdown(report).splitlines()[2].startswith(f"**{symbol} ")
        assert f'<section class="verdict {light}">\n<p><b>{symbol}</b>' in render_html(report)
        for statement in report.outcome.statements:
            assert f"<b>{statement.symbol}</b> {statement.text}" in render_html(report)


def test_what_refuses_comes_with_one_command_and_what_was_accepted_is_said(report_of):
    gates = (
        Gate("users", False, "few users"),
        Gate("events", False, "no purchases", accepted=True),
        Gate("newest_event", True, "it stands still", warning=True),
        Gate("catalogue", False, "ten items"),
        Gate("items", True, "fine"),
    )
    statements = [each for each in report_of(gates=gates).outcome.statements if each.light != "good"]
    assert [(each.light, each.text) for each in statements] == [
        ("bad", "few users"),
        ("bad", "ten items"),
        ("attention", "accepted on purpose: no purchases"),
        ("attention", "it stands still"),
    ]
    remedies = [each.remedy for each in statements if each.remedy]
    assert remedies == [
        "if all of this is meant to be so: `recsys publish CONFIG --accept users,events,catalogue` accepts it once"
    ]


def test_it_is_read_back_from_its_json(report_of):
    outcome = report_of(-0.1, gates=(Gate("g", False, "worse"),)).outcome
    assert Outcome.model_validate_json(outcome.model_dump_json()) == outcome
