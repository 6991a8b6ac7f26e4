"""What runs when an operation is called, written out for each row of the table.

A general loop over arguments, rules and kept values would cost more than the arithmetic of a
small tensor. So each operation gets a function of its own, as one would write it by hand; for
`multiply` (see it with `print(mg.multiply.source)`):

    def multiply(a, b):
        if not (isinstance(a, Tensor) and isinstance(b, Tensor)):
            a, b = as_tensors("multiply", a, b)
        a_, b_ = a._data, b._data
        xp = a.device.xp
        try:
            data = forward(xp, a_, b_)
        except MinigradError:
            raise
        except Exception as error:
            raise explained(error, [a_, b_]) from error
        out = wrap(data, a.device)
        a_node, b_node = a._node, b._node
        if (a_node is not None or b_node is not None) and mode.enabled and is_real(out):
            kept_a = None if a_node is None else (b_,)
            ...
            out._node = Node(spec, (a_node, b_node), (kept_a, kept_b), stamps, ...)
        return out
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad.errors import MinigradError
from minigrad.tape import Node, mode
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
    if isinstance(data, generic):
        data = xp.asarray(data)  # NumPy turns 0-d results into scalars
    out = new(Tensor)
    out._data = data
    out.device = device
    out._version = version = [0]
    out._node = out._grad = out._base = out._views = None
"""

# What the text of a function uses itself, and an operation's arguments must not be called.
RESERVED = {
    "MinigradError", "Node", "Tensor", "as_tensors", "data", "device", "error", "explained",
    "forward", "generic", "mode", "new", "nodes", "out", "share_memory", "spec", "version", "xp",
}  # fmt: skip

_RECORDING = """\
    {nodes}
    if ({some_node}) and mode.enabled and data.dtype.kind == "f":
        out._node = Node(
            spec, ({parents}), {kept}, {stamps}, data.shape, data.dtype
        )
"""


def caller(
    spec: Op,
    is_view: bool,
    explained: Callable[..., Exception],
    as_tensors: Callable[..., tuple[Tensor, ...]],
) -> Callable[..., Tensor]:
    """The function that users call for one row of the table.

    Arguments:
        spec: the row.
        is_view: whether to note that the output may share the first argument's memory.
        explained: makes the error to raise from what the forward raised, and the arrays.
        as_tensors: makes Tensors of arguments that are not all Tensors.
    """
    source = _source(spec, is_view)
    scope = {
        "MinigradError": MinigradError, "Node": Node, "Tensor": Tensor, "as_tensors": as_tensors,
        "explained": explained, "forward": spec.forward, "generic": np.generic, "mode": mode,
        "new": object.__new__, "share_memory": share_memory, "spec": spec,
        **{f"default_{p}": value for p, value in spec.parameters.items()},
    }  # fmt: skip
    exec(source, scope)
    function: Any = scope[spec.name]
    function.spec = spec
    function.source = source
    return function  # type: ignore[no-any-return]


def _source(spec: Op, is_view: bool) -> str:
    args, starred = spec.arguments, spec.starred
    star = f"*{args[0]}" if starred else ", ".join(args)
    parameters = [
        p if default is Parameter.empty else f"{p}=default_{p}"
        for p, default in spec.parameters.items()
    ]
    array_names = f"*{args[0]}_" if starred else ", ".join(f"{a}_" for a in args)
    text = _TEMPLATE.format(
        name=spec.name,
        signature=", ".join([star, *(["*"] if parameters and not starred else []), *parameters]),
        all_tensors=f"all(isinstance(t, Tensor) for t in {args[0]})"
        if starred
        else " and ".join(f"isinstance({a}, Tensor)" for a in args),
        unpacked=args[0] if starred else f"{', '.join(args)},",
        arguments=star,
        arrays=f"{args[0]}_ = [t._data for t in {args[0]}]"
        if starred
        else "; ".join(f"{a}_ = {a}._data" for a in args),
        first=f"{args[0]}[0]" if starred else args[0],
        array_arguments=array_names,
        passed="".join(f", {p}={p}" for p in spec.parameters),
    )
    if spec.joint is not None or any(spec.rules):
        text += _recording(spec)
    if is_view:
        text += f"    share_memory(out, {args[0]})\n"
    return text + "    return out\n"


def _recording(spec: Op) -> str:
    args = spec.arguments
    if spec.starred:
        nodes = f"nodes = [t._node for t in {args[0]}]"
        some_node, parents = "any(n is not None for n in nodes)", "*nodes,"
    else:
        # An argument without a rule has no parent: nothing goes back to it.
        ruled = [a for a, rule in zip(args, spec.rules, strict=True) if rule or spec.joint]
        nodes = "; ".join(f"{a}_node = {a}._node" for a in ruled)
        some_node = " or ".join(f"{a}_node is not None" for a in ruled)
        parents = "".join(f"{a}_node, " if a in ruled else "None, " for a in args)
    if spec.joint is not None:
        kept = _kept(spec, spec.joint)
        stamps = _stamps(spec, spec.joint)
    else:
        wanted = [(a, rule) for a, rule in zip(args, spec.rules, strict=True)]
        single = len(wanted) == 1
        kept = "(" + "".join(
            "None, " if rule is None
            else f"{_kept(spec, rule)}, " if single
            else f"None if {a}_node is None else {_kept(spec, rule)}, "
            for a, rule in wanted
        ) + ")"  # fmt: skip
        each = [(a, _stamps(spec, rule)) for a, rule in wanted if rule is not None]
        each = [(a, stamps) for a, stamps in each if stamps != "()"]
        stamps = (
            " + ".join(
                stamps if single else f"(() if {a}_node is None else {stamps})"
                for a, stamps in each
            )
            or "()"
        )
    return _RECORDING.format(
        nodes=nodes, some_node=some_node, parents=parents, kept=kept, stamps=stamps
    )


def _kept(spec: Op, rule: Callable[..., Any]) -> str:
    """The values that a rule names, as a tuple display."""
    values = {"xp": "xp", "out": "data", **{p: p for p in spec.parameters}}
    for a in spec.arguments:
        values[a] = f"{a}_"
        values[f"{a}_shape"] = f"xp.shape({a}_)"
        values[f"{a}_shapes"] = f"[t.shape for t in {a}_]"
    return "(" + "".join(f"{values[name]}, " for name in spec.named(rule)) + ")"


def _stamps(spec: Op, rule: Callable[..., Any]) -> str:
    """Flat pairs (version cell, version now) of the tensors that a rule names."""
    pairs = []
    for name in spec.watched(rule):
        if name == "out":
            pairs.append("version, 0")
        elif spec.starred:
            pairs.append(f"*(s for t in {name} for s in (t._version, t._version[0]))")
        else:
            pairs.append(f"{name}._version, {name}._version[0]")
    return f"({', '.join(pairs)}{',' if pairs else ''})"
