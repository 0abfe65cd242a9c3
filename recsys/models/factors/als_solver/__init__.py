"""Alternating least squares in compiled code of our own, for objectives that implicit does not have.

Rows are solved by conjugate gradient in the basis in which the Gram matrix of the other side is diagonal.
Import `fit` late, because it imports numba.
"""
