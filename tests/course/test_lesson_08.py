"""Lesson 8: the checks of its exercises accept right answers and reject known wrong ones."""

from __future__ import annotations

import numpy as np
import pytest
from lesson_source import run

import minigrad as mg

NAME = "08_which_normalization"


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    return run(NAME, tmp_path_factory.mktemp("lesson"))


def check(lesson, **answer):
    ((name, function),) = answer.items()
    lesson[name] = function
    return lesson[f"check_{name}"]()


@pytest.mark.parametrize("number", [1, 2, 4])
def test_an_exercise_is_open_at_first(lesson, number):
    name = {1: "layer_norm_backward", 2: "group_norm", 4: "last_block_law"}[number]
    assert check(lesson, **{name: lambda *a: None}) == f"exercise {number}: not written yet"


# -- 1: layer norm with its parameters -----------------------------------------------------------


def layer_norm_backward(z, gamma, dout, *, axis=0, mean_of=1, stretch=True, scaled=True, eps=1e-5):
    s = np.sqrt(z.var(axis=1, keepdims=True) + eps)
    y = (z - z.mean(axis=1, keepdims=True)) / s
    g = dout * gamma if scaled else dout
    dz = g - g.mean(axis=mean_of, keepdims=True)
    if stretch:
        dz = dz - y * (g * y).mean(axis=mean_of, keepdims=True)
    return dz / s, (dout * y).sum(axis=axis), dout.sum(axis=axis)


def spoiled(**changes):
    return lambda z, gamma, dout: layer_norm_backward(z, gamma, dout, **changes)


def mean_for_sum(z, gamma, dout):
    dz, dgamma, dbeta = layer_norm_backward(z, gamma, dout)
    return dz, dgamma, dbeta / len(z)


def test_exercise_1_accepts_the_right_answer(lesson):
    said = check(lesson, layer_norm_backward=layer_norm_backward)
    assert said.startswith("exercise 1: correct")


def test_exercise_1_accepts_single_precision(lesson):
    def single(*args):
        return [gradient.astype(np.float32) for gradient in layer_norm_backward(*args)]

    assert check(lesson, layer_norm_backward=single).startswith("exercise 1: correct")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (spoiled(mean_of=0), "dz is off"),  # batch norm's set
        (spoiled(stretch=False), "dz is off"),
        (spoiled(scaled=False), "dz is off"),  # gamma forgotten
        (spoiled(eps=0.0), "dz is off"),
        (spoiled(axis=1), "dgamma has shape (6,), expected (9,)"),
        (mean_for_sum, "dbeta is off"),
        (lambda z, gamma, dout: layer_norm_backward(z, gamma, dout)[0], "three arrays"),
        (lambda z, gamma, dout: (z * np.nan, gamma, gamma), "dz is off"),
        (lambda z, gamma, dout: layer_norm_backward(z[:2], gamma, dout[:2]), "dz has shape (2, 9)"),
        (lambda z, gamma, dout: [None, None, None], "dz has shape ()"),
        (lambda z, gamma, dout: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_exercise_1_rejects_a_wrong_answer(lesson, wrong, why):
    said = check(lesson, layer_norm_backward=wrong)
    assert said.startswith("exercise 1: not yet") and why in said


# -- 2: group norm and its cousins ---------------------------------------------------------------


def group_norm(x, groups, centre, *, eps=1e-5, outside=False):
    cube = x.reshape(len(x.data), groups, -1)
    if centre:
        cube = cube - cube.mean(axis=2, keepdims=True)
    size = (cube * cube).mean(axis=2, keepdims=True)
    size = mg.sqrt(size) + eps if outside else mg.sqrt(size + eps)
    return (cube / size).reshape(x.shape)


def without_length(x, groups, centre):
    """The groups cut along the channels alone, each place of the length by itself."""
    cube = x.reshape(x.shape[0], groups, -1, x.shape[2])
    if centre:
        cube = cube - cube.mean(axis=2, keepdims=True)
    return (cube / mg.sqrt((cube * cube).mean(axis=2, keepdims=True) + 1e-5)).reshape(x.shape)


def constant_size(x, groups, centre):
    cube = x.reshape(x.shape[0], groups, -1)
    if centre:
        cube = cube - cube.mean(axis=2, keepdims=True)
    size = mg.sqrt((cube * cube).mean(axis=2, keepdims=True) + 1e-5)
    return (cube / size.detach()).reshape(x.shape)


def test_exercise_2_accepts_the_right_answer(lesson):
    assert check(lesson, group_norm=group_norm).startswith("exercise 2: correct")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (without_length, "groups=2, centre=True: an entry is off"),
        (lambda x, groups, centre: group_norm(x, groups, True), "groups=2, centre=False: an entry"),
        (lambda x, groups, centre: group_norm(x, 1, centre), "groups=2, centre=True: an entry"),
        (lambda x, groups, centre: group_norm(x, groups, centre, outside=True), "entry is off"),
        (constant_size, "gradcheck"),  # right values, wrong gradient
        (lambda x, groups, centre: group_norm(x, groups, centre).data, "expected a Tensor"),
        (lambda x, groups, centre: x.reshape(7), "groups=2, centre=True: "),
    ],
)
def test_exercise_2_rejects_a_wrong_answer(lesson, wrong, why):
    said = check(lesson, group_norm=wrong)
    assert said.startswith("exercise 2: not yet") and why in said


# -- 3: the factor of |y| ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("batch", "layer", "verdict"),
    [
        (None, None, "not written yet"),
        (None, 1.0, "not written yet"),
        (1 / (1 - 2 / np.pi), 1.0, "correct"),
        (np.pi / (np.pi - 1), 1.0, "not yet: batch norm"),  # ReLU's
        (1.0, 1.0, "not yet: batch norm"),  # the mean forgotten
        (1 / (1 - (2 / np.pi) ** 0.5), 1.0, "not yet: batch norm"),  # not squared
        (float("nan"), 1.0, "not yet: batch norm"),
        (1 / (1 - 2 / np.pi), 2.0, "not yet: layer norm"),
    ],
)
def test_exercise_3(lesson, batch, layer, verdict):
    said = lesson["check_chi_abs"](batch=batch, layer=layer)
    assert said.startswith(f"exercise 3: {verdict}")


# -- 4: scaled branches --------------------------------------------------------------------------


def last_block_law(v0, blocks, alpha):
    return alpha / np.sqrt(v0 + alpha**2 * blocks)


def test_exercise_4_accepts_the_right_answer(lesson):
    assert check(lesson, last_block_law=last_block_law).startswith("exercise 4: correct")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (lambda v0, blocks, alpha: 1 / np.sqrt(v0 + alpha**2 * blocks), "your law says"),
        (lambda v0, blocks, alpha: alpha / np.sqrt(v0 + alpha * blocks), "your law says"),
        (lambda v0, blocks, alpha: 1 / np.sqrt(v0 + blocks), "your law says 1.00"),
        (lambda v0, blocks, alpha: alpha / (v0 + alpha**2 * blocks), "the slope is -0.8"),
        (lambda v0, blocks, alpha: alpha / np.sqrt(v0), "the slope is"),
        (lambda v0, blocks, alpha: "sqrt", "should return a number"),
        (lambda v0, blocks, alpha: -last_block_law(v0, blocks, alpha), "the slope is"),
    ],
)
def test_exercise_4_rejects_a_wrong_answer(lesson, wrong, why):
    said = check(lesson, last_block_law=wrong)
    assert said.startswith("exercise 4: not yet") and why in said
