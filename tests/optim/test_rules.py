"""The rules of the optimizers: what their papers promise."""

import numpy as np
import pytest
from optim.cases import ALL

import minigrad as mg
from minigrad.optim.adam import adam
from minigrad.optim.flat import PIECE
from minigrad.optim.muon import newton_schulz
from minigrad.optim.sgd import sgd


@pytest.mark.parametrize("name", ["Adam", "AdamW", "Adamax", "Adagrad"])
def test_the_first_step_is_the_learning_rate_whatever_the_gradient(name):
    # Kingma & Ba 2015, section 2.1: |step| <= lr, with equality at the first.
    w = mg.tensor(np.zeros(3), requires_grad=True)
    opt = getattr(mg.optim, name)([w], lr=0.1, eps=0.0)
    w.grad = mg.tensor(np.array([1e-6, -1.0, 1e6]))
    opt.step()
    np.testing.assert_allclose(w.data, [-0.1, 0.1, -0.1], rtol=1e-12)


@pytest.mark.parametrize("name", ["Adagrad", "Adam", "Adamax", "Lion", "NAdam", "Rprop"])
def test_the_size_of_the_gradient_does_not_matter(name):
    paths = []
    for scale in (1.0, 1e4):
        rng = np.random.default_rng(0)
        w = mg.tensor(np.zeros(5), requires_grad=True)
        opt = getattr(mg.optim, name)([w], **({} if name in ("Lion", "Rprop") else {"eps": 0.0}))
        for _ in range(10):
            w.grad = mg.tensor(scale * rng.normal(size=5))
            opt.step()
        paths.append(w.data.copy())
    np.testing.assert_allclose(*paths, rtol=1e-10)


def test_heavy_ball_reaches_its_rate_on_a_quadratic():
    # Polyak 1964: with the best step and momentum for eigenvalues in [1, 100], the error falls
    # per step by (sqrt(100) - 1) / (sqrt(100) + 1).
    rate = 9 / 11
    w = mg.tensor(np.ones(2), requires_grad=True)
    opt = mg.optim.SGD([w], lr=4 / 11**2, momentum=rate**2)
    eigenvalues = mg.tensor(np.array([1.0, 100.0]))
    sizes = []
    for _ in range(400):
        opt.zero_grad()
        (0.5 * eigenvalues * w * w).sum().backward()
        opt.step()
        sizes.append(np.linalg.norm(w.data))
    measured = (sizes[399] / sizes[199]) ** (1 / 200)
    assert measured == pytest.approx(rate, rel=0.01)


def test_radam_starts_scaling_at_the_sixth_step():
    # Liu et al. 2020: rho_t > 4 from about the fifth step for beta2 = 0.999; PyTorch waits for 5.
    w = mg.tensor(np.zeros(1), requires_grad=True)
    opt = mg.optim.RAdam([w], lr=1.0)
    moved = []
    for _ in range(7):
        w.grad = mg.tensor(np.array([1000.0]))
        before = w.item()
        opt.step()
        moved.append(before - w.item())
    np.testing.assert_allclose(moved[:5], 1000, rtol=1e-12)
    assert max(moved[5:]) < 1


def test_rmsprop_centered_survives_a_constant_gradient():
    # The variance is 0, and by rounding a little less: no square root of that.
    w = mg.tensor(np.zeros(50), requires_grad=True)
    opt = mg.optim.RMSprop([w], alpha=0.5, centered=True)
    w.grad = mg.tensor(np.random.default_rng(0).normal(size=50))
    for _ in range(200):
        opt.step()
    assert np.isfinite(w.data).all()


def test_lion_follows_algorithm_2():
    # Chen et al. 2023, line by line, for one parameter.
    rng = np.random.default_rng(0)
    w = mg.tensor(rng.normal(size=(3, 4)), requires_grad=True)
    theta, m = w.data.copy(), np.zeros((3, 4))
    opt = mg.optim.Lion([w], lr=0.01, betas=(0.8, 0.95), weight_decay=0.3)
    for _ in range(100):
        g = rng.normal(size=(3, 4))
        c = m * 0.8 + g * (1 - 0.8)
        theta = theta - 0.01 * (np.sign(c) + 0.3 * theta)
        m = 0.95 * m + (1 - 0.95) * g
        w.grad = mg.tensor(g)
        opt.step()
    np.testing.assert_allclose(w.data, theta, rtol=1e-12)


def test_lars_follows_algorithm_1():
    # You et al. 2017, line by line, for two parameters of different size.
    rng = np.random.default_rng(0)
    params = [mg.tensor(rng.normal(size=s), requires_grad=True) for s in [(3, 4), (200, 100)]]
    weights = [p.data.copy() for p in params]
    velocities = [0.0, 0.0]
    opt = mg.optim.LARS(params, lr=2.0, momentum=0.8, weight_decay=0.1, trust_coefficient=0.02)
    for _ in range(100):
        for k, p in enumerate(params):
            g, w = rng.normal(size=p.shape), weights[k]
            norm = np.linalg.norm
            rate = 0.02 * norm(w) / (norm(g) + 0.1 * norm(w))
            velocities[k] = 0.8 * velocities[k] + 2.0 * rate * (g + 0.1 * w)
            weights[k] = w - velocities[k]
            p.grad = mg.tensor(g)
        opt.step()
    for p, w in zip(params, weights, strict=True):
        np.testing.assert_allclose(p.data, w, rtol=0, atol=1e-12 * np.abs(w).max())


def test_lars_moves_every_layer_in_proportion_to_its_weights():
    rng = np.random.default_rng(0)
    params = [mg.tensor(s * rng.normal(size=(4, 4)), requires_grad=True) for s in (1e-3, 1.0, 1e3)]
    before = [p.data.copy() for p in params]
    for p, size in zip(params, (1e6, 1.0, 1e-6), strict=True):
        p.grad = mg.tensor(size * rng.normal(size=(4, 4)))
    mg.optim.LARS(params, lr=5.0, trust_coefficient=0.002).step()
    for p, b in zip(params, before, strict=True):
        ratio = np.linalg.norm(p.data - b) / np.linalg.norm(b)
        assert ratio == pytest.approx(0.01, rel=1e-12)


def test_lars_lets_a_bias_leave_zero():
    b = mg.zeros(3, requires_grad=True)
    b.grad = mg.ones(3)
    mg.optim.LARS([b], lr=0.5).step()
    assert b.tolist() == [-0.5, -0.5, -0.5]


def test_newton_schulz_brings_singular_values_near_one():
    # Jordan et al. 2024: the quintic leaves them in about [0.7, 1.2], with the singular vectors.
    rng = np.random.default_rng(0)
    for shape in [(20, 20), (10, 40), (40, 10)]:
        matrix = rng.normal(size=shape)
        u, _, vt = np.linalg.svd(matrix, full_matrices=False)
        turned = u.T @ newton_schulz(matrix) @ vt.T
        values = np.diag(turned)
        np.testing.assert_allclose(turned, np.diag(values), atol=1e-12)
        assert values.min() > 0.5 and values.max() < 1.3


def test_the_rules_stand_alone():
    g = np.array([3.0, 4.0])
    new, buffer = sgd(np.array([1.0, 2.0]), g, 1, lr=0.1, momentum=0.9)
    np.testing.assert_allclose(new, [0.7, 1.6])
    np.testing.assert_allclose(buffer, g)
    new, m, v, _ = adam(np.array([1.0, 2.0]), g, 1, np.zeros(2), np.zeros(2), lr=0.1)
    np.testing.assert_allclose(new, [0.9, 1.9], rtol=1e-7)
    np.testing.assert_allclose((m, v), (0.1 * g, 0.001 * g * g))


@pytest.mark.parametrize("name", ALL)
def test_no_rule_writes_into_the_gradient(name):
    w = mg.tensor(np.random.default_rng(0).normal(size=(3, 4)), requires_grad=True)
    opt = getattr(mg.optim, name)([w], **ALL[name])
    group = opt.param_groups[0]
    gradient = -w.data
    gradient.flags.writeable = False
    state = [
        start if key in opt.numbers or start is None else np.full((3, 4), start)
        for key, start in opt.initial_state(group).items()
    ]
    opt.rule(w.data, gradient, 1, *state, **opt.settings(group))


def returns_new(p, g, step, velocity, *, lr):
    velocity = 0.5 * velocity + g
    return p - lr * velocity, velocity


def writes_in_place(p, g, step, velocity, *, lr):
    velocity *= 0.5
    velocity += g
    p -= lr * velocity
    return p, velocity


@pytest.mark.parametrize("whole", [False, True])
def test_a_rule_may_return_new_arrays_or_write_in_place(whole):
    # A parameter cut into pieces, one that is not contiguous, one as it is, two small ones.
    rng = np.random.default_rng(0)
    starts = [rng.normal(size=s) for s in [(2, PIECE), (100, 300), (100, 100), (5,), (2, 3)]]
    starts[1] = starts[1].T
    results = []
    for rule in (returns_new, writes_in_place):
        velocity = {"initial_state": lambda self, group: {"velocity": 0.0}}
        kind = type("Ball", (mg.optim.Optimizer,), velocity)
        kind.rule, kind.whole_parameters = staticmethod(rule), whole
        params = [mg.Tensor(s.copy(order="K"), requires_grad=True) for s in starts]
        memory = [p.data for p in params]
        assert not memory[1].flags.c_contiguous
        optimizer = kind(params, dict(lr=0.1))
        for step in range(3):
            for p, s in zip(params, starts, strict=True):
                p.grad = mg.Tensor(s * (step + 1))
            optimizer.step()
        assert all(p.data is array for p, array in zip(params, memory, strict=True))
        results.append(memory)
    for start, new, in_place in zip(starts, *results, strict=True):
        # The velocity is 1, 2.5 and 4.25 times the start.
        np.testing.assert_allclose(new, start * (1 - 0.775), rtol=1e-12)
        np.testing.assert_array_equal(new, in_place)
