"""The deep networks that the lessons drive."""

from minigrad.models.mlp import deep_mlp
from minigrad.models.names import ACTIVATIONS, INITS, NORMS, WEIGHT_NORMS
from minigrad.models.recurrent import RecurrentNet, deep_rnn

__all__ = [
    "ACTIVATIONS", "INITS", "NORMS", "WEIGHT_NORMS", "RecurrentNet", "deep_mlp", "deep_rnn",
]  # fmt: skip
