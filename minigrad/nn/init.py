"""Initial values for weights, written in place: of one tensor, or of a whole network."""

from __future__ import annotations

from minigrad.nn.init_fans import (
    calculate_gain,
    kaiming_normal_,
    kaiming_uniform_,
    lecun_normal_,
    lecun_uniform_,
    xavier_normal_,
    xavier_uniform_,
)
from minigrad.nn.init_networks import critical_, fixup_, lsuv_, skipinit_
from minigrad.nn.init_tensors import (
    constant_,
    eye_,
    normal_,
    ones_,
    orthogonal_,
    sparse_,
    trunc_normal_,
    uniform_,
    zeros_,
)

__all__ = [
    "calculate_gain", "constant_", "critical_", "eye_", "fixup_", "kaiming_normal_",
    "kaiming_uniform_", "lecun_normal_", "lecun_uniform_", "lsuv_", "normal_", "ones_",
    "orthogonal_", "skipinit_", "sparse_", "trunc_normal_", "uniform_", "xavier_normal_",
    "xavier_uniform_", "zeros_",
]  # fmt: skip
