"""How what was measured is told: as text for a terminal, as plain data for JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from minigrad.diagnostics.decay import DecayConfig, DecayResult
from minigrad.errors import ArgumentError


def varying(configs: Sequence[DecayConfig]) -> list[str]:
    """The fields in which the configurations differ.

    >>> from minigrad.diagnostics.decay import DecayConfig
    >>> varying([DecayConfig(init="he"), DecayConfig(init="xavier")])
    ['init']
    """
    names = [field.name for field in fields(DecayConfig)]
    return [name for name in names if len({getattr(config, name) for config in configs}) > 1]


def describe(config: DecayConfig, names: Sequence[str]) -> str:
    """Those fields of a configuration in words.

    >>> from minigrad.diagnostics.decay import DecayConfig
    >>> describe(DecayConfig(init="he", norm="layer"), ["init", "norm", "depth"])
    'he init, norm layer, depth 50'
    """
    return ", ".join(_IN_WORDS[name].format(getattr(config, name)) for name in names)


_IN_WORDS = {
    "depth": "depth {}",
    "width": "width {}",
    "activation": "{}",
    "init": "{} init",
    "norm": "norm {}",
    "batch_size": "batch size {}",
    "seeds": "seeds {}",
    "dtype": "{}",
    "data": "{}",
    "residual": "residual {}",
}


def decay_table(results: Sequence[DecayResult]) -> str:
    """A small table per configuration; see `one_table`.

    Arguments:
        results: from `measure_decay`.

    Raises:
        ArgumentError: something else than a list of them.
    """
    if isinstance(results, DecayResult) or not isinstance(results, Iterable):
        raise ArgumentError(
            "decay_table: takes a list of what measure_decay returned, such as [found], got "
            f"{type(results).__name__}"
        )
    for result in results:
        if not isinstance(result, DecayResult):
            raise ArgumentError(
                f"decay_table: takes what measure_decay returned, got {type(result).__name__}"
            )
    names = named_in_table([result.config for result in results])
    return "\n\n".join(one_table(result, names) for result in results)


def named_in_table(configs: Sequence[DecayConfig]) -> list[str]:
    """The fields that the heading of a table names: activation, init, and what varies."""
    return list(dict.fromkeys(["activation", "init", *varying(configs)]))


def one_table(result: DecayResult, names: Sequence[str], verdict_of: str = "") -> str:
    """Verdict, both gradients at the first, middle and last layer, factor per layer, underflow.

    Arguments:
        result: from `measure_decay`.
        names: the fields of the configuration that the heading names.
        verdict_of: word to put before the verdict, where there is a second one beside it.

    Returns:
        Text of four or five lines, within 80 columns.

    >>> from minigrad.diagnostics import DecayConfig, measure_decay
    >>> found = measure_decay(DecayConfig(depth=9, init="he", activation="relu"))
    >>> print(one_table(found, ["activation", "init"]).splitlines()[0])
    relu, he init: healthy
    """
    shown = [result.layers[i] for i in (0, (len(result.layers) - 1) // 2, -1)]
    lines = [
        f"{describe(result.config, names)}: {f'{verdict_of} {result.verdict}'.lstrip()}",
        "  rms at layer " + "".join(f"{layer.index:>10}" for layer in shown)
        + f"   per {result.unit}",
        "  dL/dz        " + "".join(f"{layer.dz_rms.mean:>10.1e}" for layer in shown)
        + f"{_factor(result.factor_per_layer):>12}",
        "  dL/dW        " + "".join(f"{layer.dw_rms.mean:>10.1e}" for layer in shown),
    ]  # fmt: skip
    if result.underflow_layer is not None:
        where = f"layers 1 to {result.underflow_layer}" if result.underflow_layer > 1 else "layer 1"
        if _cut_off(result):
            lines.append(
                f"  dL/dz is exactly 0 in {where}: weights of 0 or dead units pass nothing"
            )
        else:
            dtype = result.config.dtype
            lines.append(f"  {dtype} underflows in {where}: dL/dz is too small for it")
    if any(not math.isfinite(layer.dz_rms.mean) for layer in result.layers):
        lines.append(f"  {result.config.dtype} overflows: numbers on the way are too large for it")
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


def _cut_off(result: DecayResult) -> bool:
    """Whether the gradient ends at one layer, instead of having become too small step by step."""
    below, above = result.layers[result.underflow_layer - 1 : result.underflow_layer + 1]  # type: ignore[operator]
    smallest = float(np.finfo(result.config.dtype).tiny)
    return below.dz_rms.max == 0 and above.dz_rms.mean > smallest**0.5
