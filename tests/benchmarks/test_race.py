"""The benchmarks compare like with like, and notice where they would not. No time is asserted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.contenders import CONTENDERS
from benchmarks.memory import least_bytes
from benchmarks.networks import Case, SmallOp
from benchmarks.race import CannotBeCompared, Entry, check_agreement, race
from benchmarks.report import Check, Report, with_unit

CASE = Case(depth=4, width=16)


def marked(*names: str) -> list:
    torchs = [n for n in names if CONTENDERS[n].package == "torch"]
    return [pytest.param(n, marks=pytest.mark.torch) if n in torchs else n for n in names]


def first_results(name: str, case: Case | SmallOp) -> list[float]:
    if not CONTENDERS[name].installed:
        pytest.skip(f"{CONTENDERS[name].label} is not installed")
    step = CONTENDERS[name].builder(case)(case)
    return [float(np.sum(np.asarray(step()))) for _ in range(5)]


def agree(case: Case | SmallOp, *names: str) -> None:
    check_agreement({Entry(name, case): first_results(name, case) for name in names})


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize(
    "name", marked("minigrad", "probed", "torch", "fused", "jax", "autograd", "dezero")
)
@pytest.mark.filterwarnings("ignore")  # other people's packages
def test_contenders_take_the_same_steps(name, activation, optimizer):
    agree(replace(CASE, activation=activation, optimizer=optimizer), "limit", name)


@pytest.mark.torch
@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_normalized_networks_take_the_same_steps(norm):
    agree(replace(CASE, norm=norm), "minigrad", "torch")


@pytest.mark.parametrize("name", marked("minigrad", "torch"))
def test_the_small_formula_has_the_same_gradient(name):
    agree(SmallOp(), "limit", name)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda loss: loss[0] + 1.02 * (loss - loss[0]), id="learning rate off by 2 %"),
        pytest.param(lambda loss: loss + 1e-4, id="other initial weights"),
        pytest.param(lambda loss: loss * np.nan, id="not a number"),
    ],
)
def test_other_losses_are_noticed(wrong):
    right = np.array([2.31, 2.309, 2.3081])
    with pytest.raises(CannotBeCompared, match=r"limit reached .* minigrad"):
        check_agreement({Entry("limit", CASE): right, Entry("minigrad", CASE): wrong(right)})


def test_other_cases_may_have_other_losses():
    other = replace(CASE, batch=1)
    check_agreement({Entry("limit", CASE): [1.0, 0.9], Entry("limit", other): [3.0, 2.0]})


def test_a_race_times_each_entry_in_each_round():
    entries = [Entry("limit", CASE), Entry("minigrad", CASE)]
    found = race(entries, seconds=0.0)
    assert list(found.seconds) == entries
    assert all(len(times) >= 5 and min(times) > 0 for times in found.seconds.values())
    limit, minigrad = entries
    found.seconds = {limit: [1.0, 2.0, 4.0], minigrad: [2.0, 2.0, 6.0]}
    assert found.time(limit) == 2.0
    assert found.ratio(minigrad, limit) == 1.5  # of 2, 1 and 1.5


def test_a_contender_that_fails_is_named():
    report = Report()
    with report.attempt("a row"):
        race([Entry("limit", replace(CASE, activation="no such"))], seconds=0.0)
    (failure,) = report.failures
    assert failure.startswith("a row: limit failed:")
    assert "KeyError: 'no such'" in failure


def test_the_least_memory_is_counted():
    # 64*3 + 3 + 3*10 + 10 = 235 parameters, four times; 5*(3 + 10) activations; four bytes each.
    assert least_bytes(Case(depth=2, width=3, batch=5)) == 4 * (4 * 235 + 65)


def test_a_report_tells_what_falls_short(capsys):
    report = Report()
    report.table("key", "A title", {"limit": "limit", "minigrad": "minigrad"}, ["x limit"])
    report.row("a", {"limit": 1.0, "minigrad": 1.5}, [Check("x limit", 1.5, 1.45)], CASE)
    report.row("b", {"minigrad": 0.000468}, [Check("x limit", 1.06, 1.06), Check("told", 9.0)])
    verdicts = [[c["verdict"] for c in row["checks"]] for row in report.tables[0]["rows"]]
    assert verdicts == [["short"], ["ok", ""]]
    assert report.verdict() == "1 of 2 wanted numbers are reached."
    assert report.tables[0]["rows"][0]["case"]["depth"] == 4
    assert "468 us" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.234, "s", "1.23 s"),
        (0.0123, "s", "12.3 ms"),
        (9.5e-7, "s", "0.95 us"),
        (4.16e8, "B", "416 MB"),
    ],
)
def test_values_are_told_in_three_digits(value, unit, text):
    assert with_unit(value, unit) == text
