"""Linear, and the two layers that only pass on: Identity and Flatten."""

from __future__ import annotations

import math
from typing import Any

from minigrad import ops
from minigrad.backend import Device
from minigrad.nn import init
from minigrad.nn.arguments import check_count, placement
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.ops import linear
from minigrad.random import Generator
from minigrad.tensor import Tensor


class Linear(Module):
    """y = x W^T + b.

    Arguments:
        in_features, out_features: sizes of the last axis of the input and of the output.
        bias: add b?
        device, dtype: of the parameters; by default the CPU and float32.
        generator: where the initial values come from; by default the one that
            `mg.manual_seed` seeds.

    Attributes:
        weight: W, shape (out_features, in_features).
        bias: b, shape (out_features,), or None.

    Both start uniform in +-1/sqrt(in_features), as in PyTorch. That is not He's initialization:
    the variance of W is 1/(3 in_features), and lesson plots show what it does in deep networks.

    Raises:
        ArgumentError: a size below 1.
        ShapeError: when called, an input whose last axis is not in_features.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> layer = nn.Linear(4, 2)
    >>> layer(mg.ones(8, 4)).shape
    (8, 2)
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: str | Device | None = None,
        dtype: Any = None,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        self.in_features = check_count("Linear", "in_features", in_features)
        self.out_features = check_count("Linear", "out_features", out_features)
        place = placement(device, dtype)
        self.weight = Parameter(ops.zeros(self.out_features, self.in_features, **place))
        self.register_parameter(
            "bias", Parameter(ops.zeros(self.out_features, **place)) if bias else None
        )
        self.reset_parameters(generator)

    def reset_parameters(self, generator: Generator | None = None) -> None:
        """Draw weight and bias anew."""
        bound = 1 / math.sqrt(self.in_features)
        init.uniform_(self.weight, -bound, bound, generator)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound, generator)

    def forward(self, input: Tensor) -> Tensor:
        return linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class Identity(Module):
    """Gives back what it gets: a stand-in where a network may or may not have a layer.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.Identity()(mg.tensor([1.0, 2.0]))
    tensor([1., 2.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return input


class Flatten(Module):
    """Makes the axes from `start_dim` to `end_dim` one; by default all but the batch.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.Flatten()(mg.zeros(5, 8, 8)).shape
    (5, 64)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        return ops.flatten(input, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"
