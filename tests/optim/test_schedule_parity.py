"""Schedules and PyTorch 2.13's, equal to the last bit over 200 steps."""

import math
import warnings

import pytest

import minigrad as mg

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

STEPS = 200

CASES = {
    "LambdaLR": [
        dict(lr_lambda=lambda t: 0.95**t),
        dict(lr_lambda=[lambda t: 1 / (1 + t), lambda t: math.sin(t)]),
    ],
    "MultiplicativeLR": [
        dict(lr_lambda=lambda t: 0.99),
        dict(lr_lambda=[lambda t: 0.9, lambda t: 1 + 1 / (t + 1)]),
    ],
    "StepLR": [dict(step_size=30), dict(step_size=7, gamma=0.7), dict(step_size=1, gamma=1.01)],
    "MultiStepLR": [
        dict(milestones=[30, 80]),
        dict(milestones=[5, 5, 90, 20], gamma=0.3),
        dict(milestones=[0, 199]),
    ],
    "ConstantLR": [{}, dict(factor=0.5, total_iters=40), dict(factor=1.0), dict(total_iters=0)],
    "LinearLR": [
        {},
        dict(start_factor=0.1, total_iters=150),
        dict(start_factor=1.0, end_factor=0.0, total_iters=77),
        dict(start_factor=0.3, end_factor=0.8, total_iters=500),
    ],
    "ExponentialLR": [dict(gamma=0.9), dict(gamma=1.02)],
    "PolynomialLR": [{}, dict(total_iters=150, power=2.5), dict(total_iters=300, power=0.5)],
    "CosineAnnealingLR": [
        dict(T_max=200),
        dict(T_max=13),
        dict(T_max=30, eta_min=0.01),
        dict(T_max=1),
    ],
    "CosineAnnealingWarmRestarts": [
        dict(T_0=10),
        dict(T_0=1, T_mult=2),
        dict(T_0=7, T_mult=3, eta_min=0.02),
        dict(T_0=300),
    ],
    "CyclicLR": [
        dict(base_lr=0.01, max_lr=0.1, step_size_up=20),
        dict(base_lr=0.01, max_lr=0.1, step_size_up=20, step_size_down=31, mode="triangular2"),
        dict(base_lr=[0.01, 0.02], max_lr=[0.1, 0.3], step_size_up=9, mode="exp_range", gamma=0.99),
        dict(base_lr=0.0, max_lr=1.0, step_size_up=5, scale_fn=lambda x: 1 / x),
        dict(
            base_lr=0.1,
            max_lr=1.0,
            step_size_up=5,
            scale_fn=lambda t: math.cos(t),
            scale_mode="iterations",
        ),
        dict(base_lr=0.01, max_lr=0.1, step_size_up=3, cycle_momentum=False),
        dict(base_lr=0.01, max_lr=0.1, step_size_up=7, base_momentum=[0.1, 0.5], max_momentum=0.99),
    ],
    "OneCycleLR": [
        dict(max_lr=0.1, total_steps=STEPS + 1),
        dict(max_lr=[0.1, 0.5], epochs=30, steps_per_epoch=9),
        dict(max_lr=0.1, total_steps=250, anneal_strategy="linear", pct_start=0.1),
        dict(max_lr=0.1, total_steps=240, three_phase=True, div_factor=3.0, final_div_factor=7.0),
        dict(max_lr=0.1, total_steps=201, cycle_momentum=False, pct_start=0.0),
        dict(max_lr=0.1, total_steps=201, base_momentum=0.3, max_momentum=[0.9, 0.8]),
    ],
}
ALL = [(name, settings) for name, list_ in CASES.items() for settings in list_]

# Schedules that are made together, and how they are combined.
COMBINED = [
    (
        "SequentialLR",
        [("ConstantLR", dict(total_iters=9)), ("ExponentialLR", dict(gamma=0.9))],
        [20],
    ),
    ("SequentialLR", [("LinearLR", {}), ("CosineAnnealingLR", dict(T_max=70, eta_min=0.003))], [5]),
    ("SequentialLR", [("StepLR", dict(step_size=3)), ("MultiStepLR", dict(milestones=[4]))], [50]),
    ("SequentialLR", [("PolynomialLR", dict(total_iters=40)), ("LinearLR", {})], [30]),
    ("SequentialLR", [("ExponentialLR", dict(gamma=0.8)), ("PolynomialLR", {})], [0]),
    (
        "SequentialLR",
        [
            ("LinearLR", {}),
            ("CosineAnnealingWarmRestarts", dict(T_0=11)),
            ("StepLR", dict(step_size=9)),
        ],
        [10, 100],
    ),
    (
        "SequentialLR",
        [
            ("LambdaLR", dict(lr_lambda=lambda t: 0.9**t)),
            ("MultiplicativeLR", dict(lr_lambda=lambda t: 0.98)),
            ("ConstantLR", dict(factor=0.2, total_iters=30)),
        ],
        [50, 100],
    ),
    (
        "SequentialLR",
        [("StepLR", dict(step_size=10)), ("OneCycleLR", dict(max_lr=0.2, total_steps=160))],
        [50],
    ),
    (
        "SequentialLR",
        [
            ("ExponentialLR", dict(gamma=0.9)),
            ("CyclicLR", dict(base_lr=0.1, max_lr=0.2, step_size_up=9)),
        ],
        [50],
    ),
    (
        "ChainedScheduler",
        [("ConstantLR", dict(total_iters=9)), ("ExponentialLR", dict(gamma=0.9))],
        None,
    ),
    (
        "ChainedScheduler",
        [
            ("LinearLR", dict(total_iters=20)),
            ("CosineAnnealingLR", dict(T_max=300)),
            ("StepLR", dict(step_size=50)),
        ],
        None,
    ),
    (
        "ChainedScheduler",
        [
            ("MultiStepLR", dict(milestones=[5, 60])),
            ("PolynomialLR", dict(total_iters=150, power=2)),
        ],
        None,
    ),
]


def optimizers(name="SGD"):
    """Ours and theirs, each with two groups of their own rates."""
    made = []
    for lib, parameter in ((mg, mg.zeros), (torch, torch.zeros)):
        a, b = (parameter(2, requires_grad=True) for _ in range(2))
        groups = [{"params": [a], "lr": 0.3}, {"params": [b], "lr": 0.07}]
        settings = {"momentum": 0.9} if name == "SGD" else {}
        made.append(getattr(lib.optim, name)(groups, **settings))
    return made


def schedule(lib, optimizer, name, settings):
    return getattr(lib.optim.lr_scheduler, name)(optimizer, **settings)


def combine(lib, optimizer, name, parts, milestones):
    schedules = [schedule(lib, optimizer, *part) for part in parts]
    if name == "ChainedScheduler":
        return lib.optim.lr_scheduler.ChainedScheduler(schedules)
    return lib.optim.lr_scheduler.SequentialLR(optimizer, schedules, milestones)


def where(optimizer):
    keys = ("lr", "momentum", "betas")
    return [[group.get(key) for key in keys] for group in optimizer.param_groups]


def assert_same_path(ours, theirs, steps=STEPS, values=None):
    """Both are pairs (optimizer, schedule); `values` are the metrics to step with."""
    for t in range(steps):
        assert where(ours[0]) == where(theirs[0]), f"step {t}"
        assert ours[1].get_last_lr() == theirs[1].get_last_lr(), f"step {t}"
        for optimizer, scheduler in (ours, theirs):
            optimizer.step()
            scheduler.step(*([] if values is None else [values[t]]))
    assert where(ours[0]) == where(theirs[0])


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
@pytest.mark.parametrize(("name", "settings"), ALL)
def test_every_schedule(name, settings, optimizer):
    pairs = [
        (opt, schedule(lib, opt, name, settings))
        for lib, opt in zip((mg, torch), optimizers(optimizer), strict=True)
    ]
    assert_same_path(*pairs)


@pytest.mark.parametrize(("name", "parts", "milestones"), COMBINED)
def test_schedules_of_schedules(name, parts, milestones):
    pairs = [
        (opt, combine(lib, opt, name, parts, milestones))
        for lib, opt in zip((mg, torch), optimizers(), strict=True)
    ]
    assert_same_path(*pairs)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        dict(patience=3, factor=0.5),
        dict(mode="max", patience=2, threshold=0.05),
        dict(threshold_mode="abs", threshold=0.2, patience=1, cooldown=4),
        dict(mode="max", threshold_mode="abs", threshold=0.01, patience=0, eps=1e-3),
        dict(patience=1, min_lr=[0.05, 0.001]),
        dict(patience=0, min_lr=0.01, cooldown=1),
    ],
)
def test_reduce_on_plateau(settings):
    values = [math.exp(-t / 40) + 0.3 * math.sin(t * t) for t in range(STEPS)]
    values[50] = math.nan
    pairs = [
        (opt, schedule(lib, opt, "ReduceLROnPlateau", settings))
        for lib, opt in zip((mg, torch), optimizers(), strict=True)
    ]
    start = where(pairs[0][0])
    assert_same_path(*pairs, values=values)
    assert where(pairs[0][0]) != start


@pytest.mark.parametrize(("name", "settings"), ALL)
def test_a_state_saved_by_pytorch_goes_on_here(name, settings):
    opts = optimizers()
    ours, theirs = (
        schedule(lib, o, name, settings) for lib, o in zip((mg, torch), opts, strict=True)
    )
    for _ in range(37):
        opts[1].step()
        theirs.step()
    opts[0].load_state_dict(opts[1].state_dict())
    opts[0].step()
    ours.load_state_dict(theirs.state_dict())
    assert_same_path((opts[0], ours), (opts[1], theirs), steps=100)


@pytest.mark.parametrize(("name", "parts", "milestones"), COMBINED)
def test_a_combined_state_saved_by_pytorch_goes_on_here(name, parts, milestones):
    opts = optimizers()
    ours, theirs = (
        combine(lib, o, name, parts, milestones) for lib, o in zip((mg, torch), opts, strict=True)
    )
    for _ in range(37):
        opts[1].step()
        theirs.step()
    opts[0].load_state_dict(opts[1].state_dict())
    opts[0].step()
    ours.load_state_dict(theirs.state_dict())
    assert_same_path((opts[0], ours), (opts[1], theirs), steps=100)


# With waves that grow, PyTorch takes `last_epoch` for a step of the first one.
RESUMABLE = [(name, settings) for name, settings in ALL if settings.get("T_mult", 1) == 1]


@pytest.mark.parametrize(("name", "settings"), RESUMABLE)
def test_going_on_by_last_epoch(name, settings):
    pairs = []
    for lib, opt in zip((mg, torch), optimizers(), strict=True):
        first = schedule(lib, opt, name, settings)
        for _ in range(23):
            opt.step()
            first.step()
        pairs.append((opt, schedule(lib, opt, name, settings | {"last_epoch": 23})))
    assert_same_path(*pairs, steps=100)


def test_warm_restarts_between_whole_steps():
    pairs = []
    for lib, opt in zip((mg, torch), optimizers(), strict=True):
        pairs.append(
            (opt, schedule(lib, opt, "CosineAnnealingWarmRestarts", dict(T_0=3, T_mult=2)))
        )
    for t in range(STEPS):
        for _, scheduler in pairs:
            scheduler.step(t / 7)
        assert where(pairs[0][0]) == where(pairs[1][0])


def test_the_warning_comes_where_theirs_does():
    for lib, opt in zip((mg, torch), optimizers(), strict=True):
        scheduler = schedule(lib, opt, "StepLR", dict(step_size=3))
        with pytest.warns(UserWarning, match=r"before .?optimizer\.step\(\)"):
            scheduler.step()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            scheduler.step()
