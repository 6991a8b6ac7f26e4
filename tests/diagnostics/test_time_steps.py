"""The gradient on its way back through time: recorded call by call, and judged."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.diagnostics import Probe, Recording, diagnose
from minigrad.errors import ArgumentError
from minigrad.nn import functional as F

STEPS, HIDDEN = 30, 8


class LastOfSequence(nn.Module):
    """A recurrent layer, and a linear one that reads its last h."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.rnn = layer
        self.head = nn.Linear(HIDDEN, 2, dtype=mg.float64, generator=mg.Generator(9))

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return self.head(self.rnn(x)[0][-1])


class Unrolled(nn.Module):
    """The same with a cell, called in a loop."""

    def __init__(self, cell: nn.Module) -> None:
        super().__init__()
        self.cell, self.states = cell, []

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        state = None
        for step in x:
            state = self.cell(step, state)
            h = state[0] if isinstance(state, tuple) else state
            h.retain_grad()
            self.states.append(h)
        return h


def layer_of(kind, **options):
    options = {"dtype": mg.float64, "generator": mg.Generator(0)} | options
    return kind(3, HIDDEN, **options)


def inputs(size: float = 1.0, steps: int = STEPS) -> mg.Tensor:
    return mg.tensor(size * np.random.default_rng(1).normal(size=(steps, 4, 3)))


def probed(model, x) -> Probe:
    with Probe(model) as probe:
        (model(x) ** 2).mean().backward()
    return probe


def rms(array) -> float:
    return float(np.sqrt(np.mean(np.square(array))))


@pytest.mark.parametrize("kind", [nn.RNNCell, nn.LSTMCell, nn.GRUCell])
def test_the_steps_of_a_cell_are_the_gradients_of_its_states(kind):
    model = Unrolled(layer_of(kind))
    probe = probed(model, inputs(steps=6))
    expected = [[rms(h.grad.data) for h in model.states]]
    np.testing.assert_allclose(probe.steps_of("cell"), expected, rtol=1e-12)
    expected = [[rms(h.data) for h in model.states]]
    np.testing.assert_allclose(probe.steps_of("cell", "z_rms"), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("kind", "cell"), [(nn.RNN, nn.RNNCell), (nn.LSTM, nn.LSTMCell), (nn.GRU, nn.GRUCell)]
)
def test_a_recurrent_layer_tells_the_steps_that_its_cell_does(kind, cell):
    layer, cell = layer_of(kind), layer_of(cell)
    for theirs, ours in zip(cell.parameters(), layer.parameters(), strict=True):
        theirs.data[...] = ours.data

    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = layer

        def forward(self, x):
            return self.rnn(x)[0][-1]

    found = probed(Last(), inputs()).steps_of("rnn")
    assert found.shape == (1, STEPS)
    np.testing.assert_allclose(found, probed(Unrolled(cell), inputs()).steps_of("cell"), rtol=1e-9)


def test_every_layer_and_direction_is_a_run():
    model = LastOfSequence(layer_of(nn.GRU, num_layers=2))
    assert probed(model, inputs()).steps_of("rnn").shape == (2, STEPS)
    both = layer_of(nn.GRU, num_layers=2, bidirectional=True)
    with Probe(both) as probe:
        (both(inputs())[0][0] ** 2).mean().backward()
    found = probe.steps_of("GRU")
    assert found.shape == (4, STEPS)
    # Only the first time is in the loss: in the upper layer forwards it has the only gradient,
    # while backwards it is the last of the run.
    assert (found[2, 1:] == 0).all() or np.isnan(found[2, 1:]).all()
    assert found[2, 0] > 0 and (found[3] > 0).all()


def test_a_backward_ends_a_run_and_a_layer_in_a_loop_has_one():
    layer = nn.Linear(3, 3, dtype=mg.float64, generator=mg.Generator(0))
    optimizer = mg.optim.SGD(layer.parameters(), lr=0.1)
    with Probe(layer, optimizer) as probe:
        for calls in (3, 2):
            h = inputs()[0]
            for _ in range(calls):
                h = layer(h)
            (h**2).mean().backward()
        optimizer.step()
        for _ in range(2):  # accumulated batches are no sequence
            (layer(inputs()[0]) ** 2).mean().backward()
        optimizer.step()
    found = probe.steps_of("Linear", record=0)
    assert found.shape == (2, 3)
    np.testing.assert_array_equal(np.isnan(found), [[False] * 3, [False, False, True]])
    total = np.sqrt(np.nanmean(found**2))  # all calls have the same number of elements
    assert probe.series("dz_rms")[0, 0] == pytest.approx(total, rel=1e-12)
    assert probe.steps_of("Linear").shape == (0, 0)


@pytest.mark.parametrize(
    ("scale", "verdict"), [(0.8, "vanishing"), (1.0, None), (1.2, "exploding")]
)
def test_an_orthogonal_matrix_times_s_multiplies_the_gradient_by_s_each_time(scale, verdict):
    model = LastOfSequence(layer_of(nn.RNN, bias=False))
    nn.init.orthogonal_(model.rnn.weight_hh_l0, gain=scale, generator=mg.Generator(2))
    probe = probed(model, inputs(1e-9))  # so small that tanh is the identity
    found = probe.steps_of("rnn")[0]
    powers = scale ** np.arange(STEPS - 1, -1, -1)
    np.testing.assert_allclose(found, found[-1] * powers, rtol=1e-9)
    diagnosis = diagnose(probe)
    assert diagnosis.verdicts == (() if verdict is None else (verdict,))
    if verdict is not None:
        finding = diagnosis.findings[0]
        assert finding.numbers["time_factor"] == pytest.approx(scale, rel=1e-9)
        assert finding.numbers["time_first"] == pytest.approx(found[0])
        assert f"at step {STEPS} to" in finding.evidence and "at step 1," in finding.evidence
        assert f"by a factor of {scale:g} per time step" in finding.evidence
        assert finding.layers == ("rnn",)


def test_a_tanh_rnn_vanishes_over_time_and_its_cure_cures():
    model = LastOfSequence(layer_of(nn.RNN))
    found = diagnose(probed(model, inputs(0.1)))
    assert (
        found.verdict == "vanishing" and "over the time steps of rnn" in found.findings[0].evidence
    )
    assert (
        "nn.init.orthogonal_(model.rnn.weight_hh_l0) and biases of 0 in model.rnn"
        in found.findings[0].cure
    )
    nn.init.orthogonal_(model.rnn.weight_hh_l0, generator=mg.Generator(3))
    nn.init.zeros_(model.rnn.bias_ih_l0)
    nn.init.zeros_(model.rnn.bias_hh_l0)
    assert diagnose(probed(model, inputs(0.1))).verdict == "healthy"


@pytest.mark.parametrize(("kind", "gate"), [(nn.LSTM, "forget"), (nn.GRU, "update")])
def test_a_gate_that_is_kept_open_lets_the_gradient_through(kind, gate):
    model = LastOfSequence(layer_of(kind))
    found = diagnose(probed(model, inputs()))
    assert (
        found.verdict == "vanishing" and f"the {gate} gate of model.rnn" in found.findings[0].cure
    )
    model.rnn.bias_hh_l0.data[HIDDEN : 2 * HIDDEN] += 3
    assert diagnose(probed(model, inputs())).verdict == "healthy"


def test_a_sequence_whose_end_is_not_in_the_loss_is_judged_from_where_the_gradient_begins():
    layer = layer_of(nn.RNN, bias=False)
    nn.init.orthogonal_(layer.weight_hh_l0, gain=0.5, generator=mg.Generator(2))
    with Probe(layer) as probe:
        (layer(inputs(1e-9))[0][10] ** 2).mean().backward()
    finding = diagnose(probe).findings[0]
    assert finding.numbers["time_factor"] == pytest.approx(0.5, rel=1e-6)
    assert "at step 11 to" in finding.evidence


class ByHand(nn.Module):
    """A recurrence of Linear layers."""

    def __init__(self, gain, width=16):
        super().__init__()
        g = mg.Generator(0)
        self.i, self.h = nn.Linear(3, width, generator=g), nn.Linear(width, width, generator=g)
        self.o = nn.Linear(width, 2, generator=g)
        nn.init.orthogonal_(self.h.weight, gain=gain, generator=g)

    def forward(self, x):
        h = mg.zeros(x.shape[1], 16)
        for t in range(len(x)):
            h = F.tanh(self.i(x[t]) + self.h(h))
        return self.o(h)


def by_hand(gain, x, y) -> Probe:
    model = ByHand(gain)
    with Probe(model) as probe:
        F.cross_entropy(model(mg.tensor(x)), mg.tensor(y)).backward()
    return probe


def test_a_recurrence_built_by_hand_is_judged_over_time():
    x, y = mg.Generator(1).normal((15, 8, 3)).astype(np.float32), np.zeros(8, np.int64)
    probe = by_hand(0.4, x, y)
    found = diagnose(probe)
    assert found.verdict == "vanishing"
    (finding,) = found.findings
    assert finding.layers == ("i", "h")
    dz = probe.steps_of("h")[0]
    assert finding.numbers["time_ratio"] == pytest.approx(dz[0] / dz[-1])
    assert finding.numbers["time_factor"] == pytest.approx((dz[0] / dz[-1]) ** (1 / 14))
    assert "over the 15 calls of i and h dL/dz shrinks" in finding.evidence
    assert "nn.init.orthogonal_" in finding.cure and "nn.LSTMCell" in finding.cure
    assert diagnose(by_hand(1.2, 0.1 * x, y)).verdict == "healthy"


@pytest.mark.parametrize(
    "weights", [[1e-3, 1.0], [1e-3, 1.0, 1e-3, 1.0, 1.0, 1e-3, 1.0, 1.0], [40, 30, 20, 10, 1]]
)
def test_a_layer_that_is_called_for_several_inputs_is_no_recurrence(weights):
    # Views of which each has its weight in the loss; returns that count down to the end.
    g = mg.Generator(0)
    model = nn.Sequential(nn.Linear(3, 8, generator=g), nn.Tanh(), nn.Linear(8, 2, generator=g))
    with Probe(model) as probe:
        sum(
            w * (model(g.normal((4, 3)).astype(np.float32)) ** 2).mean() for w in weights
        ).backward()
    assert diagnose(probe).verdict == "healthy"


def test_files_keep_the_steps_and_a_table_has_no_place_for_them(tmp_path):
    probe = probed(LastOfSequence(layer_of(nn.RNN)), inputs())
    probe.to_jsonl(tmp_path / "run.jsonl")
    again = Recording.load(tmp_path / "run.jsonl")
    np.testing.assert_array_equal(again.steps_of("rnn"), probe.steps_of("rnn"))
    assert diagnose(again).findings == diagnose(probe).findings
    probe.to_csv(tmp_path / "run.csv")
    assert Recording.load(tmp_path / "run.csv").steps_of("rnn").shape == (0, 0)


def test_wrong_use_is_explained():
    recording = Recording(["rnn"])
    with pytest.raises(ArgumentError, match="steps_of: no record -1; there are 0"):
        recording.steps_of("rnn")
    recording.add(0, {}, steps={"rnn": [[[1.0, 2.0]], [[0.5, math.nan]]]})
    np.testing.assert_array_equal(recording.steps_of("rnn"), [[0.5, math.nan]])
    with pytest.raises(ArgumentError, match="no layer 'gru'"):
        recording.steps_of("gru")
    with pytest.raises(ArgumentError, match="no series 'dw_rms'"):
        recording.steps_of("rnn", "dw_rms")
    with pytest.raises(ArgumentError, match=r"shape \(2,\)"):
        recording.add(1, {}, steps={"rnn": [1.0, 2.0]})
    with pytest.raises(ArgumentError, match="no layer 'lstm'"):
        recording.add(1, {}, steps={"lstm": [[[1.0]], [[1.0]]]})
