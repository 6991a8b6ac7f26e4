"""Training: the loop with all that one would write around it."""

from minigrad.train.divergence import Diverged
from minigrad.train.loop import accuracy, evaluate, fit

__all__ = ["Diverged", "accuracy", "evaluate", "fit"]
