"""Schedules: their closed forms, combinations, saving, drawing, and what they refuse."""

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import ArgumentError, DtypeError
from minigrad.optim.lr_scheduler import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    MultiplicativeLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)


def optimizer(*rates, **settings):
    rates = rates or (1.0,)
    groups = [{"params": [mg.zeros(2, requires_grad=True)], "lr": lr} for lr in rates]
    return mg.optim.SGD(groups, **settings)


def rates(opt):
    return [group["lr"] for group in opt.param_groups]


def go(opt, scheduler, steps):
    path = [rates(opt)]
    for _ in range(steps):
        opt.step()
        scheduler.step()
        path.append(rates(opt))
    return path


class Inverse:
    """A factor with a memory, as a saved schedule must bring along."""

    def __init__(self, scale):
        self.scale = scale

    def __call__(self, t):
        return 1 / (1 + self.scale * t)


MAKERS = {
    "lambda": lambda o: LambdaLR(o, lambda t: 0.9**t),
    "object": lambda o: LambdaLR(o, Inverse(0.1)),
    "multiplicative": lambda o: MultiplicativeLR(o, lambda t: 0.95),
    "step": lambda o: StepLR(o, 3, gamma=0.5),
    "multi_step": lambda o: MultiStepLR(o, [2, 7], gamma=0.5),
    "constant": lambda o: ConstantLR(o, total_iters=4),
    "linear": lambda o: LinearLR(o, total_iters=8),
    "exponential": lambda o: ExponentialLR(o, gamma=0.9),
    "polynomial": lambda o: PolynomialLR(o, total_iters=15, power=2),
    "cosine": lambda o: CosineAnnealingLR(o, T_max=6, eta_min=0.01),
    "restarts": lambda o: CosineAnnealingWarmRestarts(o, T_0=3, T_mult=2),
    "cyclic": lambda o: CyclicLR(o, 0.1, 1.0, step_size_up=3, mode="triangular2"),
    "one_cycle": lambda o: OneCycleLR(o, 1.0, total_steps=40),
    "sequential": lambda o: SequentialLR(o, [LinearLR(o), CosineAnnealingLR(o, 9)], [5]),
    "chained": lambda o: ChainedScheduler([LinearLR(o), ExponentialLR(o, 0.9)]),
    "nested": lambda o: SequentialLR(o, [MAKERS["chained"](o), MAKERS["sequential"](o)], [7]),
}
every_schedule = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("lambda", lambda t: 0.9**t),
        ("multiplicative", lambda t: 0.95**t),
        ("step", lambda t: 0.5 ** (t // 3)),
        ("multi_step", lambda t: 0.5 ** ((t >= 2) + (t >= 7))),
        ("constant", lambda t: 1 if t >= 4 else 1 / 3),
        ("linear", lambda t: min(1, 1 / 3 + 2 / 3 * t / 8)),
        ("exponential", lambda t: 0.9**t),
        ("polynomial", lambda t: max(0, 1 - t / 15) ** 2),
        ("cosine", lambda t: 0.01 + 0.99 * (1 + math.cos(math.pi * t / 6)) / 2),
        ("chained", lambda t: min(1, 1 / 3 + 2 / 3 * t / 5) * 0.9**t),
    ],
)
def test_the_formula_of_the_documentation(name, formula):
    opt = optimizer()
    scheduler = MAKERS[name](opt)
    for t in range(31):
        assert rates(opt)[0] == pytest.approx(formula(t), rel=1e-9, abs=1e-14), f"step {t}"
        if name not in ("chained", "multiplicative"):  # these have none
            assert scheduler.closed_form_lr()[0] == pytest.approx(rates(opt)[0], abs=1e-14)
        opt.step()
        scheduler.step()


def test_warm_up_then_cosine_the_usual_recipe():
    opt = optimizer(0.1)
    warm_up = LinearLR(opt, start_factor=0.01, total_iters=10)
    scheduler = SequentialLR(opt, [warm_up, CosineAnnealingLR(opt, T_max=90)], [10])
    path = np.array(go(opt, scheduler, 100))[:, 0]
    np.testing.assert_allclose(path[:11], np.linspace(0.001, 0.1, 11))
    t = np.arange(91)
    np.testing.assert_allclose(path[10:], 0.05 * (1 + np.cos(np.pi * t / 90)), atol=1e-12)


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_one_cycle_moves_momentum_against_the_rate(name):
    opt = getattr(mg.optim, name)([mg.zeros(2, requires_grad=True)])
    scheduler = OneCycleLR(opt, max_lr=1.0, total_steps=20, pct_start=0.5)
    seen = []
    for _ in range(20):
        group = opt.param_groups[0]
        seen.append((group["lr"], group["momentum"] if name == "SGD" else group["betas"][0]))
        opt.step()
        scheduler.step()
    assert seen[0] == pytest.approx((0.04, 0.95))
    assert seen[9] == pytest.approx((1.0, 0.85))
    assert seen[19] == pytest.approx((4e-6, 0.95))


def test_two_schedules_on_one_optimizer_multiply():
    opt = optimizer(1.0, 2.0)
    a, b = ExponentialLR(opt, gamma=0.5), StepLR(opt, step_size=2, gamma=0.1)
    for _ in range(4):
        opt.step()
        a.step()
        b.step()
    np.testing.assert_allclose(rates(opt), [0.5**4 * 0.01, 2 * 0.5**4 * 0.01], rtol=1e-12)


def test_nested_schedules_begin_at_their_own_step_zero():
    opt = optimizer()
    path = [lr for [lr] in go(opt, MAKERS["nested"](opt), 20)]
    alone = optimizer()
    chained = [lr for [lr] in go(alone, MAKERS["chained"](alone), 6)]
    alone = optimizer()
    sequential = [lr for [lr] in go(alone, MAKERS["sequential"](alone), 13)]
    np.testing.assert_allclose(path, chained + sequential, rtol=1e-12)


@every_schedule
def test_a_preview_tells_what_comes_and_moves_nothing(make):
    opt = optimizer(0.5, 2.0, momentum=0.9)
    scheduler = make(opt)
    go(opt, scheduler, 4)
    before = [dict(group) for group in opt.param_groups], scheduler.state_dict()
    told = scheduler.preview(12)
    assert [dict(group) for group in opt.param_groups] == before[0]
    assert scheduler.state_dict() == before[1]
    assert told == go(opt, scheduler, 12)


@every_schedule
def test_a_saved_schedule_goes_on(make):
    opt = optimizer(0.5, 2.0, momentum=0.9)
    scheduler = make(opt)
    go(opt, scheduler, 9)
    saved = opt.state_dict(), scheduler.state_dict()
    expected = go(opt, scheduler, 12)
    other = optimizer(7.0, 8.0, momentum=0.1)
    scheduler = make(other)
    other.load_state_dict(saved[0])
    scheduler.load_state_dict(saved[1])
    assert go(other, scheduler, 12) == expected


def test_the_attributes_of_a_callable_object_are_saved():
    opt = optimizer()
    saved = LambdaLR(opt, Inverse(0.1)).state_dict()
    other = LambdaLR(optimizer(), Inverse(5.0))
    other.load_state_dict(saved)
    assert other.lr_lambdas[0].scale == 0.1
    assert LambdaLR(optimizer(), lambda t: 1.0).state_dict()["lr_lambdas"] == [None]


def test_the_optimizer_uses_the_rate():
    w = mg.zeros(1, requires_grad=True)
    opt = mg.optim.SGD([w], lr=1.0)
    scheduler = StepLR(opt, step_size=1, gamma=0.1)
    for _ in range(3):
        w.grad = mg.ones(1)
        opt.step()
        scheduler.step()
    assert w.item() == pytest.approx(-1.11)


def test_a_plot_has_one_line_per_different_group():
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    scheduler = ExponentialLR(optimizer(1.0, 2.0, 1.0), gamma=0.5)
    assert scheduler.plot(axes, steps=3) is axes
    lines = axes.get_lines()
    assert [line.get_label() for line in lines] == ["group 0, 2", "group 1"]
    np.testing.assert_allclose(lines[1].get_data(), [[0, 1, 2, 3], [2, 1, 0.5, 0.25]])
    plt.close(figure)


def test_a_plot_goes_as_far_as_the_schedule():
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    opt = optimizer(momentum=0.9)
    scheduler = OneCycleLR(opt, max_lr=1.0, total_steps=30)
    go(opt, scheduler, 5)
    scheduler.plot(axes)
    x, y = axes.get_lines()[0].get_data()
    assert (x[0], x[-1]) == (5, 29) and y[-1] == pytest.approx(4e-6)
    assert axes.get_legend() is None
    plt.close(figure)


def test_plateau_waits_reduces_and_cools_down():
    opt = optimizer(1.0)
    scheduler = ReduceLROnPlateau(opt, factor=0.5, patience=2, cooldown=2)
    path = []
    for _ in range(9):
        scheduler.step(mg.tensor(1.0))
        path.append(rates(opt)[0])
    # better, three bad ones; then two not counted, three bad ones
    assert path == [1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25]


def test_a_preview_of_plateau_needs_metrics():
    opt = optimizer(1.0)
    scheduler = ReduceLROnPlateau(opt, factor=0.5, patience=0)
    assert scheduler.preview(metrics=[1.0, 1.0, 0.5]) == [[1.0], [1.0], [0.5], [0.5]]
    assert rates(opt) == [1.0] and scheduler.last_epoch == 0
    with pytest.raises(ArgumentError, match=r"depend on a metric.*metrics="):
        scheduler.plot()


def test_plateau_lowers_groups_that_came_later_too():
    opt = optimizer(1.0)
    scheduler = ReduceLROnPlateau(opt, factor=0.5, patience=0, min_lr=0.4)
    opt.add_param_group({"params": [mg.zeros(1, requires_grad=True)], "lr": 2.0})
    for _ in range(3):
        scheduler.step(1.0)
    assert rates(opt) == [0.4, 0.5]


def test_a_schedule_that_steps_first_is_told_so():
    opt = optimizer()
    scheduler = StepLR(opt, 3)
    with pytest.warns(UserWarning, match=r"StepLR\.step\(\) was called before optimizer\.step"):
        scheduler.step()


def test_a_group_that_came_later_stops_the_schedule():
    opt = optimizer()
    scheduler = ExponentialLR(opt, 0.5)
    opt.add_param_group({"params": [mg.zeros(1, requires_grad=True)]})
    opt.step()
    with pytest.raises(ArgumentError, match="made for 1 parameter groups, the optimizer now has 2"):
        scheduler.step()
    assert rates(opt)[0] == 1.0 and scheduler.last_epoch == 0


def test_one_cycle_ends():
    opt = optimizer(momentum=0.9)
    scheduler = OneCycleLR(opt, 1.0, total_steps=5)
    go(opt, scheduler, 5)
    with pytest.raises(ArgumentError, match="step 6 of a schedule of 5"):
        scheduler.step()


def test_a_state_of_another_schedule_is_refused():
    scheduler = StepLR(optimizer(), 3)
    with pytest.raises(ArgumentError, match=r"lacks \['step_size'\]; it is that of another"):
        scheduler.load_state_dict(ExponentialLR(optimizer(), 0.5).state_dict())
    assert scheduler.gamma == 0.1


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda o: StepLR(None, 3), DtypeError, "StepLR: expected an Optimizer, got NoneType"),
        (lambda o: StepLR(o, 0), ArgumentError, "step_size must be positive, got 0"),
        (lambda o: StepLR(o, 3, last_epoch=4), ArgumentError, "needs 'initial_lr' in group 0"),
        (lambda o: ConstantLR(o, factor=2), ArgumentError, r"factor must lie in \[0, 1\], got 2"),
        (lambda o: ConstantLR(o, factor=0), ArgumentError, "factor must be positive"),
        (lambda o: LinearLR(o, start_factor=0), ArgumentError, "start_factor must be positive"),
        (lambda o: LinearLR(o, end_factor=1.1), ArgumentError, "end_factor must lie in"),
        (lambda o: PolynomialLR(o, total_iters=0), ArgumentError, "total_iters must be positive"),
        (lambda o: CosineAnnealingLR(o, T_max=-1), ArgumentError, "T_max must be positive"),
        (lambda o: CosineAnnealingWarmRestarts(o, 2.5), ArgumentError, "T_0 must be a whole"),
        (lambda o: CosineAnnealingWarmRestarts(o, 2, 0), ArgumentError, "T_mult must be a whole"),
        (lambda o: LambdaLR(o, 0.5), DtypeError, "lr_lambda must be a function.*got float"),
        (lambda o: LambdaLR(o, [abs, abs]), ArgumentError, "2 values for 1 parameter groups"),
        (lambda o: CyclicLR(o, 0, 1, mode="square"), ArgumentError, "unknown mode 'square'"),
        (lambda o: CyclicLR(o, 0, 1, scale_mode="x"), ArgumentError, "unknown scale_mode 'x'"),
        (lambda o: CyclicLR(o, 0, 1, step_size_up=0), ArgumentError, "step_size_up must be pos"),
        (lambda o: CyclicLR(o, [0, 0], 1), ArgumentError, "base_lr has 2 values for 1"),
        (
            lambda o: CyclicLR(mg.optim.Adagrad([mg.zeros(1, requires_grad=True)]), 0, 1),
            ArgumentError,
            "Adagrad has neither momentum nor betas to cycle; pass cycle_momentum=False",
        ),
        (lambda o: OneCycleLR(o, 1.0), ArgumentError, "total_steps, or both epochs and"),
        (lambda o: OneCycleLR(o, 1.0, total_steps=0), ArgumentError, "total_steps must be pos"),
        (lambda o: OneCycleLR(o, 1.0, 9, pct_start=2), ArgumentError, "pct_start must lie in"),
        (lambda o: OneCycleLR(o, 1.0, 10, pct_start=0.1), ArgumentError, "a phase has no steps"),
        (lambda o: OneCycleLR(o, 1.0, 9, anneal_strategy="x"), ArgumentError, "unknown anneal"),
        (lambda o: ReduceLROnPlateau(o, factor=1.0), ArgumentError, "factor must be below 1"),
        (lambda o: ReduceLROnPlateau(o, mode="x"), ArgumentError, "unknown mode 'x'"),
        (lambda o: ReduceLROnPlateau(o, threshold_mode="x"), ArgumentError, "unknown threshold_"),
        (lambda o: ReduceLROnPlateau(o, min_lr=[0, 0]), ArgumentError, "min_lr has 2 values"),
        (lambda o: SequentialLR(o, [StepLR(o, 2)], [3]), ArgumentError, "need 0 milestones, got 1"),
        (lambda o: SequentialLR(o, [o], []), DtypeError, "expected schedules, got SGD"),
        (lambda o: SequentialLR(o, [], []), ArgumentError, "no schedules"),
        (lambda o: ChainedScheduler([]), ArgumentError, "no schedules; give at least one"),
        (
            lambda o: ChainedScheduler([StepLR(o, 2), StepLR(optimizer(), 2)]),
            ArgumentError,
            "must belong to one optimizer",
        ),
        (
            lambda o: ChainedScheduler([StepLR(o, 2), ReduceLROnPlateau(o)]),
            ArgumentError,
            "steps with a metric and cannot be combined",
        ),
    ],
)
def test_what_is_refused(make, error, text):
    with pytest.raises(error, match=text):
        make(optimizer())


def test_a_refused_schedule_leaves_the_optimizer_as_it_was():
    opt = mg.optim.Adagrad([mg.zeros(1, requires_grad=True)], lr=0.3)
    with pytest.raises(ArgumentError):
        CyclicLR(opt, 0.1, 1.0)
    with pytest.raises(ArgumentError):
        OneCycleLR(opt, 0.1, 10)
    assert opt.param_groups[0].keys() == {"params", *opt.defaults} and rates(opt) == [0.3]


def test_every_schedule_is_one():
    exported = mg.optim.lr_scheduler.__all__
    assert all(issubclass(getattr(mg.optim.lr_scheduler, n), LRScheduler) for n in exported)
