"""Normalizing layers; the formulas stand in `normalizing`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad import ops
from minigrad.backend import Device
from minigrad.errors import ArgumentError, ShapeError
from minigrad.nn import functional as F
from minigrad.nn.arguments import check_count, placement
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.tensor import Tensor


class _Normalization(Module):
    """What the layers of this file share: perhaps a scale and a shift to learn."""

    weight: Parameter | None
    bias: Parameter | None

    def _learn(
        self, shape: tuple[int, ...], scale: bool, shift: bool, place: dict[str, Any]
    ) -> None:
        self.register_parameter("weight", Parameter(ops.ones(shape, **place)) if scale else None)
        self.register_parameter("bias", Parameter(ops.zeros(shape, **place)) if shift else None)


class _PerChannel(_Normalization):
    """What BatchNorm1d and InstanceNorm1d share: running statistics for each channel."""

    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float,
        momentum: float | None,
        affine: bool,
        track_running_stats: bool,
        bias: bool,
        place: dict[str, Any],
    ) -> None:
        super().__init__()
        name = type(self).__name__
        self.num_features = n = check_count(name, "num_features", num_features)
        if momentum is not None and not 0 <= momentum <= 1:
            raise ArgumentError(f"{name}: momentum must lie in 0 to 1, or be None, got {momentum}")
        self.eps, self.momentum = _checked_eps(name, eps), momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self._learn((n,), affine, affine and bias, place)
        keep = track_running_stats
        counter = ops.zeros((), dtype=np.int64, device=place["device"])
        self.register_buffer("running_mean", ops.zeros(n, **place) if keep else None)
        self.register_buffer("running_var", ops.ones(n, **place) if keep else None)
        self.register_buffer("num_batches_tracked", counter if keep else None)

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, bias={self.bias is not None}, "
            f"track_running_stats={self.track_running_stats}"
        )


class BatchNorm1d(_PerChannel):
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
        ArgumentError: num_features below 1, a negative eps, a momentum outside of 0 to 1.
        ShapeError: when called, an input that is not (n, features) or (n, features, length), or
            a training batch with one value per feature.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> layer = nn.BatchNorm1d(2)
    >>> _ = layer(mg.tensor([[1.0, 0.0], [3.0, 0.0]]))
    >>> layer.running_mean
    tensor([0.2, 0. ])
    """

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
        place = placement(device, dtype)
        super().__init__(num_features, eps, momentum, affine, track_running_stats, bias, place)

    def forward(self, input: Tensor) -> Tensor:
        if ops.as_tensor(input).ndim not in (2, 3):
            raise ShapeError(
                f"BatchNorm1d: input has shape {input.shape}; it takes (n, features) or "
                "(n, features, length)"
            )
        # Tracking that is switched off later leaves the statistics, and eval goes on using them.
        moving = self.training and self.track_running_stats
        known = moving or not self.training
        out = F.batch_norm(
            input,
            self.running_mean if known else None,
            self.running_var if known else None,
            self.weight,
            self.bias,
            self.training or self.running_mean is None,
            self._weight_of_batch(),
            self.eps,
        )
        if moving and self.num_batches_tracked is not None:
            # `+= 1` takes eight times as long on an array of one number.
            counter = self.num_batches_tracked
            counter.data.fill(int(counter.data) + 1)
            counter.mark_written()
        return out

    def _weight_of_batch(self) -> float:
        """What the next training batch weighs in the running statistics."""
        if self.momentum is not None:
            return self.momentum
        seen = 0 if self.num_batches_tracked is None else int(self.num_batches_tracked)
        return 1 / (seen + 1)


class InstanceNorm1d(_PerChannel):
    """Normalizes each channel of each example over its length; see `functional.instance_norm`.

    Arguments:
        num_features: number of channels, axis 1 of the input.
        eps: added to the variance.
        momentum: weight of a new batch in the running statistics.
        affine: learn a scale and a shift per channel?
        track_running_stats: keep running statistics, and use them after `eval()`? Without, each
            example's own are used always.
        device, dtype: of parameters and statistics; by default the CPU and float32.
        bias: with False, only the scale is learned.

    Attributes:
        weight, bias: shape (num_features,), first 1 and 0; None if not affine.
        running_mean, running_var: shape (num_features,), first 0 and 1; None if not kept.
        num_batches_tracked: stays 0, as in PyTorch, whose saved state has it; None if not kept.

    Raises:
        ArgumentError: num_features below 1, a negative eps, a momentum outside of 0 to 1.
        ShapeError: when called, an input that is not (n, channels, length) or (channels,
            length), or has another number of channels, or a length of 1.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.InstanceNorm1d(2)(mg.randn(8, 2, 5)).shape
    (8, 2, 5)
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: str | Device | None = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        place = placement(device, dtype)
        super().__init__(num_features, eps, momentum, affine, track_running_stats, bias, place)

    def forward(self, input: Tensor) -> Tensor:
        x = ops.as_tensor(input)
        if x.ndim not in (2, 3) or x.shape[-2] != self.num_features:
            raise ShapeError(
                f"InstanceNorm1d: input has shape {x.shape}; it takes (n, {self.num_features}, "
                f"length) or ({self.num_features}, length)"
            )
        out = F.instance_norm(
            x if x.ndim == 3 else x.expand_dims(0),
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            self.momentum or 0.0,
            self.eps,
        )
        return out if x.ndim == 3 else out.squeeze(0)


class GroupNorm(_Normalization):
    """Normalizes each example over groups of its channels; see `functional.group_norm`.

    Arguments:
        num_groups: into how many groups the channels are cut.
        num_channels: size of axis 1 of the input, a multiple of `num_groups`.
        eps: added to the variance.
        affine: learn a scale and a shift per channel?
        device, dtype: of the parameters; by default the CPU and float32.
        bias: with False, only the scale is learned.

    Attributes:
        weight, bias: shape (num_channels,), first 1 and 0; or None.

    Raises:
        ArgumentError: groups that do not divide the channels, a negative eps.
        ShapeError: when called, an input with another number of channels.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.GroupNorm(2, 6)(mg.randn(8, 6)).shape
    (8, 6)
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: str | Device | None = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_groups = check_count("GroupNorm", "num_groups", num_groups)
        self.num_channels = check_count("GroupNorm", "num_channels", num_channels)
        if self.num_channels % self.num_groups:
            raise ArgumentError(
                f"GroupNorm: {num_channels} channels cannot be cut into {num_groups} groups of "
                "equal size; choose num_groups among the divisors of num_channels"
            )
        self.eps, self.affine = _checked_eps("GroupNorm", eps), affine
        self._learn((self.num_channels,), affine, affine and bias, placement(device, dtype))

    def forward(self, input: Tensor) -> Tensor:
        x = ops.as_tensor(input)
        if x.ndim < 2 or x.shape[1] != self.num_channels:
            raise ShapeError(
                f"GroupNorm: input has shape {x.shape}; it takes (n, {self.num_channels}), or "
                "more axes after"
            )
        return F.group_norm(
            x,
            self.num_groups,
            self.weight,
            self.bias,
            self.eps,
        )

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class LayerNorm(_Normalization):
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
        self.normalized_shape = shape = _sizes("LayerNorm", normalized_shape)
        self.eps = _checked_eps("LayerNorm", eps)
        self.elementwise_affine = elementwise_affine
        place = placement(device, dtype)
        self._learn(shape, elementwise_affine, elementwise_affine and bias, place)

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(
            input,
            self.normalized_shape,
            self.weight,
            self.bias,
            self.eps,
        )

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        )


class RMSNorm(_Normalization):
    """Divides each example by the root mean square of its last axes; see `functional.rms_norm`.

    Arguments:
        normalized_shape: the sizes of those axes, or of the one.
        eps: added to the mean square; None takes the machine precision of the input.
        elementwise_affine: learn a scale per element?
        device, dtype: of the parameter; by default the CPU and float32.

    Attributes:
        weight: of `normalized_shape`, first 1; or None.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.RMSNorm(2)(mg.tensor([[3.0, 4.0], [30.0, 40.0]]))
    tensor([[0.8485, 1.1314],
            [0.8485, 1.1314]], grad_fn=<rms_norm>)
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: str | Device | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = shape = _sizes("RMSNorm", normalized_shape)
        self.eps = None if eps is None else _checked_eps("RMSNorm", eps)
        self.elementwise_affine = elementwise_affine
        self._learn(shape, elementwise_affine, False, placement(device, dtype))

    def forward(self, input: Tensor) -> Tensor:
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )


def _sizes(owner: str, normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    sizes = [normalized_shape] if isinstance(normalized_shape, int) else normalized_shape
    return tuple(check_count(owner, "normalized_shape", n) for n in sizes)


def _checked_eps(owner: str, eps: float) -> float:
    if not eps >= 0:
        raise ArgumentError(f"{owner}: eps must be a number of at least 0, got {eps}")
    return eps
