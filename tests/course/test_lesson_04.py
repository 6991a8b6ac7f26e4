"""Lesson 4: the checks of its exercises accept right answers and reject known wrong ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
from lesson_source import run

import minigrad as mg

NAME = "04_the_law_of_decay"

t, weights = np.polynomial.hermite.hermgauss(200)
X, P = math.sqrt(2) * t, weights / math.sqrt(math.pi)


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    return run(NAME, tmp_path_factory.mktemp("lesson"))


def check(lesson, name, answer):
    lesson[name] = answer
    return lesson[f"check_{name}"]()


def settled(phi, sigma_w2, sigma_b2):
    q = 1.0
    for _ in range(2000):
        q = sigma_w2 * float(P @ phi(mg.tensor(math.sqrt(q) * X)).data ** 2) + sigma_b2
    return q


def slope_square(phi, q):
    z = mg.tensor(math.sqrt(q) * X, requires_grad=True)
    phi(z).sum().backward()
    return float(P @ z.grad.data**2)


def chi1(phi, sigma_w2, sigma_b2):
    return sigma_w2 * slope_square(phi, settled(phi, sigma_w2, sigma_b2))


def read_factor(g):
    inside = np.log(g[len(g) // 3 : -3])
    return math.exp(-np.polyfit(range(len(inside)), inside, 1)[0])


def largest_depth(sigma_w2, sigma_b2):
    return int(6 / abs(math.log(chi1(mg.tanh, sigma_w2, sigma_b2))))


RIGHT = {"chi1": chi1, "read_factor": read_factor, "largest_depth": largest_depth}
NUMBERS = {"chi1": 1, "read_factor": 2, "largest_depth": 3}


@pytest.mark.parametrize("name", RIGHT)
def test_an_exercise_is_open_at_first(lesson, name):
    said = check(lesson, name, lambda *args: None)
    assert said == f"exercise {NUMBERS[name]}: not written yet"


@pytest.mark.parametrize("name", RIGHT)
def test_the_right_answer_is_accepted(lesson, name):
    assert check(lesson, name, RIGHT[name]).startswith(f"exercise {NUMBERS[name]}: correct")


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("chi1", np.float64),
        ("chi1", np.array),
        ("read_factor", np.float32),
        ("largest_depth", float),
    ],
)
def test_the_right_answer_is_accepted_in_another_form(lesson, name, form):
    said = check(lesson, name, lambda *args: form(RIGHT[name](*args)))
    assert said.startswith(f"exercise {NUMBERS[name]}: correct")


@pytest.mark.parametrize(
    ("name", "wrong", "why"),
    [
        # of the rms, not of the mean square
        ("chi1", lambda phi, w, b: math.sqrt(chi1(phi, w, b)), "sin, sigma_w2=1.8"),
        ("chi1", lambda phi, w, b: chi1(phi, w, b) / w, "sin, sigma_w2=1.8"),  # sigma_w^2 forgotten
        ("chi1", lambda phi, w, b: w * slope_square(phi, 1.0), "sin"),  # q = 1, not q*
        ("chi1", lambda phi, w, b: chi1(phi, w, 0.0), "sin"),  # biases forgotten
        ("chi1", lambda phi, w, b: chi1(mg.tanh, w, b), "sin"),  # works for tanh alone
        ("chi1", lambda phi, w, b: np.ones(3), "expected one number, got ndarray"),
        ("chi1", lambda phi, w, b: float("nan"), "got nan"),
        ("read_factor", lambda g: math.sqrt(read_factor(g)), "40 layers"),
        ("read_factor", lambda g: 1 / read_factor(g), "40 layers"),  # towards the output
        ("read_factor", lambda g: (g[0] / g[-1]) ** (1 / (len(g) - 1)), "layers"),  # last layer
        ("read_factor", lambda g: g[:-1] / g[1:], "expected one number, got ndarray"),
        ("largest_depth", lambda w, b: largest_depth(w, b) // 6, "layers at sigma_w2=1.0"),
        ("largest_depth", lambda w, b: 2 * largest_depth(w, b), "layers at"),  # xi of the rms
        ("largest_depth", lambda w, b: largest_depth(w, b**0.5), "layers at"),
        ("largest_depth", lambda w, b: "deep", "expected one number, got str"),
        # what fails is said, not raised
        ("chi1", lambda phi, w, b: phi("one"), "failed with "),
        ("read_factor", lambda g: g["inside"], "failed with IndexError"),
        ("largest_depth", lambda w, b: 6 / math.log(1), "failed with ZeroDivisionError"),
    ],
)
def test_a_wrong_answer_is_rejected(lesson, name, wrong, why):
    said = check(lesson, name, wrong)
    assert said.startswith(f"exercise {NUMBERS[name]}: not yet") and why in said
