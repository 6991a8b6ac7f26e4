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
the same rules are called with Tensors, `xp` being `minigrad.ops`: so a rule uses operators and
`xp` alone, and its result can be differentiated again. Broadcasting and changes of dtype in the
forward are undone by the engine.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from types import FunctionType
from typing import Any
from weakref import WeakSet

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
from minigrad.ops.codegen import RESERVED, caller
from minigrad.tape import Node, mode
from minigrad.tensor import Tensor, wrap

Rule = Callable[..., Any]
Operation = Callable[..., Tensor]  # what `op` returns

operations: WeakSet[Any] = WeakSet()  # all that `op` and `op_with_parts` have returned

_Names = tuple[str, ...]
_HAS_STARRED = 0x04  # inspect.CO_VARARGS


def _parameters(name: str, function: Any) -> tuple[_Names, _Names, _Names]:
    """The names of a function's positional, keyword-only and starred parameters.

    `inspect.signature` takes sixty times as long, and `import minigrad` asks for every row.
    """
    if not isinstance(function, FunctionType):
        raise TypeError(
            f"op {name}: expected functions made with def or lambda, got {function!r}; "
            "wrap it in a lambda"
        )
    code = function.__code__
    names, positional = code.co_varnames, code.co_argcount
    end = positional + code.co_kwonlyargcount
    starred = names[end : end + 1] if code.co_flags & _HAS_STARRED else ()
    return names[:positional], names[positional:end], starred


class Op:
    """One row of the table.

    Attributes:
        name: as it is shown in errors and graphs.
        forward: computes the output from arrays.
        arguments: the names of the array arguments; with `starred`, the one name that stands
            for a list of them.
        parameters: the names of the keyword-only parameters of the forward.
        rules: per argument its derivative rule, or None where it has none.
        joint: one rule for all arguments at once, instead of `rules`.
        outputs: how many outputs the forward returns.
    """

    def __init__(
        self,
        name: str,
        forward: Callable[..., Any],
        joint: Rule | None,
        rules: dict[str, Rule],
        outputs: int = 1,
    ) -> None:
        self.name = name
        self.forward = forward
        self.joint = joint
        self.outputs = outputs
        positional, self.parameters, starred = _parameters(name, forward)
        if positional[:1] != ("xp",):
            raise TypeError(f"op {name}: the first parameter of the forward must be xp")
        self.starred = bool(starred)
        self.arguments = [*positional[1:], *starred]
        self.rules = [rules.get(a) for a in self.arguments]
        leading = 1 if joint is None else 2  # `g`, and in a joint rule `needs`
        self._named = {
            rule: [n for names in _parameters(name, rule) for n in names][leading:]
            for rule in filter(None, [joint, *self.rules])
        }
        self._check(rules)

    def _check(self, rules: dict[str, Rule]) -> None:
        """Raise at once for what would go wrong in the first backward."""
        known = {"xp", "out", *self.arguments, *self.parameters}
        known |= {f"{a}_shape{s}" for a in self.arguments for s in ("", "s")}
        if not self.name.isidentifier():
            raise TypeError(f"op {self.name!r}: the name must be a Python identifier")
        if taken := RESERVED & {*self.arguments, *self.parameters}:
            raise TypeError(f"op {self.name}: the names {sorted(taken)} are taken; rename them")
        if not set(rules) <= set(self.arguments):
            raise TypeError(
                f"op {self.name}: rules for {sorted(rules)}, but the arguments are {self.arguments}"
            )
        for named in self._named.values():
            if unknown := set(named) - known:
                raise TypeError(
                    f"op {self.name}: a rule names {sorted(unknown)}; it may name {sorted(known)}"
                )

    def named(self, rule: Rule) -> list[str]:
        """What a rule names, after `g` (and, in a joint rule, `needs`)."""
        return self._named[rule]

    def watched(self, rule: Rule) -> list[str]:
        """What of that is a tensor, in the order of the stamps of a node."""
        named = self.named(rule)
        return [name for name in ("out", *self.arguments) if name in named]

    def as_tensors(self, node: Node) -> Sequence[Any]:
        """What `node` kept, as Tensors in the graph, so that rules run on it are recorded."""
        cells = iter(node.stamps[::2])
        if self.joint is not None:
            return self._attach(self.joint, node.kept, node, cells)
        return [
            None if values is None or rule is None else self._attach(rule, values, node, cells)
            for rule, values in zip(self.rules, node.kept, strict=True)
        ]

    def _attach(
        self, rule: Rule, values: Sequence[Any], node: Node, cells: Iterator[list[int]]
    ) -> list[Any]:
        kept = dict(zip(self.named(rule), values, strict=True))
        for name in self.watched(rule):
            value = kept[name]
            if name == "out" and self.outputs > 1:
                parts = [_part_of(node, i, v) for i, v in enumerate(value)]
                kept[name] = [_rebuild(v, p, cells) for v, p in zip(value, parts, strict=True)]
            elif name == "out":
                kept[name] = _rebuild(value, node, cells)
            elif self.starred:
                pairs = zip(value, node.parents, strict=True)
                kept[name] = [_rebuild(v, p, cells) for v, p in pairs]
            else:
                kept[name] = _rebuild(value, node.parents[self.arguments.index(name)], cells)
        if "xp" in kept:
            kept["xp"] = sys.modules["minigrad.ops"]
        return list(kept.values())


def _rebuild(value: Any, node: Node | None, cells: Iterator[list[int]]) -> Any:
    """A kept value as the Tensor it was, with the version that writes to that one will raise."""
    version = next(cells)
    if isinstance(value, np.ndarray) or hasattr(value, "__cuda_array_interface__"):
        tensor = wrap(value, device_of(value), node)
        tensor._version = version
        return tensor
    return value  # a Python number, or an argument that was left out


def op(
    name: str,
    forward: Callable[..., Array],
    joint: Rule | None = None,
    *,
    is_view: bool = False,
    explain: Callable[..., str] | None = None,
    **rules: Rule,
) -> Operation:
    """Declare an operation: its forward beside the derivative rule of each argument.

    A rule gets `g`, the gradient of the output, and after it whatever it names: an argument,
    `out` (the output), `x_shape` (the shape of argument x), a keyword parameter of the forward,
    or `xp` (the library of the values at hand). It may use operators and `xp` alone, so that it
    runs on arrays as well as on Tensors and can be differentiated again.

    Arguments:
        name: for errors, graphs and `repr`; a Python identifier.
        forward: `forward(xp, *arrays, *, **params)`, returning one array; `xp` is NumPy or CuPy.
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
    spec = Op(name, forward, joint, rules)

    def explained(error: Exception, arrays: Sequence[Any]) -> Exception:
        return _explain(name, arrays, error, explain)

    apply = caller(spec, is_view, explained, as_tensors)
    apply.__doc__ = _doc(spec)
    operations.add(apply)
    return apply


_DOC = """{name}({arguments}), element by element{whose}.

    Arguments:
        {arguments}: tensors, arrays or numbers, of shapes that broadcast.

    Returns:
        A Tensor of the broadcast shape, of the dtype that NumPy gives.

    Raises:
        ShapeError: the shapes do not broadcast.
        DtypeError: NumPy does not define the operation for that dtype.

    {derivatives}
    """


def _doc(spec: Op) -> str:
    """The documentation of an elementwise row; others are called through documented functions."""
    ruled = [a for a, rule in zip(spec.arguments, spec.rules, strict=True) if rule is not None]
    return _DOC.format(
        name=spec.name,
        arguments=", ".join(spec.arguments),
        whose=f", as NumPy's `{spec.name}`" if hasattr(np, spec.name) else "",
        derivatives=f"Differentiable in {' and '.join(ruled)}, any number of times."
        if ruled
        else "Not differentiable: no gradient goes through it.",
    )


def op_with_parts(
    name: str, forward: Callable[..., tuple[Array, ...]], outputs: int, joint: Rule
) -> Callable[..., tuple[Tensor, ...]]:
    """Declare an operation with several outputs, such as `svd`.

    `joint` gets as `g` one gradient (or None) per output, to unpack, and `out` likewise.
    """
    spec = Op(name, forward, joint, {}, outputs)
    named = spec.named(joint)

    def apply(*inputs: Any, **params: Any) -> tuple[Tensor, ...]:
        inputs = as_tensors(name, *inputs)
        device = inputs[0].device
        arrays = [x._data for x in inputs]
        try:
            data = [device.xp.asarray(d) for d in spec.forward(device.xp, *arrays, **params)]
        except MinigradError:
            raise
        except Exception as error:
            raise _explain(name, arrays, error, None) from error
        outs = tuple(wrap(d, device) for d in data)
        if not mode.enabled or all(x._node is None for x in inputs):
            return outs
        values = dict(zip(spec.arguments, arrays, strict=True))
        values |= {"xp": device.xp, "out": data, **params}
        kept = tuple(values[n] for n in named)
        watched = list(outs) if "out" in named else []
        watched += [x for x, a in zip(inputs, spec.arguments, strict=True) if a in named]
        stamps = [item for x in watched for item in (x._version, x._version[0])]
        node = Node(spec, tuple(x._node for x in inputs), kept, stamps, (), None)
        for i, out in enumerate(outs):
            if data[i].dtype.kind == "f":
                out._node = _part_of(node, i, data[i])
        return outs

    apply.spec = spec  # type: ignore[attr-defined]
    operations.add(apply)
    return apply


_part = Op(
    "part",
    lambda xp, x, *, index, outputs: x[index],
    None,
    {"x": lambda g, index, outputs: Parts([g if i == index else None for i in range(outputs)])},
)


def _part_of(node: Node, index: int, data: Array) -> Node:
    """The node of one output of `node`."""
    return Node(_part, (node,), [(index, node.op.outputs)], (), data.shape, data.dtype)


def use(xp: Any, operation: Callable[..., Any], *args: Any, **params: Any) -> Any:
    """Call, inside a rule, an operation that NumPy lacks: on arrays its forward, else itself."""
    if xp is sys.modules["minigrad.ops"]:
        return operation(*args, **params)
    return operation.spec.forward(xp, *args, **params)  # type: ignore[attr-defined]


_BARE = (bool, int, float, type(None))


def as_tensors(name: str, *inputs: Any) -> tuple[Tensor, ...]:
    """Arguments of the operation `name` that are not all Tensors, as Tensors on one device.

    Beside a Tensor or array, a Python number (or None) becomes a Tensor around the bare number,
    so that it does not decide the dtype of the result.
    """
    # Loops and lists, not generators: `x * 2` should not cost three times what `x * y` does.
    device = None
    for x in inputs:
        if isinstance(x, Tensor):
            device = x.device
            break
    beside = device is not None or any(hasattr(x, "dtype") for x in inputs)
    bare = _BARE if beside else type(None)
    device = device or CPU
    return tuple([
        x
        if isinstance(x, Tensor)
        else wrap(x if isinstance(x, bare) else _as_array(name, x, device), device)
        for x in inputs
    ])  # fmt: skip


def _as_array(name: str, value: Any, device: Device) -> Array:
    """A copy, as what is kept for backward must not change when the caller writes to `value`."""
    array = device.xp.array(value, dtype=default_dtype_of(value))
    if array.dtype.kind not in "fiub":
        raise DtypeError(
            f"{name}: expected tensors or numbers, got {type(value).__name__} ({array.dtype})"
        )
    return array


_SHAPE_WORDS = ("shape", "dimension", "broadcast", "align", "axis", "axes", "size", "length")


def _explain(
    name: str, arrays: Sequence[Any], error: Exception, explain: Callable[..., str] | None
) -> Exception:
    """The error of the array library, told with the operation and the shapes."""
    places = sorted({device_of(x).name for x in arrays if hasattr(x, "shape")})
    if len(places) > 1:
        return ArgumentError(
            f"{name}: the tensors are on different devices, {' and '.join(places)}; move one, e.g. "
            f"t.to({places[-1]!r})"
        )
    if not isinstance(error, ValueError | TypeError | IndexError):
        return type(error)(f"{name}: {error}")
    if explain is not None:
        return ShapeError(f"{name}: {explain(*arrays)}")
    shapes = ", ".join(
        str(x.shape) if hasattr(x, "shape") else repr(x) for x in arrays if x is not None
    )
    if str(error).startswith("operands could not be broadcast"):
        return ShapeError(
            f"{name}: shapes {shapes} do not broadcast: counted from the last axis, sizes must be "
            "equal, or one of them 1; add axes of size 1 with reshape or expand_dims"
        )
    kind: type[MinigradError] = ShapeError
    if isinstance(error, np.linalg.LinAlgError):
        kind = ArgumentError
    elif isinstance(error, TypeError):
        kind = DtypeError
    elif isinstance(error, ValueError) and not any(word in str(error) for word in _SHAPE_WORDS):
        kind = ArgumentError
    elif isinstance(error, IndexError) and not isinstance(error, np.exceptions.AxisError):
        kind = OutOfRangeError
    return kind(f"{name}: {error}; given shapes {shapes}")
