"""fit: the training loop, with all that one would write around it.

By hand a loop is five lines, and every lesson that teaches one writes it out:

    for epoch in range(epochs):
        for x, y in loader:
            optimizer.zero_grad()
            loss(model(x), y).backward()
            optimizer.step()

`fit` adds averages over each epoch, validation, early stopping, a progress bar, and an end with a
reason where numbers stop being numbers.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np

from minigrad import nn
from minigrad.errors import ArgumentError
from minigrad.nn.arguments import check_count
from minigrad.ops.creation import as_tensor
from minigrad.optim.lr_scheduler import ReduceLROnPlateau
from minigrad.tape import no_grad
from minigrad.tensor import Tensor
from minigrad.train.divergence import check_loss, check_parameters
from minigrad.train.progress import progress_bar

Batch = tuple[Tensor, Any]
Measure = Callable[[Tensor, Any], Any]  # of outputs and targets: a loss or a metric
History = dict[str, list[float]]


def accuracy(output: Tensor, target: Any) -> float:
    """The share of examples whose largest score is that of the right class.

    Arguments:
        output: scores, (n, classes).
        target: class numbers, (n,).

    >>> import minigrad as mg
    >>> mg.train.accuracy(mg.tensor([[2.0, 1.0], [0.0, 1.0]]), mg.tensor([0, 0]))
    0.5
    """
    return float((output.data.argmax(axis=1) == as_tensor(target).data).mean())


def evaluate(
    model: nn.Module,
    data: Iterable[Any],
    loss: Measure,
    metrics: Mapping[str, Measure] | None = None,
) -> dict[str, float]:
    """Loss and metrics over all of `data`, in evaluation mode and without gradients.

    Arguments:
        model, data, loss, metrics: as for `fit`.

    Returns:
        "loss" and the names of the metrics, each the mean over all examples. The model is left in
        the mode in which it was.

    Raises:
        ArgumentError: no batches, or something else than batches (x, y).

    >>> import minigrad as mg
    >>> model = mg.models.deep_mlp(3, 16)
    >>> loader = mg.data.DataLoader(mg.data.load_digits(), batch_size=256)
    >>> found = mg.train.evaluate(
    ...     model, loader, mg.nn.functional.cross_entropy, {"accuracy": mg.train.accuracy}
    ... )
    >>> list(found)
    ['loss', 'accuracy']
    """
    means = _Means()
    with _mode(model, training=False), no_grad():
        for x, y in _batches("evaluate", data):
            _measure(means, model, x, y, loss, metrics or {})
    return means.values()


def fit(
    model: nn.Module,
    data: Iterable[Any],
    optimizer: Any,
    loss: Measure,
    epochs: int,
    *,
    validation: Iterable[Any] | None = None,
    metrics: Mapping[str, Measure] | None = None,
    callbacks: Sequence[Callable[[nn.Module, History], Any]] = (),
    scheduler: Any = None,
    probe: Any = None,
    accumulate: int = 1,
    patience: int | None = None,
    progress: bool | None = None,
) -> History:
    """Train a model, and tell what happened.

    Arguments:
        model: called with x.
        data: batches (x, y), as a `DataLoader` gives them anew for every epoch.
        optimizer: of the model's parameters. To clip gradients or to step a schedule at every
            update, hook in: `optimizer.register_step_pre_hook(lambda *_: clip_grad_norm_(...))`,
            `optimizer.register_step_post_hook(lambda *_: scheduler.step())`.
        loss: `loss(model(x), y)`, the mean over the examples of the batch, the rows of x.
        epochs: how often to go through the data.
        validation: batches to evaluate on after every epoch.
        metrics: further functions of output and target by name, such as
            `{"accuracy": train.accuracy}`; means over the examples.
        callbacks: called as `f(model, history)` after every epoch; one that returns True ends
            the training.
        scheduler: stepped after every epoch; a `ReduceLROnPlateau` gets the validation loss (or,
            without one, the training loss).
        probe: a `diagnostics.Probe` of the model and this optimizer, not yet in use: it records
            the training, and is told the loss of every step.
        accumulate: batches to add up gradients over before each update. The update is that of
            one batch of all their examples, as long as no layer looks at the batch (BatchNorm).
        patience: stop when the validation loss has not fallen below its best for so many epochs.
            Then, and also where the epochs run out, the weights of the best epoch come back.
        progress: show a bar (needs tqdm)? None: where there is someone to see it, in a terminal
            or notebook, if tqdm is installed.

    Returns:
        The history, a dict of lists with a number for every epoch: "epoch" (from 1), "lr" (of the
        first group, during the epoch), "loss" and the metrics, and with validation "val_loss" and
        "val_" before each metric. Training figures are taken from the batches as they pass, so
        while the weights change.

    Raises:
        Diverged: the loss or a weight is no finite number; it says at which step and in which
            layer that began, and holds the history until then.
        ArgumentError: an option that does not fit, an optimizer of other parameters than the
            model's, or something else than batches (x, y).

    >>> import minigrad as mg
    >>> digits = mg.data.load_digits()
    >>> g = mg.Generator(0)
    >>> x, x_test, y, y_test = mg.data.train_test_split(digits, generator=g)
    >>> model = mg.models.deep_mlp(3, 32, "relu", "he", generator=g)
    >>> history = mg.train.fit(
    ...     model,
    ...     mg.data.DataLoader((x, y), batch_size=32, shuffle=True, generator=g),
    ...     mg.optim.Adam(model.parameters(), lr=0.003),
    ...     mg.nn.functional.cross_entropy,
    ...     epochs=5,
    ...     validation=mg.data.DataLoader((x_test, y_test), batch_size=450),
    ...     metrics={"accuracy": mg.train.accuracy},
    ... )
    >>> history["val_accuracy"][-1] > 0.9
    True
    """
    check_count("fit", "epochs", epochs)
    check_count("fit", "accumulate", accumulate)
    if patience is not None:
        check_count("fit", "patience", patience)
        if validation is None:
            raise ArgumentError("fit: patience watches the validation loss; pass validation=...")
    _check_optimizer(model, optimizer)
    if isinstance(loss, type) or not callable(loss):
        got = f"the class {loss.__name__}" if isinstance(loss, type) else repr(loss)
        raise ArgumentError(
            "fit: loss must be a function of the model's output and the targets, such as "
            f"nn.functional.cross_entropy or nn.CrossEntropyLoss(), got {got}"
        )
    metrics = metrics or {}
    history: History = {}
    best = _Best(model, patience) if patience is not None else None
    bar = progress_bar(epochs, data, progress)
    # What overflows is found and explained here; NumPy's warnings would only come before it.
    recording = nullcontext() if probe is None else probe
    with (
        bar,
        recording,
        _mode(model, training=True),
        np.errstate(over="ignore", invalid="ignore"),
    ):
        step = 0
        for epoch in range(1, epochs + 1):
            row = {"epoch": epoch, "lr": float(optimizer.param_groups[0]["lr"])}
            means = _Means()
            batches = bar.each(_batches("fit", data))
            for group in _groups(batches, accumulate):
                step += 1
                value = _update(model, optimizer, loss, metrics, group, means, step, history)
                if probe is not None:
                    probe.note(loss=value)
            check_parameters(model, step, history)
            row |= means.values()
            if validation is not None:
                found = evaluate(model, validation, loss, metrics)
                row |= {f"val_{name}": value for name, value in found.items()}
            for name, value in row.items():
                history.setdefault(name, []).append(value)
            bar.show(row)
            if scheduler is not None:
                _step_schedule(scheduler, row)
            reasons = [callback(model, history) is True for callback in callbacks]
            if best is not None:
                reasons.append(best.is_over(row["val_loss"]))
            if any(reasons):
                break
        if best is not None:
            best.restore()
    return history


def _check_optimizer(model: nn.Module, optimizer: Any) -> None:
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    if held.isdisjoint(map(id, model.parameters())):
        raise ArgumentError(
            "fit: the optimizer holds none of the model's parameters, so the model would not "
            "learn; make it with model.parameters() of this model"
        )


# -- one update --------------------------------------------------------------------------------


def _update(
    model: nn.Module, optimizer: Any, loss: Measure, metrics: Mapping[str, Measure],
    group: list[Batch], means: _Means, step: int, history: History,
) -> float:  # fmt: skip
    """One step of the optimizer, from the gradients of all batches of the group together.

    Returns:
        The loss before it, the mean over the group.
    """
    total = sum(len(x) for x, _ in group)
    mean = 0.0
    for i, (x, y) in enumerate(group):
        value = _measure(means, model, x, y, loss, metrics)
        check_loss(model, x, y, value.item(), step, history)
        if i == 0:  # not before: should the loss have broken, the old gradients tell why
            optimizer.zero_grad()
        # Each mean counts as much as its batch has examples: a short last one counts less.
        share = len(x) / total
        mean += share * value.item()
        (value if share == 1 else value * share).backward()
    optimizer.step()
    return mean


def _measure(
    means: _Means,
    model: nn.Module,
    x: Tensor,
    y: Any,
    loss: Measure,
    metrics: Mapping[str, Measure],
) -> Tensor:
    """The loss of a batch; it and the metrics are added to the means."""
    output = model(x)
    value: Tensor = loss(output, y)
    if value.size != 1:
        raise ArgumentError(
            f"fit: the loss has shape {value.shape}; it must be one number, the mean over the batch"
        )
    means.add("loss", value.item(), len(x))
    with no_grad():
        for name, metric in metrics.items():
            means.add(name, float(metric(output, y)), len(x))
    return value


class _Means:
    """Means over examples, from means over batches."""

    def __init__(self) -> None:
        self.sums: dict[str, list[float]] = {}

    def add(self, name: str, mean: float, count: int) -> None:
        pair = self.sums.setdefault(name, [0.0, 0.0])
        pair[0] += mean * count
        pair[1] += count

    def values(self) -> dict[str, float]:
        return {name: total / count for name, (total, count) in self.sums.items()}


# -- data --------------------------------------------------------------------------------------


def _batches(owner: str, data: Iterable[Any]) -> Iterator[Batch]:
    empty = True
    for batch in data:
        if not isinstance(batch, tuple | list) or len(batch) != 2:
            raise ArgumentError(
                f"{owner}: data must give batches (x, y), but it gave a {type(batch).__name__}; "
                "for arrays, use DataLoader((x, y), batch_size=...)"
            )
        empty = False
        yield as_tensor(batch[0]), batch[1]
    if empty:
        raise ArgumentError(
            f"{owner}: data gave no batch; a generator is used up after one epoch, so pass a "
            "DataLoader or a list"
        )


def _groups(batches: Iterable[Batch], size: int) -> Iterator[list[Batch]]:
    batches = iter(batches)
    while group := list(itertools.islice(batches, size)):
        yield group


# -- the model between epochs ------------------------------------------------------------------


@contextmanager
def _mode(model: nn.Module, training: bool) -> Iterator[None]:
    """Training or evaluation for a while; then every module is as it was."""
    before = [(module, module.training) for module in model.modules()]
    model.train(training)
    try:
        yield
    finally:
        for module, mode in before:
            module.training = mode


class _Best:
    """The weights of the epoch with the lowest validation loss, and how long ago it was."""

    def __init__(self, model: nn.Module, patience: int) -> None:
        self.model, self.patience = model, patience
        self.loss, self.waited = math.inf, 0
        self.state = copy.deepcopy(model.state_dict())

    def is_over(self, loss: float) -> bool:
        if loss < self.loss:
            self.loss, self.waited = loss, 0
            self.state = copy.deepcopy(self.model.state_dict())
        else:
            self.waited += 1
        return self.waited >= self.patience

    def restore(self) -> None:
        self.model.load_state_dict(self.state)


def _step_schedule(scheduler: Any, row: Mapping[str, float]) -> None:
    if isinstance(scheduler, ReduceLROnPlateau):
        scheduler.step(row.get("val_loss", row["loss"]))
    else:
        scheduler.step()
