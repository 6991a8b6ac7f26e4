"""Residual: a branch with a way around it."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.errors import DtypeError, ShapeError
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.tensor import Tensor


class Residual(Module):
    """y = x + scale * branch(x).

    The derivative of y by x holds the identity, so a gradient reaches x whatever the branch does.

    Arguments:
        branch: a Module that keeps the shape of its input.
        scale: a number, such as 1 / sqrt(number of blocks); or a `Parameter` to learn it, as one
            number or one per feature. `nn.Parameter(0.0)` is SkipInit: the block starts as the
            identity, so a deep stack starts as a shallow network.

    Raises:
        DtypeError: a branch that is no Module, or a scale that is neither a number nor a Parameter.
        ShapeError: when called, a branch that changes the shape, or a scale of another shape.

    Source: He et al. (2016), Deep residual learning; De & Smith (2020) for the learned scale.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> block = nn.Residual(nn.Linear(3, 3), nn.Parameter(0.0))
    >>> block(mg.ones(2, 3))
    tensor([[1., 1., 1.],
            [1., 1., 1.]], grad_fn=<add>)
    """

    def __init__(self, branch: Module, scale: float | Parameter = 1.0) -> None:
        super().__init__()
        if not isinstance(branch, Module):
            raise DtypeError(
                f"Residual: branch is {type(branch).__name__}, not a Module; several layers go "
                "into one as nn.Sequential(...)"
            )
        if not isinstance(scale, int | float | np.number | Parameter):
            # A plain Tensor would be neither learned nor saved.
            raise DtypeError(
                f"Residual: scale must be a number, or an nn.Parameter to learn it, got "
                f"{type(scale).__name__}; wrap a Tensor as nn.Parameter(...)"
            )
        self.branch = branch
        self.scale = scale

    def forward(self, input: Tensor) -> Any:
        out = self.branch(input)
        if out.shape != input.shape:
            # (n, 1) + (n, 8) would broadcast without a word.
            raise ShapeError(
                f"Residual: the branch makes {out.shape} of an input of shape {input.shape}; it "
                "must keep the shape: end it with as many features as it begins with"
            )
        if isinstance(self.scale, Tensor):
            self._check_scale(self.scale.shape, input.shape)
        return input + (out if self._is_one() else self.scale * out)

    def _check_scale(self, shape: tuple[int, ...], wanted: tuple[int, ...]) -> None:
        if shape not in ((), (1,), wanted[-1:]):
            raise ShapeError(
                f"Residual: the scale has shape {shape}, but an input of shape {wanted} takes one "
                f"number, shape (), or one per feature, {wanted[-1:]}"
            )

    def _is_one(self) -> bool:
        return not isinstance(self.scale, Tensor) and self.scale == 1

    def extra_repr(self) -> str:
        if isinstance(self.scale, Tensor):
            return f"scale=Parameter of shape {self.scale.shape}"
        return "" if self._is_one() else f"scale={self.scale}"
