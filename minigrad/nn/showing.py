"""How a network shows itself in a notebook: a table of its layers and their parameters."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from minigrad.nn.module import Module
    from minigrad.nn.parameter import Parameter

_LEFT = 'style="text-align:left"'
_RIGHT = 'style="text-align:right"'


class Row(NamedTuple):
    """A layer: its path, what it is, its own parameters with shapes, their number."""

    path: str
    layer: str
    parameters: str
    size: str


def rows(model: Module) -> list[Row]:
    """The modules that have parameters of their own, or that hold no others, in order.

    >>> from minigrad import nn
    >>> for row in rows(nn.Sequential(nn.Linear(4, 2, bias=False), nn.Tanh())):
    ...     print(row)
    Row(path='0', layer='Linear(in_features=4, out_features=2, bias=False)',
        parameters='weight (2, 4)', size='8')
    Row(path='1', layer='Tanh()', parameters='', size='')
    """
    found = []
    seen: set[int] = set()
    for path, module in model.named_modules():
        own = dict(module.named_parameters(recurse=False))
        if own or not list(module.children()):
            told = ", ".join(_in_words(name, p, id(p) in seen) for name, p in own.items())
            new = [p.size for p in own.values() if id(p) not in seen]
            seen.update(map(id, own.values()))
            layer = f"{type(module).__name__}({module.extra_repr()})"
            found.append(Row(path, layer, told, f"{sum(new):,}" if own else ""))
    return found


def _in_words(name: str, parameter: Parameter, is_shared: bool) -> str:
    notes = [
        *(["shared"] if is_shared else []),
        *([] if parameter.requires_grad else ["frozen"]),
    ]
    return f"{name} {parameter.shape}" + (f" ({', '.join(notes)})" if notes else "")


def html_table(model: Module) -> str:
    """A table with a line per layer, headed by the number of parameters in all."""
    count = sum(p.size for p in model.parameters())
    lines = [
        f"<tr>{_cell(row.path)}{_cell(row.layer)}{_cell(row.parameters)}"
        f"<td {_RIGHT}>{row.size}</td></tr>"
        for row in rows(model)
    ]
    titles = "".join(f"<th {_LEFT}>{title}</th>" for title in ("path", "layer", "parameters"))
    # A deep network has hundreds of layers: they scroll within the cell's output.
    return (
        '<div style="max-height:30em;overflow:auto"><table>'
        f"<caption {_LEFT}>{escape(type(model).__name__)}: {count:,} parameters</caption>"
        f"<thead><tr>{titles}<th {_RIGHT}>count</th></tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _cell(text: str) -> str:
    return f"<td {_LEFT}>{escape(text)}</td>"
