"""Trainability: what is trained for the grid, and how the grid is drawn."""

from __future__ import annotations

import math
from dataclasses import replace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

import minigrad as mg
from minigrad.diagnostics import plots, theory
from minigrad.diagnostics.loss_surface import trainability
from minigrad.diagnostics.loss_surface.trainability import (
    Trainability,
    TrainabilityConfig,
    measure_trainability,
)
from minigrad.errors import ArgumentError

SMALL = TrainabilityConfig(depths=(3, 5), sigma_w2=(1.0, 2.0), width=16, steps=10)


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def found(config: TrainabilityConfig = SMALL) -> Trainability:
    shape = len(config.depths), len(config.sigma_w2)
    return Trainability(config, np.linspace(0.1, 2.3, math.prod(shape)).reshape(shape), 2.3)


def test_networks_train_where_theory_says():
    # Shallow ones always, deep ones on the edge of chaos alone (Schoenholz 2017): what is not
    # within 6 xi_c here has not left guessing, what is far within has.
    config = TrainabilityConfig(depths=(10, 60), sigma_w2=(0.8, 1.76, 6.0), steps=100)
    result = measure_trainability(config)
    assert result.chance == math.log(10)
    limits = [6 * theory.xi_c(s, config.sigma_b2) for s in config.sigma_w2]
    assert limits[0] < 60 < limits[1] and limits[2] < 60
    assert (result.loss[0] < 0.8 * result.chance).all()
    assert (result.loss[1, [0, 2]] > 0.85 * result.chance).all()
    assert result.loss[1, 1] < 0.8 * result.chance


def test_the_same_seed_gives_the_same_losses():
    first, again = measure_trainability(SMALL), measure_trainability(SMALL)
    np.testing.assert_array_equal(first.loss, again.loss)
    assert (measure_trainability(replace(SMALL, seed=1)).loss != first.loss).all()


def test_the_weights_have_the_variance_that_was_asked_for(monkeypatch):
    seen = []

    def spy(params, **settings):
        seen.append([p.data.copy() for p in params])
        return mg.optim.SGD(params_of[-1], **settings)

    params_of = []
    real = trainability.deep_mlp

    def keep(*args, **kwargs):
        model = real(*args, **kwargs)
        params_of.append(list(model.parameters()))
        return model

    monkeypatch.setattr(trainability, "SGD", spy)
    monkeypatch.setattr(trainability, "deep_mlp", keep)
    config = TrainabilityConfig(depths=(6,), sigma_w2=(3.0,), sigma_b2=0.5, width=200, steps=1)
    measure_trainability(config)
    (arrays,) = seen
    weights = [a for a in arrays if a.ndim == 2][1:-1]
    biases = np.concatenate([a for a in arrays if a.ndim == 1])
    # The variance of n normal numbers is known to sqrt(2 / n); five times that.
    for w in weights:
        assert w.var() * 200 == pytest.approx(3.0, rel=5 * math.sqrt(2 / w.size))
    assert biases.var() == pytest.approx(0.5, rel=5 * math.sqrt(2 / biases.size))


def test_what_runs_away_is_nan():
    config = replace(SMALL, depths=(5,), lr=1e30, activation="relu", steps=20)
    assert np.isnan(measure_trainability(config).loss).all()


def test_other_data():
    x = np.random.default_rng(0).normal(size=(40, 7))
    data = mg.data.Dataset(x, np.arange(40) % 3, ("a", "b", "c"), "own", "here", "none")
    result = measure_trainability(SMALL, data)
    assert result.chance == math.log(3)
    assert result.loss.shape == (2, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"depths": ()}, r"depths must be a tuple of increasing numbers above 0, got \(\)"),
        ({"depths": (5, 5)}, "depths must be a tuple of increasing"),
        ({"sigma_w2": (0.0, 1.0)}, "sigma_w2 must be a tuple of increasing numbers above 0"),
        ({"sigma_w2": (1.0, math.nan)}, "sigma_w2 must be a tuple of increasing"),
        ({"sigma_b2": -1.0}, "sigma_b2 must be a number of at least 0"),
        ({"steps": 0}, "steps must be a whole number of at least 1, got 0"),
        ({"activation": "softmax"}, "unknown activation 'softmax'; use one of"),
        ({"data": "nothing"}, "data: unknown 'nothing'"),
    ],
)
def test_wrong_values_are_explained(change, message):
    with pytest.raises(ArgumentError, match=message):
        measure_trainability(replace(SMALL, **change))


@pytest.mark.parametrize("field", ["depths", "sigma_w2"])
@pytest.mark.parametrize("value", [5, 1.0, ("a", "b"), None, (1, math.nan)])
def test_what_is_no_increasing_numbers_is_refused(field, value):
    message = f"{field} must be a tuple of increasing numbers above 0, got"
    with pytest.raises(ArgumentError, match=message):
        measure_trainability(replace(SMALL, **{field: value}))


def test_odd_arguments_are_explained():
    for call, message in (
        (lambda: measure_trainability({}), "config must be a TrainabilityConfig, .* got dict"),
        (lambda: measure_trainability(SMALL, (1, 2)), "data must be a Dataset, .* got tuple"),
        (lambda: measure_trainability(replace(SMALL, sigma_b2="a")), "sigma_b2 must be a number"),
        (lambda: measure_trainability(replace(SMALL, data=None)), "data: unknown None; use one of"),
    ):
        with pytest.raises(ArgumentError, match=message):
            call()


def test_what_was_found_is_shown_in_a_line():
    result = found(replace(SMALL, depths=(3, 4), sigma_w2=(1.0,)))
    assert repr(result).startswith(f"<Trainability: 2 {SMALL.activation} networks, depths 3, 4; ")


# -- the figure --------------------------------------------------------------------------------


def test_cells_lie_around_their_depth_and_variance():
    before = dict(matplotlib.rcParams)
    config = replace(SMALL, depths=(10, 20, 40), sigma_w2=(1.0, 2.0))
    result = found(config)
    figure, ax = plt.subplots()
    assert plots.trainability(result, ax=ax) is ax
    assert dict(matplotlib.rcParams) == before
    mesh = ax.collections[0]
    np.testing.assert_array_equal(mesh.get_array(), result.loss)
    corners = mesh.get_coordinates()
    np.testing.assert_allclose(corners[0, :, 0], [0.5, 1.5, 2.5])
    np.testing.assert_allclose(corners[:, 0, 1], [5, 15, 30, 50])
    assert mesh.get_clim() == (0.0, result.chance)
    assert ax.get_yticks().tolist() == [10, 20, 40]
    assert figure.axes[-1].get_ylabel() == "loss after 10 steps (guessing: 2.30)"


def test_the_curve_is_six_depth_scales():
    result = found(replace(SMALL, depths=(10, 40), sigma_w2=(1.0, 4.0)))
    ax = plots.trainability(result, colorbar=False)
    (line,) = ax.lines
    sigma_w2, limit = line.get_data()
    visible = limit < ax.get_ylim()[1]
    for place in np.flatnonzero(visible)[::40]:
        exact = 6 * theory.xi_c(float(sigma_w2[place]), SMALL.sigma_b2)
        # The curve goes straight between places of its inverse: see `_limit`.
        assert limit[place] == pytest.approx(exact, rel=0.01)
    critical = theory.critical_sigma_w(SMALL.sigma_b2**0.5) ** 2
    assert not visible[np.abs(sigma_w2 - critical) < 0.1].any()
    assert len(ax.figure.axes) == 1


def test_without_a_fixed_point_there_is_no_curve():
    ax = plots.trainability(found(replace(SMALL, activation="relu")))
    assert not ax.lines
    assert ax.get_legend() is None


def test_cells_that_ran_away_are_left_to_the_hatching(tmp_path):
    result = found()
    result.loss[0, 1] = math.nan
    ax = plots.trainability(result)
    assert ax.collections[0].get_array().mask.tolist() == [[False, True], [False, False]]
    assert ax.patch.get_hatch()
    result.loss[:] = math.nan
    plt.figure()
    plots.trainability(result).figure.savefig(tmp_path / "lost.png")


def test_a_single_cell():
    ax = plots.trainability(found(replace(SMALL, depths=(5,), sigma_w2=(1.5,))))
    assert ax.collections[0].get_coordinates()[0, :, 0].tolist() == [0.75, 2.25]
