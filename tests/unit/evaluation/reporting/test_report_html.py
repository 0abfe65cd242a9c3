import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from recsys.config import EvaluateConfig
from recsys.data.cleaning import CleaningSummary
from recsys.data.ingest.accounting import RowCounts
from recsys.evaluation.evaluator import evaluate
from recsys.evaluation.examples import Example, Listed, Regressed, Regressions
from recsys.evaluation.gates import Gate
from recsys.evaluation.provenance import IndexSummary
from recsys.evaluation.reporting import pages
from recsys.evaluation.reporting.pages import render_html
from recsys.evaluation.results import Cohort
from recsys.evaluation.slices import slices_of

EVALUATE = EvaluateConfig(cutoffs=(1, 2), bootstrap=30)
BAD = "<script>alert(1)</script>\"'&amp;"
VOID = {"meta", "br", "wbr", "img", "input", "link", "hr"}


class Page(HTMLParser):
    """A page taken apart; complains where tags do not close in their order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text, self.open, self.tags, self.attributes, self.words = text, [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data.strip())

    def values(self, name):
        return [value for _, key, value in self.attributes if key == name]

    @property
    def shown(self):
        return " ".join(filter(None, self.words))


@pytest.fixture(scope="module")
def models(split_of, listed):
    split = split_of([[0, 1], [0], [0, 2], [0, 1]], [[2, 3], [1], [3]], 4)
    lists = {"als": [[2, 3], [1, 2], [1]], "popular": [[2], [1, 2], [1]]}
    vectors = np.eye(4, dtype=np.float32)
    evaluations = [
        evaluate(listed(name, answers), split, cutoffs=(1, 2), item_vectors=vectors)
        for name, answers in lists.items()
    ]
    return evaluations, Cohort.of(split)


@pytest.fixture(scope="module")
def page_of(models, built, split_summary):
    evaluations, cohort = models

    def make(only_als=False, **parts):
        shown, evaluate = evaluations[: 1 if only_als else 2], parts.pop("evaluate", EVALUATE)
        slices = slices_of(shown, cohort, k=2, split=split_summary, evaluate=evaluate)
        return Page(render_html(built(shown, metric="ndcg@2", evaluate=evaluate, **{"slices": slices, **parts})))

    return make


@pytest.fixture(scope="module")
def full(page_of):
    person = Example(
        user_id=BAD, history=(BAD, "C"), n_history=12, relevant=("D",), n_relevant=1,
        lists={"als": (Listed(BAD, True), Listed("E", False)), "popular": ()},
    )  # fmt: skip
    return page_of(
        gates=(Gate("beats_popular", True, "als beats popular"), Gate("no_metric_drop", False, f"fell {BAD}")),
        losses=(3.0, 2.0, 1.5),
        index=IndexSummary.model_validate({"kind": "exact", "recall@100": 0.99871}),
        cleaning=CleaningSummary(5000, 4900, 4500, {"user_above_max_events": 100}, 4100, 900),
        ingest=RowCounts(rows_read=5200, accepted=5000, refused={"missing_user": 150}, merged=50),
        settings={"workspace": BAD, "log": {"event_weights": {"view": 1.0}}, "index": {"recall_target": 0.99}},
        examples=(person,), regressed=Regressions("popular", (Regressed(1.0, 0.25, person),)),
    )  # fmt: skip


def test_nothing_comes_from_elsewhere_and_nothing_runs(full):
    assert not {"script", "link", "iframe", "img", "object", "base"} & set(full.tags)
    assert full.values("src") == []
    assert all(value.startswith("#") for value in full.values("href"))
    assert not [name for _, name, _ in full.attributes if name.startswith("on")]
    assert set(re.findall(r"url\(([^)]*)\)", full.text)) == set(re.findall(r"url\((#[^)]*)\)", full.text))
    assert "http:" not in full.text
    assert "https:" not in full.text
    assert "@import" not in full.text
    assert "default-src 'none'" in full.text


def test_every_name_is_there_once_and_every_link_leads_to_one(full):
    names = full.values("id")
    assert len(set(names)) == len(names)
    targets = [value[1:] for value in full.values("href")] + re.findall(r"url\(#([^)]*)\)", full.text)
    assert set(targets) <= set(names)


def test_foreign_text_is_shown_and_never_run(full):
    assert "<script" not in full.text
    assert full.shown.count("<script>alert(1)</script>") == 8
    assert "workspace = " in full.shown


def test_the_verdict_comes_first_then_the_sections_in_their_order(full):
    assert full.shown.index(
        "Refused: this version may not be published, and no other one serves yet."
    ) < full.shown.index("Means over 3 users")
    headings = re.findall(r"<h2>(.*?)</h2>", full.text)
    assert headings == [
        "Models", "Slices", "Training and index", "Data", "Lists of some users",
        "Users who lose most against popular", "Settings",
    ]  # fmt: skip
    assert full.shown.index("✗ fell") < full.shown.index("1 of 2 gates passed ✓ als beats popular")


def test_the_metric_that_matters_leads_every_table(full):
    firsts = [re.search(r'<th scope="row">(.*?)</th>', table)[1] for table in full.text.split("<table>")[1:5]]
    assert firsts == ["ndcg@2", "ndcg@2", "recall@1", "ndcg@2"]
    assert full.text.count("<details><summary>All metrics") == 2


def test_figures_carry_their_interval_and_the_best_is_bold(full, models):
    (als, popular), _ = models
    row = re.search(r'<tr class="first">.*?</tr>', full.text, re.DOTALL)[0]
    means = [each.means()["ndcg@2"] for each in (als, popular)]
    assert means[0] > means[1]
    assert re.findall(r"<td>(<b>)?([\d.]+)", row) == [("<b>", f"{means[0]:.3f}"), ("", f"{means[1]:.3f}")]
    assert len(re.findall(r"<small>[\d.]+–[\d.]+</small>", row)) == 2


def test_there_is_a_plot_for_everything_measured(full, page_of):
    labels = full.values("aria-label")
    assert [label for label in labels if label != "Sections"] == [
        "ndcg@2 of every model", "Paired differences in ndcg@2", "ndcg@2 against coverage@2",
        "ndcg@2 by user activity", "recall@2 by item popularity", "Training loss by iteration",
    ]  # fmt: skip
    bare = page_of(only_als=True, slices=None)
    assert len(bare.values("aria-label")) == 1 + 2
    assert "model.log_loss = true turns it on" in bare.shown


def test_what_was_left_out_is_accounted_for(full):
    assert "the user's id is empty, or one of log.null_ids 150 2.88 %" in full.shown
    assert "merged into an equal row 50 0.96 %" in full.shown
    assert "kept 5,000 96.15 %" in full.shown
    assert "the user has more events than prepare.max_user_events 100 2 %" in full.shown
    assert "so no model knows them 1,203 320" in full.shown


def test_people_are_shown_with_their_lists(full):
    assert f"History: {BAD}; C and 10 more".replace("&amp;", "&amp;") in full.shown
    assert re.search(r'<li class="hit">&lt;script', full.text)
    assert "ndcg@2 0.250 instead of 1.00" in full.shown


def test_a_bare_report_says_so_and_shows_nothing_empty(page_of):
    page = page_of(only_als=True, slices=None, evaluate=EvaluateConfig(cutoffs=(1, 2), bootstrap=0))
    assert "Not judged yet" in page.shown
    for absent in ("Slices", "Index", "Lists of", "lose most", "All differences", "resamples", "None"):
        assert absent not in page.shown


def test_the_same_report_is_the_same_page(page_of):
    assert page_of().text == page_of().text


def test_light_dark_and_print_know_every_colour():
    css = (Path(pages.__file__).parent / "report.css").read_text(encoding="utf-8")
    light, dark, paper = (
        set(re.findall(r"(--[\w-]+):", block)) for block in re.findall(r":root \{(.*?)\}", css, re.S)
    )
    assert light == dark == paper
    drawn = Path(pages.__file__).with_name("plots.py").read_text(encoding="utf-8")
    assert set(re.findall(r"var\((--[a-z]+)\)", css + drawn)) <= light
    assert len([name for name in light if name.startswith("--series-")]) == 6
