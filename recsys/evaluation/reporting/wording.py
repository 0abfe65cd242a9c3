"""The sentences of the report, the same in every page."""

from collections.abc import Sequence

from recsys.config import duration_text
from recsys.evaluation.examples import SERVING
from recsys.evaluation.number_format import count, figure, percent
from recsys.evaluation.provenance import Continuity, SessionWeight
from recsys.evaluation.reporting.report import Report, utc_text
from recsys.evaluation.significance import MIN_TRUSTED_USERS

SPLITS = {
    "temporal": "The newest part of the log is held out",
    "last_n": "Each user's last items are held out",
    "held_out_users": "Some users are left out of training, and part of their items is to be predicted",
    "given": "The holdout is given as separate files",
}

COUNTS = {
    "n_train_events": "events in the training part",
    "n_train_users": "users in the training part",
    "n_train_items": "items in the training part: the catalogue that is ranked",
    "n_new_items": "items that are new in the holdout and measured (evaluate.new_items); no model can list them",
    "n_train_entries": "distinct user-item pairs in the training part",
    "n_holdout_events": "events held out",
    "n_holdout_pairs": "distinct user-item pairs held out",
    "n_holdout_users": "users held out",
    "n_holdout_entries": "relevant user-item pairs evaluated",
    "n_eval_users": "users evaluated",
}

NOTES = {
    "best": "Bold: the best, if higher is better. Coverage, novelty, diversity and popularity bias describe the"
    " lists; neither direction is better by itself.",
    "differences": "Mean difference on the same users. Bold: the interval excludes zero, so the difference is"
    " probably not chance.",
    "all_evaluated": "Every held-out pair is evaluated.",
    "not_evaluated": "Pairs and users of the holdout. A user counts under the reason for which the last of their"
    " pairs was left out.",
    "index": "Recall is measured against exact search, on vectors of the model that were not used for tuning.",
    "no_loss": "The training loss was not computed; model.log_loss = true turns it on.",
    "examples": "Evenly spaced among the evaluated users.",
    "stopping": "Measured on a part of the train side that this fit did not see. Training stops after the best"
    " iteration.",
    "tradeoff": "Less of it recommends more of the catalogue, and less popular items. `recsys tune CONFIG"
    " --coverage-weight W` moves along the curve on purpose: it searches for the best metric + W * coverage.",
    "loss": "Loss on the training data, over the whole log. Lower fits closer, which is not always better.",
}
"""Sentences without numbers, by what they are about."""

_NAMED_FILES = 5


def subject(report: Report) -> str | None:
    """Which version and which log the report is about; None if neither is known."""
    version = f"Version {report.version}." if report.version else None
    return " ".join(part for part in (version, _log_sentence(report)) if part) or None


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _log_sentence(report: Report) -> str | None:
    if (log := report.provenance.log) is None:
        return None
    more = len(log.files) - _NAMED_FILES
    names = ", ".join(log.files[:_NAMED_FILES]) + (f" and {count(more)} more" if more > 0 else "")
    newest = f", newest event {utc_text(log.newest)}" if log.newest is not None else ""
    strays = f" {_capital(log.stray_times.sentence())}." if log.stray_times else ""
    return f"Log: {names}{newest}, fingerprint {log.fingerprint[:12]}.{strays}"


def how_measured(report: Report, *, where: str) -> str:
    """How many users the means are over, and what the intervals are. `where`: how the page shows intervals."""
    intervals, n_users = report.intervals, report.n_users
    users = f"{count(n_users)} user{'' if n_users == 1 else 's'}"
    text = f"Means over {users}; {_ranked(report)}"
    if n_users < MIN_TRUSTED_USERS:
        text += " With so few users the values are not reliable."
    if intervals.samples:
        confidence, samples = percent(intervals.confidence), count(intervals.samples)
        text += f" {where} {confidence} intervals from {samples} resamples of the users."
    return text


def _ranked(report: Report) -> str:
    """Which items the measured lists could hold."""
    split = report.provenance.split
    if not split.exclude_seen:
        return (
            "all items are ranked, those that a user has seen too (evaluate.exclude_seen = false), and a seen item of"
            " the holdout is relevant. The service lists seen items of this version by default as well."
        )
    if split.seen_events:
        kinds = ", ".join(split.seen_events)
        return f"all items that a user has not seen are ranked; seen by {kinds} (log.seen_events)."
    return "all items outside a user's history are ranked."


def short_lists(report: Report) -> str | None:
    """Which models could not fill every list; None if all could."""
    short = [f"{name} ({count(n)})" for name, n in report.short_lists.items() if n]
    if not short:
        return None
    return f"Users with a list shorter than the largest cut-off: {', '.join(short)}. Empty places count as misses."


def tradeoff(report: Report) -> str | None:
    """Over whom accuracy and coverage were compared, and where the model stands; None if they were not."""
    if (found := report.provenance.tradeoff) is None:
        return None
    own = f"model.popularity_exponent is {found.popularity_exponent:g} tonight"
    users = f"{count(found.n_users)} users of a validation part of the train side"
    return f"Lists of the same vectors for {users}, under other values of the popularity exponent; {own}."


def baseline_settings(report: Report) -> str | None:
    """The settings that baselines found; None if none did."""
    parts = [
        f"{name}: {', '.join(f'{key} {value:g}' for key, value in settings.items())}"
        for name, settings in report.provenance.baseline_settings.items()
    ]
    return f"Chosen on the train side: {'; '.join(parts)}." if parts else None


def chosen_settings(report: Report) -> str | None:
    """Which settings were chosen for the model, on what and why; None if all were set."""
    if (choice := report.provenance.choice) is None:
        return None
    if choice.reason:
        return f"Settings that [model] does not set have their defaults: {choice.reason}."
    why = f"the best of {len(choice.attempts)} fits"
    if choice.kept_from:
        why = f"those of {choice.kept_from}, because none of {len(choice.attempts)} fits is clearly better"
    return (
        f"Settings that [model] does not set were chosen on a part of the train side ({choice.metric} for"
        f" {count(choice.n_users)} users), {why}: {choice.in_words()}.{_ended_early(report)}"
    )


def _ended_early(report: Report) -> str:
    """That the search had no work left to find the best number of iterations, if so."""
    stopping, choice = report.provenance.stopping, report.provenance.choice
    if stopping is None or choice is None or choice.ended_early is None:
        return ""
    return (
        f" The work of the search ended this fit after {_iterations(choice.ended_early)}, before the best number was"
        f" known: the model is trained for {_iterations(stopping.iterations)}. A higher model.auto_share allows more."
    )


def _iterations(number: int) -> str:
    return "one iteration" if number == 1 else f"{number} iterations"


def stopped_after(report: Report) -> str | None:
    """How many iterations were trained and how the number was found; None if it was set or chosen with the rest."""
    stopping, choice = report.provenance.stopping, report.provenance.choice
    if stopping is None or (choice and ("iterations" in choice.settings or choice.ended_early is not None)):
        return None
    iterations = _iterations(stopping.iterations)
    if stopping.reason:
        return f"Trained for {iterations} as set; the train side cannot be split again: {stopping.reason}."
    users = f"for {count(stopping.n_users)} users of a validation part of the train side"
    if stopping.measured_after[-1] == stopping.iterations:
        return (
            f"Trained for {iterations}, the most that model.iterations allows: {stopping.metric} was best after the"
            f" last one {users}."
        )
    return f"Trained for {iterations}, after which {stopping.metric} was best {users}."


def tied_to(training: Continuity) -> str | None:
    """How the published vectors are tied to the serving version; None if continuity is off."""
    if training.tied_to_none:
        return f"Fitted from scratch and tied to no version: {training.tied_to_none}."
    if training.aligned_to:
        why = f", because {training.not_warm}" if training.not_warm else ""
        return (
            f"Fitted from scratch{why}, then rotated towards {training.aligned_to}, which changes no list."
            f" {_cosine(training)}"
        )
    if training.started_from:
        return (
            f"The published vectors started from those of {training.started_from}. {_cosine(training)}"
            f" {_recall(training)} They are not the vectors that were evaluated: those of the serving version have"
            " seen the holdout, so the evaluation fits the same settings from scratch on the train side."
        )
    return None


def _cosine(training: Continuity) -> str:
    return (
        f"Mean cosine between an item's vectors before and after: {figure(training.mean_item_cosine)}; new:"
        f" {count(training.new_users or 0)} users, {count(training.new_items or 0)} items."
    )


def _recall(training: Continuity) -> str:
    now, before = figure(training.training_recall), figure(training.training_recall_before)
    return f"Recall@20 on the training data is {now}; it was {before} before."


def new_to_the_model(report: Report) -> str | None:
    """How much of the holdout is in no slice because it is not in training; None without slices."""
    if (slices := report.details.slices) is None:
        return None
    if report.provenance.split.kind == "held_out_users":
        return "Every evaluated user is new to the model and known only by the given part of their items."
    users, items = slices.new_users, slices.new_items
    measured = report.provenance.split.counts.get("n_new_items", 0)
    if not users.pairs and not items.pairs and not measured:
        return "No user and no item of the holdout was new."
    if measured:
        return (
            f"New users are in no slice, because training did not know them: {count(users.users)} with"
            f" {count(users.pairs)} held-out pairs. The {count(measured)} new items of the holdout are measured"
            " (evaluate.new_items); they are in the tail."
        )
    return (
        f"New users and new items are in no slice, because training did not know them: {count(users.users)} new users"
        f" with {count(users.pairs)} held-out pairs, and {count(items.pairs)} pairs with a new item."
    )


def neighbours(report: Report) -> str | None:
    """From how many users the weights of neighbours were learned if not from all, or that there are none."""
    if (learned := report.provenance.neighbours) is None:
        return None
    nothing = learned.nothing_came()
    return learned.sampled() if nothing is None else f"{nothing[0].upper()}{nothing[1:]}."


def session_weight(report: Report) -> str | None:
    """What the session weight is and how it was found; None if it was set."""
    if (found := report.provenance.session_weight) is None:
        return None
    if found.reason:
        return f"The session weight stays 1: {found.reason}."
    tried = ", ".join(f"{weight:g}: {figure(score)}" for weight, score in zip(found.tried, found.scores, strict=True))
    times = "as much as" if found.weight == 1 else f"{found.weight:g} times as much as"
    return (
        f"In a request, an item of the events counts {times} one of the stored history. The session weight was tried"
        f" on the newest sessions of {count(found.n_users)} users of the train side{_pause(found)}; {found.metric} of"
        f" the rest of each session by weight: {tried}."
    )


def _pause(found: SessionWeight) -> str:
    gap = found.session_gap
    return "" if gap is None else f", which end before a pause of more than {duration_text(gap)}"


def visitors(report: Report) -> str | None:
    """Who the visitors are and how they are measured; None if none were."""
    if (visitors := report.provenance.visitors) is None:
        return None
    return (
        f"{visitors.metric} of the lists for people of whom only a few items are known. Known and to be found:"
        f" {visitors.source}. Every model has only the known items, also of people whose other items it was trained"
        " on; the others of these items are to be found."
    )


def beside_serving(report: Report) -> str | None:
    """How far the new version could be compared with the serving one on the same users; None if none serves."""
    if (serving := report.judgement.serving) is None:
        return None
    name = f"the serving version, {serving.serving.version}"
    if serving.log_differs:
        return f"{(serving.not_paired or '').capitalize()}."
    if because := serving.serving.because:
        name = f"{serving.serving.version} and not with the serving version, because {because}"
    if serving.not_paired:
        return f"Not compared on the same users with {name}: {serving.not_paired}."
    return (
        f"Compared with {name}, on the {count(serving.n_shared)} users evaluated for both. Each version is measured"
        " on the holdout of its day, so part of a change may come from what these users did since."
    )


def losing_users(report: Report) -> str | None:
    """The heading over the users who lose most; None if there are none."""
    regressed, serving = report.details.regressed, report.judgement.serving
    if regressed is None or not regressed.users:
        return None
    other = regressed.against
    if other == SERVING and serving is not None:
        which = "serving" if serving.serving.because is None else "earlier"
        other = f"the {which} version, {serving.serving.version}"
    return f"Users who lose most against {other}"


def titles(shown: Sequence[str], n: int) -> str:
    """The shown titles of `n`, and the number of further ones."""
    more = f" and {count(n - len(shown))} more" if n > len(shown) else ""
    return ("; ".join(shown) or "nothing") + more
