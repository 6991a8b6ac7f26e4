"""Graphs as text that other programs draw: Mermaid (in Markdown) and DOT (Graphviz)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minigrad.diagnostics.graph.boxes import Graph, outline

_MERMAID_SHAPES = {"op": '("{}")', "block": '[["{}"]]', "leaf": '["{}"]'}
_DOT_STYLES = {
    "op": "shape=box, style=rounded",
    "block": "shape=box3d",
    "leaf": "shape=box",
}


def to_mermaid(
    tensor: Any,
    *,
    names: Mapping[str, Any] | None = None,
    model: Any = None,
    fold: bool | None = None,
) -> str:
    """The computational graph of a tensor in the Mermaid language.

    Forges and JupyterLab draw it where it stands in Markdown, between ```` ```mermaid ```` and
    ```` ``` ````. For the arguments, errors and what is in the picture see `draw_graph`.

    >>> import minigrad as mg
    >>> from minigrad.diagnostics.graph import to_mermaid
    >>> x = mg.tensor(3.0, requires_grad=True)
    >>> print(to_mermaid(x * x, names={"x": x}))
    flowchart TD
        n0["x = 3"]
        n1("multiply<br/>one number")
        n0 --> n1
        n0 --> n1
        style n1 stroke-width:3px
    """
    graph = outline("to_mermaid", tensor, names, model, fold)
    lines = ["flowchart TD"]
    for i, box in enumerate(graph.boxes):
        shape = _MERMAID_SHAPES[box.kind]
        lines.append(f"    n{i}{shape.format('<br/>'.join(map(_for_mermaid, box.lines)))}")
    lines += [f"    n{a} --> n{b}" for a, b in graph.arrows]
    lines += [f"    style n{i} stroke-width:3px" for i in _outputs(graph)]
    return "\n".join(lines)


def to_dot(
    tensor: Any,
    *,
    names: Mapping[str, Any] | None = None,
    model: Any = None,
    fold: bool | None = None,
) -> str:
    """The computational graph of a tensor in Graphviz's language, DOT.

    `dot -Tsvg graph.dot -o graph.svg` draws it. For the arguments, errors and what is in the
    picture see `draw_graph`.

    >>> import minigrad as mg
    >>> from minigrad.diagnostics.graph import to_dot
    >>> x = mg.tensor(3.0, requires_grad=True)
    >>> print(to_dot(x.exp(), names={"x": x}))
    digraph {
        node [fontname="sans-serif", fontsize=10];
        n0 [label="x = 3", shape=box];
        n1 [label="exp\\none number", shape=box, style=rounded, penwidth=2];
        n0 -> n1;
    }
    """
    graph = outline("to_dot", tensor, names, model, fold)
    lines = ["digraph {", '    node [fontname="sans-serif", fontsize=10];']
    outputs = _outputs(graph)
    for i, box in enumerate(graph.boxes):
        label = "\\n".join(map(_for_dot, box.lines))
        width = ", penwidth=2" if i in outputs else ""
        lines.append(f'    n{i} [label="{label}", {_DOT_STYLES[box.kind]}{width}];')
    lines += [f"    n{a} -> n{b};" for a, b in graph.arrows]
    return "\n".join([*lines, "}"])


def _outputs(graph: Graph) -> list[int]:
    return [i for i, box in enumerate(graph.boxes) if box.is_output]


def _for_mermaid(text: str) -> str:
    """Mermaid writes a character that means something to it as its number, between # and ;.

    >>> _for_mermaid('a"<b>#1')
    'a#34;#60;b#62;#35;1'
    """
    return "".join(f"#{ord(c)};" if c in _MERMAID_SPECIAL else c for c in text)


_MERMAID_SPECIAL = '"#&<>`\\*'


def _for_dot(text: str) -> str:
    """In DOT's quotes a quote needs a backslash, and so does a backslash.

    >>> print(_for_dot('say "hi"'))
    say \\"hi\\"
    """
    return text.replace("\\", "\\\\").replace('"', '\\"')
