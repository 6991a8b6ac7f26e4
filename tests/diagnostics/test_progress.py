"""The notes of diagnose: what keeps a network with healthy gradients from training."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.diagnostics import Probe, Recording, diagnose
from minigrad.nn import functional as F

DIGITS = mg.data.load_digits()
X, Y = mg.data.standardize(DIGITS.x).astype(np.float32), DIGITS.y


def trained(
    steps=40, lr=0.05, *, step=True, zero="before", told=True, y=Y, model=None, every=1, save=None
):
    """What diagnose says of a training loop, in which something may have been forgotten."""
    if model is None:
        model = mg.models.deep_mlp(4, 64, "relu", "he", generator=mg.Generator(0))
    optimizer = mg.optim.SGD(model.parameters(), lr=lr)
    rng = np.random.default_rng(0)
    with Probe(model, optimizer if told else None, every=every) as probe:
        for _ in range(steps):
            rows = rng.integers(0, len(X), 128)
            if zero == "before":
                optimizer.zero_grad()
            loss = F.cross_entropy(model(mg.tensor(X[rows])), mg.tensor(y[rows]))
            if zero == "between":
                optimizer.zero_grad()
            if zero == "to 0":
                optimizer.zero_grad(set_to_none=False)
            loss.backward()
            if step:
                optimizer.step()
            probe.note(loss=loss)
    if save is not None:
        probe.to_jsonl(save)
        return diagnose(Recording.load(save))
    return diagnose(probe)


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("zero", ["before", "between", "to 0"])
def test_a_network_that_trains_gets_no_note(told, zero):
    for every in (1, 5):
        found = trained(told=told, zero=zero, every=every)
        assert (found.verdict, found.notes) == ("healthy", ())
    assert "note" not in found.table() + found._repr_html_()


def test_a_step_that_was_never_taken():
    (note,) = trained(step=False).notes
    assert "none of 40 backward passes was followed by a step of the SGD" in note
    assert "optimizer.step()" in note
    (note,) = trained(step=False, told=False).notes
    assert "after 40 backward passes they are the same to the last bit" in note
    # To look once, or at the batches of one step, is no forgotten step.
    assert diagnose(mg.models.deep_mlp(4, 64, "relu", "he"), (X[:64], Y[:64])).notes == ()


@pytest.mark.parametrize(
    ("lr", "words"), [(0.0, "do not move: update/W is exactly 0"), (1e-9, "hardly move: update/W")]
)
def test_weights_that_do_not_move(lr, words, tmp_path):
    for save in (None, tmp_path / "run.jsonl"):
        (note,) = trained(lr=lr, save=save).notes
        assert words in note and "is lr (nearly) 0" in note
    assert "the same to the last bit" in trained(lr=0.0, told=False).notes[0]


def test_a_zero_grad_that_was_forgotten():
    (note,) = trained(lr=0.001, zero="never").notes
    assert "gradients add up: in 39 of 40 recorded steps" in note and "zero_grad()" in note


def test_batches_that_are_accumulated_within_a_step_are_no_forgotten_zero_grad():
    model = mg.models.deep_mlp(4, 64, "relu", "he", generator=mg.Generator(0))
    optimizer = mg.optim.SGD(model.parameters(), lr=0.01)
    with Probe(model, optimizer) as probe:
        for _ in range(10):
            optimizer.zero_grad()
            for part in range(3):
                rows = slice(64 * part, 64 * part + 64)
                F.cross_entropy(model(mg.tensor(X[rows])), mg.tensor(Y[rows])).backward()
            optimizer.step()
    assert diagnose(probe).notes == ()
    assert (probe.meta["backwards"], probe.meta["left_over"]) == (30, 0)


def test_labels_that_belong_to_other_inputs():
    shuffled = np.random.default_rng(1).permutation(Y)
    (note,) = trained(60, y=shuffled).notes
    assert "the loss fell no lower than 2.31 from step 0 to 59" in note
    assert "guessing among 10 classes gives 2.3" in note
    assert "59 steps are no proof" in note and "x[i] and y[i]" in note


def test_a_softmax_before_the_cross_entropy():
    g = mg.Generator(0)
    layers = nn.Linear(64, 32, generator=g), nn.ReLU(), nn.Linear(32, 10, generator=g)
    (note,) = trained(model=nn.Sequential(*layers, nn.Softmax(1))).notes
    assert "the loss did not fall: 2.31 -> 2.3 " in note
    assert "cross_entropy does that itself" in note
    assert trained(model=nn.Sequential(*layers)).notes == ()


def judged(losses, *, ratio=1e-3, units=10, step=1, **row):
    names = ["a", "b", "c"]
    rec = Recording(names, meta={"units": dict.fromkeys(names, units)})
    for k, loss in enumerate(losses):
        values = {"dz_rms": np.ones(3), "z_rms": np.ones(3), "dw_rms": np.ones(3)}
        rec.add(step * k, values | {"update_ratio": np.full(3, ratio)} | row, loss=loss)
    return diagnose(rec)


@pytest.mark.parametrize(
    ("losses", "units", "noted"),
    [
        ([2.4] * 12, 10, True),
        (np.linspace(2.4, 2.3, 12), 10, False),  # by 4 %, steadily
        (np.linspace(2.4, 2.39, 12), 10, True),
        (2.4 - 0.01 * np.arange(12) + 0.1 * np.tile([1, -1, -1, 1], 3), 10, True),  # noise
        (np.linspace(4.0, 2.0, 12) + 0.2 * (-1.0) ** np.arange(12), 10, False),
        ([3.0, 2.5, 2.4, 2.31, *[2.3] * 12], 10, True),  # to the level of guessing, and stays
        ([3.0, 2.5, 2.4, 2.31, *[2.3] * 12], 1, False),  # a regression
        ([3.0, 2.5, 2.4, 1.31, *[1.3] * 12], 10, False),  # lower, and stays
        ([0.1] * 12, 10, False),  # it had been trained before
        ([0.1] * 12, 1, True),
        ([2.4] * 10, 10, False),  # too few steps
        ([math.nan] * 12, 10, False),
    ],
)  # fmt: skip
def test_whether_the_loss_fell(losses, units, noted):
    found = judged(losses, units=units)
    assert (found.verdict, bool(found.notes)) == ("healthy", noted)


def test_how_many_steps_are_said_and_the_rate_where_it_is_small():
    assert "11 steps are no proof" in judged([2.4] * 12).notes[0]
    assert "no proof" not in judged([2.4] * 12, step=10).notes[0]
    (note,) = judged([2.4] * 12, ratio=2e-5).notes
    assert "update/W is 2e-05 at most" in note and "larger lr" in note


def test_beside_an_illness_the_loss_is_not_spoken_of_but_a_missing_step_is():
    vanishing = {"dz_rms": np.array([1e-3, 1.0, 1.0])}
    found = judged([2.4] * 12, **vanishing)
    assert (found.verdict, found.notes) == ("vanishing", ())
    (note,) = judged([2.4] * 12, ratio=0.0, **vanishing).notes
    assert "do not move" in note


def test_where_the_notes_are_shown():
    found = trained(step=False)
    assert found.verdict == "healthy"
    lines = found.table().splitlines()
    assert lines[1].startswith("  note: the weights do not move: none of 40")
    assert max(map(len, lines)) <= 92
    assert "<li>note: the weights do not move" in found._repr_html_()
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert plain["verdict"] == "healthy" and plain["notes"] == list(found.notes)
    assert [layer["name"] for layer in plain["layers"]] == [layer.name for layer in found.layers]
    ill = diagnose(mg.models.deep_mlp(20, 64, "sigmoid", "xavier"), (X[:64], Y[:64])).to_dict()
    json.dumps(ill, allow_nan=False)
    assert ill["findings"][0]["layers"][0] == "layer1.linear"


def test_beside_what_could_not_be_judged_nothing_is_said_of_healthy_gradients(tmp_path):
    x, y = mg.ones(4, 6, 3), mg.tensor(np.arange(4) % 2)
    model = mg.models.deep_rnn(1, 4, "tanh", in_features=3, out_features=2,
                               generator=mg.Generator(0))  # fmt: skip
    optimizer = mg.optim.SGD(model.parameters(), lr=0.01)
    with Probe(model, optimizer) as probe:
        for _ in range(20):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            probe.note(loss=2.4)
            optimizer.step()
    probe.to_csv(tmp_path / "r.csv")
    found = diagnose(Recording.load(tmp_path / "r.csv"))
    assert found.verdict == "unknown"
    assert not any("gradients are healthy" in note for note in found.notes)
