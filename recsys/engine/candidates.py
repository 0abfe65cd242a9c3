"""Candidates: items that somebody else chose, in a person's order."""

import numpy as np

from recsys.artifacts.bundle import Bundle
from recsys.data.arrays import Indices
from recsys.engine.answers import Candidate, CandidateAnswer, ranked
from recsys.engine.list_warnings import UNKNOWN_ITEMS
from recsys.engine.ranking import Ranker
from recsys.engine.user_profiles import UserProfile

MAX_CANDIDATES = 10_000
"""The most items that are put in order at once."""


def order_candidates(
    person: UserProfile, known: Indices, unknown: tuple[str, ...], *, ranker: Ranker, bundle: Bundle
) -> CandidateAnswer:
    """The items at `known`, int32 (m,), by their scores for `person`, then the ids that are `unknown`.

    Scores are those of recommendations; of somebody of whom nothing is known, popularities. Nothing is left out,
    what was seen neither.
    """
    scores = ranker.scores(person.vector, known)
    order = np.lexsort((known, -scores))
    placed = ranked(bundle.items, known[order], scores[order])
    first = [Candidate(it.item_id, it.score, it.rank, it.title, known=True) for it in placed]
    last = [
        Candidate(item_id, None, rank, None, known=False)
        for rank, item_id in enumerate(unknown, start=len(first) + 1)
    ]
    named = tuple(dict.fromkeys((*person.unknown_items, *unknown)))
    warnings = (*((UNKNOWN_ITEMS.format(len(named)),) if named else ()), *person.warnings)
    return CandidateAnswer(bundle.manifest.version, person.status, (*first, *last), warnings, named)
