"""Normalizing layers; the formulas stand in `normalizing`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad import ops
from minigrad.backend import Device
from minigrad.errors import ShapeError
from minigrad.nn import functional as F
from minigrad.nn.arguments import check_count, placement
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.tape import no_grad
from minigrad.tensor import Tensor


class BatchNorm1d(Module):
    """Normalizes each feature over the batch; see `functional.batch_norm`.

    Arguments:
        num_features: size of axis 1 of the input.
        eps: added to the variance.
        momentum: weight of a new batch in the running statistics; None takes the plain average
            of all batches.
        affine: learn a scale and a shift per feature?
        track_running_stats: keep running statistics, and use them after `eval()`? Without, the
            batch's own are used always.
        device, dtype: of parameters and statistics; by default the CPU and float32.
        bias: with False, only the scale is learned.

    Attributes:
        weight, bias: shape (num_features,), first 1 and 0; None if not affine.
        running_mean, running_var: shape (num_features,), first 0 and 1; None if not kept.
        num_batches_tracked: int64 counter; None if not kept.

    Raises:
        ShapeError: when called, an input that is not (n, features) or (n, features, length), or
            a training batch with one value per feature.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> layer = nn.BatchNorm1d(2)
    >>> _ = layer(mg.tensor([[1.0, 0.0], [3.0, 0.0]]))
    >>> layer.running_mean
    tensor([0.2, 0. ])
    """

    weight: Parameter | None
    bias: Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: str | Device | None = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = n = check_count("BatchNorm1d", "num_features", num_features)
        self.eps, self.momentum = eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        place = placement(device, dtype)
        shifted = affine and bias
        self.register_parameter("weight", Parameter(ops.ones(n, **place)) if affine else None)
        self.register_parameter("bias", Parameter(ops.zeros(n, **place)) if shifted else None)
        keep = track_running_stats
        counter = ops.zeros((), dtype=np.int64, device=place["device"])
        self.register_buffer("running_mean", ops.zeros(n, **place) if keep else None)
        self.register_buffer("running_var", ops.ones(n, **place) if keep else None)
        self.register_buffer("num_batches_tracked", counter if keep else None)

    def forward(self, input: Tensor) -> Tensor:
        if ops.as_tensor(input).ndim not in (2, 3):
            raise ShapeError(
                f"BatchNorm1d: input has shape {input.shape}; it takes (n, features) or "
                "(n, features, length)"
            )
        out = F.batch_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            self._weight_of_batch(),
            self.eps,
        )
        if self.training and self.num_batches_tracked is not None:
            with no_grad():
                self.num_batches_tracked += 1
        return out

    def _weight_of_batch(self) -> float:
        """What the next training batch weighs in the running statistics."""
        if self.momentum is not None:
            return self.momentum
        seen = 0 if self.num_batches_tracked is None else int(self.num_batches_tracked)
        return 1 / (seen + 1)

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, bias={self.bias is not None}, "
            f"track_running_stats={self.track_running_stats}"
        )


class LayerNorm(Module):
    """Normalizes each example over its own last axes; see `functional.layer_norm`.

    Arguments:
        normalized_shape: the sizes of those axes, or of the one.
        eps: added to the variance.
        elementwise_affine: learn a scale and a shift per element?
        bias: with False, only the scale is learned.
        device, dtype: of the parameters; by default the CPU and float32.

    Attributes:
        weight, bias: of `normalized_shape`, first 1 and 0; or None.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.LayerNorm(4)(mg.ones(8, 4)).shape
    (8, 4)
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: str | Device | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        sizes = [normalized_shape] if isinstance(normalized_shape, int) else normalized_shape
        shape = tuple(check_count("LayerNorm", "normalized_shape", n) for n in sizes)
        self.normalized_shape = shape
        self.eps, self.elementwise_affine = eps, elementwise_affine
        place = placement(device, dtype)
        scaled, shifted = elementwise_affine, elementwise_affine and bias
        self.register_parameter("weight", Parameter(ops.ones(shape, **place)) if scaled else None)
        self.register_parameter("bias", Parameter(ops.zeros(shape, **place)) if shifted else None)

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        )
