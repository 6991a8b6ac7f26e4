"""Two tasks that a recurrent network solves only if it carries something over many steps.

Both have a loss that is known in advance for a network that remembers nothing, so a curve that
stays there says that nothing was learned.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from minigrad.errors import ArgumentError
from minigrad.nn.arguments import check_count
from minigrad.random import Generator, generator_or_default


def adding_problem(
    n: int, length: int, generator: Generator | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Two numbers of a sequence are marked: what is their sum?

    Each step has a number, uniform in [0, 1), and a mark, which is 1 at one step of the first
    half and at one of the second half, and else 0. Always answering 1 has a mean squared error
    of 1/6 = 0.167, the variance of the sum: that is what remembering nothing gives.

    Arguments:
        n: number of sequences.
        length: number of steps, at least 2.
        generator: where the numbers come from; by default the generator that `mg.manual_seed`
            seeds.

    Returns:
        x, float32 of shape (n, length, 2): number and mark (for a layer with batch_first=True);
        y, float32 of shape (n, 1).

    Raises:
        ArgumentError: n below 1, or length below 2.

    Source: Hochreiter & Schmidhuber (1997), experiment 4, as in Le, Jaitly & Hinton (2015).

    >>> import minigrad as mg
    >>> x, y = mg.data.adding_problem(5, 100, generator=mg.Generator(0))
    >>> bool(abs((x[..., 0] * x[..., 1]).sum(axis=1) - y[:, 0]).max() < 1e-6)
    True
    """
    check_count("adding_problem", "n", n)
    if check_count("adding_problem", "length", length) < 2:
        raise ArgumentError("adding_problem: length must be at least 2, one step for each mark")
    g = generator_or_default(generator)
    numbers, marks = g.uniform((n, length)), np.zeros((n, length))
    half = length // 2
    rows = np.arange(n)
    marks[rows, g.integers((n,), 0, half)] = 1
    marks[rows, g.integers((n,), half, length)] = 1
    x = np.stack([numbers, marks], axis=2).astype(np.float32)
    y = (x[..., :1] * x[..., 1:]).sum(axis=1)
    return x, y


def copy_problem(
    n: int,
    delay: int,
    symbols: int = 8,
    count: int = 10,
    generator: Generator | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Symbols come, then nothing for a while, then a signal: which symbols were they?

    The input has `count` symbols 0 to symbols - 1, then delay - 1 blanks, the signal, and count
    blanks. The target is blank up to the signal, and then the symbols in their order. Blank is
    the number `symbols`, the signal symbols + 1. Remembering nothing gives a mean cross-entropy
    of count * log(symbols) / (delay + 2 * count).

    Arguments:
        n: number of sequences.
        delay: steps from the last symbol to the signal, at least 1.
        symbols: number of different symbols.
        count: how many are to be remembered.
        generator: where the symbols come from; by default the generator that `mg.manual_seed`
            seeds.

    Returns:
        x, int64 of shape (n, delay + 2 * count), in symbols + 2 classes: for `nn.Embedding`, or
        `mg.one_hot`; y, of the same shape, in symbols + 1 classes.

    Raises:
        ArgumentError: a number below 1.

    Source: Hochreiter & Schmidhuber (1997), in the form of Arjovsky, Shah & Bengio (2016).

    >>> import minigrad as mg
    >>> x, y = mg.data.copy_problem(1, delay=3, symbols=2, count=2, generator=mg.Generator(0))
    >>> x.tolist(), y.tolist()
    ([[1, 1, 2, 2, 3, 2, 2]], [[2, 2, 2, 2, 2, 1, 1]])
    """
    for name, value in {"n": n, "delay": delay, "symbols": symbols, "count": count}.items():
        check_count("copy_problem", name, value)
    told = generator_or_default(generator).integers((n, count), 0, symbols)
    x = np.full((n, delay + 2 * count), symbols)
    y = x.copy()
    x[:, :count] = told
    x[:, count + delay - 1] = symbols + 1
    y[:, -count:] = told
    return x, y
