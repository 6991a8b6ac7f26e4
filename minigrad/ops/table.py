"""How an operation is declared: its forward, and one derivative rule per argument.

    exp = op("exp", lambda xp, x: xp.exp(x), x=lambda g, out: g * out)
    mul = op("mul", lambda xp, a, b: a * b, a=lambda g, b: g * b, b=lambda g, a: g * a)

The forward takes `xp` (the array library), the arrays, and keyword-only parameters. A rule gets
`g`, the gradient of the output, and whatever else it *names*:

    an argument (`a`)      its array; only what some rule names is kept alive for backward
    `out`                  the output
    `a_shape`              the shape of an argument, which keeps no array alive
    a parameter (`axis`)   as the forward got it
    `xp`                   the library of the values at hand

An ordinary backward calls rules with arrays, `xp` being NumPy (or CuPy). Under `create_graph`
the same rules are called with Tensors, `xp` being `minigrad` itself: so a rule uses operators
and `xp` alone, and its result can be differentiated again. Broadcasting and changes of dtype in
the forward are undone by the engine.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigrad.autograd import Parts
from minigrad.backend import CPU, Array, Device, default_dtype_of, device_of
from minigrad.errors import (
    ArgumentError,
    DtypeError,
    MinigradError,
    OutOfRangeError,
    ShapeError,
)
from minigrad.tape import Node, mode
from minigrad.tensor import Tensor, share_memory, wrap

Rule = Callable[..., Any]


class _Keeper:
    """A rule, with a function that picks from a forward what the rule names."""

    __slots__ = ("keep", "keeps_out", "names", "rule", "stamped")

    def __init__(self, rule: Rule, skip: int, arguments: list[str], parameters: list[str]) -> None:
        self.rule = rule
        self.names = list(inspect.signature(rule).parameters)[skip:]
        self.stamped = [k for k, a in enumerate(arguments) if a in self.names]
        self.keeps_out = "out" in self.names
        values = {a: a for a in ["xp", "out", *arguments, *parameters]}
        values |= {f"{a}_shape": f"xp.shape({a})" for a in arguments}
        values |= {f"{a}_shapes": f"[x.shape for x in {a}]" for a in arguments}
        # Written as a person would write it for this one rule, e.g. for `a=lambda g, b: g * b`
        # as `lambda xp, a, b, out: (b,)`: five times faster than looking names up in a dict.
        named = "".join(f"{values[name]}, " for name in self.names)
        self.keep = eval(f"lambda {', '.join(['xp', *arguments, 'out', *parameters])}: ({named})")

    def stamps(self, inputs: Any, version: list[Any], starred: bool) -> list[Any]:
        """Flat pairs (version cell, version now) of the tensors that the rule names."""
        stamps = [version, version[0]] if self.keeps_out else []
        for x in inputs if starred and self.stamped else [inputs[k] for k in self.stamped]:
            if isinstance(x, Tensor):
                stamps += x._version, x._version[0]
        return stamps


class Op:
    """One row of the table.

    Attributes:
        name: as it is shown in errors and graphs.
        forward: computes the output from arrays.
        arguments: the names of the array arguments; a starred one stands for a list of them.
        rules: per argument its derivative rule, or None where it has none.
        joint: one rule for all arguments at once, instead of `rules`.
    """

    __slots__ = (
        "arguments", "forward", "joint", "keepers", "name", "outputs", "rules", "starred"
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        forward: Callable[..., Array],
        joint: Rule | None,
        rules: dict[str, Rule],
        outputs: int,
    ) -> None:
        self.name = name
        self.forward = forward
        self.outputs = outputs
        signature = list(inspect.signature(forward).parameters.values())[1:]
        self.starred = any(p.kind is p.VAR_POSITIONAL for p in signature)
        self.arguments = [p.name for p in signature if p.kind is not p.KEYWORD_ONLY]
        parameters = [p.name for p in signature if p.kind is p.KEYWORD_ONLY]
        if not set(rules) <= set(self.arguments):
            raise TypeError(f"op {name}: a rule for something that is no argument: {set(rules)}")
        self.joint = None if joint is None else _Keeper(joint, 2, self.arguments, parameters)
        self.keepers = [
            _Keeper(rules[a], 1, self.arguments, parameters) if a in rules else None
            for a in self.arguments
        ]
        self.rules = [rules.get(a) for a in self.arguments]

    def record(
        self, inputs: Any, xp: Any, arrays: Any, out: Any, version: list[Any], params: Any
    ) -> Node:
        """The node of one call: its parents, and what the rules of those parents name."""
        if self.joint is not None:
            parents = [x._node if isinstance(x, Tensor) else None for x in inputs]
            given = (arrays,) if self.starred else arrays
            kept = self.joint.keep(xp, *given, out, **params)
            stamps = self.joint.stamps(inputs, version, self.starred)
        else:
            parents, kept, stamps = [], [], []
            for x, keeper in zip(inputs, self.keepers, strict=True):
                parent = x._node if isinstance(x, Tensor) and keeper is not None else None
                parents.append(parent)
                if parent is None:
                    kept.append(None)
                else:
                    kept.append(keeper.keep(xp, *arrays, out, **params))
                    stamps += keeper.stamps(inputs, version, False)
        if self.outputs > 1:
            return Node(self, tuple(parents), kept, stamps, (), None)
        return Node(self, tuple(parents), kept, stamps, out.shape, out.dtype)

    def pull(self, g: Any, parents: tuple[Node | None, ...], kept: Any) -> Sequence[Any]:
        """Per parent the gradient that its rule makes of `g`; None where none is wanted."""
        if self.joint is not None:
            return self.joint.rule(g, tuple(p is not None for p in parents), *kept)
        return [
            None if parent is None else rule(g, *values)
            for parent, rule, values in zip(parents, self.rules, kept, strict=True)
        ]

    def as_tensors(self, node: Node) -> Sequence[Any]:
        """What `node` kept, as Tensors in the graph, so that rules run on it are recorded."""
        if self.joint is not None:
            return self._attach(self.joint, node.kept, node)
        return tuple(
            None if values is None else self._attach(keeper, values, node)
            for keeper, values in zip(self.keepers, node.kept, strict=True)
        )

    def _attach(self, keeper: _Keeper, values: tuple[Any, ...], node: Node) -> tuple[Any, ...]:
        attached: list[Any] = []
        for name, value in zip(keeper.names, values, strict=True):
            if name == "xp":
                value = sys.modules["minigrad.ops"]
            elif name == "out" and self.outputs > 1:
                value = [_rebuild(v, _pick(node, i, self.outputs, v)) for i, v in enumerate(value)]
            elif name == "out":
                value = _rebuild(value, node)
            elif name in self.arguments and self.starred:
                value = [_rebuild(v, p) for v, p in zip(value, node.parents, strict=True)]
            elif name in self.arguments:
                value = _rebuild(value, node.parents[self.arguments.index(name)])
            attached.append(value)
        return tuple(attached)


def _rebuild(value: Any, node: Node | None) -> Any:
    if isinstance(value, np.ndarray) or hasattr(value, "__cuda_array_interface__"):
        return wrap(value, device_of(value), node)
    return value  # a Python number, or an argument that was left out


def op(
    name: str,
    forward: Callable[..., Array],
    joint: Rule | None = None,
    *,
    is_view: bool = False,
    explain: Callable[..., str] | None = None,
    **rules: Rule,
) -> Callable[..., Tensor]:
    """Declare an operation; see the top of this file.

    Arguments:
        name: for errors, graphs and `repr`.
        forward: `forward(xp, *arrays, **params)`, returning one array.
        joint: one rule for all arguments, `joint(g, needs, ...)`, where `needs` tells per
            argument whether its gradient is wanted; it returns one gradient per argument.
        is_view: the output may share memory with the first argument.
        explain: `explain(*arrays)` tells in words why the forward failed; by default what
            NumPy says, with the shapes.
        rules: per differentiable argument, its rule. None at all: not differentiable.

    Returns:
        A function of Tensors (or numbers, or arrays) that returns a Tensor.

    >>> import minigrad as mg
    >>> cube = op("cube", lambda xp, x: x * x * x, x=lambda g, x: 3 * g * x * x)
    >>> x = mg.tensor(2.0, requires_grad=True)
    >>> cube(x).backward()
    >>> x.grad
    tensor(12.)
    """
    spec = Op(name, forward, joint, rules, outputs=1)
    differentiable = joint is not None or bool(rules)

    def apply(*inputs: Any, **params: Any) -> Tensor:
        device, tracked, arrays = _unwrap(inputs)
        xp = device.xp
        try:
            data = forward(xp, *arrays, **params)
        except Exception as error:
            raise _explain(name, arrays, error, explain) from error
        if isinstance(data, np.generic):
            data = np.asarray(data)  # NumPy turns 0-d results into scalars
        out = wrap(data, device)
        if tracked and differentiable and mode.enabled and data.dtype.kind == "f":
            out._node = spec.record(inputs, xp, arrays, data, out._version, params)
        if is_view and isinstance(inputs[0], Tensor):
            share_memory(out, inputs[0])
        return out

    apply.spec = spec  # type: ignore[attr-defined]
    return apply


def use(xp: Any, operation: Callable[..., Any], *args: Any, **params: Any) -> Any:
    """Call, inside a rule, an operation that NumPy lacks: on arrays its forward, else itself."""
    if xp is sys.modules["minigrad.ops"]:
        return operation(*args, **params)
    return operation.spec.forward(xp, *args, **params)  # type: ignore[attr-defined]


def op_with_parts(
    name: str, forward: Callable[..., tuple[Array, ...]], outputs: int, joint: Rule
) -> Callable[..., tuple[Tensor, ...]]:
    """Declare an operation with several outputs, such as `svd`.

    `joint` gets as `g` one gradient (or None) per output, to unpack, and `out` likewise.
    """
    spec = Op(name, forward, joint, {}, outputs)

    def apply(*inputs: Any, **params: Any) -> tuple[Tensor, ...]:
        device, tracked, arrays = _unwrap(inputs)
        try:
            data = [device.xp.asarray(d) for d in forward(device.xp, *arrays, **params)]
        except Exception as error:
            raise _explain(name, arrays, error, None) from error
        outs = tuple(wrap(d, device) for d in data)
        if tracked and mode.enabled:
            node = spec.record(inputs, device.xp, arrays, data, [0], params)
            if spec.joint.keeps_out:  # each output can be written to on its own
                node.stamps += [item for out in outs for item in (out._version, 0)]
            for i, out in enumerate(outs):
                if data[i].dtype.kind == "f":
                    out._node = _pick(node, i, outputs, data[i])
        return outs

    apply.__name__ = apply.__qualname__ = name
    apply.spec = spec  # type: ignore[attr-defined]
    return apply


_part = Op("part", lambda xp, x, *, index, outputs: x[index], None, {
    "x": lambda g, index, outputs: Parts([g if i == index else None for i in range(outputs)])
}, outputs=1)  # fmt: skip


def _pick(node: Node, index: int, outputs: int, data: Array) -> Node:
    """The node of one output of `node`."""
    return Node(_part, (node,), [(index, outputs)], [], data.shape, data.dtype)


def _unwrap(inputs: Sequence[Any]) -> tuple[Device, bool, list[Any]]:
    """Where to compute, whether a gradient is wanted, and the arrays (or Python numbers)."""
    device = None
    tracked = False
    arrays = []
    foreign = []  # positions of arrays and lists, to be put on the device once it is known
    for x in inputs:
        if isinstance(x, Tensor):
            device = x.device
            arrays.append(x._data)
            if x._node is not None:
                tracked = True
        else:
            # A Python number stays one, so that it does not change the dtype of the result.
            if type(x) not in _PLAIN:
                foreign.append(len(arrays))
            arrays.append(x)
    if device is None:
        device = CPU
        foreign = [i for i, x in enumerate(arrays) if x is not None]
    for i in foreign:
        arrays[i] = _as_array(arrays[i], device)
    return device, tracked, arrays


_PLAIN = {float, int, bool, type(None)}


def _as_array(value: Any, device: Device) -> Array:
    array = device.xp.asarray(value, dtype=default_dtype_of(value))
    if array.dtype.kind not in "fiub":
        raise DtypeError(f"expected numbers, got {type(value).__name__} of dtype {array.dtype}")
    return array


def _explain(
    name: str, arrays: Sequence[Any], error: Exception, explain: Callable[..., str] | None
) -> Exception:
    """The error of the array library, told with the operation and the shapes."""
    if isinstance(error, MinigradError) or not isinstance(
        error, ValueError | TypeError | IndexError
    ):
        return error
    if explain is not None:
        return ShapeError(f"{name}: {explain(*arrays)}")
    shapes = ", ".join(
        str(x.shape) if hasattr(x, "shape") else repr(x) for x in arrays if x is not None
    )
    kind: type[MinigradError] = ShapeError
    if isinstance(error, np.linalg.LinAlgError):
        kind = ArgumentError
    elif isinstance(error, TypeError):
        kind = DtypeError
    elif isinstance(error, IndexError) and not isinstance(error, np.exceptions.AxisError):
        kind = OutOfRangeError
    return kind(f"{name}: {error}; given shapes {shapes}")
