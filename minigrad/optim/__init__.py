"""Optimizers: what turns gradients into steps. Names, defaults and formulas are PyTorch's."""

from minigrad.optim.adam import Adam
from minigrad.optim.optimizer import Optimizer
from minigrad.optim.sgd import SGD

__all__ = ["SGD", "Adam", "Optimizer"]
