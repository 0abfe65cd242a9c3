"""Candidates: items chosen elsewhere, in the order of a user's scores."""

from collections.abc import Iterator

import numpy as np

from recsys.artifacts.bundle import Bundle
from recsys.data.arrays import Indices
from recsys.data.items import Items
from recsys.engine.answers import ITEMS_WITHOUT_VECTOR, UNKNOWN_ITEMS, Candidate, CandidateAnswer
from recsys.engine.new_items import NewItems
from recsys.engine.question import Question
from recsys.engine.ranking import Ranker
from recsys.engine.user_profiles import UserProfile


def order_candidates(
    question: Question,
    profile: UserProfile,
    *,
    known: Indices,
    unknown: tuple[str, ...],
    ranker: Ranker,
    bundle: Bundle,
    new: NewItems,
) -> CandidateAnswer:
    """The items at `known`, int32 (m,), by their scores for the user of `question`, then the ids that are `unknown`.

    Scores are those of recommendations; in a fallback, popularities. Known items that cannot be scored, because they
    have no learned vector, stand between the two. No item is left out, seen ones neither.
    """
    scorable = ranker.can_list(profile.vector, known)
    scored, unscored = known[scorable], known[~scorable]
    scores = ranker.scores(profile.vector, scored, counts=profile.counts_row(len(bundle.items.ids)))
    order = np.lexsort((scored, -scores))
    positions = np.concatenate([scored[order], unscored])
    unknown_items = tuple(dict.fromkeys((*profile.unknown_items, *unknown)))
    counts = ((UNKNOWN_ITEMS, len(unknown_items)), (ITEMS_WITHOUT_VECTOR, len(unscored)))
    return CandidateAnswer(
        model_version=bundle.manifest.version,
        user_id=question.user_id,
        user_status=profile.status,
        items=(
            *_known(
                positions,
                [*scores[order].tolist(), *[None] * len(unscored)],
                ranker=ranker,
                items=bundle.items,
                new=new,
            ),
            *(Candidate(it, None, rank, None, False, False) for rank, it in enumerate(unknown, len(positions) + 1)),
        ),
        warnings=(*(warning.format(n) for warning, n in counts if n), *profile.warnings),
        unknown_items=unknown_items,
    )


def _known(
    positions: Indices, scores: list[float | None], *, ranker: Ranker, items: Items, new: NewItems
) -> Iterator[Candidate]:
    """The known candidates in their order."""
    told = (ranker.has_vector(positions).tolist(), new.mask[positions].tolist())
    for rank, (at, score, has_vector, is_new) in enumerate(zip(positions.tolist(), scores, *told, strict=True), 1):
        yield Candidate(items.ids.id_at(at), score, rank, items.title(at), True, has_vector, is_new or None)
