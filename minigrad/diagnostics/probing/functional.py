"""Activations that are called as functions, such as `F.relu`: no module that a hook could see.

What is given to the next layer still tells how it was made: its node on the tape points to the
nodes before it. On the way back from there stands the operation that took z.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minigrad import nn
from minigrad.tape import Node

# By the name of the operation. Only such as have no settings, so that all is known of them.
ACTIVATIONS: dict[str, nn.Activation] = {
    "relu": nn.ReLU(), "tanh": nn.Tanh(), "sigmoid": nn.Sigmoid(), "silu": nn.SiLU(),
    "logsigmoid": nn.LogSigmoid(), "softsign": nn.Softsign(), "tanhshrink": nn.Tanhshrink(),
}  # fmt: skip

LINEAR = frozenset((
    "add", "subtract", "negative", "sum", "mean", "reshape", "transpose", "swapaxes", "getitem",
    "concatenate", "stack", "matmul", "linear", "broadcast_to",
))  # fmt: skip

UNSEEN = "its activation was not seen"  # how a note on such a layer begins

# So many operations may lie between a layer's input and the z before it: dropout, scaling, a sum.
REACH = 12


def is_linear(operation: Node) -> bool:
    """Whether what it does is surely no activation: a sum, say, or a product with a constant."""
    if operation.op.name in ("multiply", "divide"):
        return sum(parent is not None for parent in operation.parents) == 1
    return operation.op.name in LINEAR


def takers(node: Node | None, waiting: Mapping[Node | None, Any]) -> dict[Node, list[Node]]:
    """The operations before a node that took one of the outputs waited for.

    Arguments:
        node: of the tensor that is given to a layer.
        waiting: the nodes of those outputs.

    Returns:
        Per node of such an output, the operations that took it.
    """
    found: dict[Node, list[Node]] = {}
    ahead = [] if node is None or node in waiting else [node]
    for _ in range(REACH):
        if not ahead:
            break
        node = ahead.pop(0)
        for parent in node.parents:
            if parent is not None and parent in waiting:
                found.setdefault(parent, []).append(node)
            elif parent is not None and parent.op is not None:
                ahead.append(parent)
    return found
