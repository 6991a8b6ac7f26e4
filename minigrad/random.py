"""Random numbers: generators that one seeds, and the one that is used where none is given.

Numbers are drawn on the host, in float64, and then rounded and uploaded: the same seed gives the
same numbers on every device and in every dtype.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from minigrad.errors import ArgumentError


class Generator:
    """A stream of random numbers of its own.

    Arguments:
        seed: a non-negative integer; None takes one from the operating system.

    >>> g = Generator(0)
    >>> g.normal((2,)).round(3)
    array([ 0.126, -0.132])
    """

    def __init__(self, seed: int | None = None) -> None:
        self.numpy = np.random.default_rng(None if seed is None else _checked_seed(seed))
        self.seed = seed

    def manual_seed(self, seed: int) -> Generator:
        """Start again from `seed`; returns the generator, as in PyTorch."""
        self.numpy = np.random.default_rng(_checked_seed(seed))
        self.seed = seed
        return self

    def fork(self, path: str) -> Generator:
        """A generator for the part of a network called `path`, independent of all others.

        It depends on this generator's seed and on the name alone, so adding a layer does not
        change what the other layers draw.

        >>> Generator(0).fork("layers.3").normal((1,)) == Generator(0).fork("layers.3").normal((1,))
        array([ True])
        """
        if self.seed is None:
            self.manual_seed(int(self.numpy.integers(2**63)))
        words = [int(self.seed or 0), *path.encode()]
        child_seed = np.random.SeedSequence(words).generate_state(2)
        return Generator(int(child_seed[0]) << 32 | int(child_seed[1]))

    def normal(self, shape: Sequence[int], mean: float = 0.0, std: float = 1.0) -> np.ndarray:
        """Normal numbers, float64, of the given shape."""
        return self.numpy.normal(mean, std, tuple(shape))

    def uniform(self, shape: Sequence[int], low: float = 0.0, high: float = 1.0) -> np.ndarray:
        """Uniform numbers in [low, high), float64, of the given shape."""
        return self.numpy.uniform(low, high, tuple(shape))

    def integers(self, shape: Sequence[int], low: int, high: int) -> np.ndarray:
        """Integers in [low, high), int64, of the given shape."""
        return self.numpy.integers(low, high, tuple(shape))

    def permutation(self, n: int) -> np.ndarray:
        """The numbers 0 to n-1 in random order, int64."""
        return self.numpy.permutation(n)


def _checked_seed(seed: Any) -> int:
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise ArgumentError(f"seed: must be a non-negative integer, got {seed!r}")
    return int(seed)


@cache
def _default() -> Generator:
    # Made when first needed: NumPy loads its random module late, too.
    return Generator()


def manual_seed(seed: int) -> Generator:
    """Seed the generator that is used where none is given, and return it.

    >>> import minigrad as mg
    >>> _ = mg.manual_seed(0)
    >>> a = mg.randn(3)
    >>> _ = mg.manual_seed(0)
    >>> bool((a == mg.randn(3)).all())
    True
    """
    return _default().manual_seed(seed)


def generator_or_default(generator: Generator | None) -> Generator:
    """The generator that a function was given, or the default one.

    Raises:
        ArgumentError: something else, such as a seed.
    """
    if generator is None:
        return _default()
    if not isinstance(generator, Generator):
        raise ArgumentError(
            f"generator must be a Generator, got {generator!r}; make one with a seed, "
            "mg.Generator(0)"
        )
    return generator
