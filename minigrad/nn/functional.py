"""The functions behind the layers: activations, losses and normalizations."""

from __future__ import annotations

from minigrad.nn.class_losses import cross_entropy, multi_margin_loss, nll_loss
from minigrad.nn.dropout import alpha_dropout, dropout
from minigrad.nn.lookup import embedding
from minigrad.nn.losses import (
    hinge_embedding_loss,
    huber_loss,
    l1_loss,
    mse_loss,
    smooth_l1_loss,
)  # fmt: skip
from minigrad.nn.normalizing import batch_norm, group_norm, instance_norm, layer_norm, rms_norm
from minigrad.nn.penalties import l1_penalty, l2_penalty
from minigrad.nn.probability_losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    kl_div,
)
from minigrad.ops import linear, tanh
from minigrad.ops.activations import (
    gelu,
    glu,
    log_softmax,
    logsigmoid,
    mish,
    sigmoid,
    silu,
    softmax,
    softplus,
    softsign,
    tanhshrink,
)
from minigrad.ops.rectifiers import (
    celu,
    elu,
    hardsigmoid,
    hardtanh,
    leaky_relu,
    prelu,
    relu,
    relu6,
    selu,
)  # fmt: skip

__all__ = [
    "alpha_dropout",
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "celu",
    "cross_entropy",
    "dropout",
    "elu",
    "embedding",
    "gelu",
    "glu",
    "group_norm",
    "hardsigmoid",
    "hardtanh",
    "hinge_embedding_loss",
    "huber_loss",
    "instance_norm",
    "kl_div",
    "l1_loss",
    "l1_penalty",
    "l2_penalty",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_softmax",
    "logsigmoid",
    "mish",
    "mse_loss",
    "multi_margin_loss",
    "nll_loss",
    "prelu",
    "relu",
    "relu6",
    "rms_norm",
    "selu",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "softmax",
    "softplus",
    "softsign",
    "tanh",
    "tanhshrink",
]  # fmt: skip
