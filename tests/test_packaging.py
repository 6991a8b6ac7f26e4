"""The package as it is installed: what it imports, ships and promises."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import minigrad

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def modules_loaded_by(statement: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after `statement`, less those before."""
    code = (
        "import sys; before = set(sys.modules)\n"
        f"{statement}\n"
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_import_loads_numpy_and_the_standard_library_only():
    loaded = modules_loaded_by("import minigrad")
    # NumPy itself may load more than the standard library; that is not minigrad's doing.
    allowed = set(sys.stdlib_module_names) | modules_loaded_by("import numpy") | {"minigrad"}
    assert "numpy" in loaded
    assert loaded - allowed == set()


def test_version_is_the_one_in_pyproject():
    assert minigrad.__version__ == PYPROJECT["project"]["version"]


def test_public_names_exist_and_are_listed_once():
    names = minigrad.__all__
    assert len(names) == len(set(names))
    missing = [name for name in names if not hasattr(minigrad, name)]
    assert missing == []


@pytest.mark.parametrize(
    "file", ["py.typed", "_data/digits.npz", "_data/iris.npz", "_data/SOURCES.txt"]
)
def test_files_that_the_wheel_must_hold_are_in_the_package(file):
    assert (Path(minigrad.__file__).parent / file).is_file()


def test_hard_dependencies_are_numpy_and_matplotlib_only():
    names = [re.split(r"[<>=!~ \[;]", d)[0] for d in PYPROJECT["project"]["dependencies"]]
    assert sorted(names) == ["matplotlib", "numpy"]


def test_no_extra_asks_for_torch():
    # PyTorch is what the tests compare against; a learner must never have to download it.
    extras = PYPROJECT["project"]["optional-dependencies"]
    asked = [requirement for extra in extras.values() for requirement in extra]
    assert [requirement for requirement in asked if requirement.startswith("torch")] == []
