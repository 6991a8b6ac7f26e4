"""Recordings as plain data: what goes in comes out, from memory and from files."""

from __future__ import annotations

import builtins
import csv
import json
import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.diagnostics import Probe
from minigrad.diagnostics.probing.comparison import Comparison, compare
from minigrad.diagnostics.probing.names import MEASURED, SERIES, SIGNALS
from minigrad.diagnostics.probing.recording import Recording
from minigrad.diagnostics.probing.statistics import BIN_EDGES, BINS
from minigrad.errors import ArgumentError, GraphError


@pytest.fixture
def recording(rng) -> Recording:
    """Three records of two layers with all there is, NaN, infinity and long fractions included."""
    found = Recording(["a.0", "b"], {"a.0": "Tanh"}, {"name": "run", "lr": 0.1})
    found.skipped["c"] = "was never called"
    for index, step in enumerate((0, 10, 25)):
        values = {name: rng.normal(size=2) * 10.0 ** rng.integers(-300, 300) for name in MEASURED}
        values["z_max"] = [np.inf, -np.inf]
        values["dz_rms"] = [np.nan, 1 / 3]
        counts = {signal: rng.integers(0, 3, (2, BINS)) for signal in SIGNALS}
        counts["dw"][1] = 0
        found.add(step, values, loss=[2.5, math.nan, 1 / 7][index],
                  histograms=None if index == 1 else counts)  # fmt: skip
    return found


def assert_same(a: Recording, b: Recording, histograms: bool = True) -> None:
    assert (a.layers, a.activations, a.steps) == (b.layers, b.activations, b.steps)
    np.testing.assert_array_equal(a.loss, b.loss)
    for name in SERIES:
        np.testing.assert_array_equal(a.series(name), b.series(name), err_msg=name)
    if histograms:
        assert (a.meta, a.skipped) == (b.meta, b.skipped)
        assert a.histogram_steps == b.histogram_steps
        for signal in SIGNALS:
            np.testing.assert_array_equal(a.histogram(signal), b.histogram(signal))


# -- filling and reading -------------------------------------------------------------------------


def test_what_is_added_is_read_and_the_rest_is_nan():
    rec = Recording(["one", "two"])
    rec.add(3, {"z_rms": [1.0, 2.0]}, loss=0.5)
    rec.add(7, {"z_rms": [3.0, np.nan], "dead": [0.0, 1.0]})
    assert len(rec) == 2 and rec.steps == [3, 7] and rec.activations == {"one": "", "two": ""}
    np.testing.assert_array_equal(rec.loss, [0.5, np.nan])
    np.testing.assert_array_equal(rec.series("z_rms"), [[1, 2], [3, np.nan]])
    np.testing.assert_array_equal(rec.series("dead"), [[np.nan, np.nan], [0, 1]])
    assert rec.series("dw_snr").shape == (2, 2)
    assert rec.histogram("z").shape == (2, 2, BINS) and rec.histogram_steps == []
    np.testing.assert_array_equal(rec.bin_edges, BIN_EDGES)


def test_an_empty_recording_has_empty_series_and_no_table():
    rec = Recording(["one"])
    assert len(rec) == 0 and rec.loss.shape == (0,)
    for name in SERIES:
        assert rec.series(name).shape == (0, 1)
    assert rec.histogram("dw").shape == (0, 1, BINS)
    with pytest.raises(GraphError, match="table: nothing was recorded"):
        rec.table()
    assert "0 records of 1 layers" in rec._repr_html_()


def test_histograms_stand_with_their_records(recording):
    counts = recording.histogram("z")
    assert counts.dtype == np.int64 and recording.histogram_steps == [0, 25]
    assert counts[0].sum() > 0 and counts[1].sum() == 0 and counts[2].sum() > 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r: r.add(0, {"z_sum": [1, 2]}), "no series 'z_sum'; use one of z_rms"),
        (lambda r: r.add(0, {"dw_snr": [1, 2]}), "no series 'dw_snr'"),
        (lambda r: r.add(0, {"z_rms": [1.0]}), r"z_rms has shape \(1,\); it takes one number for"),
        (lambda r: r.add(0, {}, histograms={"y": []}), "no histogram 'y'; use one of z, a, dz, dw"),
        (lambda r: r.add(0, {}, histograms={"z": [1]}), r"of z has shape \(1,\); it takes"),
        (lambda r: r.series("rms"), "no series 'rms'; use one of z_rms"),
        (lambda r: r.histogram("dx"), "no histogram 'dx'; use one of z, a, dz, dw"),
        (lambda r: r.table(5), "no record 5; there are 3"),
        (lambda r: Recording(["x", "x"]), "two layers have the same name"),
    ],
)
def test_wrong_names_and_shapes_are_explained(recording, call, message):
    with pytest.raises(ArgumentError, match=message):
        call(recording)
    assert len(recording) == 3


# -- showing -------------------------------------------------------------------------------------


def test_the_table_tells_nan_from_nothing():
    rec = Recording(["first", "second"])
    rec.add(20, {"z_rms": [np.nan, np.nan], "z_nans": [0.5, np.nan], "dz_rms": [1e-3, 2.0]}, loss=3)
    assert [line.split() for line in rec.table().splitlines()] == [
        ["step", "20,", "loss", "3"],
        ["layer", "rms", "z", "rms", "dL/dz", "rms", "dL/dW", "update/W"],
        ["first", "nan", "1.00e-03", "-", "-"],
        ["second", "-", "2.00e+00", "-", "-"],
    ]
    html = rec._repr_html_()
    assert html.count("<tr>") == 3 and "step 20" in html and "1.00e-03" in html


def test_names_cannot_break_the_html():
    rec = Recording(["<b>&"])
    rec.add(0, {"z_rms": [1.0]})
    assert "<b>" not in rec._repr_html_() and "&lt;b&gt;&amp;" in rec._repr_html_()
    assert "<b>" not in compare(rec, names=["<b>"])._repr_html_()


# -- files ---------------------------------------------------------------------------------------


def test_jsonl_brings_everything_back(recording, tmp_path):
    path = tmp_path / "run.jsonl"
    recording.to_jsonl(path)
    assert_same(Probe.load(path), recording)
    for line in path.read_text().splitlines():  # strict JSON, one object a line
        json.loads(line, parse_constant=pytest.fail)


def test_csv_brings_the_numbers_back(recording, tmp_path):
    recording.to_csv(tmp_path / "run.csv")
    assert_same(Recording.load(tmp_path / "run.csv"), recording, histograms=False)


def test_csv_keeps_what_the_layers_are(tmp_path):
    model = mg.models.deep_mlp(4, 8, norm="batch", residual="pre", in_features=3)
    with Probe(model) as probe:
        model(mg.randn(5, 3)).sum().backward()
    probe.to_csv(tmp_path / "run.csv")
    assert Recording.load(tmp_path / "run.csv").meta == {"kinds": probe.meta["kinds"]}
    # Tables without that column are read all the same.
    lines = [line.split(",") for line in (tmp_path / "run.csv").read_text().splitlines()]
    place = lines[0].index("kind")
    (tmp_path / "old.csv").write_text(
        "".join(",".join(cells[:place] + cells[place + 1 :]) + "\n" for cells in lines)
    )
    old = Recording.load(tmp_path / "old.csv")
    assert (old.layers, old.meta) == (probe.layers, {})


def test_a_dict_describes_it(recording):
    plain = json.loads(json.dumps(recording.to_dict(), allow_nan=False))
    assert_same(Recording.from_dict(plain), recording)
    assert plain["records"][0]["series"]["dz_rms"] == [None, 1 / 3]
    assert plain["records"][0]["series"]["z_max"] == ["inf", "-inf"]


def test_an_empty_recording_survives_its_file(tmp_path):
    rec = Recording(["one"])
    rec.to_jsonl(tmp_path / "empty.jsonl")
    rec.to_csv(tmp_path / "empty.csv")
    assert_same(Recording.load(tmp_path / "empty.jsonl"), rec)
    # A table would bring it back without its layers.
    with pytest.raises(ArgumentError, match=r"empty.csv has no rows, .* the file of to_jsonl"):
        Recording.load(tmp_path / "empty.csv")


def test_every_series_is_in_every_export_also_the_computed_one(tmp_path):
    rec = Recording(["one", "two"])
    for step in range(3):
        rec.add(step, {"dw_norm": [2.0, 1.0], "dw_cosine": [np.nan if step == 0 else 0.5, 1.0]})
    snr = rec.series("dw_snr")
    np.testing.assert_allclose(snr[1:], [[1.0, np.inf]] * 2)
    plain = rec.to_dict()
    assert all(list(record["series"]) == list(SERIES) for record in plain["records"])
    assert plain["records"][2]["series"]["dw_snr"] == [pytest.approx(1.0), "inf"]
    rec.to_csv(tmp_path / "r.csv")
    rows = list(csv.DictReader((tmp_path / "r.csv").read_text().splitlines()))
    assert [row["dw_snr"] for row in rows[:2]] == ["", ""] and float(rows[3]["dw_snr"]) == np.inf
    # What is computed is computed again, whatever the file says.
    rows = (tmp_path / "r.csv").read_text().replace(",inf\n", ",7.0\n")
    (tmp_path / "edited.csv").write_text(rows)
    for again in (Recording.from_dict(plain), Recording.load(tmp_path / "edited.csv")):
        np.testing.assert_array_equal(again.series("dw_snr"), snr)


def test_a_dataframe_has_a_row_for_each_record_and_layer(recording):
    pandas = pytest.importorskip("pandas")
    frame = recording.to_dataframe()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.columns) == [
        "record", "step", "loss", "layer", "activation", "kind", *SERIES,
    ]  # fmt: skip
    assert frame["layer"].tolist() == ["a.0", "b"] * 3
    assert frame["record"].tolist() == [0, 0, 1, 1, 2, 2]
    assert frame["step"].tolist() == np.repeat(recording.steps, 2).tolist()
    assert frame["activation"].tolist() == [recording.activations[n] for n in recording.layers] * 3
    np.testing.assert_array_equal(frame["loss"], np.repeat(recording.loss, 2))
    for name in SERIES:
        np.testing.assert_array_equal(frame[name], recording.series(name).ravel())


def test_the_columns_of_a_dataframe_have_the_dtypes_one_computes_with(recording):
    pandas = pytest.importorskip("pandas")
    kinds = {name: pandas.api.types.infer_dtype(c) for name, c in recording.to_dataframe().items()}
    assert kinds.pop("record") == kinds.pop("step") == "integer"
    assert kinds.pop("layer") == kinds.pop("activation") == kinds.pop("kind") == "string"
    assert set(kinds.values()) == {"floating"}
    dtypes = recording.to_dataframe().dtypes
    assert dtypes["step"] == np.int64 and (dtypes[["loss", *SERIES]] == np.float64).all()


def test_a_dataframe_can_be_asked_what_the_series_say(recording):
    pytest.importorskip("pandas")
    frame = recording.to_dataframe()
    table = frame.pivot(index="step", columns="layer", values="dz_rms")[recording.layers]
    np.testing.assert_array_equal(table.to_numpy(), recording.series("dz_rms"))
    assert table.index.tolist() == recording.steps


def test_an_empty_recording_gives_a_dataframe_with_all_columns_and_no_row():
    pytest.importorskip("pandas")
    frame = Recording(["one"]).to_dataframe()
    assert len(frame) == 0 and {"step", "layer", "dz_rms"} < set(frame.columns)


def test_the_dataframe_of_a_training(rng):
    pytest.importorskip("pandas")
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    optimizer = mg.optim.SGD(model.parameters(), lr=0.1)
    with Probe(model, optimizer, every=2) as probe:
        for _ in range(4):
            optimizer.zero_grad()
            loss = model(mg.tensor(rng.normal(size=(5, 3)).astype(np.float32))).square().mean()
            loss.backward()
            probe.note(loss=loss)
            optimizer.step()
    frame = probe.to_dataframe()
    assert frame[["step", "layer", "activation"]].to_numpy().tolist() == [
        [0, "0", "Tanh"], [0, "2", ""], [2, "0", "Tanh"], [2, "2", ""],
    ]  # fmt: skip
    assert frame["loss"].tolist() == np.repeat(probe.loss, 2).tolist()
    np.testing.assert_array_equal(frame["update_ratio"], probe.series("update_ratio").ravel())


def test_without_pandas_the_cure_is_named(recording, monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "pandas":
            raise ImportError
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ArgumentError, match=r"to_dataframe: needs pandas.*pip install pandas"):
        recording.to_dataframe()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("run.txt", "", "ends in neither .jsonl nor .csv"),
        ("run.jsonl", "", "is no recording; write one with to_jsonl"),
        ("run.jsonl", '{"a": 1}\n', "is no recording; write one with to_jsonl"),
        ("run.jsonl", '{"format": "minigrad recording 1", "lay', "line 1 of .* is no JSON"),
        ("run.jsonl", '{"format": "minigrad recording 1"}', r"load: .*l describes no .* 'layers'"),
        ("run.csv", "a,b\n1,2\n", "is no recording: it lacks the columns activation, layer"),
        ("run.csv", "record,step,loss,layer,activation,z_rms\n0,0,,one,,1.0\n0,0,", "line 3 of"),
        ("run.csv", "record,step,loss,layer,activation,z_rms\n0,0,,one,,x\n", "line 2 of .*'x'"),
        ("run.csv", "record,step,loss,layer,activation,z\n0,0,,one,,1\n", "no series 'z'"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_recording_is_refused(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(ArgumentError, match=message):
        Recording.load(path)


@pytest.mark.parametrize("name", ["run.jsonl", "run.csv"])
def test_a_file_that_is_no_text_is_refused(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(bytes(range(256)))
    with pytest.raises(ArgumentError, match=rf"load: .*{name} is no text, .* to_jsonl or to_csv"):
        Recording.load(path)


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ('{"step": 1}', "it lacks 'series'"),
        ("3", "no attribute 'get'"),
        ('{"step": 1, "loss": null, "series": {"z_rms": [1.0, 2.0]}}', r"z_rms has shape \(2,\)"),
        ('{"step": 1, "loss": null, "series": {"z_rms": ["x"]}}', "could not convert .*'x'"),
    ],
)
def test_a_broken_record_is_named_with_file_and_line(tmp_path, record, told):
    path = tmp_path / "run.jsonl"
    rec = Recording(["one"])
    rec.add(0, {"z_rms": [1.0]})
    rec.to_jsonl(path)
    path.write_text(path.read_text() + record + "\n")
    with pytest.raises(ArgumentError, match=rf"load: line 3 of .*run\.jsonl is no record .*{told}"):
        Recording.load(path)


def test_a_broken_record_of_a_table_is_named(tmp_path):
    path = tmp_path / "run.csv"
    head = "record,step,loss,layer,activation,z_rms\n"
    path.write_text(head + "0,0,,one,,1\n0,0,,two,,1\n1,1,,one,,1\n")
    with pytest.raises(ArgumentError, match=r"load: record 1 of .*run\.csv is no record .*shape"):
        Recording.load(path)


@pytest.mark.parametrize("name", ["nope", "nope.csv", None, 5, ""])
def test_a_file_that_is_not_there_is_named(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArgumentError, match=rf"load: there is no file '{name}'; check the path"):
        Probe.load(name)


def test_a_file_is_not_named_as_the_other_kind(recording, tmp_path):
    with pytest.raises(ArgumentError, match=r"run\.jsonl' does not end in \.csv, by which load"):
        recording.to_csv(tmp_path / "run.jsonl")
    with pytest.raises(ArgumentError, match=r"run\.csv' does not end in \.jsonl, by which load"):
        recording.to_jsonl(tmp_path / "run.csv")


@pytest.mark.parametrize("value", [np.float32(1), math.nan, {1}])
def test_meta_that_json_cannot_hold_leaves_the_file_as_it_was(recording, tmp_path, value):
    path = tmp_path / "run.jsonl"
    recording.to_jsonl(path)
    before = path.read_bytes()
    recording.meta["lr"] = value
    with pytest.raises(ArgumentError, match="to_jsonl: meta holds what JSON cannot"):
        recording.to_jsonl(path)
    assert path.read_bytes() == before


def test_a_step_that_numpy_counted_survives_the_file(tmp_path):
    rec = Recording(["a"])
    rec.add(np.int64(3), {"z_rms": [1.0]})
    rec.to_jsonl(tmp_path / "run.jsonl")
    assert Recording.load(tmp_path / "run.jsonl").steps == [3]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r: r.add("x", {}), r"Recording.add: takes the number of a step and .* got 'x'"),
        (lambda r: r.add(1.5, {}), "Recording.add: takes the number of a step and .* got 1.5"),
        (lambda r: r.add(0, [1.0]), "a dict with a list of numbers per series, .* got 0 and list"),
        (lambda r: r.add(0, {"z_rms": ["x", "y"]}), r"z_rms takes one number .* got \['x', 'y'\]"),
        (lambda r: r.add(0, {}, loss="x"), "Recording.add: loss must be one number, or a Tensor"),
        (lambda r: r.add(0, {}, histograms=[1]), "histograms must be a dict with counts of shape"),
        (lambda r: Comparison(None), "Comparison: takes a dict of recordings by name; compare"),
        (lambda r: Comparison({"a": "a.csv"}), "Comparison: takes a dict of recordings by name"),
        (lambda r: r.series([]), r"series: no series \[\]; use one of z_rms"),
        (lambda r: r.table("0"), "table: no record '0'; there are 3, from 0 on"),
        (lambda r: Recording("abc"), r"layers must be a list of names, such as .* got 'abc'"),
        (lambda r: Recording(None), "layers must be a list of names, such as .* got None"),
        (lambda r: Recording([1, 2]), r"layers must be a list of names, such as .* got \[1, 2\]"),
        (lambda r: Recording.from_dict({}), r"describes no recording \(it lacks 'layers'\); take"),
        (lambda r: Recording.from_dict(None), r"from_dict: this describes no recording \("),
    ],
)
def test_odd_arguments_get_one_clear_message(recording, call, message):
    with pytest.raises(ArgumentError, match=message):
        call(recording)


@pytest.mark.parametrize(
    ("loss", "got"),
    [("a", "got 'a'"), (None, "got None"), (mg.ones(3), r"got shape \(3,\)"), (1j, "got 1j"),
     (np.ones(2), r"got shape \(2,\)"), ([1.0], r"got \[1.0\]")],
)  # fmt: skip
def test_a_loss_to_note_is_one_number(loss, got):
    model = nn.Linear(2, 1)
    with Probe(model) as probe:
        model(mg.ones(1, 2)).sum().backward()
        with pytest.raises(ArgumentError, match=f"Probe.note: loss must be one number, .*{got}"):
            probe.note(loss=loss)
        probe.note(loss=np.ones(1, np.float32))
    assert probe.loss.tolist() == [1.0]
    with Probe(model) as probe:
        model(mg.ones(1, 2)).sum().backward()
    with pytest.raises(ArgumentError, match=r"Probe\.note: loss must be one number"):
        probe.note(loss="late")


# -- comparing -----------------------------------------------------------------------------------


def three_runs(tmp_path) -> list:
    fast, slow = Recording(["1", "2", "3"], meta={"name": "fast"}), Recording(["1", "2", "3"])
    for step in (0, 10):
        fast.add(step, {"dz_rms": [4.0, 2.0, 9.0], "update_ratio": [1e-3, 3e-3, 1.0],
                        "dead": [0.0, 0.25, np.nan]}, loss=1 / (step + 1))  # fmt: skip
    slow.add(0, {"dz_rms": [1.0, 2.0, 9.0]})
    slow.to_csv(tmp_path / "slow.csv")
    return [fast, tmp_path / "slow.csv", Recording(["1", "x"])]


def test_runs_from_memory_and_from_files_stand_side_by_side(tmp_path):
    found = compare(*three_runs(tmp_path))
    assert list(found.runs) == ["fast", "slow", "run 3"]
    summary = found.to_dict()
    assert summary["fast"] == {
        "steps": [0, 10], "loss": pytest.approx(1 / 11), "dz_first": 4.0,
        "dz_factor": pytest.approx(2.0), "update_ratio": 3e-3, "saturated": None, "dead": 0.25,
        "unit": "layer", "lost_at": None,
    }  # fmt: skip
    assert summary["slow"]["dz_factor"] == pytest.approx(0.5) and summary["slow"]["loss"] is None
    assert set(summary["run 3"].values()) == {None}
    assert [line[:5].strip() for line in found.table().splitlines()] == ["run", *found.runs]
    assert str(found) == found.table() and found._repr_html_().count("<tr>") == 4
    assert [line.split() for line in found.layers("dz_rms").splitlines()] == [
        ["dz_rms", "fast", "slow", "run", "3"], ["1", "4", "1", "-"], ["2", "2", "2", "-"],
        ["3", "9", "9", "-"], ["x", "-", "-", "-"],
    ]  # fmt: skip


def test_a_run_that_was_lost_says_so_and_since_when():
    lost = Recording(["1", "2", "3"])
    for step, loss in zip((0, 10, 20, 30), (2.3, 1.5, math.nan, math.nan), strict=True):
        gone = step >= 20
        lost.add(step, {"dz_rms": [math.nan if gone else 1e-6, 1e-3, 1.0],
                        "dz_nans": [float(gone), 0.0, 0.0]}, loss=loss)  # fmt: skip
    found = compare(lost).to_dict()["run 1"]
    # Not the loss of step 10, nor dL/dz of layer 2.
    assert (found["loss"], found["dz_first"], found["dz_factor"]) == ("nan", "nan", "nan")
    assert found["lost_at"] == 20
    line = compare(lost).table().splitlines()
    assert line[0].endswith("lost at step") and line[1].split()[-1] == "20"
    assert line[1].split()[5:8] == ["nan", "nan", "nan"]

    # Infinity is no loss to come back from either; a peak is, and what was not noted is no NaN.
    over, peak, unknown = (Recording(["1", "2", "3"]) for _ in range(3))
    for step, loss in enumerate((2.3, math.inf)):
        over.add(step, {"dz_rms": [math.inf, 1e-3, 1.0]}, loss=loss)
    for step, infs in enumerate((1.0, 0.0)):
        peak.add(step, {"dz_rms": [1.0, 1.0, 1.0], "dz_infs": [infs, 0, 0]}, loss=1.0)
    unknown.add(0, {"dz_rms": [0.5, 1.0, 1.0]}, loss=2.3)
    unknown.add(1, {"dz_rms": [0.5, 1.0, 1.0]})
    found = compare(over, peak, unknown).to_dict().values()
    assert [f["lost_at"] for f in found] == [1, None, None]
    assert [f["loss"] for f in found] == ["inf", 1.0, None]
    assert "lost" not in compare(peak, unknown).table()

    # Of the run, `minigrad compare` keeps the step where it stopped, of which there is no record.
    peak.meta["diverged"] = 7
    assert compare(peak).to_dict()["run 1"]["lost_at"] == 7


def test_a_network_of_nan_is_told_from_one_of_which_nothing_was_recorded():
    model = mg.models.deep_mlp(4, 8, "tanh", in_features=3, generator=mg.Generator(0))
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            layer.weight.data[...] = math.nan
    with Probe(model) as probe:
        loss = model(mg.ones(5, 3)).sum()
        loss.backward()
        probe.note(loss=loss)
    found = compare(probe).to_dict()["run 1"]
    assert (found["loss"], found["dz_first"], found["lost_at"]) == ("nan", "nan", 0)
    assert "  nan" in compare(probe).table()
    assert '"nan"' in json.dumps(compare(probe).to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("runs", "names", "message"),
    [
        ([], None, "compare: no runs"),
        ([3], None, "takes recordings and paths of their files, got int"),
        ([Recording(["a"])], ["x", "y"], "1 runs, but 2 names"),
        (
            [Recording(["a"])] * 2,
            ["x", "x"],
            r"each run needs a name of its own, got x, x; give other ones, names=\['run 1', 'run",
        ),
        (
            [Recording(["a"])] * 2,
            "ab",
            "names must be a list with a text for each run, .* got 'ab'",
        ),
        ([Recording(["a"])], [1], r"names must be a list with a text for each run, .* got \[1\]"),
        ([[Recording(["a"])]], None, r"got list; of a list, compare\(\*runs\)"),
        (["nope.csv"], None, "load: there is no file 'nope.csv'"),
    ],
)
def test_what_cannot_be_compared_is_explained(runs, names, message):
    with pytest.raises(ArgumentError, match=message):
        compare(*runs, names=names)


def test_files_of_one_name_ask_for_other_names(recording, tmp_path):
    del recording.meta["name"]
    recording.to_jsonl(tmp_path / "a.jsonl")
    recording.to_csv(tmp_path / "a.csv")
    paths = tmp_path / "a.jsonl", tmp_path / "a.csv"
    with pytest.raises(ArgumentError, match=r"got a, a; give other ones, names=\['run 1', 'run 2'"):
        compare(*paths)
    assert list(compare(*paths, names=["lines", "table"]).runs) == ["lines", "table"]


def test_layers_of_an_unknown_series_are_refused():
    with pytest.raises(ArgumentError, match="layers: no series 'rms'; use one of z_rms"):
        compare(Recording(["a"])).layers("rms")
