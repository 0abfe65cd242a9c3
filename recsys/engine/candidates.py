"""Candidates: items chosen elsewhere, in the order of a user's scores."""

import numpy as np

from recsys.artifacts.bundle import Bundle
from recsys.data.arrays import Indices
from recsys.engine.answers import ITEMS_WITHOUT_VECTOR, UNKNOWN_ITEMS, Candidate, CandidateAnswer, ranked
from recsys.engine.question import Question
from recsys.engine.ranking import Ranker
from recsys.engine.user_profiles import UserProfile


def order_candidates(
    question: Question,
    profile: UserProfile,
    known: Indices,
    unknown: tuple[str, ...],
    *,
    ranker: Ranker,
    bundle: Bundle,
) -> CandidateAnswer:
    """The items at `known`, int32 (m,), by their scores for the user of `question`, then the ids that are `unknown`.

    Scores are those of recommendations; in a fallback, popularities. Known items that cannot be scored, because they
    have no learned vector, stand between the two. No item is left out, seen ones neither.
    """
    scorable = ranker.can_list(profile.vector, known)
    scored, unscored = known[scorable], known[~scorable]
    scores = ranker.scores(profile.vector, scored)
    order = np.lexsort((scored, -scores))
    first = ranked(bundle.items, scored[order], scores[order])
    have_vectors = ranker.has_vector(np.concatenate([scored[order], unscored])).tolist()
    entries = [
        *((it.item_id, it.score, it.title, True) for it in first),
        *((bundle.items.ids.id_at(at), None, bundle.items.title(at), True) for at in unscored.tolist()),
        *((item_id, None, None, False) for item_id in unknown),
    ]
    items = tuple(
        Candidate(item_id, score, rank, title, known=is_known, has_vector=has_vector)
        for rank, ((item_id, score, title, is_known), has_vector) in enumerate(
            zip(entries, [*have_vectors, *(False for _ in unknown)], strict=True), start=1
        )
    )
    unknown_items = tuple(dict.fromkeys((*profile.unknown_items, *unknown)))
    counts = ((UNKNOWN_ITEMS, len(unknown_items)), (ITEMS_WITHOUT_VECTOR, len(unscored)))
    return CandidateAnswer(
        model_version=bundle.manifest.version,
        user_id=question.user_id,
        user_status=profile.status,
        items=items,
        warnings=(*(warning.format(n) for warning, n in counts if n), *profile.warnings),
        unknown_items=unknown_items,
    )
