"""The nonlinearities as layers."""

from __future__ import annotations

from minigrad.nn import functional as F
from minigrad.nn.module import Module
from minigrad.tensor import Tensor


class Sigmoid(Module):
    """1 / (1 + exp(-x)), elementwise. Its slope is at most 1/4."""

    def forward(self, input: Tensor) -> Tensor:
        return F.sigmoid(input)


class Tanh(Module):
    """tanh(x), elementwise. Its slope is at most 1, at 0."""

    def forward(self, input: Tensor) -> Tensor:
        return F.tanh(input)


class ReLU(Module):
    """max(x, 0), elementwise. Its slope is 1 above 0, and 0 at 0 and below."""

    def forward(self, input: Tensor) -> Tensor:
        return F.relu(input)


class _AlongAxis(Module):
    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmax(_AlongAxis):
    """exp(x) / sum(exp(x)) along the axis `dim`."""

    def forward(self, input: Tensor) -> Tensor:
        return F.softmax(input, self.dim)


class LogSoftmax(_AlongAxis):
    """log(softmax(x)) along the axis `dim`; with `nll_loss` it makes the cross-entropy."""

    def forward(self, input: Tensor) -> Tensor:
        return F.log_softmax(input, self.dim)
