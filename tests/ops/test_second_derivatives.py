"""First and second derivatives of the products and of linear algebra, by numerical derivative.

The elementwise, folding, shaping and indexing operations are checked the same way from the table
in `cases`.
"""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad.ops import linalg

MATRIX, ROW = (3, 3), (3,)


def symmetric(f):
    """Factorizations of symmetric matrices take any matrix here, made symmetric and positive."""
    return lambda a: f(a @ a.mT + mg.tensor(np.eye(3)))


FUNCTIONS = {
    "matmul": (lambda a, b: a @ b, (2, 3), (3, 2)),
    "matmul, vectors": (lambda a, b: a @ b, ROW, ROW),
    "matmul, batch": (lambda a, b: a @ b, (2, 1, 2, 3), (3, 2)),
    "dot": (mg.dot, (2, 3), (3, 2)),
    "inner": (mg.inner, (2, 3), (2, 3)),
    "outer": (mg.outer, ROW, (2,)),
    "tensordot": (lambda a, b: mg.tensordot(a, b, ((0, 2), (1, 0))), (2, 1, 3), (3, 2)),
    "einsum": (lambda a, b: mg.einsum("ij,kj->ik", a, b), (2, 3), (2, 3)),
    "einsum, diagonal": (lambda a, b: mg.einsum("ii,i->", a, b), MATRIX, ROW),
    "kron": (mg.kron, (2, 1), (2, 2)),
    "trace": (lambda a: mg.trace(a) ** 2, MATRIX),
    "diag": (lambda a: mg.diag(a) * mg.diag(a), ROW),
    "inv": (linalg.inv, MATRIX),
    "solve": (linalg.solve, MATRIX, (3, 2)),
    "solve, vector": (linalg.solve, MATRIX, ROW),
    "det": (linalg.det, MATRIX),
    "slogdet": (lambda a: linalg.slogdet(a)[1], MATRIX),
    "cholesky": (symmetric(linalg.cholesky), MATRIX),
    "qr, tall": (lambda a: mg.concatenate(linalg.qr(a)), (4, 3)),
    "qr, wide": (lambda a: mg.concatenate(linalg.qr(a), axis=1), (2, 3)),
    "svd, values": (lambda a: linalg.svd(a, full_matrices=False)[1], (3, 2)),
    # The signs of the vectors are free; products with themselves are not.
    "svd, vectors": (lambda a: linalg.svd(a, full_matrices=False)[0] ** 2, (3, 2)),
    "eigh, values": (symmetric(lambda a: linalg.eigh(a)[0]), MATRIX),
    "eigh, vectors": (symmetric(lambda a: linalg.eigh(a)[1] ** 2), MATRIX),
    "norm": (linalg.norm, ROW),
    "norm, 3": (lambda a: linalg.norm(a, 3), ROW),
    "norm, nuclear": (lambda a: linalg.norm(a, "nuc"), MATRIX),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_first_and_second_derivatives(name):
    function, *shapes = FUNCTIONS[name]
    rng = np.random.default_rng(5)
    inputs = [mg.tensor(rng.normal(size=s) + np.eye(*s) if s == MATRIX else rng.normal(size=s),
                        requires_grad=True) for s in shapes]  # fmt: skip
    assert mg.gradcheck(function, inputs)
    assert mg.gradgradcheck(function, inputs)
