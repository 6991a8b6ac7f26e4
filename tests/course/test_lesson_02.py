"""Lesson 2: the checks of its exercises accept right answers and reject known wrong ones."""

from __future__ import annotations

import numpy as np
import pytest
from lesson_source import answered, run

NAME = "02_trust_your_gradient"


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    return run(NAME, tmp_path_factory.mktemp("lesson"))


def check(lesson, name, answer):
    lesson[name] = answer
    return lesson[f"check_{name}"]()


# -- exercise 1 ------------------------------------------------------------------------------------


def gradcheck(
    h=1e-6,
    message=lambda y: np.random.default_rng(0).normal(size=y.shape),
    agree=lambda found, wanted: np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max(),
    restore=True,
    entries=None,
):
    """A right answer, unless some part of it is replaced."""

    def answer(forward, pull, x):
        g = message(forward(x))
        found, wanted = np.asarray(pull(g, x)), np.zeros_like(x)
        places = list(np.ndindex(x.shape))[:entries]
        for place in places:
            middle = x[place]
            x[place] = middle + h
            above = np.sum(g * forward(x))
            x[place] = middle - h
            wanted[place] = (above - np.sum(g * forward(x))) / (2 * h)
            if restore:
                x[place] = middle
        looked_at = np.zeros(x.shape, bool)
        looked_at[tuple(zip(*places, strict=True))] = True
        return bool(agree(found[looked_at], wanted[looked_at]))

    return answer


def test_exercise_1_is_open_at_first(lesson):
    said = check(lesson, "my_gradcheck", lambda forward, pull, x: None)
    assert said == "exercise 1: not written yet"


def test_exercise_1_accepts_the_right_answer(lesson):
    assert check(lesson, "my_gradcheck", gradcheck()).startswith("exercise 1: correct")


def test_exercise_1_accepts_one_direction(lesson):
    def answer(forward, pull, x):
        rng = np.random.default_rng(0)
        g, v = rng.normal(size=forward(x).shape), rng.normal(size=x.shape)
        return lesson["direction_check"](forward, pull, x, g, v) < 1e-6

    assert check(lesson, "my_gradcheck", answer).startswith("exercise 1: correct")


def test_exercise_1_knows_six_wrong_rules_and_three_right_ones(lesson):
    right = [is_right for *_, is_right in lesson["HIDDEN"].values()]
    assert right.count(False) == 6 and right.count(True) == 3


@pytest.mark.parametrize("name", ["wrong", "right"])
def test_exercise_1_needs_each_of_its_cases(lesson, name):
    """An answer that is mistaken about one case alone is rejected, whichever it is."""
    for case, (_, pull, is_right) in lesson["HIDDEN"].items():
        if is_right != (name == "right"):
            continue

        def mistaken(f, p, x, pull=pull):
            return gradcheck()(f, p, x) != (p is pull)

        assert case in check(lesson, "my_gradcheck", mistaken)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (lambda forward, pull, x: True, "lets a wrong rule pass: sigmoid"),
        (lambda forward, pull, x: False, "flags a right rule: a sum over the rows"),
        (gradcheck(message=np.ones_like), "lets a wrong rule pass: exp that forgets"),
        (gradcheck(entries=1), "lets a wrong rule pass: sin with a single wrong entry"),
        (gradcheck(agree=lambda a, b: np.allclose(a, b, rtol=0.05)), "wrong by one percent"),
        (gradcheck(agree=lambda a, b: np.allclose(a, b, atol=1e-6)), "a tiny tanh"),
        (gradcheck(agree=lambda a, b: np.abs(a - b).max() < 1e-11), "flags a right rule"),
        (gradcheck(agree=lambda a, b: np.all(np.abs(a - b) / np.abs(b) < 1e-5)), "ReLU away"),
        (gradcheck(h=0.1), "flags a right rule"),
        (gradcheck(restore=False), "x was changed"),
        (lambda forward, pull, x: 1e-9, "returns float, expected True or False"),
        (lambda forward, pull, x: 1 / 0, "ZeroDivisionError on sigmoid"),
    ],
)
def test_exercise_1_rejects_a_wrong_answer(lesson, wrong, why):
    said = check(lesson, "my_gradcheck", wrong)
    assert said.startswith("exercise 1: not yet") and why in said


# -- exercise 2 ------------------------------------------------------------------------------------


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def targets(z, labels, s):
    return (1 - s) * np.eye(z.shape[1])[labels] + s / z.shape[1]


def smoothed_backward(z, labels, s):
    return (softmax(z) - targets(z, labels, s)) / len(z)


def unshifted(z, labels, s):
    return (np.exp(z) / np.exp(z).sum(axis=1, keepdims=True) - targets(z, labels, s)) / len(z)


def not_to_the_right_class(z, labels, s):
    onehot = np.eye(z.shape[1])[labels]
    q = (1 - s) * onehot + s * (1 - onehot) / (z.shape[1] - 1)
    return (softmax(z) - q) / len(z)


def test_exercise_2_is_open_at_first(lesson):
    said = check(lesson, "smoothed_backward", lambda z, labels, s: None)
    assert said == "exercise 2: not written yet"


def test_exercise_2_accepts_the_right_answer(lesson):
    said = check(lesson, "smoothed_backward", smoothed_backward)
    assert said.startswith("exercise 2: correct")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (lambda z, labels, s: smoothed_backward(z, labels, 0), "s = 0.1"),
        (lambda z, labels, s: -smoothed_backward(z, labels, s), "off by 2.0e+00"),
        (lambda z, labels, s: len(z) * smoothed_backward(z, labels, s), "off by 5.0e+00"),
        (not_to_the_right_class, "s = 0.1"),
        (unshifted, "scores near 1000"),
        (lambda z, labels, s: smoothed_backward(z, labels, s)[0], "shape (4,), expected (6, 4)"),
        (lambda z, labels, s: softmax(z) - labels, "ValueError"),
    ],
)
def test_exercise_2_rejects_a_wrong_answer(lesson, wrong, why):
    said = check(lesson, "smoothed_backward", wrong)
    assert said.startswith("exercise 2: not yet") and why in said


# -- exercise 3 ------------------------------------------------------------------------------------


def scale_backward(g, x, eps, axis=0):
    sigma = np.sqrt((x**2).mean(axis=axis, keepdims=True) + eps)
    y = x / sigma
    return (g - y * (g * y).mean(axis=axis, keepdims=True)) / sigma


def with_the_mean(g, x, eps):
    return scale_backward(g - g.mean(axis=0), x, eps)


def scale_held_constant(g, x, eps):
    return g / np.sqrt((x**2).mean(axis=0) + eps)


def test_exercise_3_is_open_at_first(lesson):
    said = check(lesson, "scale_backward", lambda g, x, eps: None)
    assert said == "exercise 3: not written yet"


def test_exercise_3_accepts_the_right_answer(lesson):
    assert check(lesson, "scale_backward", scale_backward).startswith("exercise 3: correct")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (with_the_mean, "off by"),
        (scale_held_constant, "off by"),
        (lambda g, x, eps: scale_backward(g, x, eps, axis=1), "off by"),
        (lambda g, x, eps: scale_backward(g, x, 1e-5), "eps = 0.5"),
        (lambda g, x, eps: scale_backward(g, x, eps).sum(axis=0), "shape (3,), expected (8, 3)"),
        (lambda g, x, eps: np.full(x.shape, np.nan), "off by nan"),
    ],
)
def test_exercise_3_rejects_a_wrong_answer(lesson, wrong, why):
    said = check(lesson, "scale_backward", wrong)
    assert said.startswith("exercise 3: not yet") and why in said


# -- exercise 4 ------------------------------------------------------------------------------------


# eps^(1/5) = 7e-4. Central would be 6e-6, and eps^(1/4) = 1e-4.
@pytest.mark.parametrize(
    ("h", "right"), [(7e-4, True), (1e-3, True), (6e-6, False), (1e-4, False), (1e-8, False)]
)
def test_exercise_4(lesson, h, right):
    said = answered(NAME, lesson, best_h_of_four_points=h)
    assert said.startswith("exercise 4: correct" if right else "exercise 4: not yet: with yours")
