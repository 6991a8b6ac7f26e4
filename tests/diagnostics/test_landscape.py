"""Loss landscapes: what is measured, what is left untouched, what is drawn."""

from __future__ import annotations

import math

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.diagnostics import plots
from minigrad.diagnostics.loss_surface.landscape import (
    Landscape,
    function_landscape,
    optimizer_path,
)
from minigrad.diagnostics.loss_surface.model_landscape import ParameterPath, loss_landscape
from minigrad.errors import ArgumentError, ShapeError


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def rosenbrock(w):
    return (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2


def small(seed=0, **kwargs):
    return mg.models.deep_mlp(3, 4, in_features=3, out_features=2,
                              generator=mg.Generator(seed), **kwargs)  # fmt: skip


def flat(model) -> np.ndarray:
    return np.concatenate([p.data.ravel() for p in model.parameters()])


# -- functions of two variables ----------------------------------------------------------------


def test_a_function_is_measured_at_every_place():
    found = function_landscape(rosenbrock, x=(-2, 2), y=(-1, 3), points=9)
    x, y = np.meshgrid(np.linspace(-2, 2, 9), np.linspace(-1, 3, 9))
    np.testing.assert_allclose(found.loss, (1 - x) ** 2 + 100 * (y - x**2) ** 2, rtol=1e-14)
    np.testing.assert_array_equal(found.x, x[0])
    np.testing.assert_array_equal(found.y, y[:, 0])


def test_what_is_not_finite_is_kept_without_a_warning():
    found = function_landscape(lambda w: mg.log(w[0]) + 0 * w[1], x=(-1, 1), points=3)
    assert np.isnan(found.loss[:, 0]).all()
    assert np.isneginf(found.loss[:, 1]).all()
    assert np.isfinite(found.loss[:, 2]).all()


def test_a_path_is_that_of_the_optimizer():
    rate = 0.1
    curvature = np.array([1.0, 5.0])
    path = optimizer_path(
        lambda w: 0.5 * (mg.tensor(curvature) * w * w).sum(), [3.0, -2.0],
        lambda params: mg.optim.SGD(params, lr=rate), 20,
    )  # fmt: skip
    steps = np.arange(21)[:, None]
    np.testing.assert_allclose(
        path, np.array([3.0, -2.0]) * (1 - rate * curvature) ** steps, atol=1e-14
    )


def test_a_path_that_runs_away_is_no_error():
    path = optimizer_path(rosenbrock, [-1.5, 2.0], lambda p: mg.optim.SGD(p, lr=0.1), 30)
    assert path.shape == (31, 2)
    assert np.isfinite(path[:3]).all()
    assert not np.isfinite(path[-1]).any()


# -- models ------------------------------------------------------------------------------------


def test_given_directions_are_walked_along():
    # A model that is linear in its parameters, so the loss is known everywhere on the plane.
    layer = nn.Linear(2, 1, dtype=mg.float64, generator=mg.Generator(0))
    x = mg.tensor([[1.0, 2.0]], dtype=mg.float64)
    w, b = layer.weight.data.copy(), layer.bias.data.copy()
    d1 = {"weight": np.array([[1.0, 0.0]])}
    d2 = {"weight": np.array([[0.0, 2.0]]), "bias": np.array([3.0])}
    found = loss_landscape(layer, lambda: layer(x).sum(), (d1, d2), radius=2.0, points=5)
    a, c = np.meshgrid(np.linspace(-2, 2, 5), np.linspace(-2, 2, 5))
    here = (w @ [1.0, 2.0]).item() + b.item()
    np.testing.assert_allclose(found.loss, here + a + 7 * c, atol=1e-13)
    flattened = ([1.0, 0.0, 0.0], [0.0, 2.0, 3.0])
    again = loss_landscape(layer, lambda: layer(x).sum(), flattened, radius=2.0, points=5)
    np.testing.assert_array_equal(again.loss, found.loss)


@pytest.mark.parametrize("scaled", ["filter", "layer"])
def test_random_directions_have_the_norms_of_the_weights(scaled):
    model = small(norm="layer")
    with mg.no_grad():
        model.get_parameter("layer2.linear.weight")[1] *= 100
    start = {name: p.data.copy() for name, p in model.named_parameters()}
    moved: dict[tuple, dict] = {}

    def spy():
        moved[len(moved)] = {name: p.data - start[name] for name, p in model.named_parameters()}
        return 0.0

    loss_landscape(model, spy, scaled, radius=1.0, points=3, generator=mg.Generator(3))
    to_the_right = moved[5]  # places go along x first: here a = 1, b = 0
    for name, step in to_the_right.items():
        if step.ndim < 2:
            assert not step.any(), name
            continue
        axis = 1 if scaled == "filter" else None
        np.testing.assert_allclose(
            np.linalg.norm(step, axis=axis), np.linalg.norm(start[name], axis=axis), rtol=1e-5
        )
    assert not any(step.any() for step in moved[4].values())  # the middle is the model itself
    again = loss_landscape(model, lambda: flat(model).sum(), scaled, generator=mg.Generator(3))
    same = loss_landscape(model, lambda: flat(model).sum(), scaled, generator=mg.Generator(3))
    np.testing.assert_array_equal(again.loss, same.loss)


class _Stop(Exception):
    pass


@pytest.mark.parametrize("ends_with", ["success", "an error"])
def test_the_model_is_exactly_as_it_was(ends_with):
    model = small(norm="batch").train()
    x = mg.randn(6, 3, generator=mg.Generator(1))
    kept = model(x).sum()  # a graph that is alive; its backward must go on to work
    before = {name: t.data.copy() for name, t in model.state_dict().items()}
    memory = [p.data for p in model.parameters()]
    calls = 0

    def loss():
        nonlocal calls
        calls += 1
        if ends_with == "an error" and calls == 7:
            raise _Stop
        return (model(x) ** 2).mean()

    if ends_with == "an error":
        with pytest.raises(_Stop):
            loss_landscape(model, loss, points=5)
        assert calls == 7
    else:
        loss_landscape(model, loss, points=5)
        assert calls == 25
    for name, t in model.state_dict().items():
        np.testing.assert_array_equal(t.data, before[name], err_msg=name)
    assert all(p.data is m for p, m in zip(model.parameters(), memory, strict=True))
    assert all(p.grad is None for p in model.parameters())
    kept.backward()


def test_the_plane_of_a_path_is_that_of_its_principal_components():
    # The path lies in a plane, so nothing is lost in laying it there.
    model = small()
    rng = np.random.default_rng(0)
    size = flat(model).size
    basis = np.linalg.qr(rng.normal(size=(size, 2)))[0]
    spots = np.stack([4 * np.cos(t := np.linspace(0, 3, 8)), np.sin(t)], axis=1)
    start = flat(model).astype(np.float64)
    path = ParameterPath(model)
    path.places = [start + basis @ spot for spot in spots]
    nn.utils.vector_to_parameters(mg.tensor(path.places[-1].astype(np.float32)), model.parameters())
    found = loss_landscape(model, lambda: float(flat(model) @ flat(model)), "path", path=path)
    shown = found.paths["path"]
    between = lambda p: np.linalg.norm(p[:, None] - p[None, :], axis=-1)  # noqa: E731
    np.testing.assert_allclose(between(shown), between(np.array(path.places)), atol=1e-5)
    np.testing.assert_allclose(shown[-1], 0, atol=1e-5)
    assert found.x[0] < shown[:, 0].min() < shown[:, 0].max() < found.x[-1]
    shares = np.linalg.svd(spots - spots.mean(axis=0))[1] ** 2
    percent = round(100 * shares[0] / shares.sum())
    assert found.names[0] == f"component 1 ({percent}% of variance)"


def test_a_path_notes_the_parameters_in_fit_and_after_steps():
    model = small()
    data = [(mg.ones(4, 3), mg.zeros(4, dtype=mg.int64))] * 3
    optimizer = mg.optim.SGD(model.parameters(), lr=0.1)
    per_epoch, per_step = ParameterPath(model), ParameterPath(model)
    optimizer.register_step_post_hook(per_step)
    mg.train.fit(model, data, optimizer, nn.functional.cross_entropy, 2, callbacks=[per_epoch])
    assert (len(per_epoch.places), len(per_step.places)) == (1 + 2, 1 + 6)
    np.testing.assert_array_equal(per_epoch.places[1], per_step.places[3])
    np.testing.assert_array_equal(per_epoch.places[-1], flat(model))


def test_a_path_on_a_plane_of_directions_is_the_nearest():
    model = small()
    size = flat(model).size
    path = ParameterPath(model)
    d1, d2 = np.zeros(size), np.zeros(size)
    d1[0], d2[:2] = 2.0, 1.0  # neither of norm 1 nor orthogonal
    offset = np.zeros(size)
    offset[:3] = 5.0, 2.0, 9.0
    path.places.append(flat(model) + offset)
    found = loss_landscape(model, lambda: 0.0, (d1, d2), path=path, points=2)
    np.testing.assert_allclose(found.paths["path"], [[0, 0], [1.5, 2.0]], atol=1e-6)
    assert found.off_plane["path"] == pytest.approx(9 / np.sqrt(5**2 + 2**2 + 9**2), abs=1e-6)
    del path.places[1:]  # at the middle there is no distance
    assert loss_landscape(model, lambda: 0.0, (d1, d2), path=path, points=2).off_plane["path"] == 0


# -- the figure --------------------------------------------------------------------------------


def lines_of(ax):
    return {line.get_label(): line for line in ax.lines}


def test_contours_and_paths_are_what_was_measured():
    before = dict(matplotlib.rcParams)
    found = function_landscape(rosenbrock, x=(-2, 2), y=(-1, 3), points=21)
    figure, (left, right) = plt.subplots(1, 2)
    path = np.array([[-1.5, 2.0], [0.0, 0.0], [1.0, 1.0]])
    ax = plots.loss_landscape(found, paths={"mine": path}, ax=left)
    assert ax is left
    assert not right.has_data()
    assert dict(matplotlib.rcParams) == before
    assert plt.get_fignums() == [figure.number]
    filled = ax.collections[0]
    assert filled.levels[0] == found.loss.min()
    assert filled.levels[-1] == pytest.approx(found.loss.max())
    assert (np.diff(filled.levels) > 0).all()
    assert filled.levels[len(filled.levels) // 2] == pytest.approx(np.median(found.loss))
    np.testing.assert_array_equal(np.stack(lines_of(ax)["mine"].get_data(), axis=1), path)
    assert (ax.get_xlim(), ax.get_ylim()) == ((-2, 2), (-1, 3))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x", "y")
    bar = figure.axes[-1]
    assert bar.get_ylabel() == "loss"


def test_half_of_the_contours_lie_below_the_median():
    bowl = function_landscape(lambda w: (w * w).sum(), points=41)
    levels = plots.loss_landscape(bowl).collections[0].levels
    below = (levels < np.median(bowl.loss)).sum()
    assert abs(below - len(levels) / 2) <= 1


def test_a_path_is_cut_where_it_leaves_for_good():
    bowl = function_landscape(lambda w: (w * w).sum(), x=(-1, 1), y=(-1, 1), points=5)
    away = [[0, 0], [3, 0], [0.5, 0], [5, 5], [np.inf, 0], [np.nan, 0]]
    broken = [[0, 0], [np.nan, 0]]
    ax = plots.loss_landscape(bowl, paths={"away": away, "broken": broken, "stays": [[0, 0.5]]})
    lines = lines_of(ax)
    assert lines["away (runs away)"].get_xdata().tolist() == [0, 3, 0.5, 5]
    assert lines["broken (runs away)"].get_xdata().tolist() == [0]
    assert lines["stays"].get_xdata().tolist() == [0]
    stars = [line for line in ax.lines if line.get_marker() == "*" and len(line.get_xdata())]
    assert [line.get_ydata().tolist() for line in stars] == [[0.5]]
    shown = [text.get_text() for text in ax.get_legend().get_texts()]
    assert shown == ["away (runs away)", "broken (runs away)", "stays", "start", "end"]


def test_where_a_path_goes_outside_the_picture_is_told():
    bowl = function_landscape(lambda w: (w * w).sum(), x=(-1, 1), y=(-1, 1), points=5)
    paths = {"leaves": [[0, 0], [0.5, 0], [1.5, 0], [4, 3]], "crosses": [[-3, -3], [0, 3], [3, 3]]}
    ax = plots.loss_landscape(bowl, paths=paths)
    lines = lines_of(ax)
    assert lines["leaves (leaves, and ends at 4, 3)"].get_xdata().tolist() == [0, 0.5, 1.5]
    assert lines["crosses (leaves, and ends at 3, 3)"].get_xdata().tolist() == [-3, 0, 3]


@pytest.mark.parametrize("share", [0.1, 0.95])
def test_a_path_far_from_the_plane_is_warned_of(share):
    axis = np.linspace(-1, 1, 3)
    path = {"path": np.array([[0.0, 0.0], [0.1, 0.1]])}
    found = Landscape(axis, axis, np.eye(3), paths=path, off_plane={"path": share})
    shown = [text.get_text() for text in plots.loss_landscape(found).get_legend().get_texts()]
    assert any("95% of the way of 'path'" in text for text in shown) == (share > 0.7)


@pytest.mark.parametrize("value", [np.nan, np.inf, 3.0, 0.0, -1e300])
def test_a_figure_is_drawn_of_any_losses(value, tmp_path):
    axis = np.linspace(-1, 1, 4)
    loss = np.full((4, 4), value)
    for some in (loss, np.where(np.eye(4) > 0, 1.0, loss)):
        figure, ax = plt.subplots()
        plots.loss_landscape(Landscape(axis, axis, some), ax=ax)
        assert ax.patch.get_hatch()
        figure.savefig(tmp_path / "some.png")


# -- wrong use ---------------------------------------------------------------------------------


def test_wrong_use_is_explained():
    model = small()
    path = ParameterPath(model)

    def sgd(parameters):
        return mg.optim.SGD(parameters, lr=0.1)

    cases = [
        (lambda: loss_landscape(nn.Tanh(), lambda: 0.0), "Tanh has no parameters to move"),
        (lambda: loss_landscape(model, lambda: 0.0, "up"), "unknown directions 'up'; use 'filter'"),
        (lambda: loss_landscape(model, lambda: 0.0, "path"), "needs the path; make one before"),
        (lambda: loss_landscape(model, lambda: 0.0, "path", path=path), "lie on one line"),
        (lambda: loss_landscape(model, lambda: 0.0, points=1), "points must be .* at least 2"),
        (lambda: loss_landscape(model, lambda: 0.0, radius=0.0), "radius must be a number above 0"),
        (lambda: loss_landscape(model, lambda: mg.ones(3)), r"one number, got shape \(3,\)"),
        (lambda: loss_landscape(model, lambda: None), "one number, got NoneType"),
        (lambda: loss_landscape(model, lambda: 0.0, ({"w": [1]}, {})), "names w; the parameters"),
        (lambda: loss_landscape(model, lambda: 0.0, ({}, {})), "0 throughout"),
        (lambda: loss_landscape(small(), lambda: 0.0, path=ParameterPath(nn.Linear(2, 1))),
         "with 3 parameters, this one has"),
        (lambda: function_landscape(rosenbrock, x=(1, 1)), "cannot go from 1 to 1"),
        (lambda: function_landscape(lambda w: w), r"one number, got shape \(2,\)"),
        (lambda: optimizer_path(lambda w: 1.0, [1.0], lambda p: mg.optim.SGD(p, lr=1.0), 1),
         "returned a float, which has no gradient"),
        (lambda: loss_landscape(None, lambda: 0.0), "model must be an nn.Module, got NoneType"),
        (lambda: ParameterPath([]), "ParameterPath: model must be an nn.Module, got list"),
        (lambda: loss_landscape(model, None), "loss must be a function without arguments, got No"),
        (lambda: loss_landscape(model, model), "loss must be a function without arguments, got"),
        (lambda: loss_landscape(model, lambda: "abc"), "the loss must be one number, got str"),
        (lambda: loss_landscape(model, lambda: 0.0, None), "or a pair of your own, got None"),
        (lambda: loss_landscape(model, lambda: 0.0, (1, 2, 3)), "or a pair of your own, got"),
        (lambda: loss_landscape(model, lambda: 0.0, ("a", "b")), "a direction is a dict of arrays"),
        (lambda: loss_landscape(model, lambda: 0.0, path="x"), "path must be a ParameterPath, got"),
        (lambda: loss_landscape(model, lambda: 0.0, radius="a"), "radius must be a number above 0"),
        (lambda: loss_landscape(model, lambda: 0.0, generator=3), "generator must be a Generator"),
        (lambda: function_landscape(None), "function must be one of a Tensor, such as"),
        (lambda: function_landscape(rosenbrock, x=5), "a range is a pair of numbers, such as"),
        (lambda: function_landscape(rosenbrock, x=(1, 2, 3)), "a range is a pair of numbers"),
        (lambda: function_landscape(rosenbrock, x=("a", "b")), "a range is a pair of numbers"),
        (lambda: function_landscape(lambda w: 1j), "the loss must be one number, got complex"),
        (lambda: optimizer_path(rosenbrock, [1.0, 1.0], sgd, -1), "steps must be a whole number"),
        (lambda: optimizer_path(rosenbrock, [1.0, 1.0], sgd, 2.5), "steps must be a whole number"),
        (lambda: optimizer_path(rosenbrock, None, sgd, 2), "start must be finite numbers, such as"),
        (lambda: optimizer_path(rosenbrock, [], sgd, 2), "start must be finite numbers, such as"),
        (lambda: optimizer_path(rosenbrock, [np.nan, 1.0], sgd, 2), "start must be finite"),
        (lambda: optimizer_path(None, [1.0, 1.0], sgd, 2), "function must be one of a Tensor"),
        (lambda: optimizer_path(rosenbrock, [1.0, 1.0], None, 2), "must return an optimizer of"),
        # An optimizer of other parameters would leave the path at its start, without a word.
        (lambda: optimizer_path(rosenbrock, [1.0, 1.0], lambda p: sgd(model.parameters()), 2),
         "must return an optimizer of the parameters that it is given"),
    ]  # fmt: skip
    for call, message in cases:
        with pytest.raises(ArgumentError, match=message):
            call()
    ones = np.ones(flat(model).size)
    with pytest.raises(ArgumentError, match="are parallel"):
        loss_landscape(model, lambda: 0.0, (ones, -2 * ones))
    with pytest.raises(ArgumentError, match="holds NaN"):
        loss_landscape(model, lambda: 0.0, (ones, np.nan * ones))
    with pytest.raises(ShapeError, match="a direction has 3 elements, but"):
        loss_landscape(model, lambda: 0.0, (ones[:3], ones))
    with pytest.raises(ShapeError, match=r"has shape \(1, 1\), the parameter"):
        loss_landscape(model, lambda: 0.0, ({"layer1.linear.weight": [[1.0]]}, ones))
    with pytest.raises(ArgumentError, match="all weights are 0"):
        loss_landscape(small(init="zeros"), lambda: 0.0)
    path.places.append(path.places[0] * np.nan)
    with pytest.raises(ArgumentError, match="as the training ran away"):
        loss_landscape(model, lambda: 0.0, path=path)
    bowl = function_landscape(lambda w: (w * w).sum(), points=3)
    with pytest.raises(ArgumentError, match=r"path 'p' has shape \(3,\)"):
        plots.loss_landscape(bowl, paths={"p": [1.0, 2.0, 3.0]})


def test_what_was_found_is_shown_in_a_line():
    bowl = function_landscape(lambda w: (w * w).sum(), points=3)
    assert repr(bowl) == "<Landscape: 3 x 3 losses, 0 to 8>"
    nowhere = function_landscape(lambda w: w.sum() * math.nan, points=2)
    assert repr(nowhere) == "<Landscape: 2 x 2 losses, none of them finite>"
    assert repr(ParameterPath(nn.Linear(2, 1))) == "<ParameterPath: 1 places of 3 numbers>"
