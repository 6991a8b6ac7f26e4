"""Lesson 6: the checks of its exercises accept right answers and reject known wrong ones."""

from __future__ import annotations

import numpy as np
import pytest
from lesson_source import filled_in, run

import minigrad as mg

NAME = "06_activations"


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    return run(NAME, tmp_path_factory.mktemp("lesson"))


def softplus(z):
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def sigmoid(z):
    return np.exp(-softplus(-z))


def mish(z):
    return z * np.tanh(softplus(z))


def mish_slope(z):
    t = np.tanh(softplus(z))
    return t + z * (1 - t**2) * sigmoid(z)


def test_the_exercises_are_open_at_first(lesson):
    checks = ("check_mish", "check_dead_shares", "check_selu_constants", "check_two_gains")
    for number, check in enumerate(checks, start=1):
        assert lesson[check]() == f"exercise {number}: not written yet"


def test_exercise_1_accepts_the_right_answer(lesson):
    said = filled_in(lesson, "check_mish", mish=mish, mish_slope=mish_slope)
    assert said.startswith("exercise 1: correct")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"mish": lambda z: z * np.tanh(np.log(1 + np.exp(z)))}, "mish("),  # as on paper
        ({"mish_slope": lambda z: np.tanh(softplus(z))}, "mish_slope("),  # half of the product rule
        (
            {"mish_slope": lambda z: np.tanh(softplus(z)) + z * (1 - np.tanh(softplus(z)) ** 2)},
            "mish_slope(",  # the slope of softplus forgotten
        ),
        ({"mish": lambda z: np.full_like(z, np.nan)}, "mish("),
        ({"mish": lambda z: z[:3]}, "mish has shape (3,)"),
    ],
)
def test_exercise_1_rejects_a_wrong_answer(lesson, wrong, why):
    said = filled_in(lesson, "check_mish", **{"mish": mish, "mish_slope": mish_slope, **wrong})
    assert said.startswith(f"exercise 1: not yet: {why}")


def hidden_z(model, x):
    linears = [m for m in model.modules() if isinstance(m, mg.nn.Linear)]
    z = []
    for layer in linears:
        z.append(x @ layer.weight.data.T + layer.bias.data)
        x = np.maximum(z[-1], 0)
    return z


def dead_shares(model, x):
    return [np.mean((z <= 0).all(axis=0)) for z in hidden_z(model, x)[:-1]]


def test_exercise_2_accepts_the_right_answer(lesson):
    said = filled_in(lesson, "check_dead_shares", dead_shares=dead_shares)
    assert said.startswith("exercise 2: correct")


def test_exercise_2_accepts_float32(lesson):
    said = filled_in(
        lesson, "check_dead_shares", dead_shares=lambda *args: np.float32(dead_shares(*args))
    )
    assert said.startswith("exercise 2: correct")


def biases_forgotten(model, x):
    shares = []
    for layer in [m for m in model.modules() if isinstance(m, mg.nn.Linear)][:-1]:
        z = x @ layer.weight.data.T
        shares.append(np.mean((z <= 0).all(axis=0)))
        x = np.maximum(z, 0)
    return shares


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (lambda model, x: [np.mean(z <= 0) for z in hidden_z(model, x)[:-1]], "layer"),
        (lambda model, x: [np.mean((z <= 0).any(axis=0)) for z in hidden_z(model, x)[:-1]], "laye"),
        (lambda model, x: [np.mean((z <= 0).all(axis=1)) for z in hidden_z(model, x)[:-1]], "laye"),
        (
            lambda model, x: [np.mean((z <= 0).all(axis=0)) for z in hidden_z(model, x)],
            "wanted 6 numbers, got shape (7,)",
        ),
        (biases_forgotten, "layer"),
        (lambda model, x: [float("nan")] * 6, "layer 1"),
        (lambda model, x: [None] * 6, "layer 1"),
    ],
)
def test_exercise_2_rejects_a_wrong_answer(lesson, wrong, why):
    said = filled_in(lesson, "check_dead_shares", dead_shares=wrong)
    assert said.startswith(f"exercise 2: not yet: {why}")


def selu_constants(average, variance):
    alpha = average(lambda z: np.maximum(z, 0), variance) / average(
        lambda z: -np.expm1(np.minimum(z, 0)), variance
    )
    square = average(
        lambda z: np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0))) ** 2, variance
    )
    return np.sqrt(variance / square), alpha


@pytest.mark.parametrize("form", [tuple, list, np.array, np.float32])
def test_exercise_3_accepts_the_right_answer(lesson, form):
    def right(variance):
        return form(selu_constants(lesson["average"], variance))

    said = filled_in(lesson, "check_selu_constants", selu_constants=right)
    assert said.startswith("exercise 3: correct")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (lambda average, v: selu_constants(average, 1.0), "z of variance 0.3"),  # SELU's own
        (lambda average, v: selu_constants(average, v)[::-1], "z of variance 1.0"),
        (
            lambda average, v: (
                selu_constants(average, v)[0] / np.sqrt(v),
                selu_constants(average, v)[1],
            ),
            "z of variance 0.3",  # the output has variance 1
        ),
        (lambda average, v: (selu_constants(average, v)[0] ** 2, 1.6733), "z of variance 1.0"),
        (lambda average, v: 1.0507, "wanted a pair"),
        (lambda average, v: "lambda", "wanted a pair"),
        (lambda average, v: (None, 1.6733), "z of variance 1.0 becomes mean nan"),
    ],
)
def test_exercise_3_rejects_a_wrong_answer(lesson, wrong, why):
    said = filled_in(
        lesson, "check_selu_constants", selu_constants=lambda v: wrong(lesson["average"], v)
    )
    assert said.startswith(f"exercise 3: not yet: {why}")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda square, slope: (square**-0.5, slope**-0.5), "exercise 4: correct"),
        (lambda square, slope: (slope**-0.5, square**-0.5), "exercise 4: not yet: silu takes q"),
        (lambda square, slope: (1 / square, 1 / slope), "exercise 4: not yet: silu takes q"),
        (lambda square, slope: (square**-0.5, square**-0.5), "exercise 4: not yet: silu has chi"),
        (lambda square, slope: square**-0.5, "exercise 4: not yet: wanted a pair"),
    ],
)
def test_exercise_4(lesson, answer, said):
    def two_gains(phi, slope):
        average = lesson["average"]
        return answer(average(lambda z: phi(z) ** 2), average(lambda z: slope(z) ** 2))

    assert filled_in(lesson, "check_two_gains", two_gains=two_gains).startswith(said)
