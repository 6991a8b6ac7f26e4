"""Figures of recordings, by the data that they draw."""

from __future__ import annotations

from itertools import pairwise

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

import minigrad as mg
from minigrad.diagnostics import Probe, plots
from minigrad.diagnostics.probing.recording import Recording
from minigrad.errors import ArgumentError

NAN, INF = np.nan, np.inf
UNDERFLOW = np.log10(float(np.finfo(np.float32).tiny))


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def recording(steps=(0, 10, 20), layers=3, *, scale=1.0, name="", **given):
    """dz falls by 10 per layer towards the input, and by 2 per record; `given` replaces series."""
    rec = Recording([f"layer{i + 1}" for i in range(layers)], meta={"name": name} if name else {})
    for place, step in enumerate(steps):
        dz = scale * 10.0 ** np.arange(1 - layers, 1) / 2**place
        values = {"dz_rms": dz, "dw_rms": 2 * dz, "update_ratio": 1e-3 * dz, "z_rms": dz * 0 + 1}
        values |= {"saturated": np.full(layers, 0.25), "dead": np.linspace(0, 1, layers)}
        values |= {series: values_of[place] for series, values_of in given.items()}
        rec.add(step, values, loss=scale / (place + 1))
    return rec


def line(ax, label):
    (found,) = [line for line in ax.lines if line.get_label() == label]
    return found


def labels(ax):
    return [found.get_label() for found in ax.lines]


def y_of(ax, label):
    return line(ax, label).get_ydata()


def legend_of(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def probe_of(steps=3, layers=4):
    g = mg.Generator(0)
    model = mg.models.deep_mlp(layers, 8, "relu", "he", in_features=4, out_features=3, generator=g)
    optimizer = mg.optim.SGD(model.parameters(), lr=0.1)
    with Probe(model, optimizer, full=1) as probe:
        for _ in range(steps):
            optimizer.zero_grad()
            loss = (model(mg.randn(16, 4, generator=g)) ** 2).mean()
            loss.backward()
            probe.note(loss=loss)
            optimizer.step()
    return probe


# -- what all of them share ------------------------------------------------------------------

FIGURES = {
    "decay": plots.decay, "heatmap": plots.heatmap, "ridge": plots.ridge,
    "update_ratio": plots.update_ratio, "saturation": plots.saturation,
    "loss_curves": plots.loss_curves, "spectrum": lambda _, **kw: plots.spectrum([2.0, 1.0], **kw),
    "schedule": lambda _, **kw: plots.schedule([0.1, 0.2], **kw),
}  # fmt: skip
OF_RECORDINGS = [name for name in FIGURES if name not in ("spectrum", "schedule")]


@pytest.mark.parametrize("name", FIGURES)
def test_it_draws_where_it_is_told_and_changes_no_settings(name):
    probe = probe_of(layers=8)
    before = dict(matplotlib.rcParams)
    figure, (left, right) = plt.subplots(1, 2)
    plt.sca(right)
    assert FIGURES[name](probe, ax=left) is left
    assert left.has_data() and not right.has_data()
    assert plt.gcf() is figure and plt.gca() is right
    assert FIGURES[name](probe) is right
    assert dict(matplotlib.rcParams) == before
    assert plt.get_fignums() == [figure.number]


@pytest.mark.parametrize("name", OF_RECORDINGS)
def test_a_saved_recording_may_be_given_by_its_path(name, tmp_path):
    probe = probe_of()
    probe.to_jsonl(tmp_path / "run.jsonl")
    ax = FIGURES[name](tmp_path / "run.jsonl", ax=plt.figure().gca())
    other = FIGURES[name](probe, ax=plt.figure().gca())
    assert len(ax.lines) == len(other.lines)
    for one, two in zip(ax.lines, other.lines, strict=True):
        np.testing.assert_array_equal(one.get_xydata(), two.get_xydata())
    assert len(ax.collections) == len(other.collections)


@pytest.mark.parametrize("name", OF_RECORDINGS)
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (Recording(["a"]), "nothing was recorded; run forward and backward inside `with probe:`"),
        (7, "takes a Recording or Probe, .* not a int"),
        ([], "not an empty list"),
        ([recording(), 7], "expected a Recording or Probe, got a int"),
        ([recording(layers=2), recording(layers=3)], r"different layers \(2, .*; 3, .*pass a dict"),
        ([recording(steps=(0, 1)), recording(steps=(2, 3))], "no recorded step in common"),
    ],
)
def test_what_cannot_be_drawn_is_explained(name, data, message):
    with pytest.raises(ArgumentError, match=rf"plots\.{name}: .*{message}"):
        FIGURES[name](data)
    assert not plt.get_fignums()


def without(*series):
    """A recording in which nothing of these arrived."""
    return recording(**{name: [[NAN] * 3] * 3 for name in series})


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("decay", without("dz_rms", "dw_rms"), "no gradient was recorded; call backward()"),
        ("heatmap", without("dz_rms"), "of 'dz_rms' nothing was recorded"),
        ("ridge", recording(), "no histograms were recorded; .*full=1"),
        ("update_ratio", without("update_ratio"), "no update was recorded; give the probe the opt"),
        ("saturation", without("saturated", "dead"), "no saturated share and no dead units"),
    ],
)
def test_a_series_without_a_number_is_explained(name, data, message):
    with pytest.raises(ArgumentError, match=message):
        FIGURES[name](data)
    assert not plt.get_fignums()


def test_steps_that_were_not_recorded_are_explained():
    with pytest.raises(ArgumentError, match="step 13 was not recorded; the nearest are 0, 10, 20"):
        plots.decay(recording(), step=13)
    with pytest.raises(ArgumentError, match="no histograms of step 7; there are some of 0, 1, 2"):
        plots.ridge(probe_of(), step=7)


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize(
    "how",
    [
        {"figsize": (12.0, 7.0), "layout": "constrained"},
        {"figsize": (5.6, 4.0), "layout": "constrained"},
        {},
    ],
)
def test_nothing_is_cut_off(name, how):
    figure = plt.figure(**how)
    FIGURES[name](probe_of(layers=8), ax=figure.gca())
    figure.canvas.draw()
    for ax in figure.axes:
        box = ax.get_tightbbox()
        assert figure.bbox.contains(box.x0 + 1, box.y0 + 1)
        assert figure.bbox.contains(box.x1 - 1, box.y1 - 1)


def test_a_thousand_layers_and_long_names():
    rec = recording(steps=(0,), layers=1000, scale=1e300)
    rec.layers[:] = [f"encoder.blocks.{i}.attention.projection.inner" for i in range(1000)]
    for name in ("decay", "heatmap", "update_ratio", "saturation"):
        figure = plt.figure(layout="constrained")
        FIGURES[name](rec)
        figure.canvas.draw()
    few = recording(layers=2)
    few.layers[:] = ["encoder.blocks.0.attention.projection.inner", "1"]
    plt.figure(layout="constrained")
    rows = plots.heatmap(few).get_yticklabels()
    assert [row.get_text() for row in rows] == ["1  encoder.b...ion.inner", "2"]


# -- decay -----------------------------------------------------------------------------------


def test_decay_draws_the_last_step_or_the_one_asked_for():
    rec = recording()
    ax = plots.decay(rec)
    np.testing.assert_allclose(y_of(ax, "dz_rms"), np.log10(rec.series("dz_rms")[-1]), rtol=1e-12)
    np.testing.assert_allclose(y_of(ax, "dw_rms"), np.log10(rec.series("dw_rms")[-1]), rtol=1e-12)
    assert ax.lines[0].get_xdata().tolist() == [1, 2, 3]
    assert [found.get_linestyle() for found in ax.lines] == ["-", "--"]
    assert legend_of(ax) == ["dL/dz", "dL/dW"]
    first = plots.decay(rec, step=0, ax=plt.figure().gca())
    np.testing.assert_allclose(y_of(first, "dz_rms"), [-2, -1, 0], atol=1e-12)


def test_a_list_is_seeds_and_a_dict_is_runs():
    seeds = [recording(scale=s) for s in (1.0, 4.0)]
    ax = plots.decay({"wide": seeds, "narrow": recording(scale=0.1)}, step=0)
    np.testing.assert_allclose(y_of(ax, "wide, dz_rms"), np.log10([0.025, 0.25, 2.5]))
    np.testing.assert_allclose(y_of(ax, "narrow, dz_rms"), [-3, -2, -1])
    band = ax.collections[0].get_paths()[0].vertices
    assert band[band[:, 0] == 3, 1].min() == pytest.approx(0)
    assert band[band[:, 0] == 3, 1].max() == pytest.approx(np.log10(4))
    assert legend_of(ax) == ["wide", "narrow", "dL/dz", "dL/dW", "range over 2 seeds"]
    assert len(ax.collections) == 2  # none around a single seed


def test_seeds_are_compared_at_the_steps_that_they_share():
    ax = plots.decay([recording(steps=(0, 10, 20)), recording(steps=(10, 20, 30))])
    # At step 20 one seed has halved twice and the other once.
    np.testing.assert_allclose(y_of(ax, "dz_rms")[-1], np.log10((0.25 + 0.5) / 2))


def test_layers_without_weights_leave_no_hole_in_the_dashed_line():
    dw = [[1.0, NAN, 10.0]] * 3
    ax = plots.decay(recording(dw_rms=dw))
    assert line(ax, "dw_rms").get_xydata().tolist() == [[1, 0], [3, 1]]


def test_gradients_off_the_axis_are_marked_at_its_edges():
    dz = [[NAN, NAN, 1.0], [0.0, INF, 1.0]]
    rec = recording(steps=(0, 1), dz_rms=dz, dz_nans=[[1.0, 0.5, 0.0], [0.0, 0.0, 0.0]])
    ax = plots.decay(rec)
    assert y_of(ax, "dz_rms").tolist() == pytest.approx([NAN, NAN, 0.0], nan_ok=True)
    assert line(ax, "dL/dz is 0").get_xdata().tolist() == [1]
    assert line(ax, "dL/dz is NaN or infinite").get_xdata().tolist() == [2]
    assert legend_of(ax)[-2:] == ["dL/dz is 0", "dL/dz is NaN or infinite"]
    first = plots.decay(rec, step=0, ax=plt.figure().gca())
    assert line(first, "dL/dz is NaN or infinite").get_xdata().tolist() == [1, 2]


def test_a_lone_number_between_gaps_has_a_marker():
    dz = [[0.0] * 10 + [1.0] + [0.0] * 9]
    ax = plots.decay(recording(steps=(0,), layers=20, dz_rms=dz))
    assert 10 in line(ax, "dz_rms").get_markevery()


def test_underflow_is_drawn_only_near_it():
    assert "float32 underflow" not in labels(plots.decay(recording(scale=1e-20)))
    ax = plots.decay(recording(scale=1e-36), ax=plt.figure().gca())
    assert set(y_of(ax, "float32 underflow")) == {UNDERFLOW}
    # A gradient that is 0 because units are dead says nothing of underflow.
    dead = recording(dz_rms=[[0.0, 0.0, 1.0]] * 3)
    ax = plots.decay(dead, ax=plt.figure().gca())
    assert "float32 underflow" not in labels(ax)


def test_a_prediction_is_drawn_as_it_is():
    ax = plots.decay(recording(), prediction=[0.001, 0.1, 10.0])
    np.testing.assert_allclose(line(ax, "theory").get_xydata(), [[1, -3], [2, -1], [3, 1]])
    assert "theory of dL/dz" in legend_of(ax)
    runs = {"a": recording(), "b": recording()}
    ax = plots.decay(runs, prediction={"b": [1.0, 1.0, 1.0]}, ax=plt.figure().gca())
    assert y_of(ax, "b, theory").tolist() == [0, 0, 0]
    assert "a, theory" not in labels(ax)
    with pytest.raises(ArgumentError, match=r"shape \(2,\); .*each of the 3 layers"):
        plots.decay(recording(), prediction=[1.0, 2.0])


def test_what_predict_returns_begins_at_the_last_layer_measured():
    from minigrad.diagnostics.predicting.prediction import predict

    g = mg.Generator(0)
    net = mg.models.deep_mlp(6, 64, "tanh", "xavier", in_features=64, generator=g)
    with Probe(net, include=mg.nn.Linear) as probe:
        (net(mg.randn(128, 64, generator=g)) ** 2).mean().backward()
    prediction = predict(net)
    ax = plots.decay(probe, prediction=prediction)
    drawn = y_of(ax, "theory")
    assert drawn[-1] == pytest.approx(np.log10(probe.series("dz_rms")[0, -1]))
    np.testing.assert_allclose(drawn - drawn[-1], prediction.log10_dz_rms, atol=1e-12)
    with pytest.raises(ArgumentError, match=r"none was measured .*is it the same network"):
        plots.decay(recording(), prediction=prediction)


# -- heat map --------------------------------------------------------------------------------


def hatched(ax):
    """Per mark the rectangles (left, right, low, high) that carry it."""
    found = {}
    for patch in ax.patches:
        corners = patch.get_path().vertices.reshape(-1, 5, 2)
        found[patch.get_label()] = [(*np.unique(c[:, 0]), *np.unique(c[:, 1])) for c in corners]
    return found


def test_a_heat_map_is_log10_over_layers_and_steps():
    rec = recording(steps=(0, 10, 40))
    ax = plots.heatmap(rec)
    mesh = ax.collections[0]
    np.testing.assert_allclose(mesh.get_array(), np.log10(rec.series("dz_rms").T), rtol=1e-12)
    assert mesh.get_coordinates()[0, :, 0].tolist() == [-5, 5, 25, 55]
    assert mesh.get_coordinates()[:, 0, 1].tolist() == [0.5, 1.5, 2.5, 3.5]
    names = [tick.get_text() for tick in ax.get_yticklabels()]
    assert names == ["1  layer1", "2  layer2", "3  layer3"]
    plain = plots.heatmap(rec, ax=plt.figure().gca())  # nothing makes room for names there
    assert [tick.get_text() for tick in plain.get_yticklabels()] == ["1", "2", "3"]
    assert ax.figure.axes[1].get_ylabel() == "log10 of the rms of dL/dz"
    assert ax.get_legend() is None
    assert mesh.get_clim() == pytest.approx((-2 - np.log10(4), 0))


def test_cells_without_a_place_on_the_scale_are_hatched():
    dz = [[1.0, 0.0, NAN, NAN], [1.0, 0.0, INF, NAN], [1.0, 1.0, INF, NAN]]
    nans = [[0, 0, 0.5, NAN], [0, 0, 0, NAN], [0, 0, 0, NAN]]
    ax = plots.heatmap(recording(layers=4, dz_rms=dz, dz_nans=nans))
    assert ax.collections[0].get_array().mask.tolist() == [
        [False, False, False], [True, True, False], [True, True, True], [True, True, True],
    ]  # fmt: skip
    assert hatched(ax) == {
        "0": [(-5, 15, 1.5, 2.5)], "NaN": [(-5, 5, 2.5, 3.5)], "infinite": [(5, 25, 2.5, 3.5)],
    }  # fmt: skip
    assert legend_of(ax) == ["0", "NaN", "infinite", "not measured"]
    assert len({patch.get_hatch() for patch in ax.patches}) == 3


def test_a_heat_map_of_nan_alone_is_all_hatched():
    rec = recording(dz_rms=[[NAN] * 3] * 3, dz_nans=[[1.0] * 3] * 3)
    ax = plots.heatmap(rec)
    ax.figure.canvas.draw()
    assert hatched(ax) == {"NaN": [(-5, 25, 0.5, 1.5), (-5, 25, 1.5, 2.5), (-5, 25, 2.5, 3.5)]}
    assert len(ax.figure.axes) == 1  # no colour bar of nothing


def test_shares_are_drawn_as_they_are_and_zero_is_one_of_them():
    ax = plots.heatmap(recording(), "dead", vmin=0, vmax=1)
    assert ax.collections[0].get_array()[:, 0].tolist() == [0, 0.5, 1]
    assert not ax.patches
    assert ax.collections[0].get_clim() == (0, 1)
    assert ax.figure.axes[1].get_ylabel() == "share of dead units"


def test_heat_maps_of_one_cell_and_of_steps_that_begin_anew():
    ax = plots.heatmap(recording(steps=(7,), layers=1))
    assert ax.get_xlim() == (6.5, 7.5) and ax.get_ylim() == (0.5, 1.5)
    assert ax.get_xticks().tolist() == [7]
    low, high = ax.collections[0].get_clim()
    assert low < high
    again = plots.heatmap(recording(steps=(0, 10, 0)), ax=plt.figure().gca())
    assert again.get_xlabel() == "record" and again.get_xlim() == (-0.5, 2.5)


def test_the_heat_map_of_seeds_is_their_mean():
    ax = plots.heatmap([recording(scale=1.0), recording(scale=3.0)])
    assert ax.collections[0].get_array()[2, 0] == pytest.approx(np.log10(2.0))


def test_an_unknown_series_is_explained():
    with pytest.raises(ArgumentError, match="no series 'dz_median'; use one of z_rms"):
        plots.heatmap(recording(), "dz_median")


# -- ridges ----------------------------------------------------------------------------------


def with_histograms(*values, signal="dz"):
    """One record, a layer for each array."""
    from minigrad.diagnostics.probing.statistics import describe, histogram

    rec = Recording([f"layer{i + 1}" for i in range(len(values))])
    found = [describe(np.array(array, dtype=np.float64)) for array in values]
    series = {
        f"{signal}_{name}": [getattr(one, name) for one in found] for name in found[0]._fields
    }
    counts = [histogram(np.array(array, dtype=np.float64)) for array in values]
    rec.add(0, series, histograms={signal: counts})
    return rec


def peaks(ax, layer):
    """Where the outline of a layer's ridge is highest on either side of 0."""
    (ridge,) = [c for c in ax.collections if c.get_label() == f"layer {layer}"]
    corners = ridge.get_paths()[0].vertices
    left, right = corners[corners[:, 0] < 0], corners[corners[:, 0] > 0]
    return left[left[:, 1].argmax()], right[right[:, 1].argmax()]


def tick(ax, text):
    """Where the tick of a number is."""
    ticks = [label.get_text() for label in ax.get_xticklabels()]
    return ax.get_xticks()[ticks.index(text)]


def test_a_ridge_lies_where_the_numbers_are():
    wide = plt.figure(figsize=(24, 4)).gca()  # all ticks have room
    ax = plots.ridge(with_histograms([-1.1e-6, -1.1e-6, 1.1], [1.1, 1.1, -1.1]), ax=wide)
    left, right = peaks(ax, 1)
    assert left[0] == pytest.approx(tick(ax, "$-10^{-6}$"), abs=0.51)
    assert right[0] == pytest.approx(tick(ax, "$1$"), abs=0.51)
    assert left[1] == pytest.approx(2 * right[1])  # two elements against one, in row 0
    assert tick(ax, "0") == 0
    # An octave is one unit, whatever the magnitude: 2^20 is about 10^6.
    assert tick(ax, "$1$") + tick(ax, "$-10^{-6}$") == pytest.approx(6 / np.log10(2))
    left, right = peaks(ax, 2)
    assert right[1] - 1 == pytest.approx(2 * (left[1] - 1))  # row 1 stands on 1


def test_zeros_are_a_bar_of_their_own():
    ax = plots.ridge(with_histograms([0.0, 0.0, 0.0, 1.0], [1.0, 2.0, 3.0, 4.0]))
    (bar,) = ax.patches
    assert bar.get_height() == pytest.approx(0.75) and bar.get_y() == 0
    assert legend_of(ax) == ["bar at 0: share of zeros, 100 % = one row"]
    assert ax.get_xlim()[0] > -2  # nothing below 0, so no room for it


def test_nan_and_infinities_are_written_beside_the_row():
    ax = plots.ridge(with_histograms([NAN, 1.0, 1.0, 1.0], [INF, NAN], [1.0, 2.0]))
    assert [text.get_text() for text in ax.texts] == ["NaN 25%", "NaN 50%, inf 50%", ""]


def test_ridges_of_nothing_but_zeros_and_nothing_but_nan():
    for values in ([0.0, 0.0], [NAN, NAN]):
        ax = plots.ridge(with_histograms(values), ax=plt.figure().gca())
        ax.figure.canvas.draw()
        assert "0" in [label.get_text() for label in ax.get_xticklabels()]


def test_of_many_layers_some_are_shown():
    rec = with_histograms(*[[1.0]] * 100)
    ax = plots.ridge(rec)
    rows = [label.get_text() for label in ax.get_yticklabels()]
    assert len(rows) == 24 and rows[0].startswith("1 ") and rows[-1].startswith("100 ")


def test_the_counts_of_seeds_are_added_and_the_last_histogram_is_drawn():
    one, two = with_histograms([1.0, 1.0, 1.0]), with_histograms([-1.0])
    left, right = peaks(plots.ridge([one, two]), 1)
    assert right[1] == pytest.approx(3 * left[1])
    one.add(1, {"dz_rms": [5.0]})  # a record without histograms
    assert plots.ridge(one, ax=plt.figure().gca()).has_data()


# -- update ratio ----------------------------------------------------------------------------


def test_the_ratio_plot_is_log10_of_the_ratio_with_its_line():
    rec = recording()
    ax = plots.update_ratio(rec)
    expected = np.log10(rec.series("update_ratio"))
    for layer in range(3):
        np.testing.assert_allclose(y_of(ax, f"layer {layer + 1}"), expected[:, layer], rtol=1e-12)
        assert line(ax, f"layer {layer + 1}").get_xdata().tolist() == [0, 10, 20]
    assert set(y_of(ax, "-3: rule of thumb")) == {-3.0}
    assert legend_of(ax) == ["layer 1", "layer 2", "layer 3", "-3: rule of thumb"]
    assert ax.get_xticks().tolist() == [0, 10, 20]


def test_many_layers_run_from_dark_to_light():
    ax = plots.update_ratio(recording(layers=12))
    lightness = [
        float(np.dot(matplotlib.colors.to_rgb(found.get_color()), (0.299, 0.587, 0.114)))
        for found in ax.lines[:12]
    ]
    assert np.all(np.diff(lightness) > 0) and lightness[-1] < 0.8
    assert legend_of(ax) == ["-3: rule of thumb"]
    assert ax.figure.axes[1].get_ylabel() == "layer (1 = nearest the input)"
    ax = plots.update_ratio(recording(layers=12), colorbar=False, ax=plt.figure().gca())
    assert len(ax.figure.axes) == 1


def test_ratios_off_the_axis_are_named():
    ratio = [[0.0, 1e-3, 1e-3], [0.0, 0.0, NAN], [0.0, 1e-3, NAN]]
    nans = [[0, 0, 0], [0, 0, 1.0], [0, 0, 1.0]]
    ax = plots.update_ratio(recording(update_ratio=ratio, dw_nans=nans))
    assert legend_of(ax)[-3:] == [
        "ratio 0: layer 1", "ratio 0 at times: layer 2", "no number at times: layer 3",
    ]  # fmt: skip
    assert line(ax, "layer 3").get_markevery()[-1] == 0  # its only point can be seen


def test_layers_without_weights_have_no_ratio():
    ratio = [[1e-3, NAN, 1e-2]] * 3
    ax = plots.update_ratio(recording(update_ratio=ratio))
    assert labels(ax) == ["layer 1", "layer 3", "-3: rule of thumb"]


# -- saturation ------------------------------------------------------------------------------


def test_saturation_over_layers_leaves_out_those_without_an_activation():
    saturated = [[0.1, 0.2, NAN], [0.3, 0.4, NAN], [0.5, 0.6, NAN]]
    rec = recording(saturated=saturated, dead=[[0.0, 1.0, NAN]] * 3)
    ax = plots.saturation(rec)
    assert line(ax, "saturated").get_xydata().tolist() == [[1, 0.5], [2, 0.6]]
    assert y_of(ax, "dead").tolist() == [0, 1]
    assert y_of(plots.saturation(rec, step=0, ax=plt.figure().gca()), "saturated")[0] == 0.1
    assert ax.get_xticks().tolist() == [1, 2, 3]
    assert legend_of(ax) == ["saturated elements", "dead units"]
    assert ax.get_ylim()[0] <= 0 and ax.get_ylim()[1] >= 1


def test_saturation_over_steps_is_the_mean_over_layers_with_its_range():
    rec = recording(saturated=[[0.1, 0.3, NAN], [0.2, 0.6, NAN], [0.0, 1.0, NAN]])
    ax = plots.saturation(rec, over="steps")
    np.testing.assert_allclose(line(ax, "saturated").get_xydata(), [[0, 0.2], [10, 0.4], [20, 0.5]])
    corners = ax.collections[0].get_paths()[0].vertices
    assert sorted(corners[corners[:, 0] == 10, 1])[0] == pytest.approx(0.2)
    assert sorted(corners[corners[:, 0] == 10, 1])[-1] == pytest.approx(0.6)
    assert legend_of(ax)[-1] == "range over layers"


def test_saturation_of_runs_and_of_one_kind_alone():
    rec = without("dead")
    ax = plots.saturation({"a": rec, "b": rec})
    assert labels(ax) == ["a, saturated", "b, saturated"]
    assert legend_of(ax) == ["a", "b", "saturated elements"]
    with pytest.raises(ArgumentError, match="over must be 'layers' or 'steps', got 'epochs'"):
        plots.saturation(rec, over="epochs")


# -- text of axes ----------------------------------------------------------------------------


def test_every_series_has_words_for_its_axis():
    from minigrad.diagnostics.plots.quantities import in_words
    from minigrad.diagnostics.probing.names import SERIES

    words = [in_words(series) for series in SERIES]
    assert len(set(words)) == len(words)
    assert not [text for text in words if "_" in text]


# -- series that are not measured in every record --------------------------------------------


def test_records_without_the_series_are_left_out():
    std = [[1.0] * 3, [NAN] * 3, [10.0, NAN, 10.0]]
    ax = plots.heatmap(recording(dz_std=std), "dz_std")
    mesh = ax.collections[0]
    assert mesh.get_coordinates()[0, :, 0].tolist() == [-10, 10, 30]  # steps 0 and 20
    assert mesh.get_array().filled(-1).tolist() == [[0, 1], [0, -1], [0, 1]]
    assert legend_of(ax) == ["not measured"]


def test_the_last_record_with_a_number_is_drawn():
    gone = [[NAN] * 3]
    rec = recording(
        saturated=[[0.5] * 3, [0.75] * 3, *gone], dead=gone * 3, dz_rms=[[1.0] * 3] * 2 + gone
    )
    assert y_of(plots.saturation(rec), "saturated").tolist() == [0.75] * 3
    assert y_of(plots.decay(rec, ax=plt.figure().gca()), "dz_rms").tolist() == [0] * 3
    ax = plots.saturation(rec, over="steps", ax=plt.figure().gca())
    assert line(ax, "saturated").get_xydata().tolist() == [[0, 0.5], [10, 0.75]]
    assert "step 10" in [ax.get_title() for ax in plots.dashboard(rec).axes]


# -- room --------------------------------------------------------------------------------------


def boxes_of(axis):
    texts = [text for text in axis.get_ticklabels() if text.get_text()]
    return [text.get_window_extent() for text in texts]


@pytest.mark.parametrize("layers", [5, 24, 200])
@pytest.mark.parametrize("size", [(6.4, 4.8), (3.4, 2.4)])
def test_labels_of_layers_do_not_lie_over_each_other(size, layers):
    rec = Recording([f"encoder.block{i}.attention.linear" for i in range(layers)])
    rec.add(0, {"dz_rms": [1.0] * layers})
    for draw in (plots.heatmap, plots.decay):
        figure = plt.figure(figsize=size, layout="constrained")
        ax = draw(rec, ax=figure.gca())
        figure.canvas.draw()
        assert ax.get_xticks().size and ax.get_yticks().size
        for axis, low, high in ((ax.xaxis, "x0", "x1"), (ax.yaxis, "y0", "y1")):
            for a, b in pairwise(boxes_of(axis)):
                assert getattr(a, high) <= getattr(b, low) + 1
    # A figure of the usual size has room for all of few.
    figure = plt.figure(layout="constrained")
    ax = plots.heatmap(rec, ax=figure.gca())
    figure.canvas.draw()
    assert layers == 200 or len(boxes_of(ax.yaxis)) == layers


def test_where_nothing_is_finite_no_ticks_are_invented():
    rec = Recording(["a", "b"])
    lost = {"dz_rms": [NAN] * 2, "dz_nans": [1.0] * 2, "dw_nans": [1.0] * 2}
    rec.add(0, {**lost, "update_ratio": [NAN] * 2})
    good = Recording(["a", "b"])
    good.add(0, {"dz_rms": [1.0, 0.1], "update_ratio": [0.1, 0.1]})
    for draw in (plots.decay, plots.update_ratio):
        for run, told in ((rec, ["no finite\nnumber above 0"]), (good, [])):
            ax = draw(run, ax=plt.figure().gca())
            ax.figure.canvas.draw()
            assert [text.get_text() for text in ax.texts] == told
            assert bool([t for t in ax.yaxis.get_ticklabels() if t.get_visible()]) == (not told)


def test_the_legend_of_the_ratio_plot_covers_no_curve():
    rec = Recording([f"l{i}" for i in range(5)])
    for step in range(10):
        rec.add(step, {"update_ratio": 10.0 ** np.linspace(-5, 0, 5)})
    figure, ax = plt.subplots()
    plots.update_ratio(rec, ax=ax)
    figure.canvas.draw()
    assert ax.get_legend().get_window_extent().y0 >= ax.bbox.y1
    assert ax.get_legend().get_window_extent().x0 >= ax.bbox.x0


def test_normalization_layers_are_dots_beside_the_line():
    model = mg.models.deep_mlp(4, 8, norm="layer", generator=mg.Generator(0))
    with Probe(model) as probe:
        model(mg.ones(8, 64)).sum().backward()
    ax = plots.decay(probe)
    rms = np.log10(probe.series("dz_rms")[-1])
    lines = {line.get_label(): line for line in ax.lines}
    line, dots = lines["dz_rms"], lines["dz_rms, normalization"]
    assert line.get_xdata().tolist() == [1, 3, 5, 7] and dots.get_xdata().tolist() == [2, 4, 6]
    np.testing.assert_allclose(line.get_ydata(), rms[::2])
    np.testing.assert_allclose(dots.get_ydata(), rms[1::2])
    assert dots.get_linestyle() == "None"
    shown = [text.get_text() for text in ax.get_legend().get_texts()]
    assert "normalization layers" in shown

    only = {"include": mg.nn.LayerNorm}
    with Probe(model, **only) as probe:
        model(mg.ones(8, 64)).sum().backward()
    ax = plots.decay(probe, ax=plt.figure().gca())
    assert next(x for x in ax.lines if x.get_label() == "dz_rms").get_xdata().tolist() == [1, 2, 3]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_underflow_is_that_of_the_dtype_of_the_network(dtype):
    tiny = float(np.finfo(dtype).tiny)
    rec = recording(scale=2 * tiny)
    rec.meta["dtype"] = dtype
    ax = plots.decay(rec)
    assert y_of(ax, f"{dtype} underflow") == pytest.approx(np.log10([tiny, tiny]))
    assert f"{dtype} underflows below" in legend_of(ax)
    rec = recording(scale=1e7 * tiny)
    rec.meta["dtype"] = dtype
    assert not [label for label in labels(plots.decay(rec, ax=plt.figure().gca()))
                if label.endswith("underflow")]  # fmt: skip


@pytest.mark.parametrize("dtype", ["", "int64", "no dtype", None, 3])
def test_where_the_dtype_is_not_known_it_is_that_of_minigrad(dtype):
    rec = recording(scale=1e-37)
    rec.meta["dtype"] = dtype
    assert y_of(plots.decay(rec), "float32 underflow")[0] == pytest.approx(UNDERFLOW)
