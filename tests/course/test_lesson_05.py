"""Lesson 5: the checks of its exercises accept right answers and reject known wrong ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
from lesson_source import answered, run

import minigrad as mg

NAME = "05_initialization"


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    return run(NAME, tmp_path_factory.mktemp("lesson"))


CHECKS = {
    "he_leaky": "check_he_leaky",
    "orthogonal_gain": "check_orthogonal_gain",
    "lsuv_in_place": "check_lsuv",
    "prepare": "check_prepare",
}
NUMBERS = {name: number for number, name in enumerate(CHECKS, start=1)}


def check(lesson, name, answer):
    lesson[name] = answer
    return lesson[CHECKS[name]]()


def he_leaky(n_out, n_in, leak, generator):
    return generator.normal((n_out, n_in), 0, math.sqrt(2 / ((1 + leak**2) * n_in)))


def uniform(n_out, n_in, leak, generator):
    """The right standard deviation, but not normal."""
    bound = math.sqrt(6 / ((1 + leak**2) * n_in))
    return generator.uniform((n_out, n_in), -bound, bound)


def orthogonal_gain(n_out, n_in, gain, generator):
    q, r = np.linalg.qr(generator.normal((max(n_out, n_in), min(n_out, n_in))))
    q = gain * q * np.sign(np.diag(r))
    return q if n_out >= n_in else q.T


def signs_left_to_qr(n_out, n_in, gain, generator):
    q, _ = np.linalg.qr(generator.normal((max(n_out, n_in), min(n_out, n_in))))
    return gain * (q if n_out >= n_in else q.T)


def linears(model):
    return [m for m in model.modules() if isinstance(m, mg.nn.Linear)]


def lsuv_in_place(model, x, rescale=lambda z: z.std()):
    for layer in linears(model):
        seen = []
        handle = layer.register_forward_hook(lambda module, args, out, seen=seen: seen.append(out))
        with mg.no_grad():
            model(x)
        handle.remove()
        layer.weight.data /= rescale(seen[0].data)


def lsuv_in_one_go(model, x):
    """All layers by what one forward gave: the upper ones do not know of the lower ones' change."""
    seen = []
    handles = [
        m.register_forward_hook(lambda module, args, out: seen.append(out)) for m in linears(model)
    ]
    with mg.no_grad():
        model(x)
    for layer, handle, out in zip(linears(model), handles, seen, strict=True):
        handle.remove()
        layer.weight.data /= out.data.std()


def prepare(model, x, generator):
    mg.nn.init.lsuv_(model, x, generator=generator)


def with_each(rule):
    def filled(model, x, generator):
        for layer in linears(model):
            rule(layer.weight, generator)

    return filled


he = with_each(lambda w, g: mg.nn.init.kaiming_normal_(w, nonlinearity="relu", generator=g))
RIGHT = {
    "he_leaky": he_leaky,
    "orthogonal_gain": orthogonal_gain,
    "lsuv_in_place": lsuv_in_place,
    "prepare": prepare,
}


@pytest.mark.parametrize("name", RIGHT)
def test_an_exercise_is_open_at_first(lesson, name):
    said = check(lesson, name, lambda *args: None)
    assert said == f"exercise {NUMBERS[name]}: not written yet"


@pytest.mark.parametrize("name", RIGHT)
def test_the_right_answer_is_accepted(lesson, name):
    assert check(lesson, name, RIGHT[name]).startswith(f"exercise {NUMBERS[name]}: correct")


@pytest.mark.parametrize("name", ["he_leaky", "orthogonal_gain"])
def test_the_right_answer_is_accepted_as_a_list(lesson, name):
    said = check(lesson, name, lambda *args: RIGHT[name](*args).tolist())
    assert said.startswith(f"exercise {NUMBERS[name]}: correct")


def test_exercise_4_accepts_he(lesson):
    assert check(lesson, "prepare", he).startswith("exercise 4: correct")


@pytest.mark.parametrize(
    ("name", "wrong", "why"),
    [
        ("he_leaky", lambda o, i, k, g: he_leaky(o, i, 0.0, g), "leak=0.3: standard deviation"),
        (
            "he_leaky",  # fan_out for fan_in
            lambda o, i, k, g: g.normal((o, i), 0, math.sqrt(2 / ((1 + k**2) * o))),
            "n_out=150, n_in=400",
        ),
        ("he_leaky", lambda o, i, k, g: he_leaky(o, i, k, g) ** 2, "mean"),
        ("he_leaky", uniform, "fourth moment 1.79"),
        ("he_leaky", lambda o, i, k, g: he_leaky(i, o, k, g), "expected shape (150, 400)"),
        ("he_leaky", lambda o, i, k, g: "draw", "expected an array, got str"),
        ("orthogonal_gain", lambda o, i, k, g: k * np.eye(o, i), "the same matrix"),
        ("orthogonal_gain", signs_left_to_qr, "the signs are not random"),
        ("orthogonal_gain", lambda o, i, k, g: orthogonal_gain(o, i, k * k, g), "singular values"),
        (
            "orthogonal_gain",
            lambda o, i, k, g: k * g.normal((o, i), 0, 1 / math.sqrt(i)),
            "singular values",
        ),
        ("orthogonal_gain", lambda o, i, k, g: orthogonal_gain(i, o, k, g), "expected shape"),
        (
            "orthogonal_gain",
            lambda o, i, k, g: orthogonal_gain(o, i, k, g).astype(np.float32),
            "expected 1; off by",
        ),
        ("lsuv_in_place", lsuv_in_one_go, "relu, layer 2 of 12: std of z"),
        (
            "lsuv_in_place",  # the variance, not its root
            lambda m, x: lsuv_in_place(m, x, lambda z: z.var()),
            "layer 1 of 12: std of z",
        ),
        (
            "lsuv_in_place",  # the rms, with the mean left in
            lambda m, x: lsuv_in_place(m, x, lambda z: np.sqrt(np.mean(z**2))),
            "std of z",
        ),
        ("lsuv_in_place", lambda m, x: mg.nn.init.lsuv_(m, x), "turned, not only scaled"),
        (
            "prepare",
            with_each(lambda w, g: mg.nn.init.xavier_normal_(w, generator=g)),
            "loss 2.30",
        ),
        ("prepare", with_each(lambda w, g: mg.nn.init.normal_(w, 0, 0.01, g)), "loss 2.30"),
        ("prepare", with_each(lambda w, g: mg.nn.init.constant_(w, 2 / 64)), "loss"),
        ("prepare", with_each(lambda w, g: mg.nn.init.normal_(w, 0, 1.0, g)), "loss nan"),
    ],
)
def test_a_wrong_answer_is_rejected(lesson, name, wrong, why):
    said = check(lesson, name, wrong)
    assert said.startswith(f"exercise {NUMBERS[name]}: not yet") and why in said


@pytest.mark.parametrize(("units", "right"), [(32, True), (1, False), (10, False)])
def test_exercise_5(lesson, units, right):
    said = answered(NAME, lesson, different_units=units)
    assert said.startswith("exercise 5: correct" if right else "exercise 5: not yet: is the mess")
