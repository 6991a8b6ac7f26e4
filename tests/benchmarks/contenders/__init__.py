"""Who takes part, each in a file of its own.

Its `training_step(case)` builds the network, and returns a function that makes one step and
returns the loss before it. Files that have one also offer `small_op(case)`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from ..networks import SmallOp


@dataclass(frozen=True)
class Contender:
    """Where a contender's code is, and what it needs.

    Attributes:
        label: its name in tables.
        module: its file in this folder, imported only in its own process.
        package: what must be installed for it.
        step: the function in the file that builds its training step.
    """

    label: str
    module: str
    package: str
    step: str = "training_step"

    @property
    def installed(self) -> bool:
        return find_spec(self.package) is not None

    def builder(self, case: Any) -> Callable[[Any], Callable[[], Any]]:
        function = "small_op" if isinstance(case, SmallOp) else self.step
        return getattr(import_module(f".{self.module}", __package__), function)


CONTENDERS = {
    "minigrad": Contender("minigrad", "minigrad_", "minigrad"),
    "probed": Contender("minigrad, probed", "minigrad_", "minigrad", "probed_training_step"),
    "limit": Contender("limit", "limit", "numpy"),
    "torch": Contender("PyTorch", "torch_", "torch"),
    "fused": Contender("PyTorch fused", "torch_", "torch", "fused_training_step"),
    "jax": Contender("JAX", "jax_", "jax"),
    "autograd": Contender("autograd", "autograd_", "autograd"),
    "dezero": Contender("DeZero", "dezero_", "dezero"),
}
