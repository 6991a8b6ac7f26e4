"""Networks: modules, layers, and their functions, spelled as in PyTorch."""

from minigrad.nn import functional as functional
from minigrad.nn import init as init
from minigrad.nn.activations import LogSoftmax, ReLU, Sigmoid, Softmax, Tanh
from minigrad.nn.containers import ModuleList, Sequential
from minigrad.nn.linear import Flatten, Identity, Linear
from minigrad.nn.module import Module
from minigrad.nn.normalization import BatchNorm1d, LayerNorm
from minigrad.nn.parameter import Parameter

__all__ = [
    "BatchNorm1d", "Flatten", "Identity", "LayerNorm", "Linear", "LogSoftmax", "Module",
    "ModuleList", "Parameter", "ReLU", "Sequential", "Sigmoid", "Softmax", "Tanh", "functional",
    "init",
]  # fmt: skip
