"""What a learner reads when a layer or a loss is used wrongly: the whole text."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import ArgumentError, DtypeError, OutOfRangeError, ShapeError
from minigrad.nn import functional as F

X = mg.zeros(3, 4)

CASES = {
    "class too large": (
        lambda: F.cross_entropy(X, [0, 4, 1]),
        OutOfRangeError,
        "cross_entropy: target has class 4, but the input has 4 classes, 0 to 3; count classes "
        "from 0, or give the last layer one output per class",
    ),
    "class negative": (
        lambda: F.nll_loss(X, [0, -1, 1]),
        OutOfRangeError,
        "nll_loss: target has class -1, but the input has 4 classes, 0 to 3; count classes from "
        "0, or give the last layer one output per class",
    ),
    "labels as floats": (
        lambda: F.cross_entropy(X, mg.zeros(3)),
        DtypeError,
        "cross_entropy: target holds float32, but it must hold class numbers, integers 0 to 3; "
        "convert it with target.astype(mg.int64)",
    ),
    "one-hot labels": (
        lambda: F.nll_loss(X, mg.one_hot(mg.tensor([0, 1, 2]), 4)),
        DtypeError,
        "nll_loss: target holds float32, but it must hold class numbers, integers 0 to 3; "
        "from one-hot rows make them with target.argmax(axis=1)",
    ),
    "one-hot labels of integers": (
        lambda: F.cross_entropy(X, mg.one_hot(mg.tensor([0, 1, 2]), 4, dtype=mg.int64)),
        ShapeError,
        "cross_entropy: input of shape (3, 4) (4 classes on axis 1) takes a target of shape "
        "(3,), got (3, 4); from one-hot rows make class numbers with target.argmax(axis=1)",
    ),
    "labels as a column": (
        lambda: F.cross_entropy(X, mg.zeros(3, 1, dtype=mg.int64)),
        ShapeError,
        "cross_entropy: input of shape (3, 4) (4 classes on axis 1) takes a target of shape "
        "(3,), got (3, 1); use target.reshape(3,)",
    ),
    "too few labels": (
        lambda: F.cross_entropy(X, [0, 1]),
        ShapeError,
        "cross_entropy: input of shape (3, 4) (4 classes on axis 1) takes a target of shape "
        "(3,), got (2,)",
    ),
    "scores that are one number": (
        lambda: F.cross_entropy(mg.tensor(1.0), mg.tensor(0)),
        ShapeError,
        "cross_entropy: input is a single number; it needs one score per class",
    ),
    "unknown reduction": (
        lambda: F.cross_entropy(X, [0, 1, 2], reduction="average"),
        ArgumentError,
        "cross_entropy: unknown reduction 'average'; valid: mean, sum, none",
    ),
    "a column against a row": (
        lambda: F.mse_loss(mg.zeros(3, 1), mg.zeros(3)),
        ShapeError,
        "mse_loss: input has shape (3, 1), target (3,); they must be equal. Reshape one, e.g. "
        "target.reshape(3, 1)",
    ),
    "different sizes": (
        lambda: F.l1_loss(mg.zeros(3, 2), mg.zeros(2)),
        ShapeError,
        "l1_loss: input has shape (3, 2), target (2,); they must be equal. Compare a prediction "
        "with one target for each of its numbers",
    ),
    "mean of nothing": (
        lambda: F.mse_loss(mg.zeros(0), mg.zeros(0)),
        ShapeError,
        "mse_loss: an empty batch has no mean; skip it, or use reduction='sum'",
    ),
    "softmax along a missing axis": (
        lambda: F.softmax(X, 2),
        ShapeError,
        "softmax: a tensor with 2 axes has no axis 2; valid: -2 to 1",
    ),
    "batch of one": (
        lambda: nn.BatchNorm1d(4)(mg.zeros(1, 4)),
        ShapeError,
        "batch_norm: in training, input of shape (1, 4) has 1 value per feature, which has no "
        "variance; use batches of 2 or more, or model.eval() [in BatchNorm1d(4, eps=1e-05, "
        "momentum=0.1, affine=True, bias=True, track_running_stats=True)]",
    ),
    "wrong number of features": (
        lambda: F.batch_norm(X, mg.zeros(5), mg.ones(5)),
        ShapeError,
        "batch_norm: input of shape (3, 4) has 4 features on axis 1, but running_mean has shape "
        "(5,); give the layer num_features=4",
    ),
    "too many axes": (
        lambda: F.batch_norm(mg.zeros(3), None, None, training=True),
        ShapeError,
        "batch_norm: input has shape (3,); it takes (n, features), or more axes after",
    ),
    "no statistics": (
        lambda: F.batch_norm(X, None, None),
        ArgumentError,
        "batch_norm: outside of training it needs running_mean and running_var; give both, or "
        "training=True to use the batch's own",
    ),
    "wrong last axis": (
        lambda: nn.LayerNorm(5)(X),
        ShapeError,
        "layer_norm: input of shape (3, 4) does not end in normalized_shape (5,) [in "
        "LayerNorm((5,), eps=1e-05, elementwise_affine=True, bias=True)]",
    ),
    "wrong scale": (
        lambda: F.layer_norm(X, 4, weight=mg.ones(3)),
        ShapeError,
        "layer_norm: weight has shape (3,), it must be (4,)",
    ),
    "no features": (
        lambda: nn.Linear(0, 3),
        ArgumentError,
        "Linear: in_features must be a whole number of at least 1, got 0",
    ),
    "half a feature": (
        lambda: nn.Linear(3, 2.5),
        ArgumentError,
        "Linear: out_features must be a whole number of at least 1, got 2.5",
    ),
    "BatchNorm1d of images": (
        lambda: nn.BatchNorm1d(4, affine=False)(mg.zeros(2, 4, 3, 3)),
        ShapeError,
        "BatchNorm1d: input has shape (2, 4, 3, 3); it takes (n, features) or (n, features, "
        "length) [in BatchNorm1d(4, eps=1e-05, momentum=0.1, affine=False, bias=False, "
        "track_running_stats=True)]",
    ),
    "a number into a layer": (
        lambda: nn.Linear(4, 2)(mg.tensor(1.0)),
        ShapeError,
        "linear: the input has shape (), but a weight of shape (2, 4) takes 4 features on the "
        "input's last axis; reshape the input, or make in_features 1 [in Linear(in_features=4, "
        "out_features=2, bias=True)]",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_message(case: str) -> None:
    call, kind, message = CASES[case]
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value) == message


def test_a_refused_batch_leaves_the_statistics_alone() -> None:
    layer = nn.BatchNorm1d(4)
    before = copy.deepcopy(layer.state_dict())
    for x in (mg.ones(1, 4), mg.ones(2, 5), mg.ones(2)):
        with pytest.raises(ShapeError):
            layer(x)
    for name, value in layer.state_dict().items():
        np.testing.assert_array_equal(value.data, before[name].data)
