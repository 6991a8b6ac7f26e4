"""Activations that are called as functions, such as `F.relu`: no module that a hook could see.

What is given to the next layer still tells how it was made: its node on the tape points to the
nodes before it. On the way back from there stands the operation that took z.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from minigrad import nn
from minigrad.tape import Node

# By the name of the operation. Only such as have no settings, so that all is known of them.
ACTIVATIONS: dict[str, nn.Activation] = {
    "relu": nn.ReLU(), "tanh": nn.Tanh(), "sigmoid": nn.Sigmoid(), "silu": nn.SiLU(),
    "logsigmoid": nn.LogSigmoid(), "softsign": nn.Softsign(), "tanhshrink": nn.Tanhshrink(),
}  # fmt: skip

LINEAR = frozenset((
    "add", "subtract", "negative", "positive", "sum", "mean", "reshape", "transpose", "swapaxes",
    "getitem", "setitem", "concatenate", "stack", "broadcast_to", "clone", "astype", "to",
))  # fmt: skip

# As much as a layer of its own: what comes after is the activation of that.
PRODUCTS = frozenset(("matmul", "linear", "einsum"))

# What turns outputs into probabilities or into a loss is no activation of theirs.
ENDS = frozenset(("softmax", "log_softmax", "logsumexp", "cross_entropy"))

UNSEEN = "its activation was not seen"  # how a note on such a layer begins

# So many operations may lie between a layer's input and the z before it: dropout, scaling, a sum.
REACH = 24


class Way(NamedTuple):
    """From an output z to where it is looked for: the operation that took it, and what bent it.

    Attributes:
        taker: the operation that took z.
        bend: the first operation on the way that is not linear, or None.
    """

    taker: Node
    bend: Node | None


def is_linear(operation: Node) -> bool:
    """Whether what it does is surely no activation: a sum, say, or a product with a parameter."""
    name = operation.op.name
    if name in ("multiply", "divide"):
        computed = [parent is not None and parent.op is not None for parent in operation.parents]
        return not all(computed) and not (name == "divide" and computed[1])
    return name in LINEAR or name in PRODUCTS


def ways_from(
    waiting: Mapping[Node | None, Any], outputs: set[int], node: Node | None
) -> dict[Node, list[Way]]:
    """The ways on which outputs that are waited for have come to a node.

    Arguments:
        waiting: the nodes of those outputs.
        outputs: the serial numbers of all outputs of layers; no way goes through another.
        node: of the tensor that is given to a layer, or that the network returns.

    Returns:
        Per node of such an output, its ways, each once.
    """
    found: dict[Node, list[Way]] = {}
    if node is None or node in waiting or not waiting:
        return found
    oldest = min(each.serial for each in waiting if each is not None)
    ahead: list[tuple[Node, Node | None]] = [(node, None)]
    for _ in range(REACH):
        if not ahead:
            break
        node, bend = ahead.pop(0)
        if not is_linear(node):
            bend = node
        elif node.op.name in PRODUCTS:
            bend = None
        for parent in node.parents:
            if parent is None or parent.serial < oldest:  # made before, so it holds none of them
                continue
            if parent in waiting:
                way = Way(node, bend)
                if way not in (ways := found.setdefault(parent, [])):
                    ways.append(way)
            elif parent.op is not None and parent.serial not in outputs:
                ahead.append((parent, bend))
    return found


def activation_on(ways: list[Way]) -> nn.Activation | None:
    """The activation that took an output, if nothing else did."""
    name = ways[0].taker.op.name
    return ACTIVATIONS.get(name) if len({way.taker for way in ways}) == 1 else None


def told(ways: list[Way]) -> str:
    """The operations that bent an output, in words; "" if all was linear."""
    names = {
        f"'{way.bend.op.name}'" + ("" if way.bend is way.taker else f" after '{way.taker.op.name}'")
        for way in ways
        if way.bend is not None
    }
    return " and ".join(sorted(names))
