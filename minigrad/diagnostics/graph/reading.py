"""Reading a graph off the tape: which operations made a tensor, and from which leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from minigrad.errors import ArgumentError, GraphError
from minigrad.tensor import Tensor

# An input is a step (its number in `Tape.steps`, from 0 on), a leaf (see `leaf_input`), or
ABSENT = -1  # an argument that needs no gradient, of which the tape knows nothing.


def leaf_input(number: int) -> int:
    """How an input stands for the leaf of that number; the same function leads back."""
    return -2 - number


@dataclass(frozen=True)
class Step:
    """One operation, or a block of operations that repeats.

    Attributes:
        titles: the names of the operations, in the order in which they ran.
        shape: of the output; None where there are several outputs.
        inputs: per argument where it comes from.
        times: how often the block repeats; 1 for an operation.
        name: what the user calls the output, or "".
    """

    titles: tuple[str, ...]
    shape: tuple[int, ...] | None
    inputs: tuple[int, ...]
    times: int = 1
    name: str = ""


@dataclass(frozen=True)
class Leaf:
    """A tensor that nothing computed; where it is named and one number, with that number."""

    shape: tuple[int, ...]
    name: str = ""
    value: str = ""
    gradient: str = ""


@dataclass(frozen=True)
class Tape:
    """What made a tensor: the steps, oldest first, the last one being its own; and the leaves."""

    steps: list[Step]
    leaves: list[Leaf]


def read(asked: str, tensor: Any, names: Mapping[str, Any] | None, model: Any) -> Tape:
    """The operations and leaves that a tensor depends on.

    Arguments:
        asked: the function that a message is to name.
        tensor: what was computed.
        names: names of tensors; what is no Tensor, or begins with an underscore, is passed over.
        model: a Module whose parameters go by their paths, or None.

    Raises:
        ArgumentError: not a Tensor, names that are no dict, or a model that is no Module.
        GraphError: nothing recorded, or freed by a backward.
    """
    root = _root(asked, tensor)
    named = _named(asked, names, model)
    nodes = _nodes(asked, root)
    steps: list[Step] = []
    leaves: list[Leaf] = []
    inputs: dict[Any, int] = {None: ABSENT}
    for node in nodes:
        for parent in node.parents:
            if parent not in inputs:  # then it is a leaf: operations come before their users
                inputs[parent] = leaf_input(len(leaves))
                leaves.append(_leaf(parent, named))
        inputs[node] = len(steps)
        name, _ = named.get(node, ("", None))
        sources = tuple(inputs[parent] for parent in node.parents)
        shape = node.shape if node.op.outputs == 1 else None
        steps.append(Step((_title(node),), shape, sources, name=name))
    return Tape(steps, leaves)


def _title(node: Any) -> str:
    """The operation; or, for one of the several outputs of another, of which."""
    name: str = node.op.name
    return name if name != "part" else f"part of {node.parents[0].op.name}"


def _root(asked: str, tensor: Any) -> Any:
    if not isinstance(tensor, Tensor):
        raise ArgumentError(f"{asked}: expected a Tensor, got {type(tensor).__name__}")
    if tensor.grad_fn is not None:
        return tensor.grad_fn
    if tensor.requires_grad:
        raise GraphError(
            f"{asked}: this tensor (shape {tensor.shape}) is a leaf, nothing computed it; pass "
            "what you computed from it, such as the loss"
        )
    raise GraphError(
        f"{asked}: this tensor (shape {tensor.shape}) has no history; compute it, outside of "
        "no_grad, from tensors with requires_grad=True"
    )


def _nodes(asked: str, root: Any) -> list[Any]:
    """The recorded operations up to `root`, oldest first."""
    seen, pending = {root}, [root]
    while pending:  # no recursion: a chain may be longer than Python's stack
        node = pending.pop()
        if not node.parents:
            raise GraphError(
                f"{asked}: the graph through '{node.op.name}' was freed by a backward; draw it "
                "before, or call backward(retain_graph=True)"
            )
        for parent in node.parents:
            if parent is not None and parent.op is not None and parent not in seen:
                seen.add(parent)
                pending.append(parent)
    return sorted(seen, key=attrgetter("serial"))


def _named(asked: str, names: Mapping[str, Any] | None, model: Any) -> dict[Any, tuple[str, Any]]:
    """Per node the name and the tensor, where there is a name."""
    if names is not None and not isinstance(names, Mapping):
        raise ArgumentError(
            f"{asked}: names must be a dict such as {{'w': w}}, got {type(names).__name__}"
        )
    found: dict[Any, tuple[str, Any]] = {}
    for name, value in dict(names or {}).items():
        if isinstance(value, Tensor) and not str(name).startswith("_"):
            found.setdefault(value._node, (str(name), value))
    if model is not None:
        if not hasattr(model, "named_parameters"):
            raise ArgumentError(
                f"{asked}: model must be a Module, whose parameters have names, got "
                f"{type(model).__name__}; for tensors use names={{'w': w}}"
            )
        for path, parameter in model.named_parameters():
            found.setdefault(parameter._node, (path, parameter))
    found.pop(None, None)
    return found


def _leaf(node: Any, named: dict[Any, tuple[str, Any]]) -> Leaf:
    name, tensor = named.get(node, ("", None))
    if tensor is None or tensor.size != 1:
        return Leaf(node.shape, name)
    gradient = "" if tensor.grad is None else f"{tensor.grad.item():.4g}"
    return Leaf(node.shape, name, f"{tensor.item():.4g}", gradient)
