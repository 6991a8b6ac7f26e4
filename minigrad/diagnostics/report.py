"""How what was measured is told: as text for a terminal, as plain data for JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from minigrad.diagnostics.decay import DecayConfig, DecayResult


def varying(results: Sequence[DecayResult]) -> list[str]:
    """The fields of the configurations in which the results differ.

    >>> from minigrad.diagnostics.decay import DecayConfig, DecayResult
    >>> configs = [DecayConfig(init="he"), DecayConfig(init="xavier")]
    >>> varying([DecayResult(c, (), 1.0, "healthy", None) for c in configs])
    ['init']
    """
    return [
        f.name
        for f in fields(DecayConfig)
        if len({getattr(r.config, f.name) for r in results}) > 1
    ]


def describe(config: DecayConfig, names: Sequence[str]) -> str:
    """Those fields of a configuration in words.

    >>> from minigrad.diagnostics.decay import DecayConfig
    >>> describe(DecayConfig(init="he", norm="layer"), ["init", "norm", "depth"])
    'he init, layer norm, depth 50'
    """
    return ", ".join(_IN_WORDS.get(n, n + " {}").format(getattr(config, n)) for n in names)


_IN_WORDS = {"activation": "{}", "init": "{} init", "norm": "{} norm", "dtype": "{}"}


def decay_table(results: Sequence[DecayResult]) -> str:
    """A small table per configuration: verdict, factor per layer, and both gradients.

    Arguments:
        results: from `measure_decay`.

    Returns:
        Text of at most 80 columns.
    """
    names = dict.fromkeys(["activation", "init", *varying(results)])
    return "\n\n".join(_one_table(result, list(names)) for result in results)


def _one_table(result: DecayResult, names: Sequence[str]) -> str:
    shown = [result.layers[i] for i in (0, (len(result.layers) - 1) // 2, -1)]
    lines = [
        f"{describe(result.config, names)}: {result.verdict}",
        "  rms at layer " + "".join(f"{layer.index:>10}" for layer in shown) + "   per layer",
        "  dL/dz        " + "".join(f"{layer.dz_rms.mean:>10.1e}" for layer in shown)
        + f"{_factor(result.factor_per_layer):>12}",
        "  dL/dW        " + "".join(f"{layer.dw_rms.mean:>10.1e}" for layer in shown),
    ]  # fmt: skip
    if result.underflow_layer is not None:
        where = f"layers 1 to {result.underflow_layer}" if result.underflow_layer > 1 else "layer 1"
        lines.append(f"  {result.config.dtype} underflows in {where}: dL/dz is too small for it")
    return "\n".join(lines)


def _factor(factor: float) -> str:
    return "unknown" if math.isnan(factor) else f"x {factor:.3f}"


def to_dict(result: DecayResult) -> dict[str, Any]:
    """A result as plain dicts, lists and numbers, with None for NaN and infinity.

    JSON knows neither of the two; a file that holds them breaks the reader.
    """
    return _plain(asdict(result))  # type: ignore[no-any-return]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
