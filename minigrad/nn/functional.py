"""The functions behind the layers: activations, losses and normalizations."""

from __future__ import annotations

from minigrad.nn.losses import cross_entropy, l1_loss, mse_loss, nll_loss
from minigrad.nn.normalizing import batch_norm, layer_norm
from minigrad.ops import linear, tanh
from minigrad.ops.activations import log_softmax, relu, sigmoid, softmax

__all__ = [
    "batch_norm", "cross_entropy", "l1_loss", "layer_norm", "linear", "log_softmax", "mse_loss",
    "nll_loss", "relu", "sigmoid", "softmax", "tanh",
]  # fmt: skip
