"""Figures in axes of a few centimetres, as beside a text: what is written must be readable."""

from __future__ import annotations

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pytest

import minigrad as mg
from minigrad.diagnostics import Probe, Recording, TrainabilityConfig, measure_trainability, plots
from minigrad.nn import functional as F

SMALL, USUAL = (2.6, 2.0), (6.4, 4.8)


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def run():
    """30 steps of a network of 12 layers, recorded at every third, with histograms."""
    g = mg.Generator(0)
    model = mg.models.deep_mlp(12, 16, "tanh", "xavier", in_features=4, out_features=3, generator=g)
    optimizer = mg.optim.SGD(model.parameters(), lr=0.1)
    x, y = mg.randn(32, 4, generator=g), mg.tensor(np.arange(32) % 3)
    with Probe(model, optimizer, every=3, full=2) as probe:
        for _ in range(30):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    return probe


@pytest.fixture(scope="module")
def grid():
    return measure_trainability(
        TrainabilityConfig(depths=(4, 10, 20, 30), sigma_w2=(1.0, 2.0, 4.0), steps=2, width=8)
    )


DRAW = {
    "decay": lambda run, grid, ax: plots.decay(
        {"tanh": run, "relu": run}, ax=ax, prediction={"tanh": np.full(12, 1e-3)}
    ),
    "heatmap": lambda run, grid, ax: plots.heatmap(run, ax=ax),
    "ridge": lambda run, grid, ax: plots.ridge(run, ax=ax),
    "trainability": lambda run, grid, ax: plots.trainability(grid, ax=ax),
}


def drawn(draw, size, layout="constrained"):
    figure, ax = plt.subplots(figsize=size, layout=layout)
    draw(ax)
    figure.draw_without_rendering()
    return figure, ax


def labels_of(axis):
    """What is written at the ticks that can be seen, in order."""
    low, high = sorted(axis.get_view_interval())
    ticks = zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=True)
    return [label for place, label in sorted(ticks, key=lambda t: t[0])
            if low <= place <= high and label.get_text()]  # fmt: skip


@pytest.mark.parametrize("size", [SMALL, (4.0, 3.0), USUAL])
@pytest.mark.parametrize("name", DRAW)
def test_nothing_is_cut_off_and_no_tick_lies_over_the_next(run, grid, name, size):
    figure, ax = drawn(lambda ax: DRAW[name](run, grid, ax), size)
    width, height = figure.bbox.size
    for part in figure.axes:
        for label in (part.xaxis.label, part.yaxis.label):
            box = label.get_window_extent()
            assert box.x0 >= -1 and box.x1 <= width + 1, label
            assert box.y0 >= -1 and box.y1 <= height + 1, label
    boxes = [label.get_window_extent() for label in labels_of(ax.xaxis)]
    assert len(boxes) >= 2
    assert all(a.x1 < b.x0 for a, b in pairwise(boxes))
    if ax.get_legend() is not None:
        told = ax.get_legend().get_window_extent()
        assert told.x0 >= -1 and told.x1 <= width + 1
        for label in (ax.xaxis.label, ax.yaxis.label):
            assert not told.overlaps(label.get_window_extent())


@pytest.mark.parametrize("name", ["heatmap", "ridge"])
def test_names_of_layers_give_way_to_what_is_drawn(run, grid, name):
    figure, ax = drawn(lambda ax: DRAW[name](run, grid, ax), USUAL)
    assert labels_of(ax.yaxis)[0].get_text() == "1  layer1.linear"
    figure, ax = drawn(lambda ax: DRAW[name](run, grid, ax), SMALL)
    assert labels_of(ax.yaxis)[0].get_text() == "1"
    assert ax.bbox.width > 0.37 * figure.bbox.width


def test_the_legend_leaves_room_for_the_curves(run, grid):
    figure, ax = drawn(lambda ax: DRAW["decay"](run, grid, ax), SMALL)
    assert ax.bbox.height > 0.35 * figure.bbox.height


def test_each_theory_has_the_colour_of_its_curve_but_darker():
    runs = {}
    for name in "ab":
        rec = Recording(["1", "2"])
        rec.add(0, {"dz_rms": [0.1, 1.0]})
        runs[name] = rec
    ax = plots.decay(runs, prediction={"a": [0.1, 1.0], "b": [0.2, 1.0]})
    colours = {line.get_label(): line.get_color() for line in ax.lines}
    for name in "ab":
        curve, theory = (
            np.array(plt.matplotlib.colors.to_rgb(colours[f"{name}, {what}"]))
            for what in ("dz_rms", "theory")
        )
        assert theory.sum() < 0.8 * curve.sum()
        np.testing.assert_allclose(theory / theory.max(), curve / curve.max(), atol=0.01)
