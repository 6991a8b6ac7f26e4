"""Recording: what was measured of one run, layer by layer and step by step, as plain data."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minigrad.diagnostics.probing import files, tables
from minigrad.diagnostics.probing.checks import (
    check_path,
    check_record,
    layer_names,
    one_number,
    per_layer,
    unknown,
)
from minigrad.diagnostics.probing.names import (
    COLUMN,
    COMPUTED,
    MEASURED,
    SERIES,
    SIGNALS,
    STEP_SERIES,
)
from minigrad.diagnostics.probing.statistics import (
    BIN_EDGES,
    BINS,
    FLOAT,
    signal_to_noise,
)
from minigrad.errors import ArgumentError, GraphError


class Recording:
    """What was measured of one run: numbers per layer and recorded step.

    `Probe` fills one in a training loop; figures, verdicts and comparisons read it. Names of
    series are made of a signal and a statistic, `dz_rms` say. The signals:

        z     output of the layer, before its activation
        a     output of its activation
        dz    dL/dz. L is the loss as it was given: if that is a mean over the batch, dL/dz holds
              the factor 1/batch size
        dw    dL/dW as backward leaves it, before any clipping

    the statistics: rms, mean, std, max (largest magnitude), norm (L2), and the shares zeros, nans
    and infs; see `statistics.Statistics`. A probe takes mean, std, max, zeros and histograms, which
    cost the most, only in its full records. Besides these there are

        update_ratio      rms(W after - W before) / rms(W before) of the optimizer's step
        saturated         share of elements where the activation is saturated; see `nn.saturation`
        dead              share of units that passed no gradient all through a window of records,
                          or through all so far if those are fewer
        revived           how many units were dead in the record before, and no longer are
        dw_clipped_rms    rms of dL/dW as the optimizer saw it, so after clipping
        dw_cosine         cosine of dL/dW with that of the record before
        dw_snr            signal-to-noise ratio of dL/dW; see `statistics.signal_to_noise`

    Arguments:
        layers: their names.
        activations: per layer the class name of its activation; "" where there is none.
        meta: whatever else belongs to the run, as plain data: its name, learning rate, ...

    Attributes:
        layers, activations, meta: as given.
        steps: the number of each recorded step, counted from 0.
        skipped: what could not be looked at, and why, by name of layer or module.

    >>> rec = Recording(["first", "second"])
    >>> rec.add(0, {"dz_rms": [1e-3, 1.0]}, loss=2.3)
    >>> rec.series("dz_rms")
    array([[0.001, 1.   ]])
    >>> rec.series("z_rms")
    array([[nan, nan]])
    """

    def __init__(
        self,
        layers: Sequence[str],
        activations: Mapping[str, str] | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        self.layers = layer_names(layers)
        self.activations = dict.fromkeys(self.layers, "") | dict(activations or {})
        self.meta = dict(meta or {})
        self.skipped: dict[str, str] = {}
        self.steps: list[int] = []
        self._losses: list[float] = []
        self._rows: list[FLOAT] = []  # per record (layers, MEASURED)
        self._counts: dict[int, NDArray[np.int32]] = {}  # per record (SIGNALS, layers, BINS)
        self._steps: dict[int, dict[str, FLOAT]] = {}  # per record and layer (STEP_SERIES, ...)

    # -- filling it --------------------------------------------------------------------------

    def add(
        self,
        step: int,
        values: Mapping[str, ArrayLike],
        *,
        loss: float = math.nan,
        histograms: Mapping[str, Any] | None = None,
        steps: Mapping[str, ArrayLike] | None = None,
    ) -> None:
        """Append a record.

        Arguments:
            step: number of the training step.
            values: per name of a series one number for each layer; what is left out is NaN.
            loss: of the step, where known.
            histograms: per signal int counts of shape (layers, BINS).
            steps: per layer that was called several times, the rms of z and of dL/dz in each call:
                shape (2, runs, calls), see `steps_of`.

        Raises:
            ArgumentError: an unknown name, not one number for each layer, a step that is no
                whole number, or a loss that is no number.
        """
        check_record(step, values, histograms)
        loss = one_number("Recording.add", "loss", loss)
        row = np.full((len(self.layers), len(MEASURED)), math.nan)
        for name, value in values.items():
            if name not in COLUMN:
                raise ArgumentError(unknown("Recording.add", name, MEASURED))
            row[:, COLUMN[name]] = per_layer(name, value, len(self.layers))
        counts = None if histograms is None else self._checked_counts(histograms)
        self._append(int(step), row, loss, counts, self._checked_steps(steps or {}))

    def _append(
        self,
        step: int,
        row: FLOAT,
        loss: float,
        counts: NDArray[np.int32] | None,
        steps: dict[str, FLOAT],
    ) -> None:
        index = len(self.steps)
        try:
            if counts is not None:
                self._counts[index] = counts
            if steps:
                self._steps[index] = steps
            self._rows.append(row)
            self._losses.append(float(loss))
            self.steps.append(step)
        except BaseException:  # Ctrl-C must leave no half a record
            self._counts.pop(index, None)
            self._steps.pop(index, None)
            del self._rows[index:], self._losses[index:], self.steps[index:]
            raise

    def _checked_counts(self, histograms: Mapping[str, Any]) -> NDArray[np.int32]:
        counts = np.zeros((len(SIGNALS), len(self.layers), BINS), np.int32)
        for signal, given in histograms.items():
            if signal not in SIGNALS:
                raise ArgumentError(unknown("Recording.add", signal, SIGNALS, "histogram"))
            found = np.asarray(given)
            if found.shape != counts.shape[1:]:
                raise ArgumentError(
                    f"Recording.add: the histogram of {signal} has shape {found.shape}; it takes "
                    f"(layers, bins) = {counts.shape[1:]}"
                )
            counts[SIGNALS.index(signal)] = found
        return counts

    def _checked_steps(self, steps: Mapping[str, ArrayLike]) -> dict[str, FLOAT]:
        found = {layer: np.asarray(given, dtype=np.float64) for layer, given in steps.items()}
        for layer, rms in found.items():
            if layer not in self.layers:
                raise ArgumentError(unknown("Recording.add", layer, self.layers, "layer"))
            if rms.ndim != 3 or len(rms) != len(STEP_SERIES):
                raise ArgumentError(
                    f"Recording.add: the steps of {layer} have shape {rms.shape}; they take "
                    "(2, runs, calls), the rms of z and of dL/dz"
                )
        return found

    # -- reading it --------------------------------------------------------------------------

    def __len__(self) -> int:
        """How many steps were recorded."""
        return len(self.steps)

    @property
    def loss(self) -> FLOAT:
        """The loss of each record, shape (records,); NaN where it is not known."""
        return np.array(self._losses, dtype=np.float64)

    def series(self, name: str) -> FLOAT:
        """One quantity, over records and layers.

        Arguments:
            name: such as "dz_rms"; the class lists them, as does `recording.SERIES`.

        Returns:
            float64 of shape (records, layers); NaN where nothing arrived.

        Raises:
            ArgumentError: another name.
        """
        if name == "dw_snr":
            return signal_to_noise(self.series("dw_norm"), self.series("dw_cosine"))
        if not isinstance(name, str) or name not in COLUMN:
            raise ArgumentError(unknown("series", name, SERIES))
        column = COLUMN[name]
        found = [row[:, column] for row in self._rows]
        return np.array(found, dtype=np.float64).reshape(len(found), len(self.layers))

    def steps_of(self, layer: str, name: str = "dz_rms", record: int = -1) -> FLOAT:
        """One quantity in every call of a layer, which a sequence calls once for every time.

        So it shows how the gradient fares on its way back through time: of an `nn.RNN`, dL/dh at
        every time.

        Arguments:
            layer: its name.
            name: "dz_rms" or "z_rms".
            record: its place among the records; by default the last.

        Returns:
            float64 of shape (runs, calls), NaN where nothing arrived. A run is a sequence in one
            layer and direction of a recurrent layer; of any other, it is all calls until a
            backward. Calls stand in the order in which they were made. Shape (0, 0) if no run has
            two of them.

        Raises:
            ArgumentError: another layer or name, or no such record.

        >>> import minigrad as mg
        >>> from minigrad.diagnostics import Probe
        >>> model = mg.nn.RNN(3, 8, generator=mg.Generator(0))
        >>> with Probe(model) as probe:
        ...     output, h = model(mg.ones(20, 1, 3))
        ...     h.sum().backward()
        >>> dh = probe.steps_of("RNN")[0]
        >>> len(dh), bool(dh[0] < 1e-3 * dh[-1])
        (20, True)
        """
        if layer not in self.layers:
            raise ArgumentError(unknown("steps_of", layer, self.layers, "layer"))
        if name not in STEP_SERIES:
            raise ArgumentError(unknown("steps_of", name, STEP_SERIES))
        if not -len(self) <= record < len(self):
            raise ArgumentError(f"steps_of: no record {record}; there are {len(self)}")
        of_layers = self._steps.get(record % len(self), {})
        if layer not in of_layers:
            return np.zeros((0, 0))
        found: FLOAT = of_layers[layer][STEP_SERIES.index(name)].copy()
        return found

    @property
    def bin_edges(self) -> FLOAT:
        """The edges of all histograms, shape (bins + 1,); see `statistics.BIN_EDGES`."""
        return BIN_EDGES.copy()

    @property
    def histogram_steps(self) -> list[int]:
        """The steps of those records for which histograms were taken."""
        return [self.steps[index] for index in sorted(self._counts)]

    def histogram(self, signal: str) -> NDArray[np.int64]:
        """How the elements of a signal spread over the bins between `bin_edges`.

        Arguments:
            signal: "z", "a", "dz" or "dw".

        Returns:
            int64 of shape (records, layers, bins); 0 in records without histograms, see
            `histogram_steps`.

        Raises:
            ArgumentError: another name.
        """
        if signal not in SIGNALS:
            raise ArgumentError(unknown("histogram", signal, SIGNALS, "histogram"))
        counts = np.zeros((len(self), len(self.layers), BINS), np.int64)
        for index, found in self._counts.items():
            counts[index] = found[SIGNALS.index(signal)]
        return counts

    # -- showing it --------------------------------------------------------------------------

    def table(self, record: int = -1) -> str:
        """One record as text, a line for each layer; `-` where nothing arrived.

        Arguments:
            record: its place among the records; by default the last.

        Raises:
            GraphError: nothing was recorded.
            ArgumentError: there is no such record.

        >>> rec = Recording(["first", "second"])
        >>> rec.add(20, {"dz_rms": [1e-3, 1.0]})
        >>> print(rec.table())
        step 20
        layer       rms z  rms dL/dz  rms dL/dW   update/W
        first           -   1.00e-03          -          -
        second          -   1.00e+00          -          -
        """
        return tables.as_text(self._heading(record), self.layers, self._rows[record])

    def _repr_html_(self) -> str:
        """The last record as a table, for notebooks."""
        if not self.steps:
            return f"<p>{html.escape(repr(self))}</p>"
        return tables.as_html(self._heading(-1), self.layers, self._rows[-1])

    def _heading(self, record: int) -> str:
        if not self.steps:
            raise GraphError(
                "table: nothing was recorded; run forward and backward inside `with probe:`"
            )
        if not isinstance(record, int | np.integer) or not -len(self) <= record < len(self):
            raise ArgumentError(f"table: no record {record!r}; there are {len(self)}, from 0 on")
        loss = self._losses[record]
        return f"step {self.steps[record]}" + ("" if math.isnan(loss) else f", loss {loss:.4g}")

    # -- keeping it --------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Everything, as dicts, lists, numbers and strings that JSON can hold.

        NaN becomes None, infinities "inf" and "-inf". Histograms stand with those records that
        have them: per signal and layer, the first bin that is not empty and the counts from there.
        """
        series = np.stack([self.series(name) for name in SERIES], axis=1).tolist()
        return {
            "layers": list(self.layers), "activations": dict(self.activations),
            "skipped": dict(self.skipped), "meta": dict(self.meta),
            "records": [self._plain(i, numbers) for i, numbers in enumerate(series)],
        }  # fmt: skip

    def _plain(self, index: int, series: list[list[float]]) -> dict[str, Any]:
        record: dict[str, Any] = {
            "step": self.steps[index],
            "loss": files.plain_number(self._losses[index]),
            "series": {
                name: [files.plain_number(value) for value in values]
                for name, values in zip(SERIES, series, strict=True)
            },
        }
        if index in self._steps:
            record["steps"] = {
                layer: [[[*map(files.plain_number, run)] for run in runs] for runs in rms.tolist()]
                for layer, rms in self._steps[index].items()
            }
        if index in self._counts:
            found = zip(SIGNALS, self._counts[index], strict=True)
            record["histograms"] = {
                name: [files.trimmed(c) for c in counts] for name, counts in found
            }
        return record

    def to_jsonl(self, path: str | Path) -> None:
        """Write everything to a file: a heading, then one line of JSON for each record.

        Raises:
            ArgumentError: a path that does not end in .jsonl, by which `load` knows the file; no
                such folder; or meta that JSON cannot hold.
        """
        check_path("to_jsonl", path, ".jsonl")
        files.write_jsonl(self.to_dict(), path)

    def to_csv(self, path: str | Path) -> None:
        """Write a table with a line for each record and layer, and the series as columns.

        Losses and activations are in it; histograms, single calls (`steps_of`), `meta` and
        `skipped` are not.

        Raises:
            ArgumentError: a path that does not end in .csv, by which `load` knows the file; or no
                such folder.
        """
        check_path("to_csv", path, ".csv")
        files.write_csv(self.to_dict(), SERIES, path)

    def to_dataframe(self) -> Any:
        """The table of `to_csv` as a pandas DataFrame.

        Raises:
            ArgumentError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise ArgumentError(
                "to_dataframe: needs pandas, which is not installed; pip install pandas, or use "
                "to_csv or to_dict"
            ) from None
        return pandas.DataFrame(files.rows(self.to_dict()), columns=[*files.KEYS, *SERIES])

    @staticmethod
    def load(path: str | Path) -> Recording:
        """Read what `to_jsonl` or `to_csv` wrote, by the file's suffix.

        Raises:
            ArgumentError: no such file, another suffix, or a file that is no recording.
        """
        plain = files.read(path)
        return Recording._read(plain, f"load: {path}", lambda r: f"load: {files.place_of(r, path)}")

    @staticmethod
    def from_dict(plain: Mapping[str, Any]) -> Recording:
        """The recording that `to_dict` describes.

        Raises:
            ArgumentError: something else.
        """
        return Recording._read(plain, "from_dict: this", lambda r: f"from_dict: record {r}")

    @staticmethod
    def _read(plain: Mapping[str, Any], whole: str, part: Callable[[int], str]) -> Recording:
        """The recording; messages begin with what the `whole` is, or with a record's `part`."""
        try:
            found = Recording(plain["layers"], plain["activations"], plain["meta"])
            found.skipped.update(plain["skipped"])
            records = list(plain["records"])
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ArgumentError(
                f"{whole} describes no recording ({_lack(error)}); take what to_dict returned"
            ) from None
        for number, record in enumerate(records):
            try:
                found._add_plain(record)
            except (KeyError, TypeError, AttributeError, ValueError, ArgumentError) as error:
                raise ArgumentError(
                    f"{part(number)} is no record ({_lack(error)}); was it changed?"
                ) from None
        return found

    def _add_plain(self, record: Mapping[str, Any]) -> None:
        counts = record.get("histograms")
        series = {name: v for name, v in record["series"].items() if name not in COMPUTED}
        self.add(
            record["step"],
            {name: files.numbers(values) for name, values in series.items()},
            loss=files.number(record["loss"]),
            steps={
                layer: [[files.numbers(run) for run in runs] for runs in rms]
                for layer, rms in record.get("steps", {}).items()
            },
            histograms=counts and {n: list(map(files.filled, rows)) for n, rows in counts.items()},
        )

    def __repr__(self) -> str:
        span = f", steps {self.steps[0]} to {self.steps[-1]}" if self.steps else ""
        return f"<{type(self).__name__}: {len(self)} records of {len(self.layers)} layers{span}>"


def _lack(error: Exception) -> str:
    return f"it lacks {error}" if isinstance(error, KeyError) else str(error)
