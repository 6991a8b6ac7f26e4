"""minigrad doctor: what it says of a machine that is well, and of one that is not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from minigrad import cli
from minigrad.cli import checks


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def quick(monkeypatch):
    """Imports in processes of their own take seconds; a test that is about something else needs
    none."""
    monkeypatch.setattr(checks, "_extra", lambda *a: checks.Finding("ok", a[0], "1.0"))


def found(check) -> dict[str, checks.Finding]:
    return {finding.what: finding for finding in check()}


def test_it_names_what_is_there(capsys, quick):
    assert cli.main(["doctor", "--json", "d.json"]) == 0
    out = capsys.readouterr().out
    assert np.__version__ in out and "BLAS" in out and "Nothing is broken." in out
    plain = json.loads(Path("d.json").read_text("utf-8"))
    assert list(plain) == list(checks.CHECKS)
    assert plain["NumPy"][0] == {
        "state": "ok", "what": "NumPy", "told": np.__version__, "cure": ""
    }  # fmt: skip
    assert cli.main(["doctor", "--json", "d.json"]) == 2
    assert "'d.json' exists; --force replaces it" in capsys.readouterr().err


def test_something_broken_gives_exit_code_1_and_the_cure(capsys, quick, monkeypatch):
    def broken():
        yield checks.Finding("broken", "Thing", "does not work", "pip install thing")

    monkeypatch.setitem(checks.CHECKS, "extras", broken)
    assert cli.main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "BROKEN Thing         does not work\n" in out and "-> pip install thing" in out
    assert "\nbroken: Thing\n" in out


# -- packages ------------------------------------------------------------------------------------


def test_a_missing_extra_is_no_fault():
    finding = checks._extra("Nothing", "no_such_module", "lessons")
    assert (finding.state, finding.cure) == ("missing", "pip install 'minigrad[lessons]'")


def test_an_extra_that_does_not_import_is_broken(tmp_path, monkeypatch):
    (tmp_path / "torn.py").write_text("raise ImportError('libtorn.so.1 is missing')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    finding = checks._extra("torn", "torn", "search")
    assert finding.state == "broken" and "libtorn.so.1 is missing" in finding.told
    assert finding.cure == "pip install --force-reinstall 'minigrad[search]'"


def test_a_package_that_is_needed_must_import_and_be_new_enough(monkeypatch):
    modules = {"old": SimpleNamespace(__version__="1.26.4"), "new": SimpleNamespace(
        __version__="2.10.0rc1")}  # fmt: skip
    monkeypatch.setattr("importlib.import_module", modules.__getitem__)
    old = checks._version("Old", "old", least=(2, 0))
    assert old.state == "broken" and old.told == "1.26.4, but minigrad needs 2.0"
    assert checks._version("New", "new", least=(2, 9)).state == "ok"
    assert checks._version("Gone", "gone", least=(2, 0)).state == "broken"


def test_matplotlib_that_does_not_import_is_broken(monkeypatch, quick):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert found(checks.notebooks)["Matplotlib"].state == "broken"


def test_numpy_without_blas_is_slow(monkeypatch):
    monkeypatch.setattr(np, "show_config", lambda mode: {"Build Dependencies": {}})
    assert found(checks.numpy)["BLAS"].told == "unknown"
    none = {"Build Dependencies": {"blas": {"name": "none", "found": False}}}
    monkeypatch.setattr(np, "show_config", lambda mode: none)
    assert found(checks.numpy)["BLAS"].state == "warning"


# -- threads -------------------------------------------------------------------------------------


def test_several_blas_threads_are_a_warning(monkeypatch):
    monkeypatch.setattr(checks, "_threads_of_pools", lambda: 8)
    finding = found(checks.threads)["BLAS threads"]
    assert finding.state == "warning" and finding.told.startswith("8 in a matrix product")
    assert "OPENBLAS_NUM_THREADS=1" in finding.cure
    monkeypatch.setattr(checks, "_threads_of_pools", lambda: 1)
    assert found(checks.threads)["BLAS threads"].state == "ok"


def test_without_threadpoolctl_threads_are_measured(monkeypatch):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    assert checks._threads_of_pools() == 0
    monkeypatch.setattr(checks, "_measured_product", lambda: (3.9, 100.0))
    assert found(checks.threads)["BLAS threads"].told.startswith("4 in a matrix product")


def test_the_environment_is_told(monkeypatch):
    for name in checks.THREADS:
        monkeypatch.delenv(name, raising=False)
    assert found(checks.threads)["environment"].told.startswith("none of ")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert found(checks.threads)["environment"].told == "OMP_NUM_THREADS=3"


# -- GPU -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cuda", "extra"), [("12.4", "cuda12"), ("13.0", "cuda13")])
def test_a_gpu_without_cupy_is_told_which_extra(monkeypatch, cuda, extra):
    answers = {True: "NVIDIA H100, 81559 MiB\n", False: f"| Driver  CUDA Version: {cuda} |"}
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/nvidia-smi")
    monkeypatch.setattr(
        subprocess, "run",
        lambda words, **_: SimpleNamespace(returncode=0, stdout=answers[len(words) > 1]),
    )  # fmt: skip
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    gpu = found(checks.gpu)
    assert gpu["GPU"].told == f"NVIDIA H100, 81559 MiB, driver for CUDA {cuda}"
    assert gpu["CuPy"].state == "warning"
    assert gpu["CuPy"].cure == f"pip install 'minigrad[{extra}]'"


def test_no_gpu_is_no_fault(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert {finding.state for finding in checks.gpu()} == {"missing"}


def test_a_cupy_that_fails_is_broken(monkeypatch):
    def no_driver(name):
        raise RuntimeError("cudaErrorInsufficientDriver\nand more")

    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setattr("importlib.import_module", no_driver)
    finding = found(checks.gpu)["CuPy"]
    assert finding.state == "broken" and finding.told.endswith(": cudaErrorInsufficientDriver")
