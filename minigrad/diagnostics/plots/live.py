"""LivePlot: the decay plot of a training under way, in a notebook."""

from __future__ import annotations

import io
import sys
import time
from importlib import import_module
from typing import Any

import numpy as np

from minigrad.diagnostics.probing.recording import Recording
from minigrad.errors import ArgumentError
from minigrad.train.progress import in_notebook

# Drawing takes about a tenth of a second. More than this share of the time it must not take.
MOST_SHARE = 0.2


class LivePlot:
    """Show in a notebook, while a network trains, the gradient of every layer and the loss.

    Call it now and then: as a callback of `train.fit` after every epoch, after every step with
    `optimizer.register_step_post_hook(live)`, or by hand, `live()`. It draws at most every
    `seconds`, and what was recorded last once more at the end of a `with` block. Outside of a
    notebook it says so once, on stderr, and does nothing.

    Arguments:
        recording: what is being filled: a `Probe`.
        seconds: the least time between two pictures.

    Raises:
        ArgumentError: something else than a recording, or negative seconds.

    >>> import minigrad as mg
    >>> from minigrad.diagnostics import LivePlot, Probe
    >>> model = mg.models.deep_mlp(5, 16)
    >>> optimizer = mg.optim.SGD(model.parameters(), lr=0.1)
    >>> loader = mg.data.DataLoader(mg.data.load_digits(), batch_size=256)
    >>> probe = Probe(model, optimizer)
    >>> loss = mg.nn.functional.cross_entropy
    >>> with LivePlot(probe) as live:
    ...     history = mg.train.fit(model, loader, optimizer, loss, 1, callbacks=[live], probe=probe)
    """

    def __init__(self, recording: Recording, seconds: float = 0.5) -> None:
        if not isinstance(recording, Recording):
            raise ArgumentError(
                f"LivePlot: expected a Probe, got {type(recording).__name__}; "
                "probe = Probe(model, optimizer)"
            )
        if not seconds >= 0:
            raise ArgumentError(f"LivePlot: seconds must be at least 0, got {seconds!r}")
        self._recording = recording
        self._seconds = seconds
        self._due = 0.0
        self._handle: Any = None  # of the picture in the notebook
        self._told = False

    def __call__(self, *_: Any) -> None:
        """Draw, if the last picture is old enough; what callbacks and hooks pass is not used."""
        if time.monotonic() >= self._due:
            self.draw()

    def __enter__(self) -> LivePlot:
        return self

    def __exit__(self, *exc: object) -> None:
        self.draw()

    def draw(self) -> None:
        """Draw what was recorded last, now."""
        if not in_notebook():
            self._tell()
            return
        if not len(self._recording):
            return
        begin = time.monotonic()
        self._show(picture(self._recording))
        now = time.monotonic()
        self._due = now + max(self._seconds, (now - begin) / MOST_SHARE)

    def _tell(self) -> None:
        if not self._told:
            print(
                "LivePlot: this is no notebook, so there is nothing to draw in; training goes on. "
                "Afterwards, plots.animate(probe, 'decay.gif') shows all of it.",
                file=sys.stderr,
            )
            self._told = True

    def _show(self, png: bytes) -> None:
        notebook: Any = import_module("IPython.display")
        image = notebook.Image(data=png, format="png")
        if self._handle is None:
            self._handle = notebook.display(image, display_id=True)
        else:
            self._handle.update(image)


def picture(recording: Recording) -> bytes:
    """The decay plot of the last record, beside it the loss so far where it is known, as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 3.6), dpi=90, layout="constrained")
    FigureCanvasAgg(figure)
    draw_state(figure, recording)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def draw_state(figure: Any, recording: Recording) -> None:
    """Draw into an empty figure what `picture` shows."""
    from minigrad.diagnostics.plots.animation import DecayFrames
    from minigrad.diagnostics.plots.runs import runs_of
    from minigrad.diagnostics.plots.style import CURVES, grid

    steps, loss = np.array(recording.steps), recording.loss
    known = np.isfinite(loss)
    if known.any():
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.4))
        left.plot(steps[known], loss[known], color=CURVES[0][0], linewidth=1.5)
        left.set(xlabel="step", ylabel="loss")
        grid(left)
    else:
        right = figure.subplots()
    frames = DecayFrames(right, runs_of("LivePlot", recording))
    frames.show(recording.steps[-1])
