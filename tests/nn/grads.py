"""Parameters with gradients that were drawn, for tests of what is done to gradients."""

from __future__ import annotations

import numpy as np

import minigrad as mg

SHAPES = [(4, 3), (4,), (), (2, 3, 2), (0,), (3, 0)]


def parameters(rng: np.random.Generator, scale: float = 1.0, dtype: type = np.float64) -> list:
    """Parameters of all shapes, two of them empty, and one without a gradient."""
    made = [mg.tensor(rng.normal(size=s).astype(dtype), requires_grad=True) for s in SHAPES]
    for p in made:
        p.grad = mg.tensor(np.asarray(scale * rng.normal(size=p.shape), dtype=dtype))
    return [*made, mg.ones(2, requires_grad=True, dtype=dtype)]


def flat(ps: list) -> np.ndarray:
    """All gradients as one vector."""
    return np.concatenate([p.grad.data.ravel() for p in ps if p.grad is not None])
