"""diagnose: what is wrong with a network, in which layer, by how much, and what to try."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from minigrad import nn
from minigrad.backend import Array
from minigrad.diagnostics.arguments import check_optimizer
from minigrad.diagnostics.batch_loss import (
    Batch,
    LossFunction,
    batches,
    check_targets,
    default_loss,
    loss_of,
)
from minigrad.diagnostics.judging.chart import Chart
from minigrad.diagnostics.judging.consequences import explained, ranked
from minigrad.diagnostics.judging.course import breakdown, broken_record, long_steps, restless_loss
from minigrad.diagnostics.judging.cures import cure
from minigrad.diagnostics.judging.gaps import not_judged, notes
from minigrad.diagnostics.judging.illnesses import Record, Sign
from minigrad.diagnostics.judging.over_time import over_time
from minigrad.diagnostics.judging.progress import progress
from minigrad.diagnostics.judging.remarks import remarks
from minigrad.diagnostics.judging.verdicts import COLUMNS, Diagnosis, Finding, LayerVerdict
from minigrad.diagnostics.probing.layers import weights_of
from minigrad.diagnostics.probing.probe import Probe
from minigrad.diagnostics.probing.recording import Recording
from minigrad.diagnostics.undisturbed import undisturbed
from minigrad.errors import ArgumentError, GraphError, MinigradError
from minigrad.nn.arguments import check_count
from minigrad.optim import Optimizer
from minigrad.tape import enable_grad
from minigrad.tensor import Tensor

# Rows of a large batch that are looked at: enough for all that is measured.
ENOUGH = 512


def diagnose(
    of: nn.Module | Recording | str | Path,
    data: Any = None,
    *,
    loss_fn: LossFunction | None = None,
    optimizer: Optimizer | None = None,
    steps: int = 20,
) -> Diagnosis:
    """Verdicts on a network and on each of its layers, with the evidence and what to try.

    vanishing   dL/dz of a hidden layer is below 1/20 (e^-3) of that of the last hidden layer
    exploding   it is above 20 times that; or numbers grow from layer to layer until they overflow
    saturated   more than half of a layer's activations lie where its function is flat, not
                counting what lies there among normal numbers; not judged of rectifiers
    dead        half of a layer's ReLUs or more are off for every example, and 80 % of all numbers
                are; and the layers that get no gradient because of it. Where nothing else shows,
                also an exact 0 in every hidden layer, unless the output weights are still 0
    underflow   an rms is below the smallest normal number of the dtype (1.2e-38 in float32), or
                0 because it got too small
    both        also over the time steps of a recurrent layer: dL/dh at the first against that at
                the last at which a gradient arrives. Without such a layer, vanishing is also what
                shrinks steadily over five calls or more of a layer, as in a recurrence by hand
    unstable    NaN or infinity; weights that change by more than a tenth of their size in a step,
                in the median over the records; or a loss that climbs by half of its first value,
                or rises by a tenth of it in a quarter of the steps, unless no step changes any
                weights by more than a hundredth; or none by more than their whole size, and the
                loss comes down all the same
    healthy     none of these
    unknown     none either, but not all could be looked for; the table says why

    The verdict on the network is the first cause: what showed in an earlier step; and of one step,
    the first in the order saturated, dead, exploding, vanishing, underflow, unstable. All that is
    still there in the last record that holds finite numbers is listed. The output layer is never
    compared with the hidden ones, nor is dL/dW with dL/dz; normalization layers are compared
    among each other; and a layer inside of a residual branch with none. For "vanishing" and
    "exploding" a network needs two hidden layers.

    Arguments:
        of: a recording, such as a `Probe`, or the path of its file; or a model, of which one is
            made here. The model is run in the mode it is in, and left as it was, to the last bit.
        data: for a model, a batch (x, y), a data set, or a `DataLoader`. Of more than 512 examples
            in one batch, 512 evenly spaced are taken.
        loss_fn: `loss_fn(model(x), y)`, the mean over the batch. By default the cross-entropy for
            whole numbers as targets, the mean squared error for others.
        optimizer: of the model; with it, `steps` steps are taken, which are undone afterwards.
            Without it, one batch goes forward and back, which tells nothing about stability.
        steps: how many, with an optimizer.

    Raises:
        ArgumentError: data that are no batches (x, y), or that hold NaN; a model without layers;
            data beside a recording.
        GraphError: a recording without records, or without gradients.

    Sources: Glorot & Bengio (2010) for saturation; Schoenholz et al. (2017) for the factor e^3.
    The other thresholds are conventions.

    >>> import minigrad as mg
    >>> from minigrad.diagnostics import diagnose
    >>> g = mg.Generator(0)
    >>> model = mg.models.deep_mlp(20, 64, "sigmoid", "xavier", generator=g)
    >>> found = diagnose(model, mg.data.load_digits())
    >>> found.verdict, found.layers[0].verdict, found.layers[-1].verdict
    ('vanishing', 'vanishing', 'healthy')
    """
    if isinstance(of, nn.Module):
        recording = _recorded(of, data, loss_fn, optimizer, steps)
        # The steps were undone: these are the weights that the recording began with.
        return _judge(Chart(recording, _weights(of, recording), of))
    if isinstance(of, str | Path):
        of = Recording.load(of)
    if not isinstance(of, Recording):
        raise ArgumentError(
            f"diagnose: expected a model or a Recording, got {type(of).__name__}; pass "
            "diagnose(model, (x, y)), diagnose(probe) or the path of a recording's file"
        )
    if data is not None or loss_fn is not None or optimizer is not None:
        raise ArgumentError("diagnose: a recording needs no data, loss or optimizer beside it")
    if isinstance(of, Probe):
        # With an optimizer the weights are no more what the recording began with.
        began_with = {} if of._optimizer is not None else _weights(of._model, of)
        return _judge(Chart(of, began_with, of._model))
    return _judge(Chart(of, {}))


# -- recording -----------------------------------------------------------------------------------


def _recorded(
    model: nn.Module,
    data: Any,
    loss_fn: LossFunction | None,
    optimizer: Optimizer | None,
    steps: int,
) -> Recording:
    check_count("diagnose", "steps", steps)
    if optimizer is not None:
        check_optimizer("diagnose", optimizer)
    generator = getattr(data, "generator", None)
    probe = _probe(model, optimizer, window=max(1, min(10, steps // 2)))
    with (
        undisturbed(model, optimizer, *([generator] if generator else [])),
        enable_grad(),
        np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"),
        probe,
    ):
        found = batches("diagnose", data)
        for _ in range(1 if optimizer is None else steps):
            x, y = next(found)
            if loss_fn is None:
                check_targets("diagnose", x, y)
            x, y = _thinned((x, y))
            loss = loss_of("diagnose", model, x, y, loss_fn or default_loss("diagnose", y))
            if optimizer is None:
                loss.backward()
                probe.note(loss=loss.item())
                continue
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            probe.note(loss=loss.item())
            if not math.isfinite(loss.item()):
                break
    return probe


def _probe(model: nn.Module, optimizer: Optimizer | None, window: int) -> Probe:
    """The window: of records, in which a unit must be off to be dead."""
    try:
        return Probe(model, optimizer, full=0, window=window)
    except MinigradError as error:  # the caller has made no Probe
        raise type(error)(str(error).replace("Probe:", "diagnose:", 1)) from None


def _weights(model: nn.Module, recording: Recording) -> dict[str, list[Array]]:
    """Per layer its own weights and biases, and what computed weights are computed from."""
    modules = dict(model.named_modules())
    return {
        name: [
            p._data for p in (*modules[name].parameters(recurse=False), *weights_of(modules[name]))
        ]
        for name in recording.layers
        if name in modules
    }


def _thinned(batch: Batch) -> tuple[Tensor, Any]:
    x, y = batch
    if len(x) <= ENOUGH or not y.ndim or len(y) != len(x):
        return x, y
    rows = np.linspace(0, len(x) - 1, ENOUGH).astype(np.int64)
    return x[rows], y[rows]


# -- judging -------------------------------------------------------------------------------------


def _judge(chart: Chart) -> Diagnosis:
    if not len(chart):
        raise GraphError(
            "diagnose: nothing was recorded; run forward and backward inside `with probe:`"
        )
    broken = broken_record(chart)
    if broken is None and np.isnan(chart.series("dz_rms")).all():
        raise GraphError(
            "diagnose: the recording holds no gradients; call backward inside `with probe:`"
        )
    last = _last_whole_record(chart, broken)
    signs = [] if last is None else explained(chart, _dated(chart, _signs(chart, last)))
    if broken is not None:
        signs.append(breakdown(chart, broken))
    signs += [sign for sign in (long_steps(chart), restless_loss(chart)) if sign is not None]
    shown = (broken or 0) if last is None else last
    findings = _findings(chart, signs)
    numbers = [
        {n: float(chart.series(n)[shown, k]) for n in COLUMNS} for k in range(len(chart.layers))
    ]
    layers = tuple(
        LayerVerdict(
            k + 1,
            name,
            chart.activations[k],
            tuple(f.verdict for f in findings if name in f.layers),
            numbers[k],
            seen=not math.isnan(chart.series("dz_rms")[shown, k]),
        )
        for k, name in enumerate(chart.layers)
    )
    of_record = Record(chart, shown)
    unjudged = tuple(not_judged(chart, of_record))
    verdicts = tuple(finding.verdict for finding in findings) or ("unknown",) * bool(unjudged)
    return Diagnosis(
        findings,
        layers,
        chart.step(shown),
        of_record.factor_per_layer(),
        chart.window(shown),
        chart.unit,
        unjudged,
        notes=progress(chart, verdicts),
        remarks=(*notes(chart), *remarks(chart, findings, layers)),
    )


def _last_whole_record(chart: Chart, broken: int | None) -> int | None:
    """The last record in which gradients arrived and all numbers are finite."""
    arrived = np.flatnonzero((~np.isnan(chart.series("dz_rms"))).any(axis=1))
    usable = arrived if broken is None else arrived[arrived < broken]
    return int(usable[-1]) if usable.size else None


def _signs(chart: Chart, record: int) -> list[Sign]:
    return Record(chart, record).signs() + over_time(chart, record)


def _dated(chart: Chart, signs: list[Sign]) -> list[Sign]:
    """Signs with the record in which each illness first showed."""
    if not signs:
        return []
    shown = [{(s.verdict, s.over_time) for s in _signs(chart, r)} for r in range(len(chart))]
    kinds = {(s.verdict, s.over_time) for s in signs}
    since = {kind: next(r for r, has in enumerate(shown) if kind in has) for kind in kinds}
    return [replace(sign, record=since[sign.verdict, sign.over_time]) for sign in signs]


def _findings(chart: Chart, signs: list[Sign]) -> tuple[Finding, ...]:
    """One finding for each illness, the first cause first; signs of the same are joined."""
    groups = {}
    for verdict in {sign.verdict for sign in signs}:
        same = [sign for sign in signs if sign.verdict == verdict]
        groups[verdict] = same, min(same, key=lambda sign: sign.record)
    order = ranked(groups)
    findings = []
    for verdict in order:
        same, first = groups[verdict]
        numbers = {name: value for sign in same for name, value in sign.numbers.items()}
        began = groups[order[0]][1]
        came_of_it = began.verdict == "unstable" and first.record > began.record
        findings.append(
            Finding(
                verdict,
                tuple(chart.layers[k] for k in sorted({k for s in same for k in s.layers})),
                chart.step(first.record),
                "; ".join(sign.evidence for sign in same),
                "cure the unstable steps first, which it came of"
                if came_of_it
                else _cures(first, same, chart, set(order), began.record > 0),
                numbers,
            )
        )
    return tuple(findings)


def _cures(
    first: Sign, same: list[Sign], chart: Chart, others: set[str], healthy_at_first: bool
) -> str:
    """The cure of the first sign; and where the illness shows both over depth and time, of both."""
    other = [sign for sign in same if sign.over_time != first.over_time][:1]
    return "; ".join(cure(sign, chart, others, healthy_at_first) for sign in (first, *other))
