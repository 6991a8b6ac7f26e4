"""Data from a formula, as much of it as one wants: a random teacher, spirals, exclusive or.

All return x, float32 of shape (n, features), and y; the same generator seed, the same numbers.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigrad.errors import ArgumentError
from minigrad.nn.arguments import check_count
from minigrad.random import Generator, generator_or_default

Pair = tuple[NDArray[np.float32], NDArray[Any]]


def teacher(
    n: int,
    in_features: int = 20,
    out_features: int = 1,
    hidden: int = 32,
    task: str = "regression",
    noise: float = 0.0,
    generator: Generator | None = None,
) -> Pair:
    """Inputs with the answers of a random network, which another network is to learn.

        x ~ N(0, 1),  t = tanh(x W1^T / sqrt(in_features)) W2^T / sqrt(hidden),  W ~ N(0, 1)

    Arguments:
        n: number of examples.
        in_features, out_features, hidden: sizes of the teacher.
        task: "regression": y = t + noise, float32 of shape (n, out_features); or
            "classification": y = argmax of that, int64 of shape (n,).
        noise: its standard deviation; t itself has about 0.6.
        generator: where all numbers come from; by default the generator that `mg.manual_seed`
            seeds. The teacher is drawn first, so with one seed any n has the same teacher.

    Raises:
        ArgumentError: a size below 1, an unknown task, or classification with one output.

    Source: the setting of Gardner & Derrida (1989).

    >>> import minigrad as mg
    >>> x, y = mg.data.teacher(100, generator=mg.Generator(0))
    >>> x.shape, y.shape
    ((100, 20), (100, 1))
    """
    sizes = {"n": n, "in_features": in_features, "out_features": out_features, "hidden": hidden}
    for name, size in sizes.items():
        check_count("teacher", name, size)
    if task not in ("regression", "classification"):
        raise ArgumentError(f"teacher: unknown task {task!r}; use regression or classification")
    if task == "classification" and out_features < 2:
        raise ArgumentError("teacher: classification needs out_features of at least 2, one a class")
    _check_noise("teacher", noise)
    g = generator_or_default(generator)
    w1 = g.normal((hidden, in_features)) / math.sqrt(in_features)
    w2 = g.normal((out_features, hidden)) / math.sqrt(hidden)
    x = g.normal((n, in_features)).astype(np.float32)
    answers = np.tanh(x @ w1.T) @ w2.T + g.normal((n, out_features), 0.0, noise)
    if task == "classification":
        return x, answers.argmax(axis=1)
    return x, answers.astype(np.float32)


def spirals(
    n: int,
    classes: int = 2,
    turns: float = 1.0,
    noise: float = 0.0,
    generator: Generator | None = None,
) -> Pair:
    """Points on spirals that wind around each other, one spiral a class.

        point = r (cos a, sin a),   a = 2 pi (turns r + class / classes),   0 < r <= 1

    Arguments:
        n: number of points; the classes get equally many, to one.
        classes: number of spirals.
        turns: how often each winds around the middle.
        noise: standard deviation of what is added to both coordinates.
        generator: where the noise comes from; by default the generator that `mg.manual_seed`
            seeds.

    Returns:
        x of shape (n, 2), from the middle outwards, and y, the class, int64 of shape (n,).

    Raises:
        ArgumentError: a size below 1, or fewer points than classes.

    Source: after the two spirals of Lang & Witbrock (1988).

    >>> import minigrad as mg
    >>> x, y = mg.data.spirals(6, classes=3)
    >>> y
    array([0, 1, 2, 0, 1, 2])
    """
    check_count("spirals", "n", n)
    check_count("spirals", "classes", classes)
    if n < classes:
        raise ArgumentError(f"spirals: {n} points are too few for {classes} classes")
    _check_noise("spirals", noise)
    y = np.arange(n) % classes
    radius = (np.arange(n) // classes + 1) / math.ceil(n / classes)
    angle = 2 * math.pi * (turns * radius + y / classes)
    x = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    x = x + generator_or_default(generator).normal((n, 2), 0.0, noise)
    return x.astype(np.float32), y


def xor(n: int = 4, noise: float = 0.0, generator: Generator | None = None) -> Pair:
    """Exclusive or: class 1 where exactly one of two inputs is 1. No single line parts the two.

    Arguments:
        n: number of examples; they go round the four corners (0, 0), (0, 1), (1, 0), (1, 1).
        noise: standard deviation of what is added to the inputs.
        generator: where the noise comes from; by default the generator that `mg.manual_seed`
            seeds.

    Returns:
        x of shape (n, 2) and y, int64 of shape (n,).

    Source: Minsky & Papert (1969); learned by backpropagation in Rumelhart et al. (1986).

    >>> import minigrad as mg
    >>> x, y = mg.data.xor()
    >>> x.tolist(), y.tolist()
    ([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0])
    """
    check_count("xor", "n", n)
    _check_noise("xor", noise)
    corner = np.arange(n) % 4
    first, second = corner // 2, corner % 2
    x = np.stack([first, second], axis=1) + generator_or_default(generator).normal(
        (n, 2), 0.0, noise
    )
    return x.astype(np.float32), (first ^ second).astype(np.int64)


def _check_noise(owner: str, noise: float) -> None:
    if not 0 <= noise < math.inf:
        raise ArgumentError(f"{owner}: noise is a standard deviation, 0 or more, got {noise}")
