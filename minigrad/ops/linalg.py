"""Linear algebra under the names of `numpy.linalg`, batched and differentiable: `mg.linalg`.

Each function says where its derivative comes from. Rules of other operations reach these as
`xp.linalg.inv` and so on.
"""

from minigrad.ops.factorizations import cholesky, eigh, qr, svd
from minigrad.ops.norms import norm
from minigrad.ops.solving import det, inv, slogdet, solve

__all__ = ["cholesky", "det", "eigh", "inv", "norm", "qr", "slogdet", "solve", "svd"]
