"""What runs when an operation is called, written out for each row of the table.

A general loop over arguments, rules and kept values would cost more than the arithmetic of a
small tensor. So each operation gets a function of its own, as one would write it by hand. For
`exp`, `print(mg.exp.source)` shows (here without what handles errors and numbers):

    def exp(x):
        x_ = x._data
        device = x.device
        xp = device.xp
        data = forward(xp, x_)
        out = new(Tensor)
        out._data = data
        ...
        x_node = x._node
        if x_node is not None and mode.enabled and (data_dtype := data.dtype).kind == "f":
            node = out._node = new(Node)
            node.op = spec
            node.parents = (x_node,)
            node.kept = ((data,),)
            ...
        return out

Compiling such a text takes a hundred microseconds, there are more than a hundred operations, and
a program calls few of them. So importing minigrad compiles none: an operation starts with the
code of `_STAND_IN`, which on the first call writes and compiles the text, and puts that code into
the function in place of its own. Whoever holds the function, under whatever name, holds the fast
one from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad.errors import MinigradError
from minigrad.tape import Node, mode, next_serial_number
from minigrad.tensor import Tensor, share_memory

if TYPE_CHECKING:
    from minigrad.ops.table import Op

_TEMPLATE = """\
def {name}({signature}):
    if not ({all_tensors}):
        {unpacked} = as_tensors("{name}", {arguments})
    {arrays}
    device = {first}.device
    xp = device.xp
    try:
        data = forward(xp, {array_arguments}{passed})
    except MinigradError:
        raise
    except Exception as error:
        raise explained(error, [{array_arguments}]) from error
    if type(data) is not ndarray:
        data = xp.asarray(data)  # NumPy turns 0-d results into scalars
    out = new(Tensor)
    out._data = data
    out.device = device
    out._version = version = [0]
    out._node = out._grad = out._base = out._views = None
"""

# The tape's `Node(...)`, written out like the tensor above: a call of __init__ takes longer.
_RECORDING = """\
    {nodes}
    if {some_node} and mode.enabled and (data_dtype := data.dtype).kind == "f":
        node = out._node = new(Node)
        node.op = spec
        node.parents = {parents}
        node.kept = {kept}
        node.stamps = {stamps}
        node.shape = data.shape
        node.dtype = data_dtype
        node.serial = next_serial_number()
        node.watch = None
"""

# What the text of a function uses itself, and an operation's arguments must not be called.
RESERVED = {
    "MinigradError", "Node", "Tensor", "as_tensors", "data", "data_dtype", "device", "error",
    "explained", "forward", "mode", "ndarray", "new", "next_serial_number", "node", "nodes", "out",
    "share_memory", "spec", "version", "xp",
}  # fmt: skip

_STAND_IN = compile(
    """\
def itself(*args, **params):
    put_real_code_into_itself()
    return itself(*args, **params)
""",
    "<operation before its first call>",
    "exec",
)


def caller(
    spec: Op,
    is_view: bool,
    explained: Callable[..., Exception],
    as_tensors: Callable[..., tuple[Tensor, ...]],
) -> Callable[..., Tensor]:
    """The function that users call for one row of the table; its first call compiles it.

    Arguments:
        spec: the row.
        is_view: whether to note that the output may share the first argument's memory.
        explained: makes the error to raise from what the forward raised, and the arrays.
        as_tensors: makes Tensors of arguments that are not all Tensors.
    """
    source = Source(spec, is_view)

    def put_real_code_into_itself() -> None:
        made: dict[str, Any] = {}
        exec(compile(str(source), f"<operation {spec.name}>", "exec"), scope, made)
        # The one thing that changes, at one stroke: threads that come here together do it twice,
        # and none can meet a function that is half changed.
        function.__code__ = made[spec.name].__code__

    scope: dict[str, Any] = {
        "MinigradError": MinigradError, "Node": Node, "Tensor": Tensor, "as_tensors": as_tensors,
        "explained": explained, "forward": spec.forward, "mode": mode, "ndarray": np.ndarray,
        "new": object.__new__, "next_serial_number": next_serial_number,
        "put_real_code_into_itself": put_real_code_into_itself, "share_memory": share_memory,
        "spec": spec, "__name__": spec.forward.__module__,
    }  # fmt: skip
    exec(_STAND_IN, scope)
    function: Any = scope["itself"]
    function.__name__ = function.__qualname__ = spec.name
    function.__kwdefaults__ = spec.forward.__kwdefaults__
    function.__wrapped__ = partial(spec.forward, np)  # here help() finds the parameters
    function.spec = spec
    function.source = source
    return function  # type: ignore[no-any-return]


class Source:
    """The text of an operation's function, written anew whenever it is printed or compiled."""

    def __init__(self, spec: Op, is_view: bool) -> None:
        self._spec = spec
        self._is_view = is_view

    def __repr__(self) -> str:
        return _source(self._spec, self._is_view)


def _source(spec: Op, is_view: bool) -> str:
    args, parameters = spec.arguments, list(spec.parameters)
    given = [f"*{args[0]}"] if spec.starred else args
    only_by_name = ["*", *parameters] if parameters and not spec.starred else parameters
    arrays = f"*{args[0]}_" if spec.starred else ", ".join(f"{a}_" for a in args)
    text = _TEMPLATE.format(
        name=spec.name,
        signature=", ".join([*given, *only_by_name]),
        all_tensors=f"all([isinstance(t, Tensor) for t in {args[0]}])"
        if spec.starred
        else " and ".join(f"isinstance({a}, Tensor)" for a in args),
        unpacked=args[0] if spec.starred else _tuple(args),
        arguments=", ".join(given),
        arrays=f"{args[0]}_ = [t._data for t in {args[0]}]"
        if spec.starred
        else "; ".join(f"{a}_ = {a}._data" for a in args),
        first=f"{args[0]}[0]" if spec.starred else args[0],
        array_arguments=arrays,
        passed="".join(f", {p}={p}" for p in parameters),
    )
    if spec.joint is not None or any(spec.rules):
        text += _recording(spec)
    if is_view:
        text += f"    share_memory(out, {args[0]})\n"
    return text + "    return out\n"


def _recording(spec: Op) -> str:
    args = spec.arguments
    # An argument without a rule has no parent: nothing goes back to it.
    ruled = [a for a, rule in zip(args, spec.rules, strict=True) if rule or spec.joint]
    if spec.starred:
        nodes = f"nodes = [t._node for t in {args[0]}]"
        some_node, parents = "any(nodes)", "tuple(nodes)"
    else:
        nodes = "; ".join(f"{a}_node = {a}._node" for a in ruled)
        some_node = " or ".join(f"{a}_node is not None" for a in ruled)
        some_node = f"({some_node})" if len(ruled) > 1 else some_node
        parents = _tuple(f"{a}_node" if a in ruled else "None" for a in args)
    if spec.joint is not None:
        kept, stamps = _kept(spec, spec.joint), _tuple(_stamps(spec, spec.joint))
    else:
        kept, stamps = _kept_by_rules(spec), _stamps_by_rules(spec)
    return _RECORDING.format(
        nodes=nodes, some_node=some_node, parents=parents, kept=kept, stamps=stamps
    )


def _kept_by_rules(spec: Op) -> str:
    """Per argument what its rule names, or None where nothing goes back to it."""
    each = [
        "None" if rule is None else _if_asked(spec, a, _kept(spec, rule), "None")
        for a, rule in zip(spec.arguments, spec.rules, strict=True)
    ]
    return _tuple(each) if len(each) == 1 else _lines(f"{values}," for values in each)


def _stamps_by_rules(spec: Op) -> str:
    each = [
        _if_asked(spec, a, _tuple(stamps), "()")
        for a, rule in zip(spec.arguments, spec.rules, strict=True)
        if rule is not None and (stamps := _stamps(spec, rule))
    ]
    if len(each) < 2:
        return each[0] if each else "()"
    return _lines(f"{'+ ' if i else ''}({stamps})" for i, stamps in enumerate(each))


def _if_asked(spec: Op, argument: str, text: str, otherwise: str) -> str:
    """`text` if that argument wants a gradient; of the only one that can, this is known."""
    if sum(rule is not None for rule in spec.rules) == 1:
        return text
    return f"{otherwise} if {argument}_node is None else {text}"


def _kept(spec: Op, rule: Callable[..., Any]) -> str:
    """The values that a rule names, as a tuple display."""
    values = {"xp": "xp", "out": "data", **{p: p for p in spec.parameters}}
    for a in spec.arguments:
        values[a] = f"{a}_"
        values[f"{a}_shape"] = f"xp.shape({a}_)"
        values[f"{a}_shapes"] = f"[t.shape for t in {a}_]"
    return _tuple(values[name] for name in spec.named(rule))


def _stamps(spec: Op, rule: Callable[..., Any]) -> list[str]:
    """Version cell and version now of the tensors that a rule names."""
    stamps = []
    for name in spec.watched(rule):
        if name == "out":
            stamps += ["version", "0"]
        elif spec.starred:
            stamps.append(f"*(s for t in {name} for s in (t._version, t._version[0]))")
        else:
            stamps += [f"{name}._version", f"{name}._version[0]"]
    return stamps


def _lines(texts: Iterable[str]) -> str:
    return "(\n            " + "\n            ".join(texts) + "\n        )"


def _tuple(items: Iterable[str]) -> str:
    """Python for the tuple of `items`: one alone needs its comma."""
    items = list(items)
    return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"
