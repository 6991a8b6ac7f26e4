"""Loss curves, spectra and schedules, by the data that they draw."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

import minigrad as mg
from minigrad.diagnostics import LRRange, plots
from minigrad.diagnostics.probing.recording import Recording
from minigrad.errors import ArgumentError
from minigrad.optim import lr_scheduler

NAN, INF = np.nan, np.inf


@pytest.fixture(autouse=True)
def _close():
    plt.close("all")  # what was drawn before must not be the current figure
    yield
    plt.close("all")


def xy(ax, label):
    (found,) = [line for line in ax.lines if line.get_label() == label]
    return found.get_xydata().tolist()


def labels(ax):
    return [line.get_label() for line in ax.lines]


def legend_of(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def losses(*values, steps=None):
    rec = Recording(["layer"])
    for step, loss in zip(steps or range(len(values)), values, strict=True):
        rec.add(step, {}, loss=loss)
    return rec


# -- losses ----------------------------------------------------------------------------------


def test_losses_of_recordings_histories_and_arrays():
    ax = plots.loss_curves(losses(2.0, 1.0, steps=[0, 10]))
    assert xy(ax, "loss") == [[0, 2], [10, 1]]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_legend()) == ("step", "loss", None)

    history = {"epoch": [1, 2], "lr": [0.1, 0.1], "loss": [2.0, 1.0], "val_loss": [2.5, 1.5]}
    ax = plots.loss_curves(history, ax=plt.figure().gca())
    assert xy(ax, "loss") == [[1, 2], [2, 1]] and xy(ax, "val_loss") == [[1, 2.5], [2, 1.5]]
    assert ax.get_xlabel() == "epoch" and legend_of(ax) == ["training", "validation"]
    assert [line.get_linestyle() for line in ax.lines] == ["-", "--"]

    ax = plots.loss_curves({"a": ([0, 5], [3.0, 2.0]), "b": losses(1.0)}, ax=plt.figure().gca())
    assert xy(ax, "a, loss") == [[0, 3], [5, 2]] and xy(ax, "b, loss") == [[0, 1]]
    assert legend_of(ax) == ["a", "b"]
    for plain in ([3.0, np.float32(2.0)], np.array([3.0, 2.0])):
        ax = plots.loss_curves(plain, ax=plt.figure().gca())
        assert xy(ax, "loss") == [[0, 3], [1, 2]]


@pytest.mark.parametrize(
    "seeds",
    [
        [losses(2.0, 1.0), losses(4.0, 1.5, 9.0)],
        ([0, 1], [[2.0, 1.0], [4.0, 1.5]]),
        [{"epoch": [0, 1], "loss": [2.0, 1.0]}, {"epoch": [0, 1, 2], "loss": [4.0, 1.5, 9.0]}],
    ],
)
def test_seeds_have_a_mean_and_a_band_over_what_they_share(seeds):
    ax = plots.loss_curves({"run": seeds})
    assert xy(ax, "run, loss") == [[0, 3], [1, 1.25]]
    corners = ax.collections[0].get_paths()[0].vertices
    assert (corners[:, 1].min(), corners[:, 1].max()) == (1, 4)
    assert legend_of(ax) == ["run", "range over seeds"]


def test_smoothing_is_drawn_over_what_it_smooths():
    raw = [4.0, 2.0, NAN, 0.0]
    ax = plots.loss_curves(([0, 1, 2, 3], raw), smooth=0.5)
    np.testing.assert_array_equal(np.array(xy(ax, "loss, raw"))[:, 1], raw)
    # By hand: (2, 2, -, 1) of weights (1/2, 3/4, -, 7/8).
    expected = [4.0, 2 / 0.75, NAN, 1 / 0.875]
    np.testing.assert_allclose(np.array(xy(ax, "loss"))[:, 1], expected)
    assert "unsmoothed" in legend_of(ax)
    for smooth in (1.0, -0.1):
        with pytest.raises(ArgumentError, match=r"smooth must lie in \[0, 1\)"):
            plots.loss_curves(([0], [1.0]), smooth=smooth)


def test_a_run_that_breaks_down_ends_in_a_cross():
    runs = {"good": losses(2.0, 1.0, 0.5), "bad": losses(2.0, 3.0, NAN), "worse": losses(3, INF, 4)}
    ax = plots.loss_curves(runs)
    assert xy(ax, "bad, loss, end") == [[1, 3]]
    assert "worse, loss, end" not in labels(ax)  # it came back
    assert "from here on NaN or infinite" in legend_of(ax)
    assert ax.dataLim.x1 == 2


def test_a_run_without_losses_is_named_as_such():
    ax = plots.loss_curves({"told": losses(1.0), "untold": losses(NAN)})
    assert legend_of(ax) == ["told", "untold (no finite loss)"]


def test_a_logarithmic_axis():
    ax = plots.loss_curves(([0, 1, 2], [10.0, 0.0, 0.1]), log=True)
    ax.figure.canvas.draw()
    assert ax.get_yscale() == "log" and ax.get_ylim()[0] > 0
    with pytest.raises(ArgumentError, match="no loss above 0"):
        plots.loss_curves(([0, 1], [0.0, -1.0]), log=True)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "the dict of runs is empty"),
        (losses(NAN, INF), r"no finite loss; .*probe\.note\(loss=loss\)"),
        (([0, 1], [1.0]), r"steps of shape \(2,\) and losses of shape \(1,\)"),
        (
            {"a": losses(1.0), "b": {"epoch": [1], "loss": [1.0]}},
            "one run counts steps and another",
        ),
        (7, "takes a Recording or Probe"),
        (([0, 1], ["a", "b"]), r"losses must be numbers, .* not \['a', 'b'\]"),
        (([0, 1], [[1.0, 2.0], [3.0]]), "losses must be numbers, in rows of equal length"),
        ({"epoch": [], "loss": []}, "no finite loss"),
    ],
)
def test_losses_that_cannot_be_drawn_are_explained(data, message):
    with pytest.raises(ArgumentError, match=message):
        plots.loss_curves(data)
    assert not plt.get_fignums()


# -- spectra ---------------------------------------------------------------------------------


def test_a_spectrum_is_sorted_and_has_a_band_over_examples():
    ax = plots.spectrum({"net": [[1.0, 100.0], [1.0, 300.0]]})
    np.testing.assert_allclose(xy(ax, "net"), [[1, np.log10(200)], [2, 0]])
    assert set(np.array(xy(ax, "0: length kept"))[:, 1]) == {0}
    assert legend_of(ax) == ["net", "0: length kept", "range over examples"]
    assert ax.get_xticks().tolist() == [1, 2]


def test_a_histogram_of_singular_values():
    values = np.array([1.0] * 3 + [10.0])
    ax = plots.spectrum(values, kind="histogram")
    drawn = np.array(xy(ax, "singular values"))
    assert drawn[:, 1].sum() == pytest.approx(1)
    assert drawn[abs(drawn[:, 0]) < 0.05, 1].max() == 0.75
    assert drawn[abs(drawn[:, 0] - 1) < 0.05, 1].max() == 0.25
    assert drawn[0, 1] == drawn[-1, 1] == 0  # closed at both ends
    equal = plots.spectrum(np.ones(5), kind="histogram", ax=plt.figure().gca())
    assert max(y for _, y in xy(equal, "singular values")) == 1


def test_what_jacobian_spectrum_returns():
    from minigrad.diagnostics.spectrum import jacobian_spectrum

    g = mg.Generator(0)
    model = mg.models.deep_mlp(9, 8, "tanh", in_features=8, out_features=8, generator=g)
    found = jacobian_spectrum(model, mg.randn(2, 8, generator=g))
    ax = plots.spectrum(found)
    expected = np.log10(found.end_to_end.mean(axis=0))
    np.testing.assert_allclose(np.array(xy(ax, "singular values"))[:, 1], expected)
    ax = plots.spectrum(found.own, ax=plt.figure().gca())  # nine: too many for a legend
    assert len(ax.lines) == 10 and legend_of(ax) == ["0: length kept"]
    assert ax.figure.axes[1].get_ylabel() == "1: layer1.linear, 9: layer9.linear"


def test_singular_values_off_the_axis_are_counted():
    ax = plots.spectrum({"a": [[1.0, 0.0, NAN], [0.0, 0.0, 1.0]], "b": [1.0]})
    assert legend_of(ax)[-1] == "a: 3 of 6 are 0, 1 of 6 not finite"
    for data, message in (
        ([0.0, NAN], "no finite singular value above 0"),
        ([-1.0], "none below 0"),
        (np.ones((2, 2, 2)), r"shape \(2, 2, 2\)"),
        ({}, "the dict of spectra is empty"),
        ("abc", "singular values must be numbers"),
    ):
        with pytest.raises(ArgumentError, match=message):
            plots.spectrum(data)
    with pytest.raises(ArgumentError, match="kind must be one of sorted, histogram, got 'bars'"):
        plots.spectrum([1.0], kind="bars")


# -- schedules -------------------------------------------------------------------------------


def test_a_scheduler_is_drawn_from_where_it_is_and_not_moved():
    weight = mg.zeros(1, requires_grad=True)
    optimizer = mg.optim.SGD([weight], lr=1.0)
    scheduler = lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    optimizer.step()
    scheduler.step()
    before = optimizer.state_dict(), scheduler.state_dict()
    ax = plots.schedule(scheduler, steps=2)
    assert xy(ax, "learning rate") == [[1, 0.5], [2, 0.25], [3, 0.125]]
    assert (optimizer.state_dict(), scheduler.state_dict()) == before
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step", "learning rate")


def test_functions_and_sequences_are_compared_by_name():
    ax = plots.schedule(
        {"half": lambda o: lr_scheduler.ExponentialLR(o, gamma=0.5), "mine": [0.3, 0.2, 0.1]},
        steps=1, lr=0.4, log=True,
    )  # fmt: skip
    assert xy(ax, "half") == [[0, 0.4], [1, 0.2]] and xy(ax, "mine") == [[0, 0.3], [1, 0.2]]
    assert ax.get_yscale() == "log" and legend_of(ax) == ["half", "mine"]


def test_one_cycle_can_be_drawn_without_an_optimizer():
    ax = plots.schedule(lambda o: lr_scheduler.OneCycleLR(o, max_lr=1.0, total_steps=30))
    x, y = np.transpose(xy(ax, "learning rate"))
    assert (x[0], x[-1]) == (0, 29) and y.max() == pytest.approx(1.0)


def test_groups_that_differ_have_a_line_each():
    groups = [{"params": [mg.zeros(1, requires_grad=True)], "lr": lr} for lr in (1.0, 2.0, 1.0)]
    scheduler = lr_scheduler.ExponentialLR(mg.optim.SGD(groups), gamma=0.5)
    ax = plots.schedule({"exp": scheduler}, steps=1)
    assert labels(ax) == ["exp, group 0, 2", "exp, group 1"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "the dict of schedules is empty"),
        ([], "takes a scheduler, a function"),
        (3, "takes a scheduler, .* not int"),
        ([NAN], "none of the learning rates is a finite number"),
        (lambda optimizer: None, "not NoneType"),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o), "depend on a metric"),
    ],
)
def test_schedules_that_cannot_be_drawn_are_explained(data, message):
    with pytest.raises(ArgumentError, match=message):
        plots.schedule(data)
    assert not plt.get_fignums()


# -- runs that diverge -----------------------------------------------------------------------


@pytest.mark.parametrize("log", [False, True])
def test_a_diverging_run_leaves_the_scale_of_the_others(log):
    runs = {"calm": losses(2.5, 1.5, 0.5), "wild": losses(2.5, 1e12, NAN)}
    ax = plots.loss_curves(runs, log=log)
    # Limits are a quarter of what the calm run needs above it, and a twentieth below.
    low, high = (0.5 * 10**-0.05, 2.5 * 10**0.25) if log else (0.4, 3.0)
    assert ax.get_ylim() == pytest.approx((low, high))
    ((x, _),) = xy(ax, "wild, loss, leaves")
    share = 0.25 / np.log10(1e12 / 2.5) if log else 0.5 / (1e12 - 2.5)
    assert x == pytest.approx(share)
    assert [text.get_text() for text in ax.texts] == ["up to 1e+12"]
    assert legend_of(ax)[-2:] == ["leaves the scale", "wild diverges at step 1"]
    assert "calm, loss, leaves" not in labels(ax)


def test_what_is_no_divergence_is_shown_in_full():
    for other in (losses(2.5, 90.0, 1.0), losses(2.5, 20.0, 24.0)):  # a peak; less than ten times
        ax = plots.loss_curves({"calm": losses(2.5, 1.5, 0.5), "other": other})
        assert ax.get_ylim()[1] > 20 and not ax.texts
        plt.clf()
    ax = plots.loss_curves(losses(2.5, 1e12, NAN))
    assert ax.get_ylim()[1] > 1e12
    ax = plots.loss_curves(
        {"calm": losses(2.5, 0.5), "ends": losses(2.5, 3.5, NAN)}, ax=plt.figure().gca()
    )
    assert not ax.texts  # it takes no room from the other


def test_a_gradient_that_is_not_finite_leaves_the_scale_of_the_others():
    def gradients(*dz):
        rec = Recording([f"layer{i}" for i in range(len(dz))])
        rec.add(0, {"dz_rms": list(dz)}, loss=1.0)
        return rec

    ax = plots.decay({"calm": gradients(1e-2, 1e-3, 1.0), "wild": gradients(INF, 1e30, 1.0)})
    assert ax.get_ylim() == pytest.approx((-3.15, 0.75))
    ((x, _),) = xy(ax, "wild, dz_rms, leaves")
    assert x == 2 and ax.texts[0].get_text() == "up to 30"
    assert "leaves the scale" in legend_of(ax)


# -- the learning-rate range test ------------------------------------------------------------

LRS = np.array([1e-3, 1e-2, 1e-1, 1.0])


def range_test(*losses, suggestion=1e-2, diverged=False):
    return LRRange(LRS, np.array(losses), np.array(losses) + 0.5, suggestion, diverged)


def test_a_range_test_is_the_loss_over_the_rate():
    ax = plots.lr_range(range_test(3.0, 2.0, 1.0, 1.5))
    assert xy(ax, "loss") == [[1e-3, 3], [1e-2, 2], [1e-1, 1], [1, 1.5]]
    assert xy(ax, "moving average") == [[1e-3, 3.5], [1e-2, 2.5], [1e-1, 1.5], [1, 2]]
    assert {x for x, _ in xy(ax, "suggestion: 0.01")} == {1e-2}
    assert legend_of(ax) == ["loss", "moving average", "suggestion: 0.01"]
    assert (ax.get_xscale(), ax.get_xlabel(), ax.get_ylabel()) == ("log", "learning rate", "loss")


@pytest.mark.parametrize("end", [1e9, NAN, INF])
def test_where_the_loss_runs_away_is_marked_and_the_scale_is_kept(end):
    ax = plots.lr_range(range_test(3.0, 2.0, 1.0, end, suggestion=None, diverged=True))
    assert {x for x, _ in xy(ax, "runs away at 1")} == {1}
    assert ax.get_ylim()[1] < 5
    assert [text.get_text() for text in ax.texts] == (["up to 1e+09"] if end == 1e9 else [])
    assert not any("suggestion" in label for label in legend_of(ax))
    ax.figure.canvas.draw()


def test_a_range_test_that_cannot_be_drawn_is_explained():
    with pytest.raises(ArgumentError, match=r"takes what lr_range_test returns, not a list"):
        plots.lr_range([1.0])
    with pytest.raises(ArgumentError, match=r"plots\.lr_range: no finite loss"):
        plots.lr_range(range_test(NAN, NAN, NAN, NAN, suggestion=None, diverged=True))
