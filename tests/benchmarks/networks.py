"""What is trained: a network by its sizes, its first weights and its data, from a seed.

Every contender builds the same case from here, in a process of its own, so that all start from
the same numbers and must arrive at the same loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

FEATURES, CLASSES = 64, 10

# Small, so that a race of some thousand steps stays where training is. A batch learned by heart
# has gradients so small that the processor handles them slowly.
LEARNING_RATE = {"adam": 1e-5, "sgd": 1e-3}


@dataclass(frozen=True)
class Case:
    """A network and how it is trained.

    Attributes:
        depth: number of linear layers.
        width: units of each but the last, which has a unit per class.
        activation: "tanh" or "relu", after each layer but the last.
        optimizer: "adam" or "sgd".
        norm: None, "batch" or "layer": what stands between a layer and its activation.
        batch: rows of the input.
    """

    depth: int
    width: int
    activation: str = "tanh"
    optimizer: str = "adam"
    norm: str | None = None
    batch: int = 64

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """(inputs, outputs) of each linear layer."""
        return list(pairwise([FEATURES, *[self.width] * (self.depth - 1), CLASSES]))

    @property
    def lr(self) -> float:
        return LEARNING_RATE[self.optimizer] * 32 / self.width


def weights(case: Case) -> list[np.ndarray]:
    """Float32 of shape (outputs, inputs) per layer: Xavier uniform for tanh, He for ReLU."""
    rng = np.random.default_rng(0)
    arrays = []
    for n_in, n_out in case.sizes:
        variance = 2 / (n_in + n_out) if case.activation == "tanh" else 2 / n_in
        bound = (3 * variance) ** 0.5
        arrays.append(rng.uniform(-bound, bound, (n_out, n_in)).astype(np.float32))
    return arrays


def data(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Inputs, float32 of shape (batch, 64), and classes, integers from 0 to 9."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(case.batch, FEATURES)).astype(np.float32)
    return x, rng.integers(0, CLASSES, case.batch)


@dataclass(frozen=True)
class SmallOp:
    """z = tanh(x*y + x) on a few elements, forward and backward: what bookkeeping costs."""

    elements: int = 8

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        x, y = np.random.default_rng(0).normal(size=(2, self.elements)).astype(np.float32)
        return x, y
