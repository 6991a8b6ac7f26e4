"""Lesson 9: the checks of its exercises accept right answers and reject known wrong ones."""

from __future__ import annotations

import numpy as np
import pytest
from lesson_source import run

import minigrad as mg
from minigrad.models import deep_mlp

NAME = "09_residual_connections"
EXERCISES = ("block_backward", "branch_shares", "my_fixup", "build")


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    return run(NAME, tmp_path_factory.mktemp("lesson"))


def check(lesson, **answer):
    ((name, function),) = answer.items()
    lesson[name] = function
    return lesson[f"check_{name}"]()


@pytest.mark.parametrize(("number", "name"), list(enumerate(EXERCISES, start=1)))
def test_an_exercise_is_open_at_first(lesson, number, name):
    assert check(lesson, **{name: lambda *a: None}) == f"exercise {number}: not written yet"


# -- 1: a block with two layers ------------------------------------------------------------------


def block_backward(h, W1, W2, alpha, dout, *, way=1, gate=True, scaled=True):
    a = np.maximum(h, 0)
    z = a @ W1.T
    b = np.maximum(z, 0)
    df = alpha * dout if scaled else dout
    dz = (df @ W2) * (z > 0)
    dh = dz @ W1
    if gate:
        dh = dh * (h > 0)
    return way * dout + dh, dz.T @ a, df.T @ b, np.sum(dout * (b @ W2.T))


def spoiled(**changes):
    return lambda *args: block_backward(*args, **changes)


def test_exercise_1_accepts_the_right_answer(lesson):
    assert check(lesson, block_backward=block_backward).startswith("exercise 1: correct")


def test_exercise_1_accepts_single_precision(lesson):
    def single(*args):
        return [np.float32(gradient) for gradient in block_backward(*args)]

    assert check(lesson, block_backward=single).startswith("exercise 1: correct")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (spoiled(way=0), "dh is off"),  # the way around forgotten
        (spoiled(gate=False), "dh is off"),
        (spoiled(scaled=False), "dh is off"),
        (lambda *a: (*block_backward(*a)[:3], np.sum(a[4])), "dalpha is off"),
        (lambda *a: (*block_backward(*a)[:3], a[3] * block_backward(*a)[3]), "dalpha is off"),
        (lambda *a: [block_backward(*a)[i] for i in (0, 2, 1, 3)], "dW1 has shape (5, 6)"),
        (lambda *a: block_backward(*a)[:3], "return four things"),
        (lambda *a: (None, None, None, None), "dh has shape ()"),
        (lambda *a: (a[0] * np.nan, a[1], a[2], 0.0), "dh is off"),
        (lambda h, W1, W2, alpha, dout: h @ W1, "ValueError"),
    ],
)
def test_exercise_1_rejects_a_wrong_answer(lesson, wrong, why):
    said = check(lesson, block_backward=wrong)
    assert said.startswith("exercise 1: not yet") and why in said


# -- 2: the share of a branch --------------------------------------------------------------------


def branch_shares(model, x, *, scaled=True, of_input=False, root=False):
    added, total, handles = [], [], []
    for block in (m for m in model.modules() if isinstance(m, mg.nn.Residual)):
        scale = block.scale if scaled else 1.0

        def see_branch(module, args, out, scale=scale):
            added.append(np.mean((scale * out.data) ** 2))

        def see_block(module, args, out):
            total.append(np.mean((args[0] if of_input else out).data ** 2))

        handles += [
            block.branch.register_forward_hook(see_branch),
            block.register_forward_hook(see_block),
        ]
    model(x)
    for handle in handles:
        handle.remove()
    shares = np.array(added) / np.array(total)
    return list(np.sqrt(shares) if root else shares)


def test_exercise_2_accepts_the_right_answer(lesson):
    assert check(lesson, branch_shares=branch_shares).startswith("exercise 2: correct")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (lambda m, x: branch_shares(m, x, of_input=True), "scale 1.0, block 1: "),
        (lambda m, x: branch_shares(m, x, root=True), "scale 1.0, block 1"),
        (lambda m, x: branch_shares(m, x, scaled=False), "scale 0.5, block"),
        (lambda m, x: branch_shares(m, x)[:-1], "expected 12 numbers, one per block, got (11,)"),
        (lambda m, x: [float("nan")] * 12, "scale 1.0, block 1: share nan"),
        (lambda m, x: ["a"] * 12, "ValueError"),
    ],
)
def test_exercise_2_rejects_a_wrong_answer(lesson, wrong, why):
    said = check(lesson, branch_shares=wrong)
    assert said.startswith("exercise 2: not yet") and why in said


# -- 3: Fixup ------------------------------------------------------------------------------------


def my_fixup(model, rng, *, exponent=lambda m: -1 / (2 * m - 2), zero=-1, classifier=0.0, he=2):
    blocks = [m for m in model.modules() if isinstance(m, mg.nn.Residual)]
    every = [m for m in model.modules() if isinstance(m, mg.nn.Linear)]

    def fill(layer, factor):
        draws = rng.normal(size=layer.weight.shape)
        layer.weight.data[...] = draws * factor * np.sqrt(he / layer.in_features)

    for layer in every:
        fill(layer, 1.0)
    for block in blocks:
        branch = [m for m in block.branch.modules() if isinstance(m, mg.nn.Linear)]
        for layer in branch:
            fill(layer, len(blocks) ** exponent(len(branch)))
        branch[zero].weight.data[...] = 0
    every[-1].weight.data *= classifier
    return model


def test_exercise_3_accepts_the_right_answer_and_minigrads_own(lesson):
    assert check(lesson, my_fixup=my_fixup).startswith("exercise 3: correct")

    def library(model, rng):
        return mg.nn.init.fixup_(model, mg.Generator(3))

    assert check(lesson, my_fixup=library).startswith("exercise 3: correct")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"exponent": lambda m: -1 / 2}, "m = 3, K = 16: layer 1 of the branches"),
        ({"exponent": lambda m: -1 / (2 * m)}, "m = 2, K = 9: layer 1 of the branches"),
        ({"exponent": lambda m: 0}, "layer 1 of the branches"),
        ({"zero": 0}, "layer 1 of the branches has std 0.0000"),
        ({"classifier": 1.0}, "the classifier has std"),
        ({"he": 1}, "the first layer has std"),
    ],
)
def test_exercise_3_rejects_a_wrong_answer(lesson, changes, why):
    said = check(lesson, my_fixup=lambda model, rng: my_fixup(model, rng, **changes))
    assert said.startswith("exercise 3: not yet") and why in said


def test_exercise_3_asks_for_the_model_when_it_was_filled_and_not_returned(lesson):
    said = check(lesson, my_fixup=lambda model, rng: (my_fixup(model, rng), None)[1])
    assert said == "exercise 3: not yet: return the model"


def test_exercise_3_rejects_an_exception_and_nan(lesson):
    assert "ZeroDivisionError" in check(lesson, my_fixup=lambda model, rng: 1 / 0)

    def nan(model, rng):
        for parameter in model.parameters():
            parameter.data[...] = np.nan
        return model

    assert "the first layer has std nan" in check(lesson, my_fixup=nan)


# -- 4: 100 blocks on a budget -------------------------------------------------------------------


def stack(seed, blocks=100, **options):
    return deep_mlp(
        blocks + 2, 48, "relu", block=1, generator=mg.Generator(seed),
        **{"init": "he", "residual": "pre", **options},
    )  # fmt: skip


def test_exercise_4_accepts_a_right_answer(lesson):
    said = check(lesson, build=lambda seed: stack(seed, residual_scale=0.1))
    assert said.startswith("exercise 4: correct")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (stack, "accuracy"),  # the bare stack
        (lambda seed: stack(seed, residual_scale=0.0), "0 blocks change what goes through"),
        (lambda seed: stack(seed, init="zeros", residual_scale=0.1), "blocks change what"),
        (lambda seed: stack(seed, norm="layer"), "100 blocks, 101 normalization layers"),
        (lambda seed: stack(seed, residual="none"), "0 blocks, 0 normalization layers"),
        (lambda seed: stack(seed, 20, residual_scale=0.1), "20 blocks"),
        (lambda seed: "a model", "AttributeError"),
    ],
)
def test_exercise_4_rejects_a_wrong_answer(lesson, wrong, why):
    said = check(lesson, build=wrong)
    assert said.startswith("exercise 4: not yet") and why in said
