"""What the README shows must run as it stands."""

import re
from pathlib import Path

import pytest

import minigrad as mg
from minigrad import cli

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def test_the_python_examples_run_one_after_the_other(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # they save figures
    names = {}
    for block in re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL):
        exec(block, names)
    assert float(capsys.readouterr().out.split()[1]) < 1.0
    assert names["curvature"].item() == 12
    assert names["jacobian"].shape == (2, 2)
    assert mg.gradcheck(
        names["softsign"],
        mg.randn(3, dtype=mg.float64, requires_grad=True, generator=mg.Generator(0)),
    )


def test_the_files_it_names_exist():
    paths = re.findall(r"`((?:minigrad|tests|lessons)/[\w/.]*)`", README)
    links = re.findall(r"\]\((?!http)([^)]+)\)", README)
    assert paths and links
    for path in paths + links:
        assert (ROOT / path).exists(), path


def test_the_table_it_shows_is_what_the_command_prints(capsys, tmp_path):
    shown = re.search(r"```\n(tanh, default init.*?)```", README, flags=re.DOTALL).group(1)
    figure = str(tmp_path / "decay.png")
    cli.main(["decay", "--activation", "tanh", "--init", "default", "--save", figure])
    printed = capsys.readouterr().out.split("\n\n")[0]
    number = r"\d\S*"
    assert re.sub(number, "#", shown).split() == re.sub(number, "#", printed).split()
    # The last digit may differ where BLAS sums in another order.
    pairs = zip(re.findall(number, shown), re.findall(number, printed), strict=True)
    for a, b in pairs:
        assert float(a) == pytest.approx(float(b), rel=0.06)
