"""What to try against each illness, by the names under which minigrad has it."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from minigrad.diagnostics.judging.chart import Chart
from minigrad.diagnostics.judging.consequences import largest_step
from minigrad.diagnostics.judging.course import SHORT
from minigrad.diagnostics.judging.illnesses import Sign
from minigrad.diagnostics.judging.in_place import biases_are_0, is_orthogonal, spoken
from minigrad.diagnostics.probing.functional import UNSEEN
from minigrad.diagnostics.probing.way import RECURRENT

# Activations for which `nn.init.critical_` finds weights, under the name it knows them by.
CRITICAL = {
    "": "identity", "ReLU": "relu", "Tanh": "tanh", "Hardtanh": "hardtanh", "Softsign": "softsign",
    "ELU": "elu", "CELU": "celu", "SELU": "selu", "ReLU6": "relu6", "LeakyReLU": "leaky_relu",
}  # fmt: skip

# Learning rates are not divided by more than 10^3 at once: what asks for more has another cause.
MOST = 3

# From here on inputs alone make steps too long: dL/dW is as many times as large as they are.
LARGE_INPUT = 10.0

# Where a factor on the weights is the same factor on the gradient.
HOMOGENEOUS = ("", "ReLU", "LeakyReLU", "PReLU")

CLIP = "nn.utils.clip_grad_norm_(model.parameters(), 1.0) before each step"


def cure(sign: Sign, chart: Chart, others: set[str], healthy_at_first: bool = False) -> str:
    """What to try.

    Arguments:
        sign: the illness.
        chart: where it was found.
        others: the other illnesses that were found.
        healthy_at_first: did the first record show none of them?
    """
    usual = _usual(sign, chart, others)
    if not healthy_at_first or sign.verdict not in ("saturated", "exploding", "vanishing"):
        return usual
    return (
        f"lr / {_shorter(chart, sign.record)}, for the network was healthy at step "
        f"{chart.step(0)} and its steps have made it so; {CLIP}; if that is not enough, {usual}"
    )


def _shorter(chart: Chart, record: int) -> int:
    """By what to divide the learning rate: till here a step changed weights by 1 % at the most."""
    ratios = chart.series("update_ratio")[: record + 1]
    largest = ratios[np.isfinite(ratios)].max(initial=0.0)
    return _by(largest) if largest > 0 else 10


def _by(ratio: float) -> int:
    """A power of ten that makes the ratio 1 % or less; 0.15 is near enough to 0.1."""
    return int(10 ** min(MOST, max(1, math.ceil(math.log10(ratio / 0.01) - 0.2))))


def _for_the_inputs(chart: Chart) -> str:
    """What comes before all else where the inputs are large."""
    rms = chart.recording.meta.get("input_rms", 0.0)
    if not rms > LARGE_INPUT:
        return ""
    return f"standardize the inputs with data.standardize(x), for their rms is {rms:.3g}; then "


def _usual(sign: Sign, chart: Chart, others: set[str]) -> str:
    """What to try where it was so from the start."""
    activation = _most_frequent(chart)
    if activation == "" and chart.unseen:
        activation = UNSEEN
    if sign.over_time:
        return _over_time(sign, chart)
    if sign.verdict == "saturated":
        return _saturated(sign, chart, activation)
    if sign.verdict == "dead":
        return _dead(sign, chart)
    if sign.verdict == "exploding":
        return _exploding(sign, chart, activation)
    if sign.verdict == "vanishing":
        return _vanishing(sign, chart, activation)
    if sign.verdict == "underflow":
        return _underflow(sign, chart, others)
    return _unstable(sign, chart)


def _most_frequent(chart: Chart) -> str:
    counts = Counter(chart.activations[k] for k in chart.hidden or chart.way)
    return counts.most_common(1)[0][0] if counts else ""


def _other_weights(activation: str, factor: float) -> str:
    """How to draw the weights so that the gradient keeps its size."""
    if activation == UNSEEN:
        return (
            "nn.init.kaiming_normal_(layer.weight, nonlinearity='relu') for every layer if the "
            "activation, which was not seen, is relu, nn.init.critical_(model, 'tanh') if tanh"
        )
    if activation not in CRITICAL:
        return "nn.init.lsuv_(model, x)"
    found = (
        "nn.init.kaiming_normal_(layer.weight, nonlinearity='relu') for every layer"
        if activation == "ReLU"
        else f"nn.init.critical_(model, {CRITICAL[activation]!r})"
    )
    if activation in HOMOGENEOUS and 0 < factor < math.inf:
        found += f" (a gain of {1 / factor:.3g} on these weights would do)"
    return found


def _saturated(sign: Sign, chart: Chart, activation: str) -> str:
    smaller = (
        f"smaller weights, nn.init.critical_(model, {CRITICAL[activation]!r})"
        if activation in CRITICAL
        else "smaller weights, nn.init.xavier_normal_(layer.weight) for every layer"
    )
    if chart.way and set(sign.layers) == {chart.way[0]}:
        return f"standardize the inputs with data.standardize(x); or {smaller}"
    return (
        f"{_for_the_inputs(chart)}{smaller}; "
        f"nn.BatchNorm1d or nn.LayerNorm before each {activation or 'activation'}; "
        "and standardized inputs, data.standardize(x)"
    )


def _dead(sign: Sign, chart: Chart) -> str:
    if sign.record and not 0 < largest_step(chart) <= SHORT:
        return (
            f"{_for_the_inputs(chart)}lr / 10, for a step that was too long has switched the units "
            "off; "
            "nn.LeakyReLU() in place of nn.ReLU(); start again, as dead units hardly come back"
        )
    return (
        "nn.init.kaiming_normal_(layer.weight, nonlinearity='relu') and "
        "nn.init.zeros_(layer.bias) for every layer; nn.LeakyReLU() in place of nn.ReLU()"
    )


def _over_time(sign: Sign, chart: Chart) -> str:
    layer = sign.layers[0]
    kind, name = chart.kinds[layer], chart.layers[layer]
    if kind not in RECURRENT:
        names = " or ".join(chart.layers[k] for k in sign.layers)
        return (
            f"nn.init.orthogonal_(layer.weight) for the layer that takes the state ({names}); "
            "nn.LSTMCell or nn.GRUCell in its place; shorter sequences"
        )
    weight = "weight_hh" if kind.endswith("Cell") else "weight_hh_l0"
    path, module = spoken(name), chart.modules.get(name)
    advice = []
    if not is_orthogonal(module, "weight_hh"):
        advice.append(f"nn.init.orthogonal_({path}.{weight})")
    if not biases_are_0(module):
        advice.append(f"biases of 0 in {path}")
    orthogonal = f"{' and '.join(advice)}; " if advice else ""
    if sign.verdict == "exploding":
        return f"{CLIP}; {orthogonal}h.detach() after every so many time steps"
    if kind.startswith("RNN"):
        gated = "nn.LSTM or nn.GRU" if kind == "RNN" else "nn.LSTMCell or nn.GRUCell"
        return f"{orthogonal}{gated} in place of nn.{kind}; shorter sequences"
    gate = {"L": "forget gate", "G": "update gate"}[kind[0]]
    return (
        f"a bias of 2 or more for the {gate} of {path}, which keeps it open: rows hidden_size to "
        f"2 * hidden_size of {weight.replace('weight', 'bias')}; shorter sequences"
    )


def _exploding(sign: Sign, chart: Chart, activation: str) -> str:
    if "BatchNorm1d" in chart.kinds:
        return (
            "nn.LayerNorm in place of nn.BatchNorm1d, which itself multiplies the gradient in "
            f"every layer; nn.Residual around every two layers; {CLIP}"
        )
    if "Residual" in chart.kinds:
        blocks = chart.kinds.count("Residual")
        return (
            f"nn.Residual(branch, scale={blocks**-0.5:.2g}), which is 1 / sqrt(number of blocks); "
            f"nn.init.fixup_(model) or nn.init.skipinit_(model); {CLIP}"
        )
    factor = sign.numbers.get("factor", math.nan)
    return f"{_other_weights(activation, factor)}; nn.LayerNorm after every layer; {CLIP}"


def _vanishing(sign: Sign, chart: Chart, activation: str) -> str:
    factor = sign.numbers.get("factor", math.nan)
    if factor == 0:
        return f"random weights: {_other_weights(activation, math.nan)}"
    around = "nn.BatchNorm1d after every layer; nn.Residual around every two layers"
    if activation in ("Sigmoid", "Hardsigmoid", "LogSigmoid"):
        return (
            "nn.ReLU() with nn.init.kaiming_normal_(layer.weight, nonlinearity='relu'), or "
            "nn.Tanh() with nn.init.critical_(model, 'tanh'), for every layer in place of "
            f"nn.{activation}(); {around}"
        )
    return f"{_other_weights(activation, factor)}; {around}"


def _underflow(sign: Sign, chart: Chart, others: set[str]) -> str:
    if "vanishing" in others:
        return "cure what makes the gradient vanish; model.double() alone only hides it"
    rms = sign.numbers.get("rms", 0.0)
    if rms == 0:
        return "look at the loss; scale it up before backward, and divide the gradients again"
    scale = 10.0 ** round(-math.log10(rms) / 2)
    return (
        f"multiply the loss by {scale:.0e} before backward and divide the gradients by it; "
        "model.double(); inputs of mean 0 and variance 1, data.standardize(x)"
    )


def _unstable(sign: Sign, chart: Chart) -> str:
    broken = [k for k in sign.layers if k in chart.broken_weights]
    if broken and "not_finite" in sign.numbers:
        found = (
            f"{chart.layers[broken[0]]} holds NaN or infinity in its weights: make the model anew, "
            "or look at the checkpoint they were loaded from"
        )
        if sign.record:
            found += "; if they were trained between these records, begin again with lr / 10"
        return found
    if sign.record == 0 and "not_finite" in sign.numbers:
        return (
            "one step inside `with diagnostics.detect_anomaly():`, which names the operation that "
            "makes it; then look at the loss, at the data and at the weights that were loaded"
        )
    # The first record tells all rates apart; later ones tell how far each got before it broke.
    by = max(_shorter(chart, 0), _by(sign.numbers.get("update_ratio", 0.1)))
    return (
        f"{_for_the_inputs(chart)}lr / {by}; "
        "diagnostics.lr_range_test(model, optimizer, data) finds one that fits; "
        f"{CLIP}; a warm-up, optim.lr_scheduler.LinearLR(optimizer)"
    )
