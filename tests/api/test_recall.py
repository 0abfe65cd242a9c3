"""Lists of an approximate index, checked while they are served: what the metric says is what a slow count says."""

import asyncio
import logging
import os
import sys
import threading
import time
import weakref

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp
from prometheus_client.parser import text_string_to_metric_families

from api.engines.recall import NICENESS, RecallCheck, RecallSampler, RunningRecall
from api.metrics import Metrics
from api.settings import Settings
from api.stores.model_watch import ModelWatch
from recsys.artifacts.bundle import seal_bundle
from recsys.artifacts.contents import Contents
from recsys.artifacts.manifest import VersionFacts
from recsys.artifacts.registry import Registry
from recsys.data.confidence import fit_confidence
from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.engine import Answer, Engine, Question, Ranked
from recsys.models.factors.als import AlsConfig
from recsys.models.factors.als_model import AlsModel
from recsys.models.factors.embeddings import Embeddings
from recsys.progress import silent
from recsys.retrieval.approximate_index import SearchParameters, build_approximate
from recsys.retrieval.exact import normalised
from recsys.retrieval.families.registry import FAMILIES
from recsys.retrieval.flat_index import build_index

N_USERS, N_ITEMS, FACTORS = 40, 4_000, 16
LITTLE, ALL = SearchParameters(8, 1), SearchParameters(N_ITEMS, N_ITEMS)
"""Four of 256 cells, of sixteen items each; every item."""

MOST = "price > 0.1"
"""What so many pass that the index is asked, not their vectors."""

USERS, ITEMS = [f"u{number:04}" for number in range(N_USERS)], [f"i{number:04}" for number in range(N_ITEMS)]
LISTS = [f"/v1/users/{user}/recommendations" for user in USERS]
PATIENCE = 30.0


def publish(store, effort, *, seed=1):
    """A catalogue too large for little effort, published with an index of that `effort`, None for an exact one."""
    rng = np.random.default_rng(seed)
    seen = sp.random(N_USERS, N_ITEMS, density=0.001, format="csr", rng=rng, dtype=np.float32)
    users, items = (rng.normal(size=(n, FACTORS)).astype(np.float32) for n in (N_USERS, N_ITEMS))
    users[-1] = 0
    embeddings = Embeddings(users, items, np.ones(N_ITEMS, np.float32))
    ids = IdMap.of(ITEMS)[0]

    def index(vectors):
        exact = build_index(vectors)
        return (
            build_approximate(FAMILIES["ivf_sq8"], exact, seed=1, progress=silent).with_parameters(effort)
            if effort
            else exact
        )

    manifest = seal_bundle(
        store,
        Contents(
            users=IdMap.of(USERS)[0],
            items=Items(ids, pa.table({"price": np.linspace(0, 1, N_ITEMS)})),
            model=AlsModel(embeddings, fit_confidence(seen, AlsConfig()), 30.0, ()),
            history=seen,
            popularity=np.ones(N_ITEMS, np.float32),
            index=index(embeddings.scoring_items),
            similar=index(normalised(items)),
        ),
        VersionFacts(
            config={"model": {"factors": FACTORS}},
            log={"fingerprint": "f" * 64},
            verdict="published",
        ),
    )
    Registry(store).publish(manifest.version)
    return manifest.version


@pytest.fixture(scope="module")
def hasty(tmp_path_factory):
    """A store whose index looks at little; nobody changes it."""
    store = tmp_path_factory.mktemp("hasty")
    publish(store, LITTLE)
    return store


@pytest.fixture
def start_eager(start):
    """Start a service that checks every list, each as soon as the one before it is checked."""
    return lambda store: start(Settings(store=store, recall_sample=1), recall_core_share=1)


def figures(service):
    """The samples about recall: name and labels to value."""
    families = text_string_to_metric_families(service.get("/metrics").text)
    samples = [sample for family in families for sample in family.samples if "_recall" in sample.name]
    return {(it.name.removeprefix("recsys_recall_"), *it.labels.values()): it.value for it in samples}


def threads():
    """The threads of all watches, those of services of other tests too."""
    return {thread for thread in threading.enumerate() if thread.name.startswith("recall")}


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def listed(service, paths, of="recommendations"):
    """The ids of each list, asked for one by one, each checked before the next."""
    lists = []
    for path in paths:
        reply = service.get(path)
        lists.append([item["item_id"] for item in reply.json()["items"]])
        wait_for(lambda: figures(service)["checks_total", of, "done"] == len(lists))
    return lists


def best(scores, left_out, k=10):
    """The ids of the k best outside `left_out`, by sorting all."""
    scores = scores.astype(np.float64)
    scores[left_out] = -np.inf
    return {ITEMS[at] for at in np.argsort(-scores, kind="stable")[:k]}


def assert_counted(found, of, lists, exact):
    hits = sum(len(true.intersection(ours)) for ours, true in zip(lists, exact, strict=True))
    wanted = sum(map(len, exact))
    assert 0 < hits < wanted
    assert (found["found_total", of], found["wanted_total", of]) == (hits, wanted)
    assert found["recsys_recall", of] == pytest.approx(hits / wanted)


@pytest.mark.parametrize("condition", [None, MOST])
def test_the_metric_is_the_recall_that_sorting_all_scores_finds(start_eager, hasty, condition):
    service = start_eager(hasty)
    bundle = Registry(hasty).load((hasty / "CURRENT").read_text().strip())
    fails = np.flatnonzero(np.linspace(0, 1, N_ITEMS) <= 0.1) if condition else np.array([], int)
    k = 4 if condition else 10
    query = f"?k={k}" + (f"&filter={condition}" if condition else "")
    lists = listed(service, [path + query for path in LISTS[:20]])
    vectors = bundle.model.embeddings
    exact = [
        best(vectors.items @ vectors.users[user], [*bundle.history[user].indices, *fails], k) for user in range(20)
    ]
    assert_counted(figures(service), "recommendations", lists, exact)
    assert figures(service)["checks_total", "similar_items", "done"] == 0


def test_similar_items_are_checked_too(start_eager, hasty):
    service = start_eager(hasty)
    vectors = normalised(Registry(hasty).load((hasty / "CURRENT").read_text().strip()).model.embeddings.items)
    lists = listed(service, [f"/v1/items/{item}/similar" for item in ITEMS[:20]], of="similar_items")
    exact = [best(vectors @ vectors[item], [item]) for item in range(20)]
    found = figures(service)
    assert_counted(found, "similar_items", lists, exact)
    assert ("recsys_recall", "recommendations") not in found


def test_an_index_that_finds_all_has_a_recall_of_one(start_eager, tmp_path):
    publish(tmp_path, ALL)
    service = start_eager(tmp_path)
    assert ("recsys_recall", "recommendations") not in figures(service)
    listed(service, LISTS[:5])
    assert figures(service)["recsys_recall", "recommendations"] == 1
    assert figures(service)["wanted_total", "recommendations"] == 50


def test_every_list_of_a_batch_has_its_turn(start, hasty):
    """While the first is checked, and its rest lasts, the others are skipped: each is counted."""
    service = start(Settings(store=hasty, recall_sample=1))
    body = {"requests": [{"user_id": user, "explain": True} for user in USERS[:6]]}
    assert service.send("POST", "/v1/recommendations:batch", json=body).status_code == 200
    wait_for(lambda: figures(service)["checks_total", "recommendations", "done"])
    found = figures(service)
    assert sum(value for (name, *_), value in found.items() if name == "checks_total") == 6


def test_an_exact_index_is_not_checked(start, tmp_path):
    publish(tmp_path, None)
    service = start(Settings(store=tmp_path, recall_sample=1))
    assert all(service.get(path).status_code == 200 for path in (LISTS[0], "/v1/items/i0001/similar"))
    found = figures(service)
    assert {of: found["recsys_recall", of] for of in ("recommendations", "similar_items")} == {
        "recommendations": 1,
        "similar_items": 1,
    }
    assert not any(value for (name, *_), value in found.items() if name == "checks_total")


def test_fallbacks_are_not_checked(start_eager, hasty):
    """Neither of strangers nor of those of whom the model knows nothing: no search was asked."""
    service = start_eager(hasty)
    for path in ("/v1/users/stranger/recommendations", LISTS[-1]):
        assert service.get(path).json()["user"]["status"] == "fallback"
    listed(service, LISTS[:1])
    assert sum(value for (name, *_), value in figures(service).items() if name == "checks_total") == 1


def test_without_a_share_nothing_is_checked(start, hasty):
    before = threads()
    service = start(Settings(store=hasty, recall_sample=0))
    service.get_together(LISTS)
    found = figures(service)
    assert not any(found.values())
    assert ("recsys_recall", "recommendations") not in found
    assert threads() <= before


class Sampler(RecallSampler):
    """Samples every check, and knows what it counted."""

    def __init__(self, share=1.0, **options):
        self.metrics = Metrics()
        super().__init__(share, self.metrics, **options)

    def counted(self):
        """How many checks were done, skipped, failed."""
        families = text_string_to_metric_families(self.metrics.exposition(None).decode())
        samples = [it for family in families for it in family.samples if it.name == "recsys_recall_checks_total"]
        return [
            sum(it.value for it in samples if it.labels["result"] == result)
            for result in ("done", "skipped", "failed")
        ]


@pytest.fixture
def sampler():
    """One whose checks follow on each other without a pause."""
    sampler = Sampler(core_share=1)
    yield sampler
    sampler.close()


def check(ask_exactly, recall=None):
    """A list of a and b, and how to find it exactly."""
    return RecallCheck("similar_items", answer("a", "b"), ask_exactly, recall or RunningRecall(is_exact=False))


def answer(*ids):
    items = tuple(Ranked(item_id, 1.0, at, None) for at, item_id in enumerate(ids, 1))
    return Answer(model_version="v0", requested=len(ids), items=items)


def test_about_the_share_of_lists_that_is_asked_for_has_its_turn():
    """Nothing is checked while the first check waits, so that turns are done, skipped, and nothing else."""
    sampler, go_on = Sampler(0.25, draw=np.random.default_rng(1).random), threading.Event()
    for _ in range(4_000):
        sampler.offer(check(lambda: go_on.wait(PATIENCE) and answer("a")))
    go_on.set()
    sampler.close()
    assert 900 < sum(sampler.counted()) < 1_100
    assert sampler.counted()[0] == 1


def test_what_is_offered_while_another_is_checked_is_skipped(sampler):
    begun, go_on, recall = threading.Event(), threading.Event(), RunningRecall(is_exact=False)

    def slow():
        begun.set()
        assert go_on.wait(PATIENCE)
        return answer("a", "c", "d")

    sampler.offer(check(slow, recall))
    assert begun.wait(PATIENCE)
    sampler.offer(check(lambda: answer("a"), recall))
    assert sampler.counted() == [0, 1, 0]
    go_on.set()
    wait_for(lambda: sampler.counted() == [1, 1, 0])
    assert recall.share == pytest.approx(1 / 3)
    sampler.offer(check(lambda: answer("b"), recall))
    wait_for(lambda: sampler.counted() == [2, 1, 0])
    assert recall.share == pytest.approx(2 / 4)


def test_after_a_check_there_is_none_for_49_times_the_processor_time_it_took():
    clock, taken = [1000.0], iter([5.0, 5.5, 7.0, 7.0, 8.0, 8.0])
    sampler = Sampler(clock=lambda: clock[0], processor_time=lambda: next(taken))
    for passed, expected in ((0, [1, 0, 0]), (24.4, [1, 1, 0]), (0.2, [2, 1, 0]), (0, [3, 1, 0])):
        clock[0] += passed
        sampler.offer(check(lambda: answer("a")))
        wait_for(lambda expected=expected: sampler.counted() == expected)


def test_a_check_that_fails_is_logged_once_and_no_request_hears_of_it(start_eager, hasty, caplog, monkeypatch):
    def fail(_):
        raise MemoryError("no room")

    service = start_eager(hasty)
    with monkeypatch.context() as broken:
        broken.setattr(Engine, "with_exact_search", fail)
        for count, path in enumerate(LISTS[:3], start=1):
            assert service.get(path).status_code == 200
            wait_for(lambda n=count: figures(service)["checks_total", "recommendations", "failed"] == n)
    (line,) = [record for record in caplog.records if record.name == "api.engines.recall"]
    assert (line.levelno, "no room" in caplog.text) == (logging.ERROR, True)
    assert figures(service)["wanted_total", "recommendations"] == 0
    listed(service, LISTS[:1])


def test_a_replaced_version_leaves_memory_after_its_last_check_and_counts_for_itself(
    tmp_path, sampler, monkeypatch, without_collector
):
    """The check of the old version's list goes on when the new one has taken over."""
    publish(tmp_path, LITTLE, seed=2)
    begun, go_on = threading.Event(), threading.Event()
    with_exact_search = Engine.with_exact_search

    def slow(engine):
        begun.set()
        assert go_on.wait(PATIENCE)
        return with_exact_search(engine)

    recalls, bundles, load = [], [], Registry.load

    def offer(offered):
        recalls.append(offered.recall)
        sampler.offer(offered)

    def load_and_note(*given):
        bundle = load(*given)
        bundles.append(weakref.ref(bundle))
        return bundle

    monkeypatch.setattr(Engine, "with_exact_search", slow)
    monkeypatch.setattr(Registry, "load", load_and_note)
    models = ModelWatch(tmp_path, sampler.metrics, offer_check=offer)
    models.refresh()
    asyncio.run(models.engine.ask(Question(user_id=USERS[0])))
    assert begun.wait(PATIENCE)
    served = weakref.ref(models.engine)
    publish(tmp_path, LITTLE, seed=3)
    models.refresh()
    assert bundles[0]() is not None
    go_on.set()
    wait_for(lambda: served() is None and bundles[0]() is None)
    assert sampler.counted() == [1, 0, 0]
    assert recalls[0].share is not None
    assert models.engine.serving_model.recall["recommendations"] is None


def test_the_service_stops_after_the_check_under_way_and_takes_no_other(sampler):
    begun, go_on, before = threading.Event(), threading.Event(), threads()
    sampler.offer(check(lambda: begun.set() or (go_on.wait(PATIENCE) and answer("a"))))
    assert begun.wait(PATIENCE)
    closing = threading.Thread(target=sampler.close)
    closing.start()
    assert closing.is_alive()
    go_on.set()
    closing.join(PATIENCE)
    assert sampler.counted() == [1, 0, 0]
    assert threads() < before
    sampler.offer(check(lambda: answer("a")))
    assert sampler.counted() == [1, 1, 0]


def test_stopping_the_application_stops_the_thread(start, hasty):
    before = threads()
    service = start(Settings(store=hasty, recall_sample=1))
    begun = threads() - before
    assert len(begun) == 1
    service.stop()
    assert not threads() & begun


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no priority of a thread")
def test_the_thread_that_checks_yields_but_is_not_starved_while_it_holds_pythons_lock():
    found = []

    def ask_exactly():
        found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return answer("a", "b")

    sampler = RecallSampler(1.0, Metrics())
    sampler.offer(check(ask_exactly))
    sampler.close()
    ours = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    assert found == [min(19, ours + NICENESS)]
    assert 0 < NICENESS <= 5
