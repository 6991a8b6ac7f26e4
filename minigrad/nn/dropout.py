"""Dropout: in training, each number is left out at random."""

from __future__ import annotations

import math
from typing import Any

from minigrad.errors import ArgumentError, DtypeError
from minigrad.nn.module import Module
from minigrad.ops import as_tensor
from minigrad.random import Generator, generator_or_default
from minigrad.tensor import Tensor, wrap

# What SELU (Klambauer et al. 2017) tends to at minus infinity: -lambda * alpha.
SELU_FLOOR = -1.0507009873554804934193349852946 * 1.6732632423543772848170429916717


def dropout(
    input: Any, p: float = 0.5, training: bool = True, generator: Generator | None = None
) -> Tensor:
    """x m / (1 - p), where each m is 0 with probability p and else 1: the mean stays that of x.

    Arguments:
        input: floating point, any shape.
        p: probability of leaving a number out, 0 to 1.
        training: with False, the input is given back as it is.
        generator: where m comes from; by default the generator that `mg.manual_seed` seeds.

    Returns:
        The shape of `input`.

    Raises:
        ArgumentError: p is outside of 0 to 1.
        DtypeError: a generator that is none.

    Source: Srivastava et al. (2014), scaled in training rather than in evaluation.

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> F.dropout(mg.ones(6), generator=mg.Generator(0))
    tensor([2., 0., 0., 0., 2., 2.])
    """
    x = as_tensor(input)
    check_probability("dropout", p)
    _check_generator("dropout", generator)
    if not training or p == 0:
        return x
    return x * (_kept(x, p, generator) * (0.0 if p == 1 else 1 / (1 - p)))


def alpha_dropout(
    input: Any, p: float = 0.5, training: bool = False, generator: Generator | None = None
) -> Tensor:
    """Dropout for SELU networks: mean 0 and variance 1 stay, as far as the input has them.

    What is left out becomes alpha' = -1.758, the value that SELU tends to on the left. Then

        y = a (x m + alpha' (1 - m)) + b,   a = ((1 - p) (1 + p alpha'^2))^(-1/2),
        b = -a p alpha'

    Arguments and errors as for `dropout`, but `training` is at first False, as in PyTorch.

    Source: Klambauer et al. (2017), Self-normalizing neural networks, section "New dropout
    technique".

    >>> import minigrad as mg
    >>> from minigrad.nn import functional as F
    >>> x = mg.randn(100_000, generator=mg.Generator(0))
    >>> y = F.alpha_dropout(x, 0.5, training=True, generator=mg.Generator(1))
    >>> abs(y.mean().item()) < 0.01, abs(y.var().item() - 1) < 0.02
    (True, True)
    """
    x = as_tensor(input)
    check_probability("alpha_dropout", p)
    _check_generator("alpha_dropout", generator)
    if not training or p == 0:
        return x
    if p == 1:
        return x * 0.0
    m = _kept(x, p, generator)
    a = 1 / math.sqrt((1 - p) * (1 + p * SELU_FLOOR**2))
    return x * (m * a) + (1 - m) * (a * SELU_FLOOR) - a * p * SELU_FLOOR


def _kept(x: Tensor, p: float, generator: Generator | None) -> Tensor:
    """1 where a number stays and 0 where it is left out, in the dtype of x."""
    stays = generator_or_default(generator).uniform(x.shape) >= p
    return wrap(x.device.upload(stays.astype(x.dtype)), x.device)


def check_probability(owner: str, p: float) -> float:
    """`p`, if it is a number from 0 to 1."""
    if not 0 <= p <= 1:
        raise ArgumentError(
            f"{owner}: p is the probability of leaving a number out, so it must lie between 0 "
            f"and 1, got {p}"
        )
    return p


def _check_generator(owner: str, generator: Any) -> None:
    if generator is not None and not isinstance(generator, Generator):
        raise DtypeError(
            f"{owner}: generator must be a Generator, got {generator!r}; PyTorch's `inplace` is "
            "not taken here, since the input is never overwritten, so leave it out"
        )


class _Dropout(Module):
    """`inplace` is taken so that a PyTorch script runs as it is; the input is never overwritten."""

    def __init__(
        self, p: float = 0.5, inplace: bool = False, generator: Generator | None = None
    ) -> None:
        super().__init__()
        self.p = check_probability(type(self).__name__, p)
        self.inplace = inplace
        self.generator = generator

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """Leaves out each number with probability p in training; see `functional.dropout`.

    After `eval()` it gives back its input.

    Arguments:
        p: probability of leaving a number out, 0 to 1.
        inplace: as in PyTorch; it changes nothing here.
        generator: where the choices come from; by default the generator that `mg.manual_seed`
            seeds.

    Raises:
        ArgumentError: p is outside of 0 to 1.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.Dropout(0.5).eval()(mg.ones(3))
    tensor([1., 1., 1.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return dropout(input, self.p, self.training, self.generator)


class AlphaDropout(_Dropout):
    """Dropout that goes with SELU; see `functional.alpha_dropout`. Arguments as for `Dropout`.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.AlphaDropout(0.5).eval()(mg.ones(3))
    tensor([1., 1., 1.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return alpha_dropout(input, self.p, self.training, self.generator)
