"""Is a cure in place already? Then it need not be told again."""

from __future__ import annotations

import numpy as np

from minigrad import nn
from minigrad.backend import Array

# Weights that began orthogonal are, after some training, still near it; drawn at random they have
# singular values down to nearly 0.
NEARLY_1 = (0.5, 2.0)

SMALL_BIAS = 0.1  # in rms; what a layer begins with is 1 / sqrt(3 hidden_size), 0.1 for 32 units


def spoken(path: str) -> str:
    """The path of a module as one writes it in Python.

    >>> spoken("encoder.0.rnn"), spoken("")
    ('model.encoder[0].rnn', 'model')
    """
    parts = path.split(".") if path else []
    return "model" + "".join(f"[{p}]" if p.isdigit() else f".{p}" for p in parts)


def is_orthogonal(module: nn.Module | None, weight: str) -> bool:
    """Whether all weights of a module whose names begin so are nearly orthogonal, gate by gate."""
    found = [_host(p._data, p) for name, p in _own(module) if name.startswith(weight)]
    parts = [part for w in found for part in np.split(w, len(w) // w.shape[1])]
    if not parts:
        return False
    values = np.concatenate([np.linalg.svd(part, compute_uv=False) for part in parts])
    low, high = NEARLY_1
    return bool(values.min() >= low and values.max() <= high)


def biases_are_0(module: nn.Module | None) -> bool:
    """Whether the biases of a module, if it has any, are small."""
    found = [_host(p._data, p) for name, p in _own(module) if name.startswith("bias")]
    return module is not None and all(np.sqrt(np.mean(b * b)) <= SMALL_BIAS for b in found)


def _own(module: nn.Module | None) -> list[tuple[str, nn.Parameter]]:
    return [] if module is None else list(module.named_parameters(recurse=False))


def _host(array: Array, parameter: nn.Parameter) -> np.ndarray:
    return np.asarray(parameter.device.to_host(array), dtype=np.float64)
