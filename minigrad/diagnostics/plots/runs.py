"""What figures are given: a recording, several seeds of one network, several runs by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from minigrad.diagnostics.plots.bands import FLOAT, Band, band
from minigrad.diagnostics.plots.quantities import signal_of
from minigrad.diagnostics.plots.sharing import diverges_at
from minigrad.diagnostics.probing.recording import Recording
from minigrad.errors import ArgumentError

# One recording (a Probe is one too), or the path of a saved one.
OneSeed: TypeAlias = Recording | str | Path
# A list holds seeds of one network.
OneRun: TypeAlias = OneSeed | Sequence[OneSeed]

FLOATS = ("float16", "float32", "float64")


class NothingToDraw(ArgumentError):
    """What was given has the right form, but holds nothing that the figure could show."""


def no_gradient(figure: str) -> NothingToDraw:
    """The error where no gradient was recorded."""
    return NothingToDraw(
        f"plots.{figure}: no gradient was recorded; call backward() inside `with probe:`"
    )


class Run:
    """The recordings of one network from several seeds, taken together.

    Arguments:
        figure: name of the figure that is to be drawn, for messages.
        data: a recording, the path of a saved one, or a list of these: seeds of one network.

    Attributes:
        recordings: one per seed.
        layers: their names.
        steps: those that all seeds recorded.

    Raises:
        ArgumentError: something else, or seeds of different networks.
        NothingToDraw: no record.
    """

    def __init__(self, figure: str, data: OneRun) -> None:
        self.figure = figure
        given = [data] if isinstance(data, Recording | str | Path) else data
        if not isinstance(given, Sequence) or not given:
            raise ArgumentError(
                f"plots.{figure}: takes a Recording or Probe, the path of a saved one, or a list "
                f"of these (seeds of one network), not {_told(data)}"
            )
        self.recordings = [self._loaded(one) for one in given]
        first = self.recordings[0]
        self.layers = first.layers
        for other in self.recordings[1:]:
            if other.layers != first.layers:
                raise ArgumentError(
                    f"plots.{figure}: a list holds seeds of one network, but the recordings in it "
                    f"have different layers ({_told_layers(first)}; {_told_layers(other)}); to "
                    "compare networks, pass a dict of name: recording"
                )
        if not first.layers:
            raise NothingToDraw(f"plots.{figure}: the recording has no layers")
        self._places = self._common_records()
        self.steps = [first.steps[place] for place in self._places[0]]

    def _loaded(self, one: Any) -> Recording:
        recording = Recording.load(one) if isinstance(one, str | Path) else one
        if not isinstance(recording, Recording):
            raise ArgumentError(
                f"plots.{self.figure}: expected a Recording or Probe, got {_told(one)}"
            )
        if not recording.steps:
            raise NothingToDraw(
                f"plots.{self.figure}: nothing was recorded; run forward and backward inside "
                "`with probe:`"
            )
        return recording

    def _common_records(self) -> list[list[int]]:
        """Per seed, the places of those records whose steps all seeds have."""
        if len(self.recordings) == 1:
            return [list(range(len(self.recordings[0])))]
        places = [{step: i for i, step in enumerate(r.steps)} for r in self.recordings]
        common = [step for step in places[0] if all(step in seed for seed in places)]
        if not common:
            raise NothingToDraw(
                f"plots.{self.figure}: the seeds have no recorded step in common; record all with "
                "the same `every`"
            )
        return [[seed[step] for step in common] for seed in places]

    @property
    def name(self) -> str:
        """What `meta` calls the run; "" where it says nothing."""
        return str(self.recordings[0].meta.get("name", ""))

    @property
    def dtype(self) -> str:
        """Of the network's parameters; where `meta` does not say it, that of minigrad."""
        told = str(self.recordings[0].meta.get("dtype", ""))
        return told if told in FLOATS else "float32"

    @property
    def normalizing(self) -> NDArray[np.bool_]:
        """Which of the layers normalize, as far as `meta` says what they are, (layers,)."""
        kinds = self.recordings[0].meta.get("kinds", {})
        found = [str(kinds.get(layer, "")).removesuffix("1d") for layer in self.layers]
        return np.array([kind.endswith("Norm") for kind in found], dtype=bool)

    @property
    def seeds(self) -> int:
        """How many there are."""
        return len(self.recordings)

    def place(self, step: int) -> int:
        """The place of a step among `steps`.

        Raises:
            ArgumentError: it was not recorded.
        """
        if step not in self.steps:
            near = sorted(self.steps, key=lambda s: abs(s - step))[:3]
            raise ArgumentError(
                f"plots.{self.figure}: step {step} was not recorded; the nearest are "
                f"{', '.join(map(str, sorted(near)))}"
            )
        return self.steps.index(step)

    def series(self, name: str) -> FLOAT:
        """One quantity of all seeds, (seeds, steps, layers)."""
        found = [recording.series(name) for recording in self.recordings]
        return np.stack([one[p] for one, p in zip(found, self._places, strict=True)])

    def mean(self, name: str) -> FLOAT:
        """Its mean over the seeds, (steps, layers); NaN where one of them has no number."""
        with np.errstate(over="ignore", invalid="ignore"):
            found: FLOAT = self.series(name).mean(axis=0)
        return found

    def arrived(self, name: str) -> NDArray[np.bool_]:
        """Where there was something to measure, if only NaN, (steps, layers)."""
        measured = ~np.isnan(self.series(name))
        signal = signal_of(name)
        if signal:
            measured |= self.series(f"{signal}_nans") > 0
        return np.asarray(measured.any(axis=0))

    def places_with(self, name: str) -> NDArray[np.intp]:
        """The records in which it was measured, if only in one layer; some are not in each."""
        return np.flatnonzero(self.arrived(name).any(axis=1))

    def loss(self) -> FLOAT:
        """(seeds, steps); NaN where it is not known."""
        pairs = zip(self.recordings, self._places, strict=True)
        return np.stack([recording.loss[places] for recording, places in pairs])

    @property
    def diverged(self) -> int | None:
        """The step at which the first seed lost its loss; None where none did.

        It may lie between two records; then `meta` says it, as "diverged".
        """
        told = [recording.meta.get("diverged") for recording in self.recordings]
        seen = [diverges_at(losses) for losses in self.loss()]
        steps = [int(step) for step in told if step is not None]
        steps += [self.steps[place] for place in seen if place is not None]
        return min(steps, default=None)

    def histogram(self, signal: str, step: int | None) -> tuple[NDArray[np.int64], int]:
        """Counts of all seeds together, (layers, bins), at a step or the last that has them.

        Returns:
            The counts and the step.

        Raises:
            ArgumentError: that step has none.
            NothingToDraw: no step has.
        """
        taken = set(self.steps).intersection(*(r.histogram_steps for r in self.recordings))
        if not taken:
            raise NothingToDraw(
                f"plots.{self.figure}: no histograms were recorded; make the probe with "
                "full=1 to take them in every record"
            )
        step = max(taken) if step is None else step
        if step not in taken:
            raise ArgumentError(
                f"plots.{self.figure}: no histograms of step {step}; there are some of "
                f"{', '.join(map(str, sorted(taken)[:10]))}{', ...' * (len(taken) > 10)}"
            )
        place = self.place(step)
        counts = [
            recording.histogram(signal)[places[place]]
            for recording, places in zip(self.recordings, self._places, strict=True)
        ]
        return np.sum(counts, axis=0), step

    def over_layers(self, name: str, step: int | None) -> Band:
        """One quantity at one step against the number of the layer, counted from 1.

        Without a step, at the last at which it was measured. Layers where nothing arrived are
        left out: a residual block has no weights, and an activation function that never
        saturates no saturated share.
        """
        places = [*self.places_with(name)[-1:]] if step is None else [self.place(step)]
        place = places[0] if places else 0
        there = self.arrived(name)[place]
        numbers = np.arange(1, len(self.layers) + 1, dtype=np.float64)[there]
        return band(numbers, self.series(name)[:, place][:, there])


def runs_of(figure: str, data: OneRun | Mapping[str, OneRun]) -> dict[str, Run]:
    """Runs by label: those of a dict; else one run, with the name that its `meta` has."""
    if isinstance(data, Mapping):
        if not data:
            raise ArgumentError(f"plots.{figure}: the dict of runs is empty")
        return {str(label): Run(figure, run) for label, run in data.items()}
    run = Run(figure, data)
    return {run.name: run}


def _told(given: Any) -> str:
    if isinstance(given, Sequence) and not isinstance(given, str):
        return f"an empty {type(given).__name__}" if not given else f"a {type(given).__name__}"
    return f"a {type(given).__name__}"


def _told_layers(recording: Recording) -> str:
    return f"{len(recording.layers)}, the last named {recording.layers[-1:]}"
