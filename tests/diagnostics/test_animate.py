"""The film of a training, and the live view: frames by their data, files by their form."""

from __future__ import annotations

import sys
import types

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

import minigrad as mg
from minigrad.diagnostics import LivePlot, Recording, plots
from minigrad.diagnostics.plots import live
from minigrad.diagnostics.plots.animation import DecayFrames
from minigrad.diagnostics.plots.runs import NothingToDraw, runs_of
from minigrad.errors import ArgumentError

LAYERS = ["first", "second", "third"]


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def recording(steps=(0, 10, 20), scale=1.0, loss=True) -> Recording:
    rec = Recording(LAYERS)
    for k, step in enumerate(steps):
        values = {
            "dz_rms": scale * np.array([1e-3, 1e-2, 1e-1]) * 2.0**k,
            "dw_rms": scale * np.array([1e-4, 1e-4, 1e-4]) * 3.0**k,
        }
        rec.add(step, values, loss=1.0 / (k + 1) if loss else np.nan)
    return rec


def frames_of(data) -> DecayFrames:
    return DecayFrames(plt.figure().gca(), runs_of("test", data))


def drawn(frames: DecayFrames) -> dict:
    return {key: np.array(line.get_data()).tolist() for key, line in frames.lines.items()}


# -- frames ------------------------------------------------------------------------------------


def test_a_frame_is_the_gradient_at_its_step():
    rec = recording()
    frames = frames_of(rec)
    frames.show(10)
    found = drawn(frames)
    for name in ("dz_rms", "dw_rms"):
        expected = [[1.0, 2.0, 3.0], np.log10(rec.series(name)[1]).tolist()]
        np.testing.assert_allclose(found["", name], expected, rtol=1e-14)
    assert frames.ax.get_title() == "step 10, loss 0.5"
    assert frames.ax.get_xticks().tolist() == [1, 2, 3]
    first = next(line for line in frames.ax.lines if line.get_label() == "_first")
    np.testing.assert_allclose(first.get_ydata(), [-3, -2, -1])


def test_all_frames_fit_on_one_scale():
    rec = recording(scale=1e-5)
    frames = frames_of(rec)
    low, high = frames.ax.get_ylim()
    for step in rec.steps:
        frames.show(step)
        assert (low, high) == frames.ax.get_ylim()
        for _, heights in drawn(frames).values():
            assert low < min(heights) and max(heights) < high


def test_runs_with_other_steps_show_what_came_last():
    frames = frames_of({"a": recording((0, 10, 20)), "b": recording((5, 15), scale=10.0)})
    assert frames.steps(100) == [0, 5, 10, 15, 20]
    frames.show(0)
    assert drawn(frames)["b", "dz_rms"] == [[], []]
    assert frames.ax.get_title() == "step 0, loss 1 (a)"
    frames.show(12)
    np.testing.assert_allclose(drawn(frames)["a", "dz_rms"][1], np.log10([2e-3, 2e-2, 2e-1]))
    np.testing.assert_allclose(drawn(frames)["b", "dz_rms"][1], [-2, -1, 0])
    assert frames.ax.get_title() == "step 12, loss 0.5 (a), loss 1 (b)"
    shown = [text.get_text() for text in frames.ax.get_legend().get_texts()]
    assert shown == ["dL/dz", "dL/dW", "dL/dz, first step", "a", "b"]


def test_seeds_are_shown_by_their_mean():
    frames = frames_of([recording(scale=1.0), recording(scale=3.0)])
    frames.show(0)
    np.testing.assert_allclose(drawn(frames)["", "dz_rms"][1], np.log10([2e-3, 2e-2, 2e-1]))


def test_no_more_frames_than_wanted_with_the_first_and_the_last():
    frames = frames_of(recording(range(0, 1000, 2)))
    steps = frames.steps(7)
    assert (len(steps), steps[0], steps[-1]) == (7, 0, 998)
    gaps = np.diff(steps)
    assert gaps.max() - gaps.min() <= 4
    assert frames.steps(1) == [0]


def test_zeros_and_nan_leave_gaps_and_missing_layers_are_left_out():
    rec = Recording(LAYERS)
    rec.add(0, {"dz_rms": [0.0, 1.0, np.nan], "dz_nans": [0, 0, 0.5], "dw_rms": [1, np.nan, 1]})
    frames = frames_of(rec)
    frames.show(0)
    found = drawn(frames)
    assert found["", "dz_rms"][0] == [1, 2, 3]
    np.testing.assert_array_equal(found["", "dz_rms"][1], [np.nan, 0, np.nan])
    assert found["", "dw_rms"] == [[1, 3], [0, 0]]
    assert frames.ax.get_title() == "step 0"


# -- files -------------------------------------------------------------------------------------


def test_a_gif_has_a_picture_per_step(tmp_path):
    image = pytest.importorskip("PIL.Image")
    before, figures = dict(matplotlib.rcParams), plt.get_fignums()
    path = plots.animate(recording(), tmp_path / "decay.gif", fps=4, size=(3.0, 2.0))
    assert path == tmp_path / "decay.gif"
    with image.open(path) as film:
        assert (film.n_frames, film.size) == (3, (300, 200))
        assert film.info["duration"] == 250
        assert film.info["loop"] == 0
    assert dict(matplotlib.rcParams) == before
    assert plt.get_fignums() == figures


def test_a_page_holds_all_pictures(tmp_path):
    saved = tmp_path / "run.jsonl"
    recording().to_jsonl(saved)
    path = plots.animate({"saved": saved}, str(tmp_path / "decay.HTML"))
    text = path.read_text(encoding="utf-8")
    assert text.count("data:image/png;base64") == 3
    assert "<script" in text


def test_gradients_that_are_nan_are_still_a_film(tmp_path):
    rec = Recording(LAYERS)
    for step in range(2):
        rec.add(step, {"dz_rms": [np.nan] * 3, "dz_nans": [1, 1, 1]})
    assert plots.animate(rec, tmp_path / "lost.gif").stat().st_size > 0
    assert [text.get_text() for text in frames_of(rec).ax.texts] == ["no finite\nnumber above 0"]


def test_without_any_gradient_there_is_no_film(tmp_path):
    rec = Recording(LAYERS)
    rec.add(0, {"z_rms": [1.0] * 3, "dz_rms": [np.nan] * 3}, loss=1.0)
    with pytest.raises(NothingToDraw, match=r"plots.animate: no gradient was recorded; call back"):
        plots.animate({"one": rec, "two": rec}, tmp_path / "lost.gif")
    assert list(tmp_path.iterdir()) == []
    # Of several, one may have none.
    assert plots.animate({"one": rec, "two": recording()}, tmp_path / "a.gif").exists()


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"path": "decay.mp4"}, r"decay.mp4 must end in .gif or .html"),
        ({"path": "decay"}, r"must end in .gif or .html"),
        ({"path": "nowhere/a.gif"}, "there is no folder nowhere; make it first"),
        ({"path": "a.gif", "fps": 0}, "fps must be a whole number of at least 1, got 0"),
        ({"path": "a.gif", "most_frames": 0}, "most_frames must be a whole number"),
        ({"path": "a.gif", "data": Recording(LAYERS)}, "nothing was recorded"),
        ({"path": "a.gif", "data": 3}, "takes a Recording or Probe"),
    ],
)
def test_wrong_use_is_explained(kwargs, message):
    with pytest.raises(ArgumentError, match=message):
        plots.animate(**{"data": recording(), **kwargs})


# -- live --------------------------------------------------------------------------------------


class _Notebook:
    """Stands in for IPython's display."""

    def __init__(self) -> None:
        self.shown: list[bytes] = []
        self.displays = 0

    def Image(self, data, format):
        assert format == "png"
        return data

    def display(self, image, display_id):
        assert display_id is True
        self.displays += 1
        self.shown.append(image)
        return types.SimpleNamespace(update=self.shown.append)


@pytest.fixture
def notebook(monkeypatch):
    stand_in = _Notebook()
    monkeypatch.setitem(sys.modules, "IPython.display", stand_in)
    monkeypatch.setattr(live, "in_notebook", lambda: True)
    return stand_in


def test_one_picture_in_the_notebook_is_updated(notebook):
    rec = recording((0,))
    view = LivePlot(rec, seconds=0)
    view()
    rec.add(1, {"dz_rms": [1, 2, 3]}, loss=0.1)
    view.draw()
    assert notebook.displays == 1
    assert len(notebook.shown) == 2
    assert all(png.startswith(b"\x89PNG") for png in notebook.shown)
    assert notebook.shown[0] != notebook.shown[1]
    assert plt.get_fignums() == []


def test_it_does_not_draw_more_often_than_wanted(notebook, monkeypatch):
    clock = types.SimpleNamespace(now=100.0)
    monkeypatch.setattr(live.time, "monotonic", lambda: clock.now)
    view = LivePlot(recording(), seconds=5.0)
    for _ in range(3):
        view()
    assert len(notebook.shown) == 1
    clock.now += 4.9
    view()
    assert len(notebook.shown) == 1
    clock.now += 0.2
    view("whatever", "hooks", "pass")
    assert len(notebook.shown) == 2


def test_slow_pictures_are_drawn_less_often(notebook, monkeypatch):
    clock = types.SimpleNamespace(now=0.0)
    monkeypatch.setattr(live.time, "monotonic", lambda: clock.now)

    def picture(rec):
        clock.now += 1.0
        return b""

    monkeypatch.setattr(live, "picture", picture)
    view = LivePlot(recording(), seconds=0.0)
    while clock.now < 100:
        view()
        clock.now += 0.5
    assert len(notebook.shown) <= live.MOST_SHARE * 100 + 1


def test_it_follows_fit_and_draws_the_end(notebook):
    model = mg.models.deep_mlp(3, 4, in_features=2, out_features=2)
    optimizer = mg.optim.SGD(model.parameters(), lr=0.1)
    data = [(mg.ones(4, 2), mg.zeros(4, dtype=mg.int64))] * 2
    with mg.diagnostics.Probe(model, optimizer) as probe, LivePlot(probe, seconds=1e9) as view:
        history = mg.train.fit(
            model, data, optimizer, mg.nn.functional.cross_entropy, 3, callbacks=[view]
        )
    assert history["epoch"] == [1, 2, 3]  # what it returns stops no training
    assert len(notebook.shown) == 2


def test_nothing_recorded_yet_is_no_error(notebook):
    with LivePlot(Recording(LAYERS)) as view:
        view()
    assert notebook.shown == []


def test_outside_of_a_notebook_it_says_so_once(capsys):
    with LivePlot(recording()) as view:
        view()
        view()
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("LivePlot: this is no notebook") == 1


def test_the_loss_stands_beside_where_it_is_known():
    figure = plt.figure()
    live.draw_state(figure, recording())
    left, right = figure.axes
    assert left.lines[0].get_data()[0].tolist() == [0, 10, 20]
    np.testing.assert_allclose(left.lines[0].get_data()[1], [1, 1 / 2, 1 / 3])
    assert right.get_title() == "step 20, loss 0.333"
    figure = plt.figure()
    live.draw_state(figure, recording(loss=False))
    assert len(figure.axes) == 1


def test_only_recordings_are_looked_at():
    with pytest.raises(ArgumentError, match="expected a Probe, got Sequential"):
        LivePlot(mg.nn.Sequential())
    with pytest.raises(ArgumentError, match="seconds must be at least 0, got -1"):
        LivePlot(recording(), seconds=-1)
