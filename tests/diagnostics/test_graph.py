"""Graph drawing: what is in the picture, how it is folded, where it lies, how it is written."""

from __future__ import annotations

import itertools
import re

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.diagnostics.graph import MOST_BOXES, draw_graph, to_dot, to_mermaid
from minigrad.diagnostics.graph.boxes import Graph, outline
from minigrad.diagnostics.graph.layout import ROW_GAP, arrange
from minigrad.errors import ArgumentError, GraphError


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def graph_of(tensor, names=None, model=None, fold=None) -> Graph:
    return outline("test", tensor, names, model, fold)


def titles(graph: Graph) -> list[str]:
    return [" ".join(box.title) for box in graph.boxes]


def number(value=1.0):
    return mg.tensor(value, requires_grad=True)


def loss_of(model, *shape):
    out = model(mg.zeros(*shape))
    return nn.functional.cross_entropy(out, mg.zeros(shape[0], dtype=mg.int64))


# -- what is in it -----------------------------------------------------------------------------


def test_x_times_x_plus_x():
    x = number(3.0)
    graph = graph_of(x * x + x, {"x": x})
    assert titles(graph) == ["x = 3", "multiply", "add"]
    assert graph.arrows == [(0, 1), (0, 1), (1, 2), (0, 2)]
    assert [box.kind for box in graph.boxes] == ["leaf", "op", "op"]
    assert [box.is_output for box in graph.boxes] == [False, False, True]


def test_intermediate_results_have_names_and_leaves_show_their_gradient():
    x = number(2.0)
    a = x.exp()
    out = a.sin() * a
    out.backward(retain_graph=True)
    graph = graph_of(out, {"x": x, "_hidden": out, "a": a, "again": a, "no tensor": 3})
    assert titles(graph) == ["x = 2", "a = exp", "sin", "multiply"]
    assert graph.boxes[0].notes == (f"gradient {x.grad.item():.4g}",)


def test_parameters_go_by_their_paths_and_data_is_not_in_it():
    net = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))
    graph = graph_of(loss_of(net, 5, 4), model=net)
    assert titles(graph) == [
        "0.weight", "0.bias", "linear", "tanh", "2.weight", "2.bias", "linear", "cross_entropy",
    ]  # fmt: skip
    assert graph.boxes[0].notes == ("(3, 4)",)
    assert graph.boxes[2].notes == ("(5, 3)",)
    assert graph.boxes[-1].notes == ("one number",)
    assert graph.arrows == [(0, 2), (1, 2), (2, 3), (3, 6), (4, 6), (5, 6), (6, 7)]


@pytest.mark.parametrize("seed", range(5))
def test_the_paths_in_it_are_those_of_the_gradient(seed):
    # Of sums alone, the derivative is the number of paths from the input to the output.
    rng = np.random.default_rng(seed)
    x = mg.tensor(1.0, dtype=mg.float64, requires_grad=True)
    values = [x]
    for _ in range(25):
        a, b = rng.integers(max(0, len(values) - 6), len(values), 2)
        values.append(values[a] + values[b])
    graph = graph_of(values[-1], {"x": x}, fold=False)
    paths = [0] * len(graph.boxes)
    paths[titles(graph).index("x = 1")] = 1
    for source, target in graph.arrows:  # in the order in which the steps ran
        paths[target] += paths[source]
    (slope,) = mg.grad(values[-1], x)
    assert paths[-1] == slope.item()


def test_several_outputs_of_one_operation():
    u, s, vt = mg.linalg.svd(mg.tensor(np.eye(2), requires_grad=True))
    graph = graph_of((u @ vt).sum() + s.sum(), {"s": s})
    assert titles(graph)[:2] == ["leaf", "svd"]
    assert graph.boxes[1].notes == ()
    assert sorted(titles(graph)[2:]) == sorted(
        ["part of svd", "part of svd", "s = part of svd", "matmul", "sum", "sum", "add"]
    )


# -- folding -----------------------------------------------------------------------------------


def test_layers_of_a_deep_network_become_one_box():
    net = mg.models.deep_mlp(50, 8)
    graph = graph_of(loss_of(net, 3, 64), model=net)
    assert titles(graph) == [
        "layer1.linear.weight", "layer1.linear.bias", "linear", "tanh",
        "layer2..49.linear.weight", "layer2..49.linear.bias", "linear → tanh",
        "layer50.linear.weight", "layer50.linear.bias", "linear", "cross_entropy",
    ]  # fmt: skip
    block = graph.boxes[6]
    assert (block.kind, block.times, block.notes) == ("block", 48, ("×48", "(3, 8)"))
    assert graph.boxes[4].times == graph.boxes[5].times == 48
    assert [arrow for arrow in graph.arrows if 6 in arrow] == [(3, 6), (4, 6), (5, 6), (6, 9)]


def test_small_graphs_are_folded_only_when_asked():
    x = number()
    out = x
    for _ in range(10):
        out = out.tanh()
    assert len(graph_of(out).boxes) == 11
    folded = graph_of(out, fold=True)
    assert [(box.title, box.times) for box in folded.boxes] == [(("leaf",), 1), (("tanh",), 10)]
    net = mg.models.deep_mlp(50, 8)
    assert len(graph_of(loss_of(net, 3, 64), fold=False).boxes) == 2 * 50 + 50 + 49 + 1


@pytest.mark.parametrize("residual", ["pre", "post"])
def test_blocks_of_a_residual_network_are_folded_where_they_are_too_many_to_read(residual):
    def blocks(depth):
        net = mg.models.deep_mlp(depth, 8, residual=residual)
        return [box.times for box in graph_of(loss_of(net, 3, 64)).boxes if box.kind == "block"]

    assert blocks(8) == []
    assert blocks(10) == [4]
    assert blocks(50) == [24]


def test_a_block_ends_where_a_residual_branch_does():
    net = mg.models.deep_mlp(42, 8, residual="pre")
    block = next(b for b in graph_of(loss_of(net, 3, 64)).boxes if b.kind == "block")
    assert " ".join(block.title) == "tanh → linear → tanh → linear → add"
    assert block.times == 20


def test_blocks_in_blocks_and_weights_that_all_blocks_share():
    x = number()
    weights = [number() for _ in range(4)]
    out = x
    for weight in weights:
        for _ in range(12):
            out = (weight * out).tanh()
        out = out.exp()
    graph = graph_of(out, {f"w{i}": w for i, w in enumerate(weights)})
    assert titles(graph) == ["w0..3", "leaf", "(multiply → tanh) ×12 → exp"]
    assert [box.times for box in graph.boxes] == [4, 1, 4]


def test_tied_weights_that_change_on_the_way_are_kept_apart():
    x, first, second = number(), number(), number()
    out = x
    for i in range(40):
        out = (out * (first if i < 15 else second)).tanh()
    blocks = [box for box in graph_of(out).boxes if box.kind == "block"]
    assert [box.times for box in blocks] == [15, 25]


def test_nothing_is_lost_in_folding():
    # A sum over penalties of all weights: blocks of another kind that share leaves with the net.
    net = mg.models.deep_mlp(30, 8, norm="layer")
    loss = loss_of(net, 3, 64) + sum((p * p).sum() for p in net.parameters())
    whole, folded = graph_of(loss, fold=False), graph_of(loss)
    assert len(folded.boxes) < len(whole.boxes) / 5

    def operations(graph):
        return sum(
            box.times * (" ".join(box.title).count("→") + 1)
            for box in graph.boxes
            if box.kind != "leaf"
        )

    assert operations(folded) == operations(whole)
    leaves = [sum(b.times for b in g.boxes if b.kind == "leaf") for g in (whole, folded)]
    assert leaves[0] == leaves[1] == len(list(net.parameters()))


def test_a_result_that_all_blocks_share_stays_outside():
    w, x = mg.ones(3, 3, requires_grad=True), mg.ones(1, 3, requires_grad=True)
    transposed = w.T
    out = x
    for _ in range(20):
        out = (out @ transposed).tanh()
    graph = graph_of(out, {"w": w, "x": x})
    assert titles(graph) == ["w", "transpose", "x", "matmul → tanh"]
    assert (graph.boxes[-1].times, graph.arrows) == (20, [(0, 1), (2, 3), (1, 3)])


def test_a_first_block_with_another_weight_is_not_one_of_them():
    first, shared = number(), number().exp()
    out = number()
    for i in range(20):
        out = (out * (shared if i else first)).tanh()
    blocks = [box for box in graph_of(out, fold=True).boxes if box.kind == "block"]
    assert [box.times for box in blocks] == [19]


def test_equal_operations_that_are_wired_otherwise_are_not_folded():
    values = [mg.ones(1, requires_grad=True)]
    for jump in np.random.default_rng(0).integers(1, 6, 40):
        values.append(values[max(0, len(values) - int(jump))] * 1.0)
    total = mg.concatenate(values)
    assert len(graph_of(total, fold=True).boxes) == len(graph_of(total, fold=False).boxes)


def test_the_shortest_block_is_the_one_that_repeats():
    # A penalty of period 9 must not make nine steps of the net a block: three of them repeat.
    net = mg.models.deep_mlp(50, 8, norm="weight")
    loss = loss_of(net, 3, 64) + sum((p * p).sum() for p in net.parameters())
    blocks = {" ".join(box.title): box.times for box in graph_of(loss).boxes if box.kind == "block"}
    assert blocks["weight_norm → linear → tanh"] == 48


def test_one_leaf_twice_is_not_two_leaves():
    out = number()
    for i in range(20):
        a, b = number(), number()
        out = out * (a * a if i < 10 else a * b)
    blocks = [box for box in graph_of(out, fold=True).boxes if box.kind == "block"]
    assert [box.times for box in blocks] == [10, 10]


def test_leaves_of_different_blocks_are_different_boxes():
    x = out = number()
    for i in range(20):
        out = (out * number()).tanh() if i < 10 else (out * number()).sin()
    graph = graph_of(out.sum(), {"x": x}, fold=True)
    assert [box.times for box in graph.boxes if box.kind == "leaf"] == [1, 10, 10]


def test_different_operations_and_shapes_are_not_folded_together():
    out = mg.ones(2, requires_grad=True)
    for i in range(12):
        out = mg.concatenate([out, out]) if i % 2 else out.tanh()
    graph = graph_of(out, fold=True)
    assert len(graph.boxes) == 13


def test_a_chain_of_100_000_operations():
    x, w = number(), number()
    out = x
    for _ in range(50_000):
        out = (out * w).tanh()
    assert "×50000" in [text.get_text() for text in draw_graph(out).texts]


# -- where it lies -----------------------------------------------------------------------------


def example(name: str) -> Graph:
    x = number()
    if name == "diamond":
        a = x.exp()
        return graph_of(a.sin() * a.cos())
    if name == "square":
        return graph_of(x * x + x)
    if name == "mlp":
        return graph_of(loss_of(mg.models.deep_mlp(3, 8), 3, 64))
    if name == "residual":
        return graph_of(loss_of(mg.models.deep_mlp(6, 8, residual="pre", norm="batch"), 3, 64))
    lstm = nn.LSTM(3, 4)
    return graph_of(lstm(mg.zeros(20, 2, 3))[0].sum(), model=lstm)


EXAMPLES = ("diamond", "square", "mlp", "residual", "lstm")


@pytest.mark.parametrize("name", EXAMPLES)
def test_boxes_do_not_overlap_and_arrows_lead_down(name):
    graph = example(name)
    sizes = [(30.0 + 40 * (i % 3), 20.0 + 15 * (i % 2)) for i in range(len(graph.boxes))]
    layout = arrange(sizes, graph.arrows)
    centres, half = np.array(layout.centres), np.array(sizes) / 2
    for i in range(len(sizes)):
        for j in range(i):
            apart = np.abs(centres[i] - centres[j]) >= half[i] + half[j] - 1e-9
            assert apart.any(), (i, j)
    assert (centres - half >= -1e-9).all()
    assert (centres + half <= np.array([layout.width, layout.height]) + 1e-9).all()
    for (a, b), route in zip(graph.arrows, layout.routes, strict=True):
        xs, ys = np.array(route).T
        assert (np.diff(ys) >= 0).all()
        assert ys[0] == pytest.approx(centres[a][1] + half[a][1])
        assert ys[-1] == pytest.approx(centres[b][1] - half[b][1])
        assert abs(xs[0] - centres[a][0]) <= half[a][0]
        assert abs(xs[-1] - centres[b][0]) <= half[b][0]


@pytest.mark.parametrize("name", EXAMPLES)
def test_arrows_pass_no_box_on_their_way(name):
    graph = example(name)
    sizes = [(60.0, 25.0 + 20 * (i % 2)) for i in range(len(graph.boxes))]
    layout = arrange(sizes, graph.arrows)
    for (a, b), route in zip(graph.arrows, layout.routes, strict=True):
        # Between layers the curve swings; within one it goes straight down.
        for (x0, y0), (x1, y1) in itertools.pairwise(route):
            for i, ((x, y), (w, h)) in enumerate(zip(layout.centres, sizes, strict=True)):
                if i not in (a, b) and x0 == x1:
                    beside = abs(x - x0) >= w / 2
                    assert beside or y1 <= y - h / 2 + 1e-9 or y0 >= y + h / 2 - 1e-9


def test_small_graphs_are_drawn_without_crossings():
    for name in ("diamond", "square", "mlp"):
        graph = example(name)
        routes = arrange([(50.0, 30.0)] * len(graph.boxes), graph.arrows).routes
        for i, first in enumerate(routes):
            for second in routes[:i]:
                (x0, y0), (x1, y1) = first[0], first[-1]
                (u0, v0), (u1, v1) = second[0], second[-1]
                if (y0, y1) == (v0, v1):
                    assert (x0 - u0) * (x1 - u1) >= 0


def test_neighbours_are_ordered_so_that_arrows_need_not_cross():
    size = (40.0, 20.0)
    layout = arrange([size] * 7, [(0, 4), (1, 3), (2, 5), (3, 6), (4, 6), (5, 6)])
    x = [x for x, _ in layout.centres]
    assert (x[0] - x[1]) * (x[4] - x[3]) > 0
    assert (x[0] - x[2]) * (x[4] - x[5]) > 0


def test_what_is_symmetric_is_drawn_so():
    graph = example("diamond")
    x, y = np.array(arrange([(50.0, 30.0)] * 5, graph.arrows).centres).T
    leaf, first, left, right, last = range(5)
    assert x[leaf] == pytest.approx(x[first]) == pytest.approx(x[last])
    assert (x[left] + x[right]) / 2 == pytest.approx(x[first])
    assert y[left] == y[right]


def test_leaves_stand_right_above_their_first_user():
    graph = example("mlp")
    layout = arrange([(50.0, 30.0)] * len(graph.boxes), graph.arrows)
    for a, b in graph.arrows:
        if graph.boxes[a].kind == "leaf":
            assert layout.centres[b][1] - layout.centres[a][1] == 30.0 + ROW_GAP


# -- the figure --------------------------------------------------------------------------------


def test_what_is_drawn():
    x = number(3.0)
    before = dict(matplotlib.rcParams)
    ax = draw_graph(x * x + x, names={"$x_1$": x})
    assert dict(matplotlib.rcParams) == before
    assert [t.get_text() for t in ax.texts] == [
        "$x_1$ = 3", "multiply", "one number", "add", "one number",
    ]  # fmt: skip
    assert not ax.texts[0].get_parse_math()
    boxes = [p for p in ax.patches if type(p).__name__ == "FancyBboxPatch"]
    arrows = [p for p in ax.patches if type(p).__name__ == "FancyArrowPatch"]
    assert (len(boxes), len(arrows)) == (3, 4)
    assert boxes[-1].get_linewidth() > boxes[0].get_linewidth()
    assert {type(b.get_boxstyle()).__name__ for b in boxes} == {"Square", "Round"}


@pytest.mark.parametrize(
    ("name", "figsize"),
    [("square", (6.4, 4.8)), ("square", (3.2, 2.0)), ("square", None),
     ("lstm", (6.4, 9.6)), ("lstm", None)],
)  # fmt: skip
def test_text_stays_in_its_box_at_any_size(name, figsize):
    x = number(3.0)
    lstm = nn.LSTM(3, 4)
    tensor = x * x + x if name == "square" else lstm(mg.zeros(20, 2, 3))[0].sum()
    given = None if figsize is None else plt.subplots(figsize=figsize, layout="constrained")[1]
    ax = draw_graph(tensor, model=lstm, ax=given)
    assert given is None or ax is given
    figure = ax.figure
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    boxes = [p.get_window_extent() for p in ax.patches if type(p).__name__ == "FancyBboxPatch"]
    for text in ax.texts:
        extent = text.get_window_extent(renderer)
        middle = (extent.x0 + extent.x1) / 2, (extent.y0 + extent.y1) / 2
        around = [b for b in boxes if b.contains(*middle)]
        assert any(b.x0 <= extent.x0 and extent.x1 <= b.x1 for b in around), text.get_text()


# -- as text -----------------------------------------------------------------------------------


HOSTILE = 'a"; b [label="x"] --> <script>\\ #1 & `c`\nd'


def test_no_name_breaks_out_of_mermaid():
    x = mg.ones(2, requires_grad=True)
    text = to_mermaid(x.exp(), names={HOSTILE: x})
    assert len(text.splitlines()) == 5
    inside = re.fullmatch(r'    n0\["([^"]*)"\]', text.splitlines()[1]).group(1)
    assert not re.search(r"[<>&`\\]", inside.replace("<br/>", ""))
    meant = re.sub(r"#(\d+);", lambda m: chr(int(m.group(1))), inside.replace("<br/>", " "))
    assert meant == " ".join(HOSTILE.split()) + " (2,)"


def test_no_name_breaks_out_of_dot():
    x = mg.ones(2, requires_grad=True)
    text = to_dot(x.exp(), names={HOSTILE: x})
    assert len(text.splitlines()) == 6
    label = re.fullmatch(r'    n0 \[label="((?:[^"\\]|\\.)*)", shape=box\];', text.splitlines()[2])
    meant = re.sub(r"\\(.)", lambda m: " " if m.group(1) == "n" else m.group(1), label.group(1))
    assert meant == " ".join(HOSTILE.split()) + " (2,)"


def test_text_has_the_same_boxes_and_arrows():
    net = mg.models.deep_mlp(50, 8)
    loss = loss_of(net, 3, 64)
    graph = graph_of(loss, model=net)
    for text, arrow in ((to_mermaid(loss, model=net), "-->"), (to_dot(loss, model=net), "->")):
        found = re.findall(rf"^ +n(\d+) {arrow} n(\d+);?$", text, re.MULTILINE)
        assert [(int(a), int(b)) for a, b in found] == graph.arrows
        assert len(re.findall(r"^ +n\d+ ?[\[(]", text, re.MULTILINE)) == len(graph.boxes)


# -- wrong use ---------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [draw_graph, to_dot, to_mermaid])
def test_what_cannot_be_drawn_says_why(function):
    x = number()
    name = function.__name__
    with pytest.raises(GraphError, match=f"^{name}: this tensor .* is a leaf, nothing computed"):
        function(x)
    with pytest.raises(GraphError, match=r"has no history; compute it, outside of no_grad"):
        function(mg.ones(2) * 2)
    out = (x * x).exp()
    out.backward()
    with pytest.raises(GraphError, match=r"'\w+' was freed by a backward; draw it before"):
        function(out)
    with pytest.raises(ArgumentError, match=f"^{name}: expected a Tensor, got float"):
        function(1.0)
    with pytest.raises(ArgumentError, match=r"model must be a Module, .* got dict"):
        function(x * x, model={"x": x})
    with pytest.raises(ArgumentError, match=r"names must be a dict such as .*, got list"):
        function(x * x, names=[x])


def test_too_many_boxes_to_read():
    net = mg.models.deep_mlp(50, 8)
    with pytest.raises(ArgumentError, match=r"200 boxes .*with fold=True .*to_dot"):
        draw_graph(loss_of(net, 3, 64), fold=False)
    out = mg.ones(1, requires_grad=True)
    for i in range(MOST_BOXES):  # nothing repeats
        out = mg.concatenate([out, mg.ones(i + 1)])
    with pytest.raises(ArgumentError, match="151 boxes are more than the 150 that one can read; d"):
        draw_graph(out)


def test_many_parameters_of_a_block_stand_in_rows():
    """A block of batch norm and Linear has four, which side by side made the figure too wide."""
    g = mg.Generator(0)
    model = mg.models.deep_mlp(50, 64, "relu", "he", "batch", in_features=64, generator=g)
    ax = draw_graph(model(mg.randn(8, 64, generator=g)).sum(), model=model)
    assert ax.figure.get_size_inches()[0] < 7.5
    figure, ax = plt.subplots(figsize=(6, 8))
    draw_graph(model(mg.randn(8, 64, generator=g)).sum(), model=model, ax=ax)
    figure.canvas.draw()
    assert ax.texts[0].get_fontsize() > 6


def test_leaves_in_rows_stand_above_what_uses_them():
    sizes = [(60.0, 30.0)] * 9
    arrows = [(0, 7), (1, 7), (2, 7), (3, 7), (4, 7), (5, 7), (6, 7), (7, 8), (0, 8)]
    layout = arrange(sizes, arrows)
    heights = [round(y) for _, y in layout.centres]
    assert max(heights[:7]) < heights[7] < heights[8]
    assert sorted(heights[:7].count(y) for y in set(heights[:7])) == [1, 3, 3]
