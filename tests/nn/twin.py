"""Runs a minigrad module and PyTorch's of the same name on the same numbers, and compares."""

from __future__ import annotations

from typing import Any

import numpy as np

import minigrad as mg

CLOSE = {"rtol": 1e-9, "atol": 1e-12}


def copy_state(theirs: Any, mine: Any) -> None:
    """Make `mine` (float64) hold what PyTorch's module holds, through both state_dicts."""
    mine.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})


def check_twins(mine: Any, theirs: Any, *inputs: np.ndarray) -> None:
    """Output, all gradients for a random output gradient, and the state after, must agree.

    `mine` and `theirs` are modules or functions of float64 and integer arrays.
    """
    import torch

    ours = [mg.tensor(x, requires_grad=x.dtype.kind == "f") for x in inputs]
    others = [torch.tensor(x, requires_grad=x.dtype.kind == "f") for x in inputs]
    out, expected = mine(*ours), theirs(*others)
    assert out.dtype == np.float64 and out.shape == tuple(expected.shape)
    np.testing.assert_allclose(out.data, expected.detach().numpy(), **CLOSE)

    g = np.random.default_rng(1).normal(size=out.shape)
    out.backward(mg.tensor(g))
    expected.backward(torch.tensor(g))
    for x, y in zip(ours, others, strict=True):
        if x.requires_grad:
            np.testing.assert_allclose(x.grad.data, y.grad.numpy(), **CLOSE)

    if hasattr(mine, "named_parameters"):
        wanted = {name: p.grad.numpy() for name, p in theirs.named_parameters()}
        assert [name for name, _ in mine.named_parameters()] == list(wanted)
        for name, p in mine.named_parameters():
            np.testing.assert_allclose(p.grad.data, wanted[name], **CLOSE, err_msg=name)
        state = theirs.state_dict()
        assert list(mine.state_dict()) == list(state)
        for name, value in mine.state_dict().items():
            np.testing.assert_allclose(value.data, state[name].numpy(), **CLOSE, err_msg=name)
