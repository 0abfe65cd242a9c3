"""What a report says in words, the same in every form of it."""

from collections.abc import Iterator, Mapping
from typing import Any

from recsys.evaluation.definitions import DEFINITIONS
from recsys.evaluation.gates import REFUSED
from recsys.evaluation.number_format import count, figure, percent
from recsys.evaluation.regressed import SERVING
from recsys.evaluation.significance import MIN_TRUSTED_USERS

Tree = Mapping[str, Any]
"""As `Report.tree`."""

VERDICTS = {"accepted": "Accepted: this version may serve.", "refused": "Refused: the serving version stays."}
FIRST_REFUSED = "Refused: no version serves yet, and this one may not."
NOT_JUDGED = "Not judged yet: the gates decide when a version is published."

SPLITS = {
    "temporal": "The newest part of the log is held out",
    "last_n": "Each user's last items are held out",
    "held_out_users": "Some users are never trained on, and part of their items is to be predicted",
    "given": "The held-out part came as files of its own",
}

COUNTS = {
    "n_train_events": "events in the training part",
    "n_train_users": "users in the training part",
    "n_train_items": "items in the training part: the catalogue that is ranked",
    "n_train_entries": "distinct user-item pairs in the training part",
    "n_holdout_events": "events held out",
    "n_holdout_pairs": "distinct user-item pairs held out",
    "n_holdout_users": "users held out",
    "n_holdout_items": "items held out",
    "n_holdout_entries": "relevant user-item pairs evaluated",
    "n_eval_users": "users evaluated",
    "n_eval_items": "relevant items evaluated",
}


def verdict_sentence(tree: Tree) -> str:
    """What the verdict means for the store."""
    if tree["verdict"] == REFUSED and tree["serving"] is None:
        return FIRST_REFUSED
    return VERDICTS.get(tree["verdict"], NOT_JUDGED)


def whose_report(tree: Tree) -> str | None:
    """Which version the report is of, and which log; None where neither is known."""
    told = (f"Version {tree['version']}." if tree["version"] else None, _of_log(tree))
    return " ".join(part for part in told if part) or None


def _of_log(tree: Tree) -> str | None:
    if (log := tree["log"]) is None:
        return None
    names = ", ".join(log["files"][:_NAMED]) + (
        f" and {count(more)} more" if (more := len(log["files"]) - _NAMED) > 0 else ""
    )
    newest = f", newest event {log['newest']}" if log["newest"] else ""
    return f"Of the log {names}{newest}, fingerprint {log['fingerprint'][:12]}."


_NAMED = 5


def ahead_of_the_model(tree: Tree) -> Iterator[str]:
    """A sentence for every baseline that is clearly better by the metric that matters."""
    model, metric, confidence = tree["model"], tree["metric"], percent(tree["intervals"]["confidence"])
    for name in tree["models"]:
        entry = tree["differences"].get(f"{model} minus {name}", {}).get(metric, {})
        if entry.get("high", 0) < 0:
            lead, least, most = (figure(-entry[bound]) for bound in ("mean", "high", "low"))
            yield f"{name} is ahead of {model} on {metric} by {lead} ({confidence} interval {least} to {most})"


def how_measured(tree: Tree, intervals_are: str) -> str:
    """Over whom the figures are means, and what the intervals are; `intervals_are` says where to see them."""
    intervals = tree["intervals"]
    n_users = tree["n_users"]
    users = f"{count(n_users)} user{'' if n_users == 1 else 's'}"
    text = f"Means over {users}; every item that is not in a user's history is ranked."
    if n_users < MIN_TRUSTED_USERS:
        text += " So few users are not to be trusted."
    if intervals["samples"]:
        confidence, samples = percent(intervals["confidence"]), count(intervals["samples"])
        text += f" {intervals_are} {confidence} intervals from {samples} resamples of the users."
    return text


def short_lists(tree: Tree) -> str | None:
    """Which models could not fill every place, None where all did."""
    short = [f"{name} ({count(n)})" for name, n in tree["short_lists"].items() if n]
    if not short:
        return None
    return f"Lists shorter than the largest cut-off, by users: {', '.join(short)}. Missing places are misses."


def stopped_after(tree: Tree) -> str | None:
    """How many iterations were trained, and how that was found; None where the number was simply set."""
    if not (stopping := tree["stopping"]):
        return None
    iterations = "one iteration" if stopping["iterations"] == 1 else f"{stopping['iterations']} iterations"
    if stopping["reason"]:
        return f"Trained for {iterations} as set; the train side cannot be cut once more: {stopping['reason']}."
    metric, users = stopping["metric"], count(stopping["n_users"])
    among = f"among {users} users of a validation part of the train side"
    if len(stopping["curve"]) == stopping["iterations"]:
        limit = "as many as model.iterations allows"
        return f"Trained for {iterations}, {limit}: {metric} was best after the last {among}."
    return f"Trained for {iterations}: the number after which {metric} was best {among}."


def tied_to(tree: Tree) -> str | None:
    """What ties the published vectors to those that serve; None where nothing was to."""
    training = tree["training"]
    if untied := training.get("tied_to_none"):
        return f"Fitted anew and tied to no version: {untied}."
    if version := training.get("aligned_to"):
        why = f", because {training['not_warm']}" if "not_warm" in training else ""
        return f"Fitted anew{why}; then turned towards {version}, which changes no list. {_how_near(training)}"
    if version := training.get("started_from"):
        return (
            f"The published vectors set out from those of {version}. {_how_near(training)} {_how_well(training)}"
            " They are not the ones that were evaluated: those of the serving version have seen the holdout, so for"
            " the evaluation the same settings were fitted anew, on the train side alone."
        )
    return None


def _how_near(training: Mapping[str, Any]) -> str:
    return (
        f"Mean cosine between an item's vector then and now: {figure(training['mean_item_cosine'])}; new:"
        f" {count(training['new_users'])} users, {count(training['new_items'])} items."
    )


def _how_well(training: Mapping[str, Any]) -> str:
    now, before = (figure(training[f"training_recall@20{when}"]) for when in ("", "_before"))
    return f"Of what users are known by they find {now} in 20 places (recall on the training data), {before} before."


def new_to_the_model(tree: Tree) -> str:
    """What the slices cannot show: users and items that training did not know."""
    if tree["split"]["kind"] == "held_out_users":
        return "Every evaluated user is new to the model, and known by the given part of their items alone."
    users, items = tree["slices"]["new_users"], tree["slices"]["new_items"]
    if not users["pairs"] and not items["pairs"]:
        return "Nobody and nothing in the holdout was new to the training part."
    return (
        f"New users and new items are in no slice, because training knew nothing of them: {count(users['users'])} new"
        f" users with {count(users['pairs'])} held-out pairs, and {count(items['pairs'])} pairs with a new item."
    )


def beside_serving(tree: Tree) -> str | None:
    """How far the version that serves could be compared on the same users; None where none serves."""
    if (serving := tree["serving"]) is None:
        return None
    name = f"the serving version, {serving['version']}"
    if serving["not_paired"]:
        return f"Not compared on the same users with {name}: {serving['not_paired']}."
    return (
        f"Compared with {name}, on the {count(serving['n_shared'])} users evaluated for both, each version on the"
        " holdout of its day: part of a change may come from what these users did since."
    )


def against(tree: Tree) -> str:
    """Whom the users who lose most lose against."""
    name = str(tree["regressed"]["against"])
    return f"the serving version, {tree['serving']['version']}" if name == SERVING else name


def is_compared(metric: str) -> bool:
    """Whether a difference in `metric` is worth a row: where higher is better, and in coverage."""
    return is_judged(metric) or metric.startswith("coverage@")


def is_judged(metric: str) -> bool:
    """Whether higher is better in `metric` ("recall@20"), so that a best one can be marked."""
    return DEFINITIONS[metric.split("@")[0]].better == "higher"


def by_cutoff(tree: Tree) -> dict[int, list[str]]:
    """Cut-off to its metrics, both in order."""
    metrics = tree["models"][tree["model"]]
    cutoffs = sorted({int(metric.split("@")[1]) for metric in metrics})
    return {k: [metric for metric in metrics if metric.endswith(f"@{k}")] for k in cutoffs}
