"""The computational graph as a picture, and as text: what backward is going to walk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from minigrad.diagnostics.graph.boxes import outline
from minigrad.diagnostics.graph.text import to_dot, to_mermaid
from minigrad.errors import ArgumentError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_graph", "to_dot", "to_mermaid"]

MOST_BOXES = 150


def draw_graph(
    tensor: Any,
    *,
    names: Mapping[str, Any] | None = None,
    model: Any = None,
    fold: bool | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw how a tensor was computed: its computational graph, inputs above, results below.

    Round boxes are operations, with the shape of what they compute, square ones are leaves; an
    arrow leads from each argument. The box with the thick edge is the tensor itself. Backward
    walks the arrows from there upwards, and where several arrows leave a box, it adds up the
    gradients that come back along them.

    What needs no gradient (data, targets, plain numbers) is not on the tape and so not in the
    picture. To see it, let it require a gradient.

    Arguments:
        tensor: what was computed, before a backward has freed its graph.
        names: names of leaves and of intermediate results, such as `{"w": w}`; all variables of
            a notebook with `vars()` (names that begin with an underscore are passed over). A
            named leaf of one number shows it, and its gradient once it has one.
        model: a Module whose parameters go by their paths.
        fold: draw repetitions, such as the layers of a deep network, as one box "×48"? By default
            where there are more than 40 operations and leaves.
        ax: where to draw; by default a new figure as large as the graph.

    Returns:
        The axes.

    Raises:
        GraphError: a tensor without history, or whose graph was freed.
        ArgumentError: more than 150 boxes, or an argument of the wrong kind.

    >>> import minigrad as mg
    >>> from minigrad.diagnostics import draw_graph
    >>> x = mg.tensor(3.0, requires_grad=True)
    >>> ax = draw_graph(x * x + x, names={"x": x})
    >>> [text.get_text() for text in ax.texts]
    ['x = 3', 'multiply', 'one number', 'add', 'one number']
    """
    graph = outline("draw_graph", tensor, names, model, fold)
    if len(graph.boxes) > MOST_BOXES:
        unfolded = "; with fold=True repetitions become one box" if fold is False else ""
        raise ArgumentError(
            f"draw_graph: {len(graph.boxes):,} boxes are more than the {MOST_BOXES} that one can "
            f"read{unfolded}; draw a part of it, such as one layer's output, or give to_dot(...) "
            "to Graphviz"
        )
    # Here, as Matplotlib takes longer to load than all of minigrad.
    from minigrad.diagnostics.graph.figure import draw

    return draw(graph, ax)
