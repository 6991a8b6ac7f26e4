"""Lesson 7: the checks of its exercises accept right answers and reject known wrong ones."""

from __future__ import annotations

import numpy as np
import pytest
from lesson_source import answered, filled_in, run

NAME = "07_batch_normalization"


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    return run(NAME, tmp_path_factory.mktemp("lesson"))


def test_the_exercises_are_open_at_first(lesson):
    checks = ("check_channels", "check_average_statistics", "check_folded_forwards")
    for number, check in enumerate(checks, start=1):
        assert lesson[check]() == f"exercise {number}: not written yet"


OVER = (0, 2)  # examples and positions


def column(v):
    return v[:, None]


def forward_channels(z, gamma, beta, eps=1e-5):
    s = np.sqrt(z.var(axis=OVER, keepdims=True) + eps)
    z_hat = (z - z.mean(axis=OVER, keepdims=True)) / s
    return column(gamma) * z_hat + column(beta), (z_hat, s, gamma)


def backward_channels(du, kept):
    z_hat, s, gamma = kept
    g = column(gamma) * du
    mean, along = (v.mean(axis=OVER, keepdims=True) for v in (g, g * z_hat))
    return (g - mean - z_hat * along) / s, (du * z_hat).sum(axis=OVER), du.sum(axis=OVER)


def over_examples_only(z, gamma, beta, eps=1e-5):
    s = np.sqrt(z.var(axis=0, keepdims=True) + eps)
    z_hat = (z - z.mean(axis=0, keepdims=True)) / s
    return column(gamma) * z_hat + column(beta), (z_hat, s, gamma)


def unbiased(z, gamma, beta, eps=1e-5):
    s = np.sqrt(z.var(axis=OVER, keepdims=True, ddof=1) + eps)
    z_hat = (z - z.mean(axis=OVER, keepdims=True)) / s
    return column(gamma) * z_hat + column(beta), (z_hat, s, gamma)


def statistics_as_constants(du, kept):
    _, s, gamma = kept
    _, dgamma, dbeta = backward_channels(du, kept)
    return column(gamma) * du / s, dgamma, dbeta


def variance_as_a_constant(du, kept):
    _, s, gamma = kept
    _, dgamma, dbeta = backward_channels(du, kept)
    g = column(gamma) * du
    return (g - g.mean(axis=OVER, keepdims=True)) / s, dgamma, dbeta


def gamma_forgotten(du, kept):
    z_hat, s, gamma = kept
    return backward_channels(du, (z_hat, s, np.ones_like(gamma)))


def positions_not_summed(du, kept):
    dz, _, dbeta = backward_channels(du, kept)
    return dz, (du * kept[0]).sum(axis=0), dbeta


@pytest.mark.parametrize("form", [tuple, list])
def test_exercise_1_accepts_the_right_answer(lesson, form):
    said = filled_in(
        lesson,
        "check_channels",
        forward_channels=lambda *args: form(forward_channels(*args)),
        backward_channels=lambda *args: form(backward_channels(*args)),
    )
    assert said.startswith("exercise 1: correct")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"forward_channels": over_examples_only}, "u is off"),
        ({"forward_channels": unbiased}, "u is off"),
        ({"forward_channels": lambda z, gamma, beta: z}, "forward_channels returns a pair"),
        ({"backward_channels": statistics_as_constants}, "dz is off"),
        ({"backward_channels": variance_as_a_constant}, "dz is off"),
        ({"backward_channels": gamma_forgotten}, "dz is off"),
        ({"backward_channels": positions_not_summed}, "dgamma has shape (3, 4)"),
        ({"backward_channels": lambda du, kept: du}, "backward_channels returns dz, dgamma"),
        ({"backward_channels": lambda du, kept: (du * np.nan,) * 3}, "dz is off"),
    ],
)
def test_exercise_1_rejects_a_wrong_answer(lesson, wrong, why):
    right = {"forward_channels": forward_channels, "backward_channels": backward_channels}
    said = filled_in(lesson, "check_channels", **{**right, **wrong})
    assert said.startswith(f"exercise 1: not yet: {why}")


def average_statistics(batches, ddof=1):
    return (
        np.mean([b.mean(axis=0) for b in batches], axis=0),
        np.mean([b.var(axis=0, ddof=ddof) for b in batches], axis=0),
    )


def moving(batches):
    mean, variance = np.zeros(4), np.ones(4)
    for batch in batches:
        mean = 0.9 * mean + 0.1 * batch.mean(axis=0)
        variance = 0.9 * variance + 0.1 * batch.var(axis=0, ddof=1)
    return mean, variance


def of_all_examples(batches):
    together = np.concatenate(batches)
    return together.mean(axis=0), together.var(axis=0, ddof=1)


@pytest.mark.parametrize("form", [tuple, np.array, np.float32])
def test_exercise_2_accepts_the_right_answer(lesson, form):
    def right(batches):
        return form(average_statistics(batches))

    said = filled_in(lesson, "check_average_statistics", average_statistics=right)
    assert said.startswith("exercise 2: correct")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (moving, "the mean of unit 1"),
        (lambda batches: average_statistics(batches, ddof=0), "the variance of unit 1"),
        (of_all_examples, "the variance of unit 1"),
        (lambda batches: average_statistics(batches)[::-1], "the mean of unit 1"),
        (lambda batches: (0.0, np.ones(4)), "wanted a mean and a variance"),
        (lambda batches: 3.0, "wanted a mean and a variance"),
    ],
)
def test_exercise_2_rejects_a_wrong_answer(lesson, wrong, why):
    said = filled_in(lesson, "check_average_statistics", average_statistics=wrong)
    assert said.startswith(f"exercise 2: not yet: {why}")


def folded_forwards(norm, linear, eps=None):
    r = norm.weight.data / np.sqrt(norm.running_var.data + (norm.eps if eps is None else eps))
    shift = norm.bias.data - r * norm.running_mean.data
    return linear.weight.data * r, linear.weight.data @ shift + linear.bias.data


def shift_forgotten(norm, linear):
    return folded_forwards(norm, linear)[0], linear.bias.data


def bias_forgotten(norm, linear):
    weight, bias = folded_forwards(norm, linear)
    return weight, bias - linear.bias.data


def variance_for_deviation(norm, linear):
    r = norm.weight.data / (norm.running_var.data + norm.eps)
    shift = norm.bias.data - r * norm.running_mean.data
    return linear.weight.data * r, linear.weight.data @ shift + linear.bias.data


def test_exercise_3_accepts_the_right_answer(lesson):
    said = filled_in(lesson, "check_folded_forwards", folded_forwards=folded_forwards)
    assert said.startswith("exercise 3: correct")


def test_exercise_3_accepts_lists(lesson):
    def lists(norm, linear):
        return [part.tolist() for part in folded_forwards(norm, linear)]

    said = filled_in(lesson, "check_folded_forwards", folded_forwards=lists)
    assert said.startswith("exercise 3: correct")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (shift_forgotten, "outputs are off"),
        (bias_forgotten, "outputs are off"),
        (variance_for_deviation, "outputs are off"),
        (lambda norm, linear: folded_forwards(norm, linear, eps=0.0), "outputs are off"),
        (lambda norm, linear: (folded_forwards(norm, linear)[0].T, np.zeros(3)), "wanted shapes"),
        (lambda norm, linear: folded_forwards(norm, linear)[0], "wanted a pair"),
    ],
)
def test_exercise_3_rejects_a_wrong_answer(lesson, wrong, why):
    said = filled_in(lesson, "check_folded_forwards", folded_forwards=wrong)
    assert said.startswith(f"exercise 3: not yet: {why}")


@pytest.mark.parametrize(
    ("factor", "right"), [(100, True), (10, False), (1, False), (0.01, False), (1000, False)]
)
def test_exercise_4(lesson, factor, right):
    said = answered(NAME, lesson, learning_rate_factor=factor)
    assert said.startswith("exercise 4: correct" if right else "exercise 4: not yet")
