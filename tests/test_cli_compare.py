"""minigrad compare: what it trains, prints and writes, and how it refuses."""

from __future__ import annotations

import json
import math
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from commands import refused

import minigrad as mg
from minigrad import cli
from minigrad.cli import compare, training
from minigrad.cli.progress import Progress
from minigrad.data import load_digits, standardize, train_test_split
from minigrad.diagnostics import Recording

QUICK = ["compare", "--depth", "4", "--width", "16", "--steps", "8", "--batch-size", "16"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    plt.close("all")


def numbers(name: str = "c.json") -> list[dict]:
    return json.loads(Path(name).read_text("utf-8"))


# -- what it writes ------------------------------------------------------------------------------


def test_a_line_of_the_table_and_a_column_of_the_figure_per_configuration(capsys, monkeypatch):
    titles = []
    monkeypatch.setattr(compare, "write_figure", lambda figure, path: titles.extend(
        ax.get_title().splitlines()[0] for ax in figure.axes if "records" in ax.get_title()
    ))  # fmt: skip
    assert cli.main([*QUICK, "--optimizer", "sgd,adam", "--clip", "none,norm:1"]) == 0
    out = capsys.readouterr().out
    labels = [
        f"{init} init, {optimizer}, {clip}"
        for init in ("xavier", "he")
        for optimizer in ("sgd, lr 0.1", "adam, lr 0.001")
        for clip in ("clip none", "clip norm:1")
    ]
    head, *lines = out.split("\n\n")[0].splitlines()
    assert head.split() == ["train", "loss", "test", "accuracy", "per", "layer", "verdict"]
    assert [line[: line.index("  ")] for line in lines if "  " in line] == labels
    assert titles == labels


@pytest.mark.parametrize(
    ("name", "start"), [("c.png", b"\x89PNG"), ("c.svg", b"<?xml"), ("c.pdf", b"%PDF")]
)
def test_the_suffix_names_the_format(name, start):
    assert cli.main([*QUICK, "--init", "he", "--save", name]) == 0
    assert Path(name).read_bytes().startswith(start)


def test_json_holds_every_run_and_its_recording(capsys):
    assert cli.main([*QUICK, "--init", "he", "--seeds", "4,7", "--json", "c.json"]) == 0
    found = numbers()
    assert [one["seed"] for one in found] == [4, 7]
    assert found[0]["config"] == {
        "activation": "relu", "init": "he", "norm": "none", "residual": "none", "depth": 4,
        "width": 16, "optimizer": "momentum", "lr": 0.01, "clip": "none", "steps": 8,
        "batch_size": 16, "data": "digits",
    }  # fmt: skip
    recording = Recording.from_dict(found[0]["recording"])
    assert recording.steps == list(range(8)) and len(recording.layers) == 4
    assert np.isfinite(recording.loss).all()
    assert found[0]["verdict"] == "healthy" and found[0]["diverged"] is None
    # The table has the mean over the seeds.
    mean = np.mean([one["test_accuracy"] for one in found])
    assert f"{mean:.1%}" in capsys.readouterr().out


def test_it_is_the_loop_written_by_hand():
    # Momentum 0.9, the norm of all gradients together clipped: each line spelled out in NumPy.
    config = training.TrainConfig(
        "tanh", "xavier", "none", "none", 3, 8, "momentum", 0.05, "norm:0.5", 6, 32, "digits"
    )
    digits = load_digits()
    found = training.train(config, 3, digits, lambda step, loss: None)

    g = mg.Generator(3)
    x, _, y, _ = train_test_split(
        (standardize(digits.x), digits.y), test_size=0.2, generator=g.fork("split")
    )
    model = mg.models.deep_mlp(3, 8, "tanh", "xavier", generator=g)
    batches = g.fork("batches")
    parameters = list(model.parameters())
    velocity = [np.zeros(p.shape, np.float32) for p in parameters]
    losses = []
    for _ in range(6):
        chosen = batches.permutation(len(x))[:32]
        for p in parameters:
            p.grad = None
        loss = mg.nn.functional.cross_entropy(model(mg.tensor(x[chosen])), mg.tensor(y[chosen]))
        loss.backward()
        losses.append(loss.item())
        norm = math.sqrt(sum(float((p.grad.data.astype(float) ** 2).sum()) for p in parameters))
        for p, v in zip(parameters, velocity, strict=True):
            v[...] = 0.9 * v + p.grad.data * min(1.0, 0.5 / norm)
            p.data -= 0.05 * v
    np.testing.assert_allclose(found.recording.loss, losses, rtol=2e-5)


def test_a_run_that_diverges_is_told_and_the_others_go_on(capsys):
    wild = ["--init", "normal:1000,he", "--depth", "20", "--json", "c.json"]
    assert cli.main([*QUICK, *wild]) == 0
    first, second = numbers()
    assert first["diverged"] is not None and first["train_loss"] is None
    assert first["verdict"] == "exploding"
    assert Recording.from_dict(first["recording"]).meta["diverged"] == first["diverged"]
    assert second["diverged"] is None and second["train_loss"] < 10
    assert f"loss lost at step {first['diverged']}" in capsys.readouterr().out


def test_the_same_seed_gives_the_same_numbers():
    for name in ("a.json", "b.json"):
        assert cli.main([*QUICK, "--init", "he", "--json", name, "--force"]) == 0
    assert numbers("a.json") == numbers("b.json")


@pytest.mark.parametrize("optimizer", training.OPTIMIZERS)
def test_every_optimizer_learns_at_its_usual_rate(optimizer):
    _, lr = training.OPTIMIZERS[optimizer]
    config = training.TrainConfig(
        "relu", "he", "none", "none", 3, 64, optimizer, lr, "none", 100, 64, "digits"
    )
    found = training.train(config, 0, load_digits(), lambda step, loss: None)
    assert found.test_accuracy > 0.6 and found.diverged is None


@pytest.mark.parametrize("clip", ["value:0.001", "adaptive:0.001", "norm:0.001"])
def test_clipping_reaches_the_optimizer(clip):
    config = training.TrainConfig(
        "tanh", "he", "none", "none", 4, 16, "sgd", 0.1, clip, 2, 32, "digits"
    )
    found = training.train(config, 0, load_digits(), lambda step, loss: None).recording
    assert (found.series("dw_clipped_rms") < found.series("dw_rms")).all()


# -- progress ------------------------------------------------------------------------------------


def test_without_a_terminal_there_is_a_line_now_and_then(capsys):
    assert cli.main([*QUICK, "--init", "he", "--seeds", "2"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(", loss")[0] for line in lines] == [
        f"relu, he init, seed {seed}: step {step} of 8" for seed in (0, 1) for step in (2, 4, 6, 8)
    ]


def test_in_a_terminal_there_is_a_bar(monkeypatch, capsys):
    pytest.importorskip("tqdm")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with Progress(2, 10) as progress:
        progress.begin("first")
        progress.tell(1, 0.5)
        progress.skip(9)
        assert (progress.bar.n, progress.bar.total) == (10, 20)
    assert "first" in capsys.readouterr().err


# -- refusing ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--optimizer", "sdg"], "unknown optimizer 'sdg'; use one of sgd, momentum, nesterov"),
        (["--lr", "0"], "learning rate must be a number above 0, got '0'"),
        (["--lr", "0.1,fast"], "learning rate must be a number above 0, got 'fast'"),
        (["--lr", "nan"], "learning rate must be a number above 0, got 'nan'"),
        (["--clip", "1"], "unknown clip '1'; use one of none, norm:NUMBER, value:NUMBER"),
        (["--clip", "norm:-1"], "clip norm must be a number above 0, got '-1'"),
        (["--clip", "value"], "clip value must be a number above 0, got ''"),
        (["--steps", "0"], "the number of steps must be a whole number of at least 1, got '0'"),
        (["--depth", "5", "--residual", "pre"], "it must be an even number of at least 4, got 5"),
        (["--batch-size", "1500"], "from 1 to 1437, the number of examples in"),
        (["--lr", "1,2,3,4,5"], "10 configurations were asked for, and at most 8 can be compared"),
        (["--save", "c.gif"], "cannot write a figure as 'c.gif'"),
    ],
)
def test_a_wrong_value_is_one_line_and_code_2(capsys, monkeypatch, arguments, message):
    monkeypatch.setattr(compare, "train", lambda *a: pytest.fail("trained before checking"))
    assert message in refused(capsys, "compare", *arguments)


def test_a_file_that_exists_is_replaced_only_with_force(capsys):
    Path("compare.png").write_text("mine")
    assert "'compare.png' exists; --force replaces it" in refused(capsys, "compare")
    assert "there is no file 'no.npz'" in refused(capsys, "compare", "--data", "no.npz")
    assert cli.main([*QUICK, "--init", "he", "--force"]) == 0
    assert Path("compare.png").read_bytes().startswith(b"\x89PNG")


# -- Ctrl-C --------------------------------------------------------------------------------------


def test_ctrl_c_keeps_the_configurations_that_were_finished(capsys, monkeypatch):
    def train(config, seed, data, tell):
        if config.init == "he" and seed == 1:
            raise KeyboardInterrupt
        return training.train(config, seed, data, tell)

    monkeypatch.setattr(compare, "train", train)
    assert cli.main([*QUICK, "--seeds", "2", "--json", "c.json"]) == 130
    out, err = capsys.readouterr()
    assert err.splitlines()[-1] == (
        "minigrad compare: stopped by Ctrl-C: 1 of 2 configurations were finished; they are "
        "above and in the files"
    )
    assert "xavier init" in out and "he init" not in out
    assert [(one["config"]["init"], one["seed"]) for one in numbers()] == [
        ("xavier", 0), ("xavier", 1),
    ]  # fmt: skip
    assert Path("compare.png").read_bytes().startswith(b"\x89PNG")


def test_ctrl_c_in_the_first_one_writes_nothing(capsys, monkeypatch):
    def train(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(compare, "train", train)
    assert cli.main(QUICK) == 130
    assert "0 of 2 configurations were finished; nothing was written" in capsys.readouterr().err
    assert list(Path().iterdir()) == []
