"""The cures of diagnose fit: what they blame, what is in place already, and how far they go."""

from __future__ import annotations

import re

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.diagnostics import Probe, Recording, diagnose
from minigrad.diagnostics.judging.in_place import biases_are_0, is_orthogonal, spoken


def judged(*records, losses=None, activation="", meta=None, layers=4):
    names = [f"l{k}" for k in range(layers)]
    rec = Recording(names, dict.fromkeys(names[:-1], activation), meta or {})
    for step, record in enumerate(records):
        values = {name: np.ones(layers) for name in ("z_rms", "dz_rms", "dw_rms")}
        rec.add(step, values | record, loss=losses[step] if losses else float("nan"))
    return diagnose(rec)


@pytest.mark.parametrize(("ratio", "verdicts"), [(1e-4, ("vanishing",)),
                                                 (0.05, ("vanishing", "dead"))])  # fmt: skip
def test_units_that_went_off_where_the_signal_had_faded_are_no_fault_of_short_steps(
    ratio, verdicts
):
    faded = {"z_rms": [1.0, 0.1, 1e-3, 1e-3], "dz_rms": [1e-3, 0.1, 1.0, 1.0],
             "update_ratio": [ratio] * 4}  # fmt: skip
    off = faded | {"dead": [0, 0, 0.9, 0], "saturated": [0.5, 0.5, 0.9, 0]}
    found = judged(faded, off, off, activation="ReLU")
    assert found.verdicts == verdicts
    told = "biases have come to outweigh it" in found.findings[0].evidence
    assert told == (verdicts == ("vanishing",))


def test_a_short_step_is_not_blamed_for_dead_units():
    on = {"update_ratio": [1e-4] * 4}
    off = on | {"dead": [0, 0, 0.9, 0], "saturated": [0.5, 0.5, 0.9, 0]}
    (finding,) = judged(on, off, activation="ReLU").findings
    assert finding.verdict == "dead" and "lr /" not in finding.cure


def rate(found):
    return int(re.search(r"lr / (\d+)", found.findings[0].cure).group(1))


def test_the_factor_on_the_rate_grows_with_the_first_step_and_ends_at_a_thousand():
    broken = {"z_nans": [1.0] * 4, "z_rms": [np.nan] * 4}
    by = [rate(judged({"update_ratio": [r] * 4}, broken)) for r in (0.01, 0.07, 0.4, 2.0, 500.0)]
    assert by == [10, 10, 100, 1000, 1000]


def test_large_inputs_are_named_before_the_rate():
    row = {"update_ratio": [50.0] * 4}
    assert (
        judged(row, row, meta={"input_rms": 500.0})
        .findings[0]
        .cure.startswith(
            "standardize the inputs with data.standardize(x), for their rms is 500; then lr / 1000"
        )
    )
    assert "standardize" not in judged(row, row, meta={"input_rms": 1.0}).findings[0].cure
    model = nn.Linear(2, 1)
    with Probe(model) as probe:
        model(mg.full((3, 2), 7.0)).sum().backward()
    assert probe.meta["input_rms"] == pytest.approx(7)


def test_numbers_that_became_nan_come_before_vanishing():
    faded = {"dz_rms": [1e-3, 0.1, 1.0, 1.0]}
    lost = {"z_rms": [np.nan] * 4, "z_nans": [1.0] * 4}
    assert judged(faded, faded).verdicts == ("vanishing",)
    assert judged(faded, lost).verdicts == ("unstable", "vanishing")


def test_a_loss_a_hundredfold_comes_before_vanishing():
    row = {"dz_rms": [1e-3, 0.1, 1.0, 1.0], "update_ratio": [0.05] * 4}
    assert judged(*[row] * 4, losses=[2, 5, 300, 900]).verdicts == ("unstable", "vanishing")
    assert judged(*[row] * 4, losses=[2, 3, 3.5, 4]).verdicts == ("vanishing", "unstable")


def test_what_is_in_place_is_not_advised_again():
    x = mg.tensor(mg.Generator(0).normal((6, 60, 8)).astype("f"))
    y = mg.tensor(np.arange(6) % 3)
    model = mg.models.deep_rnn(1, 16, "tanh", in_features=8, out_features=3,
                               generator=mg.Generator(0))  # fmt: skip
    advice = "nn.init.orthogonal_(model.rnn.weight_hh_l0) and biases of 0 in model.rnn; nn.LSTM"
    assert diagnose(model, (x, y)).findings[0].cure.startswith(advice)
    cell = model.rnn
    assert not is_orthogonal(cell, "weight_hh") and not biases_are_0(cell)
    nn.init.orthogonal_(cell.weight_hh_l0, generator=mg.Generator(0))
    cell.weight_hh_l0.data *= 0.8  # 0.8^60 = 2e-6
    for name, p in cell.named_parameters():
        if name.startswith("bias"):
            nn.init.zeros_(p)
    assert diagnose(model, (x, y)).findings[0].cure.startswith("nn.LSTM or nn.GRU in place of")
    assert spoken("a.0.b") == "model.a[0].b"


def test_a_path_is_taken(tmp_path):
    model = mg.models.deep_mlp(20, 64, "sigmoid", "xavier", generator=mg.Generator(0))
    with Probe(model) as probe:
        model(mg.ones(8, 64)).sum().backward()
    probe.to_jsonl(tmp_path / "run.jsonl")
    for path in (tmp_path / "run.jsonl", str(tmp_path / "run.jsonl")):
        assert diagnose(path).verdicts == diagnose(probe).verdicts == ("vanishing",)


def test_what_was_not_measured_is_one_line_for_all_layers():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.l = nn.ModuleList([nn.Linear(8, 8) for _ in range(6)])

        def forward(self, x):
            for layer in self.l:
                z = layer(x)
                x = z * mg.sigmoid(z)
            return x

    found = diagnose(Own(), (mg.ones(4, 8), mg.zeros(4, 8)))
    (line,) = [r for r in found.remarks if r.startswith("not measured")]
    assert line.startswith("not measured: l.0 to l.")
    assert found.table().count("not measured") == 1
