"""The walk backward: from an output to every tensor it depends on, each node once.

In an ordinary backward the derivative rules run on plain arrays and make no nodes. Under
`create_graph=True` the same rules run on Tensors, so what they compute can be differentiated
again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from minigrad.backend import device_of
from minigrad.errors import GraphError, ShapeError
from minigrad.tape import FREED, Node, Watch, last_write, mode
from minigrad.tensor import Tensor, wrap

Gradient = Any  # an array, or under create_graph a Tensor

_by_birth = attrgetter("serial")


def backward(
    tensor: Tensor,
    gradient: Tensor | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
) -> None:
    """Add d(tensor)/d(leaf) to the `.grad` of every leaf that this tensor depends on.

    Two threads must not add to the same leaf at once; `mg.grad` is free of that.

    Arguments:
        gradient: dL/d(tensor), of the tensor's shape; for a one-element tensor 1 is assumed.
        retain_graph: keep the graph for another backward. Default: `create_graph`.
        create_graph: record the backward pass itself, so that gradients can be differentiated.

    Raises:
        GraphError: nothing to differentiate, no gradient for a non-scalar, a graph that was
            freed, or a value that was changed in place since it was kept.
        ShapeError: `gradient` has another shape.

    >>> import minigrad as mg
    >>> x = mg.tensor(3.0, requires_grad=True)
    >>> (x**2 + x).backward()
    >>> x.grad
    tensor(7.)
    """
    root = tensor._tracked("backward")
    seed = _seed("backward", tensor, gradient, create_graph)
    retain = create_graph if retain_graph is None else retain_graph
    order = _reachable([root])
    _walk(order, {root: seed}, None, retain, create_graph)


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of the sum of `outputs` with respect to `inputs`; no `.grad` is touched.

    Arguments:
        outputs: what to differentiate, each one element or with an entry in `grad_outputs`.
        inputs: leaves or intermediate tensors that require a gradient.
        grad_outputs: per output dL/d(output), of its shape; None stands for 1.
        retain_graph, create_graph: as in `Tensor.backward`.
        allow_unused: return None for an input that no output depends on, instead of raising.

    Returns:
        A tuple with one Tensor per input, of that input's shape and dtype.

    Raises:
        GraphError: as `Tensor.backward`, or an input that no output depends on.

    >>> import minigrad as mg
    >>> x = mg.tensor(2.0, requires_grad=True)
    >>> (slope,) = mg.grad(x**3, x, create_graph=True)
    >>> mg.grad(slope, x)
    (tensor(12.),)
    """
    outputs = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    if grad_outputs is None or isinstance(grad_outputs, Tensor):
        seeds: list[Tensor | None] = [grad_outputs] * len(outputs)
    else:
        seeds = list(grad_outputs)
    if len(seeds) != len(outputs):
        raise GraphError(f"grad: {len(outputs)} outputs but {len(seeds)} grad_outputs")

    wanted = [x._tracked("grad: inputs") for x in inputs]
    roots: dict[Node, Gradient] = {}
    for output, seed in zip(outputs, seeds, strict=True):
        if output._node is None and allow_unused:
            continue
        root = output._tracked("grad: outputs")
        g = _seed("grad", output, seed, create_graph)
        roots[root] = roots[root] + g if root in roots else g

    order = _leading_to(set(wanted), _reachable(roots))
    retain = create_graph if retain_graph is None else retain_graph
    found: dict[Node, Gradient] = dict.fromkeys(wanted)
    _walk(order, roots, found, retain, create_graph)
    for i, node in enumerate(wanted):
        if found[node] is None and not allow_unused:
            raise GraphError(
                f"grad: no output depends on input {i} (shape {node.shape}); "
                "pass allow_unused=True to get None for it"
            )
    return tuple(None if found[node] is None else _as_tensor(found[node]) for node in wanted)


def _seed(asked: str, output: Tensor, gradient: Any, create_graph: bool) -> Gradient:
    """The gradient to start with, checked, and as the walk wants it: an array or a Tensor."""
    if gradient is None:
        if output.size != 1:
            raise GraphError(
                f"{asked}: the output has shape {output.shape}, and only a single number has a "
                "gradient; reduce it first, e.g. t.sum().backward(), or pass a gradient of the "
                "same shape"
            )
        gradient = wrap(output.device.xp.ones_like(output._data), output.device)
    elif not isinstance(gradient, Tensor):
        gradient = Tensor(gradient)
    if gradient.shape != output.shape:
        raise ShapeError(
            f"{asked}: the output has shape {output.shape}, the gradient {gradient.shape}; "
            "make them equal"
        )
    if gradient.dtype != output.dtype:
        gradient = gradient.astype(output.dtype)
    return gradient if create_graph else gradient._data


def _reachable(roots: Iterable[Node]) -> list[Node]:
    """The operations that the roots depend on, oldest first: inputs before what they made."""
    seen = {root for root in roots if root.op is not None}
    pending = list(seen)
    while pending:
        node = pending.pop()
        parents = node.parents
        if not parents:
            node.check_unfreed()
        for parent in parents:
            if parent is not None and parent.op is not None and parent not in seen:
                seen.add(parent)
                pending.append(parent)
    return sorted(seen, key=_by_birth)


def _leading_to(wanted: set[Node], order: list[Node]) -> list[Node]:
    """The operations of `order` that depend on a wanted node, or are wanted."""
    leading = set(wanted)
    for node in order:
        if not leading.isdisjoint(node.parents):
            leading.add(node)
    return [node for node in order if node in leading]


def _walk(
    order: list[Node],
    gradients: dict[Node, Gradient],
    found: dict[Node, Gradient] | None,
    retain_graph: bool,
    create_graph: bool,
) -> None:
    """Carry `gradients` back through `order` (oldest first, used up).

    With `found`, gradients of its nodes are put there; without, they go to `.grad` of leaves.
    """
    # Before anything is done, so that an error leaves nothing half done. Nodes that were made
    # after the last write anywhere cannot be concerned.
    for node in order:
        if node.serial > last_write.serial:
            break
        node.check_unchanged()

    owned: set[Node] = set()  # nodes whose gradient array was made here, free to add into
    given = {_memory(g) for g in gradients.values()}  # arrays that somebody outside may hold
    on_the_way = None if found is None else {*order, *found}

    previous, mode.enabled = mode.enabled, create_graph
    # A hook may run another backward inside this one.
    outer = mode.afterwards, mode.fills_grad, mode.retains_graph
    mode.afterwards, mode.fills_grad, mode.retains_graph = [], found is None, retain_graph
    try:
        while order:
            node = order.pop()
            g = gradients.pop(node, None)
            if g is None:
                continue
            if node.watch is not None or found is not None:
                g = _deliver(node, g, given, found, create_graph)
            parents = node.parents
            if on_the_way is not None:
                parents = tuple([p if p in on_the_way else None for p in parents])
                if not any(parents):  # asked for here, and for nothing further back
                    continue
            op = node.op
            kept = op.as_tensors(node) if create_graph else node.kept
            try:
                if op.joint is not None:  # it may see in `parents` what is wanted
                    pulled = op.joint(g, parents, *kept)
                elif len(parents) == 1:
                    pulled = (op.rules[0](g, *kept[0]),)
                else:
                    pulled = [
                        None if parent is None else rule(g, *values)
                        for parent, rule, values in zip(parents, op.rules, kept)  # noqa: B905
                    ]
                for parent, part in zip(parents, pulled, strict=True):
                    if parent is None:
                        continue
                    if part.shape != parent.shape:
                        part = unbroadcast(part, parent.shape)
                    if part.dtype is not parent.dtype:
                        part = part.astype(parent.dtype)
                    if parent not in gradients:
                        gradients[parent] = part
                    elif parent in owned:
                        gradients[parent] += part
                    else:
                        gradients[parent] = gradients[parent] + part
                        if not create_graph:
                            owned.add(parent)
            except GraphError:
                raise
            except Exception as error:
                raise GraphError(
                    f"backward: the derivative rule of '{op.name}' failed on a gradient of shape "
                    f"{node.shape}: {type(error).__name__}: {error}"
                ) from error
            if not retain_graph:  # let go of the kept values and of the way further back
                node.kept = FREED
                node.parents = node.stamps = ()
        for node, g in gradients.items():  # what is left are leaves
            _deliver(node, g, given, found, create_graph)
    finally:
        mode.enabled = previous
        afterwards = mode.afterwards
        mode.afterwards, mode.fills_grad, mode.retains_graph = outer
    for call in afterwards:
        call()


def _deliver(
    node: Node, g: Gradient, given: set[int], found: dict[Node, Gradient] | None, create_graph: bool
) -> Gradient:
    """Show a complete gradient to those who watch the node; returns what goes on."""
    watch = node.watch
    if watch is not None and watch.observers:
        given.add(_memory(g))
        for see in watch.observers:
            see(g)
    if watch is not None and watch.hooks:
        g = _run_hooks(watch, g, node, given, create_graph)
    if found is not None:
        if node in found:
            found[node] = _own(g, given)
        return g
    if watch is None or watch.tensor is None:
        return g
    tensor = watch.tensor()
    if tensor is None:  # it is gone
        return g
    before = tensor._grad
    if before is None:
        own, device = _own(g, given), tensor.device
        tensor._grad = own if isinstance(own, Tensor) else wrap(device.xp.asarray(own), device)
    elif isinstance(g, Tensor) or before._node is not None:
        tensor._grad = before + _as_tensor(g)
    else:
        before._data += g
        before.mark_written()
    return g


def unbroadcast(g: Gradient, shape: tuple[int, ...]) -> Gradient:
    """Sum a gradient over the axes along which an argument of `shape` was repeated.

    >>> import numpy as np
    >>> unbroadcast(np.ones((3, 2)), (2,))
    array([3., 3.])
    """
    new = g.ndim - len(shape)
    stretched = tuple(
        i for i in range(g.ndim) if i < new or (shape[i - new] == 1 and g.shape[i] != 1)
    )
    return g.sum(axis=stretched).reshape(shape)


class Parts:
    """The gradients of an operation's several outputs, None where one has none yet.

    They arrive one output at a time and are added like any other gradient.
    """

    shape = ()
    dtype = None

    def __init__(self, items: Sequence[Gradient]) -> None:
        self.items = items

    def __iter__(self) -> Iterator[Gradient]:
        return iter(self.items)

    def __add__(self, other: Parts) -> Parts:
        return Parts(
            [a if b is None else b if a is None else a + b
             for a, b in zip(self.items, other.items, strict=True)]
        )  # fmt: skip


def _run_hooks(
    watch: Watch, g: Gradient, node: Node, given: set[int], create_graph: bool
) -> Gradient:
    for hook in list(watch.hooks.values()):
        given.add(_memory(g))
        replaced = hook(g if create_graph else _read_only(g))
        if replaced is None:
            continue
        if not isinstance(replaced, Tensor) or replaced.shape != node.shape:
            raise ShapeError(
                f"hook: must return None or a Tensor of shape {node.shape}, got "
                f"{getattr(replaced, 'shape', type(replaced).__name__)}"
            )
        if replaced.dtype != node.dtype:
            replaced = replaced.astype(node.dtype)
        g = replaced if create_graph else replaced._data
    given.add(_memory(g))
    return g


def _read_only(g: Gradient) -> Tensor:
    """For a hook: other gradients may share this memory, so a write to it must fail."""
    tensor = _as_tensor(g)
    if isinstance(tensor._data, np.ndarray):
        tensor._data = tensor._data.view()
        tensor._data.flags.writeable = False
    return tensor


def _memory(g: Gradient) -> int:
    """What tells the array of a gradient from all others that live."""
    return id(g._data) if isinstance(g, Tensor) else id(g)


def _own(g: Gradient, given: set[int]) -> Gradient:
    """`g` in memory that nobody else was given: a rule may pass one array on to several places."""
    array = g._data if isinstance(g, Tensor) else g
    if array.base is not None or id(array) in given:
        g = g.clone() if isinstance(g, Tensor) else g.copy()
        array = g._data if isinstance(g, Tensor) else g
    given.add(id(array))
    return g


def _as_tensor(g: Gradient) -> Tensor:
    if isinstance(g, Tensor):
        return g
    device = device_of(g)
    return wrap(device.xp.asarray(g), device)


Tensor.backward = backward
