"""Notes beside the verdict: does the network learn at all, however healthy its gradients are?

The commonest reasons why it does not are no illness of gradients: a step that was never taken, a
learning rate of nearly nothing, gradients that add up, labels that belong to other inputs.
"""

from __future__ import annotations

import math

import numpy as np

from minigrad.diagnostics.judging.chart import Chart
from minigrad.diagnostics.probing.statistics import FLOAT

# At this rate it takes a million steps to change weights by their own size.
STANDSTILL = 1e-6

# Below a tenth of the usual thousandth the learning rate is the first that comes to mind.
SLOW = 1e-4

# The loss has fallen by a tenth: surely; by less than a hundredth: not. Between these it must be
# more than twice what batches scatter.
SURELY, HARDLY, SCATTER = 0.1, 0.01, 2.0

# Within 3 % of ln(classes) a network knows no more than how many classes there are; a loss below
# 70 % of it has learned something before, and need not fall any more.
GUESSING, LEARNED = 0.97, 0.7

FEW = 100  # steps, which are no proof
LEAST_RECORDS, LEAST_STEPS = 3, 10


def progress(chart: Chart, verdicts: tuple[str, ...]) -> tuple[str, ...]:
    """What keeps a network from training besides its illnesses, in words; empty if nothing does.

    Arguments:
        chart: what was recorded.
        verdicts: the illnesses. Beside one nothing is said of the loss, which then is no wonder.
    """
    still = _never_stepped(chart) or _stands_still(chart)
    loss = None if still or verdicts else _loss_stays(chart)
    return tuple(note for note in (_added_up(chart), still, loss) if note is not None)


def _never_stepped(chart: Chart) -> str | None:
    """Backward passes, but no step after any of them."""
    meta = chart.recording.meta
    backwards = meta.get("backwards", 0)
    if meta.get("optimizer") is not None and meta.get("updates") == 0 and backwards > 1:
        return (
            f"the weights do not move: none of {backwards} backward passes was followed by a step "
            f"of the {meta['optimizer']} that the Probe was told; was optimizer.step() called, and "
            "is it the same optimizer?"
        )
    if meta.get("moved") is False and len(chart) >= LEAST_RECORDS:
        return (
            f"the weights do not move: after {backwards} backward passes they are the same to the "
            "last bit; if it was to be trained: was optimizer.step() called, does the optimizer "
            "hold model.parameters(), is lr more than nearly 0?"
        )
    return None


def _stands_still(chart: Chart) -> str | None:
    """In no record any layer moved by more than a millionth, though there is a gradient."""
    ratios = chart.series("update_ratio")
    ratios = ratios[np.isfinite(ratios)]
    gradients = chart.series("dw_rms")
    there_is_one = (gradients[np.isfinite(gradients)] > chart.smallest).any()
    if not ratios.size or ratios.max() >= STANDSTILL or not there_is_one:
        return None
    if ratios.max() == 0:
        found = "do not move: update/W is exactly 0 in every record"
    else:
        found = f"hardly move: update/W is {ratios.max():.1g} at most"
    return (
        f"the weights {found}, where about 1e-3 is usual ({len(chart)} records); is lr (nearly) 0, "
        "or has a schedule brought it there?"
    )


def _added_up(chart: Chart) -> str | None:
    """In most steps the gradient of the step before was still there."""
    meta = chart.recording.meta
    left, updates = meta.get("left_over", 0), meta.get("updates", 0)
    if left < 2 or left < updates // 2:
        return None
    return (
        f"gradients add up: in {left} of {updates} recorded steps the gradient of the step before "
        "was still there when backward began; call optimizer.zero_grad() in every step"
    )


# -- the loss --------------------------------------------------------------------------------------


def _loss_stays(chart: Chart) -> str | None:
    """The loss ends where it began, or where guessing brings it."""
    known = np.flatnonzero(np.isfinite(chart.recording.loss))
    if len(known) < LEAST_RECORDS:
        return None
    losses = chart.recording.loss[known]
    begin, end = chart.step(int(known[0])), chart.step(int(known[-1]))
    if end - begin < LEAST_STEPS:
        return None
    classes = _classes(chart)
    guessing = math.log(classes) if classes > 1 else 0.0
    first, last = _ends(losses)
    if fell(losses):
        # To the level of guessing it falls for whatever labels.
        if last < GUESSING * guessing or last > guessing / GUESSING:
            return None
        if fell(losses[len(losses) // 2 :]):
            return None
        found = f"the loss fell no lower than {last:.3g}"
    elif last < LEARNED * guessing:
        return None
    elif first - last > HARDLY * abs(first):
        found = f"the loss fell by no more than batches differ: {first:.3g} -> {last:.3g}"
    else:
        found = f"the loss did not fall: {first:.3g} -> {last:.3g}"
    found = f"the gradients are healthy, but {found} from step {begin} to {end}"
    if guessing and last >= GUESSING * guessing:
        found += (
            f"; if it is a cross-entropy, guessing among {classes} classes gives {guessing:.3g}"
        )
    return f"{found}. {_hint(chart, end - begin)}"


def _hint(chart: Chart, steps: int) -> str:
    """What to look at, and how much so many steps prove."""
    hint = f"{steps} steps are no proof: train longer. " if steps < FEW else ""
    if chart.recording.meta.get("last") == "Softmax":
        return (
            f"{hint}The output goes through nn.Softmax: cross_entropy does that itself, so give it "
            "the output without"
        )
    ratios = chart.series("update_ratio")
    ratios = ratios[np.isfinite(ratios)]
    if ratios.size and ratios.max() < SLOW:
        return (
            f"{hint}update/W is {ratios.max():.1g} at most, where about 1e-3 is usual: try a "
            "larger lr"
        )
    return (
        f"{hint}Look whether x[i] and y[i] still belong together, whether the loss gets what it "
        "expects (cross_entropy: outputs without nn.Softmax), and at other learning rates "
        "(diagnostics.lr_range_test)"
    )


def fell(losses: FLOAT) -> bool:
    """Whether the loss is lower at the end than at the beginning, by more than batches differ.

    >>> fell(np.array([2.3, 1.9, 1.5, 1.2])), fell(np.array([2.3, 2.31, 2.29, 2.3]))
    (True, False)
    """
    first, last = _ends(losses)
    drop, scale = first - last, abs(first)
    if drop >= SURELY * scale:
        return True
    scatter = float(np.std(np.diff(losses))) / math.sqrt(2)  # of one loss around a steady fall
    count = _quarter(losses)
    return drop > max(HARDLY * scale, SCATTER * scatter * math.sqrt(2 / count))


def _ends(losses: FLOAT) -> tuple[float, float]:
    """Median of the first and of the last quarter."""
    count = _quarter(losses)
    return float(np.median(losses[:count])), float(np.median(losses[-count:]))


def _quarter(losses: FLOAT) -> int:
    return max(1, len(losses) // 4)


def _classes(chart: Chart) -> int:
    """How many outputs the last layer has; 0 where that was not recorded."""
    units = chart.recording.meta.get("units", {})
    return int(units.get(chart.layers[chart.way[-1]], 0)) if chart.way else 0
