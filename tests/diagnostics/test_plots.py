"""Figures, by the data that they draw."""

from __future__ import annotations

from dataclasses import replace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from minigrad.diagnostics import DecayConfig, measure_decay, plots
from minigrad.errors import ArgumentError

SMALL = DecayConfig(depth=6, width=16, batch_size=32)


@pytest.fixture(scope="module")
def found():
    return {
        (activation, init): measure_decay(replace(SMALL, activation=activation, init=init))
        for activation in ("tanh", "relu")
        for init in ("xavier", "he")
    }


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def lines_of(ax) -> dict[str, np.ndarray]:
    return {line.get_label(): line.get_ydata() for line in ax.lines}


def test_the_curves_are_log10_of_what_was_measured(found):
    result = found["tanh", "he"]
    ax = plots.decay(result)
    lines = lines_of(ax)
    for series in ("dz_rms", "dw_rms"):
        expected = np.log10([getattr(layer, series).mean for layer in result.layers])
        np.testing.assert_allclose(lines[f"he init, {series}"], expected, rtol=1e-12)
    theory = np.log10([layer.dz_rms_theory for layer in result.layers])
    np.testing.assert_allclose(lines["he init, theory"], theory, rtol=1e-12)
    assert ax.lines[0].get_xdata().tolist() == [1, 2, 3, 4, 5, 6]
    assert [line.get_linestyle() for line in ax.lines[:2]] == ["-", "--"]


def test_the_band_reaches_from_the_smallest_to_the_largest_seed(found):
    result = found["tanh", "he"]
    corners = plots.decay(result).collections[0].get_paths()[0].vertices
    for layer in result.layers:
        heights = corners[corners[:, 0] == layer.index, 1]
        assert heights.min() == pytest.approx(np.log10(layer.dz_rms.min))
        assert heights.max() == pytest.approx(np.log10(layer.dz_rms.max))


def test_underflow_is_drawn_where_it_happens_and_zeros_are_left_out(found):
    dead = measure_decay(DecayConfig(80, 16, "sigmoid", "default", seeds=(0,), batch_size=16))
    ax = plots.decay(dead)
    line = next(line for line in ax.lines if line.get_label() == "float32 underflow")
    assert set(line.get_ydata()) == {np.log10(float(np.finfo(np.float32).tiny))}
    drawn = lines_of(ax)["default init, dz_rms"]
    zero = [layer.dz_rms.mean == 0 for layer in dead.layers]
    assert any(zero) and np.isnan(drawn).tolist() == zero
    plt.clf()
    assert "float32 underflow" not in lines_of(plots.decay(found["tanh", "he"]))


def test_nothing_finite_still_gives_a_figure(tmp_path):
    lost = measure_decay(DecayConfig(400, 16, "identity", "he", seeds=(0,), batch_size=16))
    figure = plots.decay_panels(lost)
    assert np.isnan(lines_of(figure.axes[0])["he init, dz_rms"]).all()
    figure.savefig(tmp_path / "lost.png")


def test_it_draws_where_it_is_told_and_touches_no_settings(found):
    before = dict(matplotlib.rcParams)
    figure, (left, right) = plt.subplots(1, 2)
    assert plots.decay(found["tanh", "he"], ax=left) is left
    assert left.lines and not right.lines
    plt.sca(right)
    assert plots.decay(found["tanh", "he"]) is right
    assert dict(matplotlib.rcParams) == before
    assert plt.get_fignums() == [figure.number]


def test_panels_are_per_activation_and_a_label_keeps_its_colour(found):
    figure = plots.decay_panels(list(found.values()))
    assert [ax.get_title() for ax in figure.axes] == ["tanh", "relu"]
    colours = [
        {line.get_label(): line.get_color() for line in ax.lines if "dz_rms" in line.get_label()}
        for ax in figure.axes
    ]
    assert colours[0] == colours[1]
    assert len(set(colours[0].values())) == 2
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
    shown = [text.get_text() for text in figure.legends[0].get_texts()]
    assert shown == [
        "xavier init", "he init", "dL/dz", "dL/dW", "theory of dL/dz", "range over 3 seeds",
    ]  # fmt: skip


def test_gradients_that_overflow_leave_the_scale_that_the_others_need(found):
    calm = found["tanh", "xavier"]
    layers = list(found["tanh", "he"].layers)
    for i, size in ((0, np.inf), (1, 1e30)):
        spread = replace(layers[i].dz_rms, mean=size, min=size, max=size)
        layers[i] = replace(layers[i], dz_rms=spread)
    wild = replace(found["tanh", "he"], layers=tuple(layers))
    figure = plots.decay_panels([calm, wild, found["relu", "he"]])
    left, right = figure.axes
    assert left.get_ylim() == right.get_ylim() and left.get_ylim()[1] < 3
    assert [text.get_text() for text in left.texts] == ["up to 30"] and not right.texts
    assert "leaves the scale" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_there_is_no_tick_for_a_layer_that_does_not_exist(found):
    ax = plots.decay(found["tanh", "he"])
    assert ax.get_xticks().tolist() == [1, 2, 3, 4, 5, 6]


def test_legends_leave_out_what_is_not_drawn():
    found = measure_decay(replace(SMALL, init="constant:0.01", seeds=(0,)))
    legend = plots.decay(found).get_legend()
    assert [text.get_text() for text in legend.get_texts()] == [
        "constant:0.01 init", "dL/dz", "dL/dW",
    ]  # fmt: skip
    plt.clf()
    assert plots.decay(found, legend=False).get_legend() is None


def test_wrong_use_is_explained(found):
    with pytest.raises(ArgumentError, match="no results to draw; pass what measure_decay returns"):
        plots.decay_panels([])
    with pytest.raises(ArgumentError, match="1 results, but 2 labels"):
        plots.decay(found["tanh", "he"], labels=["a", "b"])


@pytest.mark.parametrize("activations", [["tanh"], ["tanh", "relu"], ["tanh", "relu", "sigmoid"]])
def test_the_legend_fits_into_the_figure(activations):
    configs = [
        DecayConfig(5, 8, activation=a, init=i, norm=n, seeds=(0, 1))
        for a in activations
        for i in ("default", "xavier", "he")
        for n in ("none", "batch")
    ]
    figure = plots.decay_panels([measure_decay(c) for c in configs])
    figure.canvas.draw()
    (legend,) = figure.legends
    assert figure.bbox.containsx(legend.get_window_extent().x0)
    assert figure.bbox.containsx(legend.get_window_extent().x1)


def test_seven_curves_look_different():
    inits = ("default", "xavier", "he", "lecun", "orthogonal", "zeros", "xavier_normal")
    found = [measure_decay(DecayConfig(5, 8, init=i)) for i in inits]
    ax = plots.decay(found, ax=plt.figure().gca())
    solid = [line for line in ax.lines if line.get_label().endswith("dz_rms")]
    assert len({(line.get_color(), line.get_marker()) for line in solid}) == len(inits)


@pytest.mark.parametrize("given", [3, np.ones((2, 2)), None])
@pytest.mark.parametrize(
    ("draw", "wanted"),
    [
        (plots.trainability, "plots.trainability: takes what measure_trainability returns"),
        (plots.loss_landscape, "plots.loss_landscape: takes what loss_landscape or function_"),
    ],
)
def test_what_is_no_finding_is_refused(draw, wanted, given):
    with pytest.raises(ArgumentError, match=f"{wanted}.*, not a {type(given).__name__}"):
        draw(given)
    assert plt.get_fignums() == []
