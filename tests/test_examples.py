"""The examples in lessons/examples: they run as they are, and what their texts say holds.

Bounds on a single run are mean ± 4 standard deviations of ten runs, seeds 0 to 9 (the examples use
three of them): wide enough for another BLAS, and too narrow for a network that learns less.
"""

from __future__ import annotations

import importlib.util
import os
import resource
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest

import minigrad

ROOT = Path(minigrad.__file__).resolve().parent.parent
EXAMPLES = sorted((ROOT / "lessons" / "examples").glob("*.py"))
CPU_SECONDS = 15  # what an example may take


def load(name):
    spec = importlib.util.spec_from_file_location(
        name, ROOT / "lessons" / "examples" / f"{name}.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def digits():
    return load("article_1_digits_mlp").main()


@pytest.fixture(scope="module")
def three():
    return load("article_5_three_optimizers").main()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_as_a_script_in_little_time_with_numpy_alone(path, tmp_path):
    # None in sys.modules: to import it is an error.
    code = (
        "import runpy, sys; sys.modules['matplotlib'] = None\n"
        f"runpy.run_path({str(path)!r}, run_name='__main__')"
    )
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, **threads, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS)),
    )  # fmt: skip
    assert finished.returncode == 0, f"after at most {CPU_SECONDS} s of CPU:\n{finished.stderr}"
    assert finished.stdout != "" and finished.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_the_readme_of_the_lessons_links_to_every_example():
    text = (ROOT / "lessons" / "README.md").read_text("utf-8")
    assert EXAMPLES
    assert [p.name for p in EXAMPLES if f"(examples/{p.name})" not in text] == []


# -- article 1 ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("normalize", "rate", "mean", "spread"),
    [(False, 0.01, 0.9022, 0.0139), (True, 0.01, 0.9078, 0.0122), (True, 0.03, 0.9498, 0.0106)],
)
def test_the_network_reads_digits_that_it_has_not_seen(digits, normalize, rate, mean, spread):
    accuracy = digits["accuracy"][normalize, rate]["test"]
    assert accuracy.shape == (3,)
    assert np.all(np.abs(accuracy - mean) < 4 * spread)


def test_at_the_rate_of_the_article_normalization_changes_little(digits):
    plain, normalized = (digits["accuracy"][n, 0.01]["test"].mean() for n in (False, True))
    assert abs(plain - normalized) < 0.0139  # less than one seed differs from the next


@pytest.mark.parametrize("normalize", [False, True])
def test_a_larger_rate_does_more_than_normalization(digits, normalize):
    larger, normalized = digits["accuracy"][normalize, 0.03], digits["accuracy"][True, 0.01]
    assert larger["test"].mean() > normalized["test"].mean() + 0.01


def test_a_long_gradient_throws_plain_sgd_back_and_not_normalized(digits):
    lowest = {n: digits["accuracy"][n, 0.1]["lowest"] for n in (False, True)}
    assert np.all(np.abs(lowest[True] - 0.9273) < 4 * 0.0185)
    assert lowest[False].min() < 0.9273 - 10 * 0.0185


def test_the_three_steps_by_hand_are_those_of_minigrad(digits):
    # An update is at most the rate, 0.01, long; weights below 1/28 are rounded to 2e-9.
    assert digits["apart"] < 1e-7


def test_the_weights_gradients_have_norms_near_1_at_the_start(digits):
    w1, _, w2, _ = digits["norms"]
    assert 0.5 < w1 < 2 and 0.5 < w2 < 2


# -- article 5 ---------------------------------------------------------------------------------

NAMES, RATES = ("SGD", "RMSprop", "Adam"), (0.001, 0.01, 0.1)


def test_all_start_from_the_same_weights_and_data(three):
    losses = [three["first"][key] for key in product(NAMES, RATES)]
    assert len(losses) == 9 and all(np.array_equal(first, losses[0]) for first in losses)
    assert len(set(losses[0])) == 3  # and every seed is another problem


@pytest.mark.parametrize(
    ("name", "rate", "train", "test"),
    [
        ("SGD", 0.1, (0.0531, 0.0173), (0.1019, 0.0279)),
        ("RMSprop", 0.001, (0.0251, 0.0060), (0.1303, 0.0417)),
        ("Adam", 0.01, (0.0154, 0.0053), (0.1602, 0.0465)),
    ],
)
def test_every_optimizer_learns_the_teacher(three, name, rate, train, test):
    for what, (mean, spread) in {"train": train, "test": test}.items():
        assert mean + 4 * spread < 0.5  # far below 1, the loss for knowing nothing
        assert np.all(three[what][name, rate] < mean + 4 * spread)


def test_nothing_is_learned_where_there_is_nothing_to_learn(three):
    # On average var(y) + mean f^2. What chance leaves of the term between them, 2 mean(y f), has
    # for f^2 = 0.001 a spread of 2 sqrt(0.001 / 100,000 examples) = 0.0002.
    for name in NAMES:
        runs = three["unrelated"][name, 0.01]
        assert np.all(runs > 1 - 4 * 0.0002) and np.all(runs < 1.00106 + 4 * 0.00039)


def test_the_best_rate_of_sgd_is_the_worst_of_rmsprop(three):
    sgd, rmsprop = ([three["train"][name, r].mean() for r in RATES] for name in NAMES[:2])
    assert RATES[np.argmin(sgd)] == RATES[np.argmax(rmsprop)] == 0.1


def test_who_is_first_depends_on_the_rate(three):
    loss = {key: runs.mean() for key, runs in three["train"].items()}
    assert loss["Adam", 0.01] < loss["RMSprop", 0.01] < loss["SGD", 0.01]
    assert loss["SGD", 0.1] < loss["RMSprop", 0.1]


def test_the_lowest_training_loss_is_not_the_lowest_test_loss(three):
    train, test = three["train"], three["test"]
    assert min(train, key=lambda key: train[key].mean()) == ("Adam", 0.01)
    assert np.all(test["SGD", 0.1] < test["Adam", 0.01])
