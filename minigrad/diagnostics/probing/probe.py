"""Probe: a recording that fills itself in a training loop."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np

from minigrad import nn
from minigrad.diagnostics.probing.checks import check_one_number, one_number
from minigrad.diagnostics.probing.footprints import Footprints
from minigrad.diagnostics.probing.functional import ACTIVATIONS, UNSEEN
from minigrad.diagnostics.probing.gauge import fetched
from minigrad.diagnostics.probing.layers import (
    PASSES_ON,
    Pattern,
    first_tensor,
    is_unknown,
    named_layers,
    tensors_in,
    weights_of,
)
from minigrad.diagnostics.probing.names import MEASURED
from minigrad.diagnostics.probing.recording import Recording
from minigrad.diagnostics.probing.recurrence import RECURRENT, RecurrenceHook
from minigrad.diagnostics.probing.signals import SEEN, Signals
from minigrad.diagnostics.probing.statistics import BINS
from minigrad.diagnostics.probing.weights import Weights
from minigrad.diagnostics.undisturbed import measuring
from minigrad.errors import ArgumentError, DtypeError, GraphError, MinigradError
from minigrad.tape import RemovableHandle, mode
from minigrad.tensor import Tensor

_UNSEEN = "was not called in a recorded step, or under no_grad alone"
_FROZEN = "its weights require no gradient, so there is no dL/dW"
_NOT_KNOWN = (
    UNSEEN + ": its output went into {}; modules are known, such as nn.LeakyReLU(), and of "
    "functions, called on the output itself, " + ", ".join(f"F.{name}" for name in ACTIVATIONS)
)
_UNKNOWN = "is no nn.Activation; derived from that, it would be measured as one"


class Probe(Recording):
    """Record, in any training loop, what goes through every layer and comes back.

    A Probe is a `Recording`, which says what the series are. Looked at are all modules with
    weights of their own (Linear and normalization layers, embeddings, recurrent cells, ...), and
    residual blocks, whose z is the sum at their end. The activation of a layer is the
    `nn.Activation` that takes its output, also after a normalization or dropout; or a function
    such as `F.relu`, `F.tanh` or `F.sigmoid` that was called on it, between a layer and the next or
    before the model's own output. Another is not seen, and `skipped` says so.

    A step ends with `optimizer.step()`. Without an optimizer it ends when, after a backward, the
    layer that came first is called again. The end of the `with` block ends a step that has begun.

    A layer that is called several times in a step (a shared layer, a recurrent cell, accumulated
    batches) is measured over all its calls together; its dL/dW is the sum, as in `weight.grad`.
    What it was in each call, over the time of a sequence say, tells `steps_of`. Several backwards
    through one forward add up, in dL/dz too; `mg.grad`, which fills no `.grad`, does not count.
    Of recurrent layers (`nn.RNN`, `nn.LSTM`, `nn.GRU`) z is the h of every time, layer and
    direction, and dz the whole gradient there; their activation is inside of them, so z comes after
    it, and `activations` holds "". All weights of a layer count as one W, biases left
    out; of a parametrized layer, W is what it learns.

    What it costs: a record takes as long as about two training steps of 50 layers of 32 units (64
    examples, Adam), one of 128 units and half a one of 512; from 128 on mostly for the weights,
    which are read again and compared with copies. With `every=10` training is so 15 to 20, 7 to 11
    and 5 % slower; 5 % is kept by `every=40` at 32 units and `every=20` at 128. Between two records
    nothing is done but to count steps.

    Only numbers are kept, and of each layer the gradient of the last record, for `dw_cosine`; and
    under `retain_graph=True` every dL/dz until the step ends, for more may be added to it. The
    hooks are taken off at the end of the block, also after an exception; of the step that it
    stopped (Ctrl-C, say) there is no record, but of one that `Diverged` or an AnomalyError ended
    there is. Entered again, the probe goes on. Forwards under `no_grad` are not seen, nor is what
    other diagnostics run meanwhile, such as `sharpness` or `jacobian_spectrum`.

    Layers that hold NaN or infinity in their weights when the probe is first entered are named in
    `meta["broken_weights"]`.

    Arguments:
        model: an `nn.Module` that holds layers with weights.
        optimizer: the one that steps the model; without it there is no `update_ratio`.
        every: record steps 0, every, 2 * every, ...
        include, exclude: which layers: patterns of their paths, such as "encoder.*", or classes,
            such as `nn.Linear`; one or several. See `layers.named_layers`.
        full: every so manyth record is a full one, with mean, std, max, the share of zeros and a
            histogram of every signal; they cost more than all the rest. 0: none is.
        window: for how many records in a row a unit must have been silent to count as dead. By
            default for as many as ten steps have, but three at least.

    Raises:
        ArgumentError: a model without such layers, a pattern that matches none of them, an
            optimizer of another model, or a number that is not a whole number of at least 1.
        DtypeError: no module, or no optimizer.
        GraphError: entered while it is already in use.

    >>> import minigrad as mg
    >>> from minigrad.diagnostics import Probe
    >>> model = mg.nn.Sequential(mg.nn.Linear(2, 3), mg.nn.Tanh(), mg.nn.Linear(3, 1))
    >>> with Probe(model) as probe:
    ...     model(mg.ones(5, 2)).sum().backward()
    >>> probe.layers, probe.activations
    (['0', '2'], {'0': 'Tanh', '2': ''})
    >>> probe.series("dz_rms").shape  # (records, layers)
    (1, 2)
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Any = None,
        every: int = 1,
        include: Pattern | Iterable[Pattern] = "*",
        exclude: Pattern | Iterable[Pattern] = (),
        *,
        full: int = 10,
        window: int | None = None,
    ) -> None:
        if window is None and isinstance(every, int | np.integer):
            window = max(3, math.ceil(10 / max(1, every)))
        for name, value, least in (
            ("every", every, 1), ("full", full, 0), ("window", window, 1)
        ):  # fmt: skip
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
                raise ArgumentError(
                    f"Probe: {name} must be a whole number of at least {least}, got {value!r}"
                )
        _check(model, optimizer)
        self._modules = named_layers(model, include, exclude)
        kinds = {path: type(module).__name__ for path, module in self._modules.items()}
        dtype = str(next((p.dtype for p in model.parameters()), ""))
        left_out = [path for path in named_layers(model) if path not in kinds]
        meta = {"every": int(every), "window": window, "kinds": kinds, "left_out": left_out,
                "dtype": dtype}  # fmt: skip
        super().__init__(list(self._modules), meta=meta)
        self.every = every
        self._model, self._optimizer = model, optimizer
        self._footprints = Footprints(self.meta, model, self._modules, optimizer)
        self._full_every = full
        self._signals = Signals(len(self.layers), window)
        self._step = 0
        self._entered = False
        self._depth = 0  # of `measuring`, when it was entered
        self._noted_late = 0  # after which step a loss was told behind the block
        self._block: list[RemovableHandle] = []  # hooks that stay as long as the block
        self._hooks: list[
            RemovableHandle | RecurrenceHook
        ] = []  # those that come and go with the recorded steps
        self._watching = False
        self._first: int | None = None  # without an optimizer: the layer that begins a step
        self._weights = Weights([], [], len(self.layers))
        self._begun, self._told = False, True
        self._of_step: list[tuple[list[Any], Any]] = []  # observers, and the one of ours in them

    # -- the with block ----------------------------------------------------------------------

    def __enter__(self) -> Probe:
        if self._entered:
            raise GraphError("Probe: already in use; leave its `with` block before entering again")
        self._entered, self._depth = True, measuring.depth
        try:
            self._look_up_weights()
            self._footprints.enter(self._weights.parameters)
            if not self.steps:
                self._note_broken_weights()
            self._make_hooks()
            if self._optimizer is not None:
                self._block += (
                    self._optimizer.register_step_pre_hook(self._before_update),
                    self._optimizer.register_step_post_hook(self._after_update),
                )
            self._begin_step()
        except BaseException:  # Ctrl-C: then nobody calls __exit__
            self._take_off()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None = None, *exc: object) -> None:
        # Diverged and AnomalyError, of the numbers of a step, are a finding: the step tells why.
        evidence = (
            kind is not None
            and issubclass(kind, MinigradError)
            and issubclass(kind, ArithmeticError)
        )
        if evidence:
            self.meta.setdefault("diverged", self._step)
        whole = kind is None or evidence
        try:
            if self._begun:
                self._end_step(whole)
        finally:
            self._take_off()
        self._footprints.exit(self._weights.parameters)
        self._note_unseen()

    def _take_off(self) -> None:
        for handle in (*self._hooks, *self._block):
            handle.remove()
        self._hooks, self._block = [], []
        self._entered = self._watching = False

    def _note_unseen(self) -> None:
        """List the layers of which nothing was seen in any record."""
        unseen = np.isnan(self.series("z_nans"))  # where something arrives it is a number
        for layer, records in zip(self.layers, unseen.T, strict=True):
            if len(self) and records.all():
                if self.skipped.get(layer, _FROZEN) == _FROZEN:
                    self.skipped[layer] = _UNSEEN
            elif self.skipped.get(layer) == _UNSEEN:
                del self.skipped[layer]

    def note(self, *, loss: float) -> None:
        """Tell the loss of the step under way, or of the one that has just ended.

        Between two records it keeps nothing, so it may be called in every step.

        Arguments:
            loss: a number, or a Tensor of one element.

        Raises:
            ArgumentError: anything else.
            GraphError: outside of the `with` block, where no step has just ended.
        """
        check_one_number("Probe.note", "loss", loss)
        if not self._entered:
            if self._noted_late == self._step:
                raise GraphError(
                    "Probe.note: nothing is recorded outside of the `with probe:` block; call it "
                    "inside, once for each step"
                )
            self._noted_late = self._step
        if self._recording and self._begun:
            self._loss = one_number("Probe.note", "loss", loss)
            self._told = True
        elif not self._told and self.steps and self.steps[-1] == self._step - 1:
            self._losses[-1] = one_number("Probe.note", "loss", loss)
            self._told = True

    def _look_up_weights(self) -> None:
        pairs = [
            (weight, layer)
            for layer, module in enumerate(self._modules.values())
            for weight in weights_of(module)
        ]
        weights = [weight for weight, _ in pairs]
        if list(map(id, weights)) != list(map(id, self._weights.parameters)):
            self._weights = Weights(weights, [layer for _, layer in pairs], len(self.layers))
        for layer, name in enumerate(self.layers):
            own = [weight for weight, owner in pairs if owner == layer]
            if own and not any(weight.requires_grad for weight in own):
                self.skipped[name] = _FROZEN
            elif self.skipped.get(name) == _FROZEN:
                del self.skipped[name]

    def _note_broken_weights(self) -> None:
        """List in `meta` the layers that begin with NaN or infinity; others catch it later."""
        broken = [
            name
            for name, module in self._modules.items()
            for parameter in (*module.parameters(recurse=False), *weights_of(module))
            if not parameter.device.xp.isfinite(parameter.data).all()
        ]
        if broken:
            self.meta["broken_weights"] = list(dict.fromkeys(broken))

    # -- steps -------------------------------------------------------------------------------

    @property
    def _recording(self) -> bool:
        return self._step % self.every == 0

    @property
    def _blind(self) -> bool:
        """Is what runs now part of another measurement?"""
        return measuring.depth != self._depth

    def _begin_step(self) -> None:
        self._begun = False  # was a forward seen?
        self._went_back = False  # and a backward?
        if self._recording:
            self._loss, self._told = math.nan, False
            full = self._full_every > 0 and len(self) % self._full_every == 0
            self._signals.gauge.full = self._weights.gauge.full = full
            self._signals.clear()
            self._weights.clear()
        if self._recording != self._watching:
            self._watch(self._recording)

    def _watch(self, wanted: bool) -> None:
        """Put all hooks in their places, or take them away."""
        self._watching = wanted
        for hook in self._hooks:
            if wanted:
                hook.put_back()
            else:
                hook.remove()
        if not wanted and self._optimizer is None and self._first is not None:
            self._layer_hooks[self._first].put_back()  # to go on counting

    def _end_step(self, whole: bool = True) -> None:
        """Record it; not if an exception stopped it: some weights were measured then, some not."""
        try:
            if whole and self._recording:
                self._record()
        finally:
            self._step += 1
            while self._of_step:
                observers, see = self._of_step.pop()
                observers.remove(see)
            self._begin_step()

    def _record(self) -> None:
        row = np.full((len(self.layers), len(MEASURED)), math.nan)
        of_signals, of_weights = self._signals.away(), self._weights.away()
        here = fetched([*of_signals, *of_weights])
        self._signals.record(row, here[: len(of_signals)])
        self._weights.record(row, here[len(of_signals) :])
        for layer, activation in self._signals.activations.items():
            self.activations[self.layers[layer]] = type(activation).__name__
        for layer, operation in self._signals.unseen.items():
            self.skipped.setdefault(self.layers[layer], _NOT_KNOWN.format(operation))
        counts = None
        if self._signals.gauge.full:
            count = len(self.layers)
            seen = self._signals.gauge.histograms(len(SEEN) * count).reshape(len(SEEN), count, BINS)
            counts = np.concatenate([seen, self._weights.histograms()[None]])
        steps = {self.layers[layer]: rms for layer, rms in self._signals.steps.items()}
        self._append(self._step, row, self._loss, counts, steps)

    # -- hooks -------------------------------------------------------------------------------

    def _make_hooks(self) -> None:
        """Make all hooks that a recorded step needs, for `_watch` to put in their places."""
        for path, module in self._model.named_modules():
            if isinstance(module, PASSES_ON):
                self._hooks.append(module.register_forward_hook(self._see_passing))
            elif isinstance(module, nn.Activation):
                see = partial(self._see_activation, path)
                self._hooks.append(module.register_forward_hook(see))
            elif is_unknown(module):
                self.skipped[path] = _UNKNOWN
        self._hooks.append(self._model.register_forward_hook(self._see_output))
        self._layer_hooks: list[RemovableHandle | RecurrenceHook] = [
            RecurrenceHook(module, partial(self._see_z, layer))
            if isinstance(module, RECURRENT)
            else module.register_forward_hook(partial(self._see_layer, layer))
            for layer, module in enumerate(self._modules.values())
        ]
        self._hooks += self._layer_hooks
        self._watch(False)

    def _see_layer(self, layer: int, module: nn.Module, args: Any, out: Any) -> None:
        if self._blind:
            return
        if self._watching and args and isinstance(args[0], Tensor):
            self._footprints.see_input(args[0])
            self._signals.see_input(args[0])
        z = out if type(out) is Tensor else first_tensor(out)
        if z is None:
            self.skipped[self.layers[layer]] = f"returns no Tensor but {type(out).__name__}"
        else:
            if self._watching and next(iter(module.children()), None) is not None:
                self._signals.see_enclosing(z)
            self._see_z(layer, z)

    def _see_z(self, layer: int, z: Tensor, run: Any = None) -> None:
        node = z._node
        if node is None or self._blind:  # nothing goes back from here, or nothing of ours
            return
        if self._optimizer is None:
            if self._first is None:
                self._first = layer
            if layer == self._first and self._went_back:
                self._end_step()
        if self._watching and not self._begun:
            self._footprints.forward_begins(self._weights.parameters)
        self._begun = True
        call = self._signals.see_z(layer, z, run) if self._watching else 0
        take, afterwards = self._signals.see_gradient, self._after_backward
        watching = self._watching

        def see(gradient: Any) -> None:
            if self._blind or not mode.fills_grad:
                return
            if afterwards not in mode.afterwards:
                mode.afterwards.append(afterwards)
                if watching:
                    self._footprints.backward_begins()
            if watching:
                take(layer, gradient, call, mode.retains_graph)

        observers = node.watched().observers
        observers.append(see)
        self._of_step.append((observers, see))

    def _after_backward(self) -> None:
        self._went_back = True
        if self._watching:
            self._signals.end_pass()
            self._weights.note_gradients()

    def _see_passing(self, module: nn.Module, args: Any, out: Tensor) -> None:
        if out.requires_grad and not self._blind:
            self._signals.see_passing(args[0], out)

    def _see_output(self, module: nn.Module, args: Any, out: Any) -> None:
        if not self._blind:
            for tensor in tensors_in(out):
                self._signals.see_output(tensor)

    def _see_activation(self, path: str, module: Any, args: Any, out: Tensor) -> None:
        if out.requires_grad and not self._blind:
            self._signals.see_activation(module, args[0], out)
            if not self._signals.origins(args[0]):
                self.skipped[path] = "is the activation of no layer that is looked at"

    def _before_update(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if self._recording and not self._blind:
            self._weights.note_values()

    def _after_update(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if self._recording:
            self._weights.note_update()
            self._footprints.updated()
        self._end_step()


def _check(model: Any, optimizer: Any) -> None:
    if not isinstance(model, nn.Module):
        raise DtypeError(
            f"Probe: model must be an nn.Module, got {_told(model)}; it is made like "
            "Probe(model, optimizer)"
        )
    if optimizer is None:
        return
    if isinstance(optimizer, type) or not hasattr(optimizer, "register_step_post_hook"):
        raise DtypeError(
            f"Probe: optimizer must be one of mg.optim, made of the model's parameters, got "
            f"{_told(optimizer)}; leave it out to record without"
        )
    stepped = {id(p) for group in optimizer.param_groups for p in group["params"]}
    if stepped.isdisjoint(map(id, model.parameters())):
        raise ArgumentError(
            "Probe: the optimizer holds none of the model's parameters; pass the one that was made "
            "with model.parameters()"
        )


def _told(value: Any) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
