"""The command: what it prints and writes, and how it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import minigrad
from minigrad import cli

QUICK = ["decay", "--depth", "6", "--width", "16", "--batch-size", "32", "--seeds", "2"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def refused(capsys, *arguments: str) -> str:
    """The one line with which the command refuses; it must compute and write nothing."""
    before = list(Path().iterdir())
    try:
        code = cli.main(["decay", *arguments])
    except SystemExit as end:
        code = end.code
    out, err = capsys.readouterr()
    assert code == 2 and out == ""
    assert err.startswith("minigrad decay: ") and err.count("\n") == 1
    assert list(Path().iterdir()) == before
    return err


def test_decay_prints_a_table_per_configuration_and_writes_the_figure(capsys):
    assert cli.main(QUICK) == 0
    out = capsys.readouterr().out
    headings = [line for line in out.splitlines() if " init: " in line]
    assert [heading.partition(":")[0] for heading in headings] == [
        f"{activation}, {init} init"
        for activation in ("sigmoid", "tanh", "relu")
        for init in ("default", "xavier", "he")
    ]
    assert out.endswith(f"figure: {Path('decay.png').resolve()}\n")
    assert Path("decay.png").read_bytes().startswith(b"\x89PNG")
    assert max(len(line) for line in out.splitlines()[:-1]) <= 80


def test_json_has_what_was_measured(capsys):
    wanted = ["--activation", "tanh", "--init", "he,xavier", "--norm", "layer", "--dtype",
              "float64", "--save", "d.svg", "--json", "d.json"]  # fmt: skip
    assert cli.main([*QUICK, *wanted]) == 0
    first, second = json.loads(Path("d.json").read_text("utf-8"))
    assert first["config"] == {
        "depth": 6, "width": 16, "activation": "tanh", "init": "he", "norm": "layer",
        "batch_size": 32, "seeds": [0, 1], "dtype": "float64", "data": "digits",
    }  # fmt: skip
    assert second["config"] == first["config"] | {"init": "xavier"}
    assert [layer["index"] for layer in first["layers"]] == [1, 2, 3, 4, 5, 6]
    assert first["layers"][0]["name"] == "layer1.linear"
    for series in ("z_rms", "dz_rms", "dw_rms"):
        spread = first["layers"][0][series]
        assert 0 < spread["min"] < spread["mean"] < spread["max"]
    assert first["verdict"] == "healthy" and first["underflow_layer"] is None
    assert 0.5 < first["factor_per_layer"] < 2
    assert Path("d.svg").read_text("utf-8").lstrip().startswith("<?xml")
    assert f"numbers: {Path('d.json').resolve()}" in capsys.readouterr().out


def test_json_stays_json_where_numbers_overflow():
    exploding = ["decay", "--depth", "400", "--width", "16", "--batch-size", "16", "--seeds", "1",
                 "--activation", "identity", "--init", "he", "--json", "d.json"]  # fmt: skip
    assert cli.main(exploding) == 0

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    found = json.loads(Path("d.json").read_text("utf-8"), parse_constant=refuse)
    assert found[0]["verdict"] == "exploding" and found[0]["factor_per_layer"] is None


@pytest.mark.parametrize(("text", "expected"), [("2", [0, 1]), ("4,7", [4, 7]), ("5,5,1", [5, 1])])
def test_seeds_are_a_number_or_a_list(text, expected):
    one = ["--activation", "tanh", "--init", "he", "--json", "d.json"]
    assert cli.main([*QUICK, "--seeds", text, *one]) == 0
    assert json.loads(Path("d.json").read_text("utf-8"))[0]["config"]["seeds"] == expected


def test_lists_give_every_combination_in_order(capsys):
    lists = ["--activation", "relu, tanh", "--init", "he", "--depth", "4,5"]
    assert cli.main([*QUICK, *lists]) == 0
    headings = [line for line in capsys.readouterr().out.splitlines() if " init, " in line]
    assert [heading.partition(":")[0] for heading in headings] == [
        "relu, he init, depth 4", "relu, he init, depth 5",
        "tanh, he init, depth 4", "tanh, he init, depth 5",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--activation", "tahn"], "unknown activation 'tahn'; use one of identity, relu, sigmoid"),
        (["--init", "he,glorot"], "unknown init 'glorot'; use one of default, xavier, he"),
        (["--norm", ""], "unknown norm ''; use one of none, batch, layer"),
        (["--depth", "2"], "depth must be a whole number of at least 3, got '2'"),
        (["--width", "wide"], "width must be a whole number of at least 1, got 'wide'"),
        (["--batch-size", "0"], "batch size must be a whole number of at least 1, got '0'"),
        (["--batch-size", "200", "--data", "iris"], "from 1 to 150, the number of examples in"),
        (["--seeds", "-1"], "the number of seeds must be a whole number of at least 1, got '-1'"),
        (["--seeds", "1,x"], "seed must be a whole number of at least 0, got 'x'"),
        (["--dtype", "int8"], "unknown dtype 'int8'; use one of float32, float64"),
        (["--data", "mnist"], "unknown 'mnist'; use one of digits, iris, random, or the path of"),
        (["--data", "gone.npz"], "there is no file 'gone.npz'; check the path"),
        (["--save", "no/such/d.png"], "there is no folder 'no/such'; make it first"),
        (["--save", "d.bmp"], "cannot write a figure as 'd.bmp'; end the name in one of .png, "),
        (["--json", "."], "'.' is a folder; name a file in it"),
        (["--colour", "red"], "unknown --colour red; see `minigrad decay --help`"),
    ],
)
def test_a_wrong_value_is_one_line_and_code_2(capsys, monkeypatch, arguments, message):
    monkeypatch.setattr(cli, "measure_decay", lambda *a: pytest.fail("computed before checking"))
    assert message in refused(capsys, *arguments)


def test_a_place_without_permission_is_refused_before_computing(capsys, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert "no permission to write 'd.png'" in refused(capsys, "--save", "d.png")


def test_a_disk_that_fails_is_reported_in_one_line(capsys, monkeypatch):
    def fail(*arguments):
        raise OSError(28, "No space left on device", "decay.png")

    monkeypatch.setattr(cli, "_draw", fail)
    assert cli.main([*QUICK, "--init", "he"]) == 2
    assert capsys.readouterr().err == (
        "minigrad decay: [Errno 28] No space left on device: 'decay.png'\n"
    )


def test_an_own_file_is_measured(tmp_path, rng):
    import numpy as np

    np.savez(tmp_path / "own.npz", x=rng.normal(size=(40, 3)), y=np.arange(40) % 4)
    one = ["--activation", "tanh", "--init", "he", "--data", "own.npz", "--json", "d.json"]
    assert cli.main([*QUICK, *one]) == 0
    assert json.loads(Path("d.json").read_text("utf-8"))[0]["config"]["data"] == "own.npz"


def test_help_names_every_flag(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["decay", "--help"])
    assert end.value.code == 0
    shown = capsys.readouterr().out
    for flag in ("depth", "width", "activation", "init", "norm", "batch-size", "seeds", "data",
                 "dtype", "save", "json"):  # fmt: skip
        assert f"--{flag} " in shown


def test_python_dash_m_is_the_command():
    run = subprocess.run(
        [sys.executable, "-m", "minigrad", "--version"],
        cwd=Path(minigrad.__file__).parent.parent, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert run.stdout == f"minigrad {minigrad.__version__}\n"
