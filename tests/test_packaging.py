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


def printed_by(code: str) -> str:
    """What a fresh interpreter prints."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def modules_loaded_by(statement: str) -> set[str]:
    """The modules that a fresh interpreter holds after `statement`, less those before."""
    code = f"import sys; before = set(sys.modules)\n{statement}\nprint(*set(sys.modules) - before)"
    return set(printed_by(code).split())


def packages(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


def test_import_loads_numpy_and_the_standard_library_only():
    loaded = packages(modules_loaded_by("import minigrad"))
    # NumPy itself may load more than the standard library; that is not minigrad's doing.
    numpys = packages(modules_loaded_by("import numpy"))
    assert "numpy" in loaded
    assert loaded - set(sys.stdlib_module_names) - numpys == {"minigrad"}


# What is built on the engine, and what takes long to import.
LATER = {"checkpoint", "data", "diagnostics", "models", "nn", "optim", "train"}
SLOW = {
    "argparse", "asyncio", "copy", "dataclasses", "importlib.metadata", "inspect", "json",
    "logging", "numpy.typing", "pathlib", "subprocess", "tempfile", "unittest", "zipfile",
}  # fmt: skip


def test_import_loads_the_engine_only():
    loaded = modules_loaded_by("import minigrad")
    assert "minigrad.ops.table" in loaded
    assert loaded & {f"minigrad.{name}" for name in LATER} == set()
    assert loaded & SLOW <= modules_loaded_by("import numpy")


def test_import_compiles_no_operation():
    code = """
import sys, types, minigrad
modules = [module for name, module in sys.modules.items() if name.startswith("minigrad.")]
values = [value for module in modules for value in vars(module).values()]
functions = [v for v in values if isinstance(v, types.FunctionType) and hasattr(v, "source")]
minigrad.exp(1.0)
print(len(set(functions)), *{f.__name__ for f in functions if f.__code__.co_name != "itself"})
"""
    number, *compiled = printed_by(code).split()
    assert int(number) > 100
    assert compiled == ["exp"]  # which shows that a compiled one would have been found


def test_what_is_loaded_later_is_there_from_the_start():
    assert set(printed_by("import minigrad; print(*dir(minigrad))").split()) >= LATER
    assert set(minigrad.__all__) >= LATER


@pytest.mark.parametrize("name", sorted(LATER))
def test_what_is_loaded_later_is_loaded_when_asked_for(name):
    found = printed_by(f"import minigrad as mg; print(mg.{name}.__name__)")
    assert found.strip() == f"minigrad.{name}"


@pytest.mark.parametrize(
    "statement", ["from minigrad import nn", "import minigrad.nn as nn", "from minigrad import *"]
)
def test_what_is_loaded_later_can_be_imported(statement):
    assert printed_by(f"{statement}; print(nn.Linear.__name__)").strip() == "Linear"


def test_unknown_name_is_refused_with_a_hint():
    with pytest.raises(AttributeError, match="no attribute 'mutliply'") as caught:
        minigrad.mutliply  # noqa: B018
    assert (caught.value.name, caught.value.obj) == ("mutliply", minigrad)


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
