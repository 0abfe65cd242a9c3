"""Alternating least squares in compiled code of our own, for objectives that implicit does not have.

Rows are solved by conjugate gradient in the basis in which the Gram matrix of the other side is diagonal.
"""

from recsys.models.factors.als_solver.fit import OnIteration, Vectors, minimise
from recsys.models.factors.als_solver.prior import ItemPrior

__all__ = ["ItemPrior", "OnIteration", "Vectors", "minimise"]
