"""The dashboard, by the data that it draws."""

from __future__ import annotations

from itertools import pairwise

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from minigrad.diagnostics import plots
from minigrad.diagnostics.probing.recording import Recording
from minigrad.errors import ArgumentError

NAN = np.nan


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def recording(scale=1.0, layers=3, steps=(0, 10, 20), name="", losses=None):
    rec = Recording([f"layer{i + 1}" for i in range(layers)], meta={"name": name} if name else {})
    for place, step in enumerate(steps):
        dz = scale * 10.0 ** np.arange(1 - layers, 1) / 2**place
        values = {"dz_rms": dz, "dw_rms": dz, "update_ratio": dz, "saturated": dz * 0 + 0.5}
        rec.add(step, values, loss=(losses or [3.0, 2.0, 1.0])[place])
    return rec


def panels(figure):
    """The axes that are no colour bars."""
    return [ax for ax in figure.axes if not ax.get_label().startswith("<colorbar")]


def drawn(ax):
    return {line.get_label(): line.get_ydata() for line in ax.lines}


def test_one_run():
    rec = recording(name="mine")
    before = dict(matplotlib.rcParams)
    figure = plots.dashboard(rec)
    loss, decay, heat, ratio, shares = panels(figure)
    assert drawn(loss)["loss"].tolist() == [3, 2, 1]
    np.testing.assert_allclose(drawn(decay)["step 0, dz_rms"], [-2, -1, 0], atol=1e-12)
    np.testing.assert_allclose(
        drawn(decay)["step 20, dz_rms"], np.log10(rec.series("dz_rms")[-1]), rtol=1e-12
    )
    np.testing.assert_allclose(heat.collections[0].get_array(), np.log10(rec.series("dz_rms").T))
    assert drawn(ratio)["layer 3"].shape == (3,)
    assert drawn(shares)["saturated"].tolist() == [0.5, 0.5, 0.5]
    assert shares.get_title() == "step 20"
    assert figure.get_suptitle() == "mine: 3 layers, 3 records"
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize(("width", "rows"), [(12, 2), (8, 3), (5.6, 5)])
def test_the_layout_follows_the_width(width, rows):
    figure = plots.dashboard(recording(), width=width)
    figure.canvas.draw()
    assert figure.get_figwidth() == width
    tops = sorted(ax.get_window_extent().y1 for ax in panels(figure))
    assert 1 + sum(b - a > 100 for a, b in pairwise(tops)) == rows
    for ax in figure.axes:
        box = ax.get_tightbbox()
        assert box.x0 >= 0 and box.x1 <= figure.bbox.x1 + 1
        assert box.y0 >= 0 and box.y1 <= figure.bbox.y1 + 1


def test_several_runs_stand_side_by_side_on_the_same_scales():
    figure = plots.dashboard([recording(name="a"), recording(1e-6, layers=5, name="b")])
    axes = np.array(panels(figure)).reshape(5, 2)
    assert [ax.get_title().splitlines()[0] for ax in axes[0]] == ["a", "b"]
    for row in (0, 1, 3):
        assert axes[row, 0].get_ylim() == axes[row, 1].get_ylim()
    left, right = (ax.collections[0] for ax in axes[2])
    assert left.get_clim() == right.get_clim()
    assert left.get_array().shape == (3, 3) and right.get_array().shape == (5, 3)
    assert len(drawn(axes[1, 1])["step 0, dz_rms"]) == 5


def test_names_of_runs():
    def titles(data):
        figure = plots.dashboard(data)
        return [ax.get_title().splitlines()[0] for ax in panels(figure) if "\n" in ax.get_title()]

    assert titles([recording(), recording()]) == ["run 1", "run 2"]
    assert titles([recording(name="a"), recording(name="a")]) == ["a", "a (2)"]
    assert titles({"x": recording(name="a"), "y": [recording(), recording(2.0)]}) == ["x", "y"]


def test_seeds_in_one_column():
    figure = plots.dashboard([[recording(1.0), recording(3.0)]])
    decay = panels(figure)[1]
    assert drawn(decay)["step 0, dz_rms"][-1] == pytest.approx(np.log10(2))
    assert figure.get_suptitle() == "3 layers, 3 records, 2 seeds"


def test_losses_that_spread_far_are_drawn_on_a_logarithmic_axis():
    far = recording(losses=[100.0, 1.0, 0.1])
    assert panels(plots.dashboard(far))[0].get_yscale() == "log"
    assert panels(plots.dashboard(recording()))[0].get_yscale() == "linear"
    both = panels(plots.dashboard([recording(), far]))
    assert both[0].get_yscale() == both[1].get_yscale() == "log"


def test_panels_without_data_say_so_and_the_others_are_drawn():
    rec = Recording(["layer"])
    rec.add(0, {"dz_rms": [1.0]})
    figure = plots.dashboard(rec)
    loss, decay, heat, ratio, shares = panels(figure)
    said = [" ".join(ax.texts[0].get_text().split()) for ax in (loss, ratio, shares)]
    assert said[0].startswith("no finite loss; with a probe, tell it")
    assert said[1].startswith("no update was recorded; give the probe the optimizer")
    assert said[2].startswith("no saturated share and no dead units")
    assert decay.lines and heat.collections
    figure.canvas.draw()


def test_a_run_without_a_record_does_not_keep_the_others_from_being_drawn():
    figure = plots.dashboard({"empty": Recording(["a"]), "full": recording()})
    axes = np.array(panels(figure)).reshape(5, 2)
    assert axes[0, 0].get_title() == "empty"
    assert axes[0, 0].texts[0].get_text().startswith("nothing was recorded")
    assert drawn(axes[0, 1])["loss"].tolist() == [3, 2, 1]
    assert axes[0, 1].get_xticks().size


def test_nan_everywhere_is_a_figure():
    rec = Recording(["a", "b"])
    for step in (0, 1):
        rec.add(
            step, {"dz_rms": [NAN, NAN], "dz_nans": [1.0, 1.0], "dw_nans": [1.0, 1.0]}, loss=NAN
        )
    figure = plots.dashboard(rec)
    figure.canvas.draw()
    _, decay, heat, *_ = panels(figure)
    assert "dL/dz is NaN or infinite" in drawn(decay)
    assert [patch.get_label() for patch in heat.patches] == ["NaN"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "no runs to draw"),
        ({}, "no runs to draw"),
        (Recording(["a"]), "nothing was recorded"),
        ([Recording(["a"]), Recording(["b"])], "nothing was recorded"),
        ([recording(), 3], "not a int"),
    ],
)
def test_what_cannot_be_drawn_is_explained(data, message):
    with pytest.raises(ArgumentError, match=rf"plots\.dashboard: .*{message}"):
        plots.dashboard(data)
    assert not plt.get_fignums()


def test_a_width_must_be_above_0():
    with pytest.raises(ArgumentError, match="width must be above 0 inches, got -1"):
        plots.dashboard(recording(), width=-1)


def diverging():
    return recording(1e20, name="wild", losses=[3.0, 1e9, NAN])


def test_a_run_that_diverged_does_not_take_the_scale_from_the_others():
    figure = plots.dashboard([recording(name="calm"), diverging()])
    axes = np.array(panels(figure)).reshape(5, 2)
    assert axes[0, 1].get_title().endswith("3 records, diverges at step 10")
    for row, most in ((0, 4), (1, 2), (3, 2)):  # losses to 3, gradients and updates to 10^0
        assert axes[row, 0].get_ylim() == axes[row, 1].get_ylim()
        assert axes[row, 0].get_ylim()[1] < most
        calm, wild = ([n for n in drawn(ax) if n.endswith(", leaves")] for ax in axes[row])
        assert not calm and wild
    assert [text.get_text() for text in axes[0, 1].texts] == ["up to 1e+09"]
    assert axes[0, 0].get_yscale() == "linear"
    assert axes[2, 0].collections[0].get_clim()[1] < 1
    assert [p.get_label() for p in axes[2, 1].patches] == ["above 0.651 (to 20)"]


def test_a_run_may_diverge_between_two_records():
    rec = recording(1e20, name="wild")
    rec.meta["diverged"] = 24
    axes = np.array(panels(plots.dashboard([recording(), rec]))).reshape(5, 2)
    assert axes[0, 1].get_title().endswith("diverges at step 24")
    assert axes[1, 0].get_ylim()[1] < 2


def test_where_all_runs_diverged_all_is_shown():
    axes = np.array(panels(plots.dashboard([diverging(), diverging()]))).reshape(5, 2)
    assert axes[0, 0].get_ylim()[1] > 1e9


def test_many_runs_stand_in_several_rows():
    runs = [recording(name=f"run {i}") for i in range(5)]
    figure = plots.dashboard(runs)
    assert figure.get_figwidth() == 12 and len(panels(figure)) == 25
    titles = {ax.get_title().splitlines()[0]: ax for ax in panels(figure) if "\n" in ax.get_title()}
    boxes = [titles[f"run {i}"].get_position() for i in range(5)]
    figure.canvas.draw()
    assert boxes[0].y0 == boxes[2].y0 > boxes[3].y0 and boxes[0].x0 == boxes[3].x0
    assert plots.dashboard(runs[:2] * 4).get_figwidth() == 16
    assert len({ax.get_position().x0 for ax in panels(plots.dashboard(runs, width=6))}) == 2
