"""Lesson 3: the checks of its exercises accept right answers and reject known wrong ones."""

from __future__ import annotations

import numpy as np
import pytest
from lesson_source import answered, run

import minigrad as mg

NAME = "03_the_instrument"


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    return run(NAME, tmp_path_factory.mktemp("lesson"))


def check(lesson, answer):
    lesson["layer_stats"] = answer
    return lesson["check_layer_stats"]()


def rms(v):
    return float(np.sqrt(np.mean(v**2)))


def layer_stats(model, x, y, lr):
    outputs = []

    def keep(module, args, out):
        out.retain_grad()
        outputs.append(out)

    linears = [m for m in model.modules() if isinstance(m, mg.nn.Linear)]
    handles = [linear.register_forward_hook(keep) for linear in linears]
    mg.nn.functional.cross_entropy(model(x), y).backward()
    for handle in handles:
        handle.remove()
    gradients = [linear.weight.grad.data for linear in linears]
    weights = [linear.weight.data for linear in linears]
    return {
        "z_rms": [rms(out.data) for out in outputs],
        "dz_rms": [rms(out.grad.data) for out in outputs],
        "dw_rms": [rms(g) for g in gradients],
        "update_ratio": [lr * rms(g) / rms(w) for g, w in zip(gradients, weights, strict=True)],
    }


def spoiled(**changes):
    """The right answer with a series passed through a function."""

    def wrong(*args, **kwargs):
        found = layer_stats(*args, **kwargs)
        return {k: changes[k](v) if k in changes else v for k, v in found.items()}

    return wrong


def steps_the_model(model, x, y, lr):
    found = layer_stats(model, x, y, lr)
    mg.optim.SGD(model.parameters(), lr=lr).step()
    return found


def test_exercise_1_is_open_at_first(lesson):
    assert check(lesson, lambda model, x, y, lr: None) == "exercise 1: not written yet"


def test_exercise_1_accepts_the_right_answer(lesson):
    assert check(lesson, layer_stats).startswith("exercise 1: correct")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (spoiled(z_rms=lambda v: v[::-1]), "z_rms of layer"),
        (spoiled(dz_rms=lambda v: [256 * g for g in v]), "dz_rms of layer"),  # the sum's gradient
        (spoiled(dw_rms=lambda v: [g**2 for g in v]), "dw_rms of layer"),  # the root forgotten
        (spoiled(update_ratio=lambda v: [r / 0.05 for r in v]), "update_ratio of layer"),
        (spoiled(dz_rms=lambda v: v[:-1]), "dz_rms should hold 8 numbers, has 7"),
        (spoiled(z_rms=lambda v: [float("nan")] * len(v)), "z_rms of layer"),
        (lambda model, x, y, lr: {}, "z_rms should hold 8 numbers, has 0"),
        (steps_the_model, "changed the weights"),
        (lambda model, x, y, lr: [1.0] * 8, "AttributeError"),  # a list in place of the dict
        (lambda model, x, y, lr: model(x) @ y, "exercise 1: not yet: "),
    ],
)
def test_exercise_1_rejects_a_wrong_answer(lesson, wrong, why):
    said = check(lesson, wrong)
    assert said.startswith("exercise 1: not yet") and why in said


@pytest.mark.parametrize(("gain", "right"), [(3**0.5, True), (3.0, False), (1.0, False)])
def test_exercise_2(lesson, gain, right):
    said = answered(NAME, lesson, gain=gain)
    assert said.startswith("exercise 2: correct" if right else "exercise 2: not yet")


# (38 - 3) / log10(1 / 0.141) = 41. One power of ten a layer would be 35.
@pytest.mark.parametrize(("layers", "right"), [(41, True), (50, False), (35, False)])
def test_exercise_3(lesson, layers, right):
    said = answered(NAME, lesson, layers_until_underflow=layers)
    assert said.startswith("exercise 3: correct" if right else "exercise 3: not yet")
    assert right or ("too many" if layers == 50 else "too few") in said
