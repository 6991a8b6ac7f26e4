"""The command: what it prints and writes, and how it refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from commands import refused

import minigrad
from minigrad import cli
from minigrad.cli import decay, writing

QUICK = ["decay", "--depth", "6", "--width", "16", "--batch-size", "32", "--seeds", "2"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


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
        "residual": "none",
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
        (["--init", "normal"], "init 'normal' needs a number after a colon, such as 'normal:0.01'"),
        (["--residual", "both"], "unknown residual 'both'; use one of none, pre, post"),
        (["--residual", "pre", "--depth", "7"], "depth: with residual connections it must be an "),
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
        (["--activations", "relu"], "unknown --activations relu; did you mean --activation? see `"),
        (["--out=d.png"], "unknown --out=d.png; did you mean --save? see `minigrad decay --help`"),
        (["--epochs", "3"], "unknown --epochs 3; see `minigrad decay --help`"),
    ],
)
def test_a_wrong_value_is_one_line_and_code_2(capsys, monkeypatch, arguments, message):
    monkeypatch.setattr(decay, "measure_decay", lambda *a: pytest.fail("computed before checking"))
    assert message in refused(capsys, "decay", *arguments)


def test_a_place_without_permission_is_refused_before_computing(capsys, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert "no permission to write 'd.png'" in refused(capsys, "decay", "--save", "d.png")


def test_a_disk_that_fails_is_reported_in_one_line(capsys, monkeypatch):
    def fail(*arguments):
        raise OSError(28, "No space left on device", "decay.png")

    monkeypatch.setattr(decay, "write_figure", fail)
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
    for flag in ("depth", "width", "activation", "init", "norm", "residual", "batch-size",
                 "seeds", "data", "dtype", "verdict", "save", "json", "force"):  # fmt: skip
        assert f"--{flag} " in shown


def test_python_dash_m_is_the_command():
    run = subprocess.run(
        [sys.executable, "-m", "minigrad", "--version"],
        cwd=Path(minigrad.__file__).parent.parent, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert run.stdout == f"minigrad {minigrad.__version__}\n"


# -- options of decay that need more than one line to check --------------------------------------


ONE = ["--activation", "tanh", "--init", "xavier"]


@pytest.mark.parametrize("command", [QUICK, ["compare", "--depth", "3", "--steps", "2"]])
def test_a_reader_that_goes_away_costs_no_figure(command):
    """As `| head -1` does."""
    found_here = {"PYTHONPATH": str(Path(minigrad.__file__).parent.parent)}
    gone, into = os.pipe()
    os.close(gone)
    with open(into, "wb") as pipe:
        run = subprocess.run(
            [sys.executable, "-m", "minigrad", *command, "--save", "d.png", "--json", "d.json"],
            stdout=pipe, stderr=subprocess.PIPE, text=True, check=False,
            env=os.environ | found_here,
        )  # fmt: skip
    assert run.returncode == 0 and "roken" not in run.stderr
    assert Path("d.png").read_bytes().startswith(b"\x89PNG")
    assert len(json.loads(Path("d.json").read_text("utf-8"))) > 1


def test_residual_networks_are_measured_beside_plain_ones(capsys):
    lists = ["--norm", "none,layer", "--residual", "none,pre", "--json", "d.json"]
    assert cli.main([*QUICK, *ONE, *lists]) == 0
    headings = [line for line in capsys.readouterr().out.splitlines() if " init, " in line]
    assert [heading.partition(":")[0].partition("init, ")[2] for heading in headings] == [
        "norm none, residual none", "norm none, residual pre",
        "norm layer, residual none", "norm layer, residual pre",
    ]  # fmt: skip
    found = json.loads(Path("d.json").read_text("utf-8"))
    assert found[1]["layers"][1]["name"] == "block1.branch.layer2.linear"
    # Theory says something of each of them.
    assert all(layer["dz_rms_theory"] > 0 for one in found for layer in one["layers"])


def test_verdict_names_every_layer_and_a_cure(capsys):
    deep = ["decay", "--depth", "20", "--width", "32", "--seeds", "1", "--batch-size", "32",
            "--activation", "sigmoid", "--init", "default", "--verdict"]  # fmt: skip
    assert cli.main(deep) == 0
    out = capsys.readouterr().out
    assert "verdict: vanishing" in out and "try:" in out
    assert "sigmoid, default init: gradient vanishing" in out
    assert [f"layer{i}.linear" in out for i in range(1, 21)] == [True] * 20


def test_with_two_verdicts_the_first_says_that_it_is_of_the_gradient_alone(capsys):
    dead = ["decay", "--depth", "6", "--width", "16", "--seeds", "1", "--activation", "relu",
            "--init", "zeros,normal:1.0"]  # fmt: skip
    assert cli.main([*dead, "--verdict"]) == 0
    out = capsys.readouterr().out
    assert "relu, zeros init: gradient vanishing" in out
    assert "zeros init: vanishing" not in out
    assert cli.main([*dead, "--force"]) == 0
    assert "relu, zeros init: vanishing" in capsys.readouterr().out


# -- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("flag", "name"), [("--save", "decay.png"), ("--json", "d.json")])
def test_a_file_that_exists_is_replaced_only_with_force(capsys, monkeypatch, flag, name):
    Path(name).write_text("mine")
    with monkeypatch.context() as patch:
        patch.setattr(decay, "measure_decay", lambda *a: pytest.fail("computed before checking"))
        said = refused(capsys, "decay", flag, name)
    assert said == (
        f"minigrad decay: {name!r} exists; --force replaces it, {flag} names another file\n"
    )
    assert Path(name).read_text() == "mine"
    assert cli.main([*QUICK, *ONE, flag, name, "--force"]) == 0
    assert Path(name).read_bytes() != b"mine"


def test_what_goes_in_is_checked_before_what_comes_out(capsys):
    Path("decay.png").write_bytes(b"old")
    assert "there is no file 'nope.npz'" in refused(capsys, "decay", "--data", "nope.npz")
    assert "batch size: must be from 1" in refused(capsys, "decay", "--batch-size", "99999")


def test_figure_and_numbers_go_to_two_files(capsys):
    said = refused(capsys, "decay", "--save", "d.pdf", "--json", "./d.pdf")
    assert said == "minigrad decay: --save and --json name the same file 'd.pdf'\n"


@pytest.mark.parametrize(("name", "start"), [("d.pdf", b"%PDF"), ("d.PNG", b"\x89PNG")])
def test_the_suffix_names_the_format(name, start):
    assert cli.main([*QUICK, *ONE, "--save", name]) == 0
    assert Path(name).read_bytes().startswith(start)


@pytest.mark.parametrize("accident", [OSError("disk full"), KeyboardInterrupt()])
def test_a_file_is_whole_or_as_it_was(accident):
    Path("old.txt").write_text("old")

    def write():
        with writing.replacing(Path("old.txt")) as part:
            part.write_text("half")
            raise accident

    with pytest.raises(type(accident)):
        write()
    assert Path("old.txt").read_text() == "old"
    assert [path.name for path in Path().iterdir()] == ["old.txt"]


def test_a_link_goes_on_pointing_to_the_file():
    Path("file.txt").write_text("old")
    Path("link.txt").symlink_to("file.txt")
    writing.write_text("new", Path("link.txt"))
    assert Path("link.txt").is_symlink() and Path("file.txt").read_text() == "new"


def test_what_is_no_regular_file_is_written_to():
    assert cli.main([*QUICK, *ONE, "--json", "/dev/null"]) == 0
    assert Path("/dev/null").exists() and not Path("/dev/null").is_file()


# -- Ctrl-C --------------------------------------------------------------------------------------


def interrupted_after(monkeypatch, module, name: str, calls: int) -> None:
    """Let a function of a module work so often, and then be interrupted."""
    original, done = getattr(module, name), []

    def work(*arguments):
        if len(done) == calls:
            raise KeyboardInterrupt
        done.append(arguments)
        return original(*arguments)

    monkeypatch.setattr(module, name, work)


def test_ctrl_c_keeps_what_was_finished(capsys, monkeypatch):
    interrupted_after(monkeypatch, decay, "measure_decay", 2)
    lists = ["--activation", "tanh", "--init", "default,xavier,he", "--json", "d.json"]
    assert cli.main([*QUICK, *lists]) == 130
    out, err = capsys.readouterr()
    assert err == (
        "minigrad decay: stopped by Ctrl-C: 2 of 3 configurations were finished; they are above "
        "and in the files\n"
    )
    assert "default init" in out and "xavier init" in out and "he init" not in out
    found = json.loads(Path("d.json").read_text("utf-8"))
    assert [one["config"]["init"] for one in found] == ["default", "xavier"]
    assert Path("decay.png").read_bytes().startswith(b"\x89PNG")


def test_ctrl_c_before_anything_was_finished_writes_nothing(capsys, monkeypatch):
    interrupted_after(monkeypatch, decay, "measure_decay", 0)
    assert cli.main(QUICK) == 130
    assert "0 of 9 configurations were finished; nothing was written" in capsys.readouterr().err
    assert list(Path().iterdir()) == []


def test_ctrl_c_while_writing_leaves_no_half_a_file(capsys, monkeypatch):
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", interrupt)
    assert cli.main([*QUICK, *ONE]) == 130
    assert "no file was left half-written" in capsys.readouterr().err
    assert list(Path().iterdir()) == []


def interrupt(figure, path, **options):
    Path(path).write_bytes(b"half")
    raise KeyboardInterrupt


def test_the_bare_command_prints_its_help(capsys):
    assert cli.main([]) == 0
    out, err = capsys.readouterr()
    assert err == "" and out.startswith("usage: minigrad ")
    assert all(f"\n    {command} " in out for command in ("decay", "compare", "lessons", "doctor"))


def test_an_unknown_word_without_a_command_is_refused(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["--versoin"])
    assert end.value.code == 2
    assert "minigrad: unknown --versoin; did you mean --version?" in capsys.readouterr().err
