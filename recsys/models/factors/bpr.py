"""BPR: matrix factorisation that learns to rank; implicit supplies the solver."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from implicit.cpu.bpr import BayesianPersonalizedRanking
from implicit.recommender_base import ModelFitError

from recsys.data.arrays import Floats
from recsys.data.matrix import InteractionMatrix, presence
from recsys.errors import ModelError
from recsys.models.factors.embedding_recommender import rows_of, search_known
from recsys.models.factors.implicit_input import check_solvable, writeable
from recsys.models.recommender import Queries
from recsys.progress import Progress, silent
from recsys.retrieval.exact import ExactSearch
from recsys.retrieval.search import ItemSearch
from recsys.retrieval.topk import TopK


@dataclass(frozen=True, eq=False)
class BprRecommender:
    """Ranks items by their inner product with a trained user's vector, plus the item's bias.

    `users`: float32 (n_users, d + 1), ones in the last column. `search` holds the items' vectors with their biases
    in the last column. A user without entries in training has a vector of zeros, so that the biases alone speak.
    """

    users: Floats
    search: ItemSearch
    name: str = "bpr"

    @staticmethod
    def fit(
        matrix: InteractionMatrix,
        *,
        factors: int = 128,
        learning_rate: float = 0.05,
        regularization: float = 0.005,
        iterations: int = 100,
        seed: int = 1,
        progress: Progress = silent,
    ) -> "BprRecommender":
        """Learn to rank what a user used above what they did not, by stochastic gradient descent.

        Maximised is the sum over users u, items i used and j not used of log sigmoid(x_u . (y_i - y_j) + b_i - b_j),
        minus `regularization` times the squares of what is learned; an iteration draws as many triples as there are
        entries. How much a user did with an item does not count.
        implicit draws j in proportion to n_j, its users, where the paper draws uniformly. What it learns is then
        preference relative to popularity, log(p(i|u) / n_i), so log n_i is added to b_i.
        One thread: with more, which of them writes last decides, and no two fits are the same.
        Rendle, Freudenthaler, Gantner, Schmidt-Thieme, "BPR: Bayesian Personalized Ranking from Implicit Feedback"
        (2009). Raises DataError where `matrix` is not canonical, ModelError where it is empty or too large, or the
        vectors come out other than finite.
        """
        check_solvable("bpr", matrix.csr)
        solver = BayesianPersonalizedRanking(
            factors=factors,
            learning_rate=learning_rate,
            regularization=regularization,
            iterations=iterations,
            num_threads=1,
            random_state=seed,
        )

        def after_iteration(iteration: int, *_: Any) -> None:
            progress("bpr", iteration + 1, iterations)

        try:
            solver.fit(writeable(presence(matrix.csr)), show_progress=False, callback=after_iteration)
        except ModelFitError as error:
            raise ModelError(
                f"bpr: the vectors are not finite; learning rate {learning_rate:g} is too large"
            ) from error
        users, items = (np.ascontiguousarray(each, np.float32) for each in (solver.user_factors, solver.item_factors))
        items[:, -1] += np.log(np.maximum(np.bincount(matrix.csr.indices, minlength=matrix.n_items), 1))
        return BprRecommender(users, ExactSearch(items))

    def recommend(self, queries: Queries, k: int) -> TopK:
        """The k best items of each query outside its history.

        Raises ModelError for a `user_idx` out of range, or for users that training never saw: a vector is learned
        with all the others, and not made from a history.
        """
        if queries.user_idx is None:
            raise ModelError(f"{self.name}: knows the users it was trained on and nobody else")
        return search_known(self.search, rows_of(self.users, queries.user_idx, name=self.name), queries.history, k)
