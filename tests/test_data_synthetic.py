"""Data from formulas: the formula holds, and so does what it says about loss and shape."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad.data import adding_problem, copy_problem, spirals, teacher, xor
from minigrad.errors import ArgumentError

MAKERS = {
    "teacher": lambda g: teacher(50, noise=0.1, generator=g),
    "teacher of classes": lambda g: teacher(50, out_features=3, task="classification", generator=g),
    "spirals": lambda g: spirals(50, noise=0.1, generator=g),
    "xor": lambda g: xor(50, noise=0.1, generator=g),
    "adding": lambda g: adding_problem(50, 10, generator=g),
    "copy": lambda g: copy_problem(50, 10, generator=g),
}


@pytest.mark.parametrize("name", MAKERS)
def test_the_seed_decides(name):
    make = MAKERS[name]
    first, same, other = (make(mg.Generator(seed)) for seed in (0, 0, 1))
    for a, b in zip(first, same, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (first[0] != other[0]).any()
    mg.manual_seed(0)
    np.testing.assert_array_equal(make(None)[0], first[0])


@pytest.mark.parametrize("name", MAKERS)
def test_shapes_and_dtypes(name):
    x, y = MAKERS[name](mg.Generator(0))
    assert len(x) == len(y) == 50
    whole = name in ("copy",)
    assert x.dtype == (np.int64 if whole else np.float32)
    numbers = name in ("teacher", "adding")
    assert y.dtype == (np.float32 if numbers else np.int64)


def test_a_teacher_is_the_same_for_any_number_of_examples_and_noise_is_added():
    (x, y), (more_x, more_y) = (teacher(n, generator=mg.Generator(0)) for n in (10, 1000))
    np.testing.assert_array_equal(more_x[:10], x)
    np.testing.assert_allclose(more_y[:10], y, rtol=1e-5)
    _, noisy = teacher(1000, noise=0.5, generator=mg.Generator(0))
    assert (noisy - more_y).std() == pytest.approx(0.5, rel=0.1)


def test_answers_have_the_size_that_the_formula_gives():
    # E tanh(u)^2 = 0.394 for u ~ N(0, 1), over inputs and teachers.
    _, y = teacher(500, in_features=400, out_features=200, hidden=300, generator=mg.Generator(0))
    assert (y**2).mean() == pytest.approx(0.394, rel=0.02)


def test_classes_are_the_largest_answers():
    _, y = teacher(300, out_features=4, generator=mg.Generator(0))
    _, labels = teacher(300, out_features=4, task="classification", generator=mg.Generator(0))
    np.testing.assert_array_equal(labels, y.argmax(axis=1))


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_spirals_wind_around_each_other(classes):
    x, y = spirals(100 * classes, classes, turns=1.5)
    radius = np.hypot(*x.T)
    assert np.bincount(y).tolist() == [100] * classes
    assert radius.max() == pytest.approx(1) and radius.min() > 0
    # Turned back by its own winding and class, each point lies on one ray.
    angle = np.arctan2(x[:, 1], x[:, 0]) - 2 * np.pi * (1.5 * radius + y / classes)
    np.testing.assert_allclose(np.exp(1j * angle), 1, atol=1e-4)
    # No line parts two classes: a spiral of more than one turn lies on both sides of any.
    assert all((x[y == k] @ [1, 0] > 0).any() and (x[y == k] @ [1, 0] < 0).any() for k in (0, 1))


def test_xor_is_its_truth_table():
    x, y = xor(8)
    np.testing.assert_array_equal(y, x[:, 0] != x[:, 1])
    assert np.unique(x, axis=0).shape == (4, 2)
    noisy, labels = xor(4000, noise=0.1, generator=mg.Generator(0))
    np.testing.assert_array_equal(labels, xor(4000)[1])
    assert (noisy - xor(4000)[0]).std() == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize("length", [2, 3, 50])
def test_adding_has_one_mark_in_each_half_and_their_sum(length):
    x, y = adding_problem(500, length, generator=mg.Generator(0))
    marks = x[..., 1]
    assert set(np.unique(marks)) <= {0.0, 1.0}
    assert (marks[:, : length // 2].sum(axis=1) == 1).all()
    assert (marks[:, length // 2 :].sum(axis=1) == 1).all()
    np.testing.assert_allclose((x[..., 0] * marks).sum(axis=1), y[:, 0], rtol=1e-6)
    assert ((marks == 1).any(axis=0)).all()


def test_answering_1_to_adding_has_the_documented_loss():
    _, y = adding_problem(20000, 30, generator=mg.Generator(0))
    assert ((y - 1) ** 2).mean() == pytest.approx(1 / 6, rel=0.03)


def test_copy_asks_for_what_it_told():
    x, y = copy_problem(200, delay=7, symbols=5, count=4, generator=mg.Generator(0))
    assert x.shape == y.shape == (200, 15)
    np.testing.assert_array_equal(y[:, -4:], x[:, :4])
    assert set(np.unique(x[:, :4])) == set(range(5))
    # Four blanks less one, the signal, four blanks: the answer begins `delay` after the last.
    assert (x[:, 4:10] == 5).all() and (x[:, 10] == 6).all() and (x[:, 11:] == 5).all()
    assert (y[:, :11] == 5).all()


def test_answering_copy_without_memory_has_the_documented_loss():
    # Blank for certain while nothing is asked for, and then all symbols alike.
    _, y = copy_problem(50, delay=20, generator=mg.Generator(0))
    logits = np.full((*y.shape, 9), -1e3)
    logits[:, :-10, 8] = 0
    logits[:, -10:, :8] = 0
    loss = mg.nn.functional.cross_entropy(mg.tensor(logits.reshape(-1, 9)), y.reshape(-1))
    assert loss.item() == pytest.approx(10 * math.log(8) / (20 + 20), rel=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: teacher(0), "teacher: n must be a whole number of at least 1, got 0"),
        (
            lambda: teacher(5, task="classify"),
            "teacher: unknown task 'classify'; use regression or classification",
        ),
        (
            lambda: teacher(5, task="classification"),
            "teacher: classification needs out_features of at least 2, one a class",
        ),
        (
            lambda: xor(noise=-1.0),
            "xor: noise is a standard deviation, 0 or more, got -1.0",
        ),
        (lambda: spirals(2, classes=3), "spirals: 2 points are too few for 3 classes"),
        (
            lambda: adding_problem(5, 1),
            "adding_problem: length must be at least 2, one step for each mark",
        ),
        (
            lambda: copy_problem(5, delay=0),
            "copy_problem: delay must be a whole number of at least 1, got 0",
        ),
    ],
)
def test_message(call, message):
    with pytest.raises(ArgumentError) as caught:
        call()
    assert str(caught.value) == message
