"""Muon: the momentum of a matrix, with all its singular values set to about 1."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from minigrad.backend import Array
from minigrad.errors import ArgumentError
from minigrad.optim.optimizer import Group, Optimizer

# The quintic with the steepest slope at 0 that keeps [0, 1] near 1 after a few rounds (Jordan).
COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def newton_schulz(
    matrix: Array,
    coefficients: tuple[float, float, float] = COEFFICIENTS,
    steps: int = 5,
    eps: float = 1e-7,
) -> Array:
    """About U V^T for the matrix U S V^T: its singular values brought near 1, without an SVD.

        x <- matrix / max(|matrix|, eps)                         singular values now in [0, 1]
        x <- a x + b (x x^T) x + c (x x^T)^2 x                   `steps` times

    Each round takes every singular value s to a s + b s^3 + c s^5. With the usual coefficients
    they end up between about 0.7 and 1.2, unless they were tiny.

    >>> import numpy as np
    >>> np.linalg.svd(newton_schulz(np.diag([3.0, 2.0, 1.0])), compute_uv=False).round(1)
    array([1.1, 0.7, 0.7])
    """
    a, b, c = coefficients
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix  # the smaller of x x^T and x^T x costs less
    x = x / np.maximum(np.sqrt((x * x).sum()), eps)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.T if tall else x


def muon(
    p: Array,
    g: Array,
    step: int,
    m: Array,
    *,
    lr: float = 1e-3,
    weight_decay: float = 0.1,
    momentum: float = 0.95,
    nesterov: bool = True,
    ns_coefficients: tuple[float, float, float] = COEFFICIENTS,
    eps: float = 1e-7,
    ns_steps: int = 5,
    adjust_lr_fn: str | None = None,
) -> tuple[Array, Array]:
    """One update of one matrix (Jordan et al. 2024): returns the new p and m.

        m         <- momentum m + (1 - momentum) g
        direction <- newton_schulz(m)           (Nesterov: of (1 - momentum) g + momentum m)
        p         <- p - lr weight_decay p - lr adjust direction

    with adjust = sqrt(max(1, rows / columns)), or, for "match_rms_adamw", 0.2 sqrt(max(rows,
    columns)), which makes the rms of a step about that of AdamW (Liu et al. 2025). The step
    count plays no part.
    """
    m = momentum * m + (1 - momentum) * g
    ahead = (1 - momentum) * g + momentum * m if nesterov else m
    direction = newton_schulz(ahead, ns_coefficients, ns_steps, eps)
    rows, columns = p.shape
    if adjust_lr_fn == "match_rms_adamw":
        adjust = 0.2 * math.sqrt(max(rows, columns))
    else:
        adjust = math.sqrt(max(1, rows / columns))
    return p * (1 - lr * weight_decay) - (lr * adjust) * direction, m


class Muon(Optimizer):
    """Muon, for the weight matrices of hidden layers (see `muon`).

    PyTorch's formulas and defaults, except that PyTorch computes `newton_schulz` in bfloat16 and
    this in the parameter's own dtype.

    Arguments:
        params: matrices, or groups of them; give biases, embeddings and the rest to AdamW.
        lr: learning rate.
        weight_decay: decoupled: shrinks the parameters by lr * weight_decay.
        momentum: decay of the average of the gradient.
        nesterov: look ahead along the momentum.
        ns_coefficients, ns_steps, eps: see `newton_schulz`.
        adjust_lr_fn: "original" (or None) or "match_rms_adamw".

    Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks";
    Liu et al. 2025, "Muon is Scalable for LLM Training".

    >>> import minigrad as mg
    >>> w = mg.zeros(2, 2, requires_grad=True)
    >>> opt = mg.optim.Muon([w], lr=0.1)
    >>> w.grad = mg.tensor([[1000.0, 0.0], [0.0, -1000.0]])
    >>> opt.step()
    >>> w  # roughly lr in each of the two directions
    tensor([[-0.1108,  0.    ],
            [ 0.    ,  0.1108]], requires_grad=True)
    """

    rule = staticmethod(muon)
    whole_parameters = True

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = COEFFICIENTS,
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        super().__init__(
            params,
            dict(
                lr=lr, weight_decay=weight_decay, momentum=momentum, nesterov=nesterov,
                ns_coefficients=ns_coefficients, eps=eps, ns_steps=ns_steps,
                adjust_lr_fn=adjust_lr_fn,
            ),
        )  # fmt: skip

    def initial_state(self, group: Group) -> dict[str, float | None]:
        return {"momentum_buffer": 0.0}

    def check(self, settings: Mapping[str, Any]) -> None:
        super().check(settings)
        for p in settings.get("params", ()):
            if p.ndim != 2:
                raise ArgumentError(
                    f"Muon: a parameter of shape {p.shape} is no matrix; give those that are "
                    "none (biases, norms) to another optimizer, e.g. AdamW"
                )
        if settings["adjust_lr_fn"] not in (None, "original", "match_rms_adamw"):
            raise ArgumentError(
                f"Muon: unknown adjust_lr_fn {settings['adjust_lr_fn']!r}; "
                "valid: 'original', 'match_rms_adamw'"
            )
        if len(settings["ns_coefficients"]) != 3:
            raise ArgumentError("Muon: ns_coefficients must be three numbers")
