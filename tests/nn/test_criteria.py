"""The losses as modules against PyTorch's: same numbers, same state, same `repr`."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import ArgumentError

WEIGHT = np.array([0.5, 1.0, 2.0, 1.5])


def _w(lib: object) -> object:
    return lib.tensor(WEIGHT)


# Per row: how to build the module in either library, and what its target holds.
CRITERIA = {
    "MSELoss": (lambda n, w: n.MSELoss(), "number"),
    "MSELoss, sum": (lambda n, w: n.MSELoss(reduction="sum"), "number"),
    "L1Loss": (lambda n, w: n.L1Loss(reduction="none"), "number"),
    "SmoothL1Loss": (lambda n, w: n.SmoothL1Loss(), "number"),
    "SmoothL1Loss, beta": (lambda n, w: n.SmoothL1Loss(reduction="sum", beta=0.3), "number"),
    "HuberLoss": (lambda n, w: n.HuberLoss(), "number"),
    "HuberLoss, delta": (lambda n, w: n.HuberLoss("none", 0.3), "number"),
    "HingeEmbeddingLoss": (lambda n, w: n.HingeEmbeddingLoss(), "sign"),
    "HingeEmbeddingLoss, margin": (
        lambda n, w: n.HingeEmbeddingLoss(0.3, reduction="none"),
        "sign",
    ),
    "CrossEntropyLoss": (lambda n, w: n.CrossEntropyLoss(), "class"),
    "CrossEntropyLoss, all": (
        lambda n, w: n.CrossEntropyLoss(w, ignore_index=1, reduction="sum", label_smoothing=0.2),
        "class",
    ),
    "CrossEntropyLoss, probabilities": (lambda n, w: n.CrossEntropyLoss(w), "probability"),
    "NLLLoss": (lambda n, w: n.NLLLoss(w, ignore_index=2, reduction="none"), "class"),
    "MultiMarginLoss": (lambda n, w: n.MultiMarginLoss(2, 0.5, w, reduction="sum"), "class"),
    "BCELoss": (lambda n, w: n.BCELoss(w, reduction="sum"), "probability"),
    "BCEWithLogitsLoss": (lambda n, w: n.BCEWithLogitsLoss(w, pos_weight=w), "probability"),
    "KLDivLoss": (lambda n, w: n.KLDivLoss(reduction="batchmean"), "probability"),
    "KLDivLoss, log": (lambda n, w: n.KLDivLoss(log_target=True), "number"),
}


def _inputs(name: str, kind: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x = rng.normal(size=(5, 4))
    probabilities = rng.uniform(0.05, 0.95, (5, 4))
    target = {
        "number": rng.normal(size=(5, 4)),
        "sign": rng.choice([-1.0, 1.0], (5, 4)),
        "class": np.array([0, 3, 1, 2, 3]),
        "probability": probabilities,
    }[kind]
    return (probabilities[::-1].copy() if name == "BCELoss" else x), target


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")  # theirs
@pytest.mark.parametrize("name", CRITERIA)
def test_module_is_pytorchs(name: str, rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch")
    build, kind = CRITERIA[name]
    mine, theirs = build(nn, _w(mg)), build(torch.nn, _w(torch))
    assert repr(mine) == repr(theirs)
    assert list(mine.state_dict()) == list(theirs.state_dict())
    assert list(mine.parameters()) == []
    x, target = _inputs(name, kind, rng)
    ours, other = mg.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    found, wanted = mine(ours, mg.tensor(target)), theirs(other, torch.tensor(target))
    found.sum().backward()
    wanted.sum().backward()
    np.testing.assert_allclose(found.data, wanted.detach(), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(ours.grad.data, other.grad, rtol=1e-9, atol=1e-12)


def test_weights_move_with_the_module() -> None:
    loss = nn.CrossEntropyLoss(weight=[1.0, 2.0])
    assert loss.weight.dtype == mg.float32 and not loss.weight.requires_grad
    assert loss.double().weight.dtype == mg.float64
    loss.load_state_dict({"weight": np.array([3.0, 4.0])})
    assert loss.weight.tolist() == [3, 4]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: nn.MSELoss(reduction="average"),
            "MSELoss: unknown reduction 'average'; valid: mean, sum, none",
        ),
        (
            lambda: nn.KLDivLoss(reduction="batch"),
            "KLDivLoss: unknown reduction 'batch'; valid: mean, sum, none, batchmean",
        ),
        (lambda: nn.HuberLoss(delta=0.0), "huber_loss: delta must be above 0, got 0.0"),
        (
            lambda: nn.SmoothL1Loss(beta=-1.0),
            "smooth_l1_loss: beta must not be negative, got -1.0",
        ),
        (lambda: nn.MultiMarginLoss(p=3), "multi_margin_loss: p must be 1 or 2, got 3"),
        (
            lambda: nn.CrossEntropyLoss(label_smoothing=-0.1),
            "cross_entropy: label_smoothing must lie in [0, 1], got -0.1",
        ),
    ],
)
def test_a_wrong_option_is_refused_when_the_module_is_made(make: object, message: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        make()
    assert str(caught.value) == message
