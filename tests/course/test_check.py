"""`check` runs a lesson elsewhere and says what does not hold any more."""

from __future__ import annotations

import json
import sys

import pytest

from minigrad.course import __main__ as command
from minigrad.course.build import build
from minigrad.course.check import check, compare
from minigrad.errors import ArgumentError

SOURCE = """\
# %%
from minigrad.course import Claim, full_or_fast, record
steps = full_or_fast(20, fast=10)
record([Claim("a law", 1, 1 + 1 / steps, 0.5, "arithmetic")])
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("01_a_lesson")
    (folder / "lesson.py").write_text(SOURCE)
    build(folder)
    return folder


@pytest.fixture
def lesson(built, tmp_path):
    """A copy of a built lesson that a test may spoil."""
    for path in built.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def republish(folder, **changes):
    path = folder / "claims.json"
    (claim,) = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps([claim | changes]), "utf-8")


def test_a_true_lesson(built):
    outcome = check(built)
    assert (outcome.claims, outcome.problems) == (1, [])
    assert 0 < outcome.seconds < 60


def test_the_lessons_own_folder_is_left_alone(built):
    before = {path.name: path.stat().st_mtime_ns for path in built.iterdir()}
    check(built, fast=True)
    assert {path.name: path.stat().st_mtime_ns for path in built.iterdir()} == before


def test_building_is_never_fast(lesson, monkeypatch):
    monkeypatch.setenv("MINIGRAD_FAST", "1")
    build(lesson)
    (claim,) = json.loads((lesson / "claims.json").read_text("utf-8"))
    assert claim["measured"] == 1.05


def test_a_number_far_from_the_published_one(lesson):
    republish(lesson, measured=3.0)
    assert check(lesson).problems == ["a law: 1.05 now, published 3.0"]
    assert check(lesson, fast=True).problems == []  # other sizes, other numbers


def test_a_cell_that_fails(lesson):
    (lesson / "lesson.py").write_text(SOURCE)
    path = lesson / "lesson.ipynb"
    path.write_text(
        path.read_text("utf-8").replace("steps =", "raise ValueError('gone')\\nsteps =")
    )
    (problem,) = check(lesson).problems
    assert "ValueError: gone" in problem


CLAIM = {"law": "a", "predicted": 1.0, "measured": 1.1, "tolerance": 0.2, "holds": True}


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"holds": False}, "does not hold: a"),
        ({"law": "b"}, "claims other laws than claims.json does; build the notebook again"),
    ],
)
def test_what_holds_at_neither_pace(fast, change, said):
    assert compare([CLAIM | change], [CLAIM], fast=fast) == [said]


@pytest.mark.parametrize(
    ("change", "good"),
    [
        ({"measured": 1.29}, True),  # within the tolerance
        ({"measured": 1.31}, False),
        ({"predicted": 1.3}, False),
        ({"tolerance": 0.5}, False),
    ],
)
def test_numbers_in_full(change, good):
    assert (compare([CLAIM | change], [CLAIM]) == []) is good
    assert compare([CLAIM | change], [CLAIM], fast=True) == []


def test_no_lesson_there(tmp_path):
    with pytest.raises(ArgumentError, match="name the folder of a lesson"):
        check(tmp_path)


@pytest.mark.parametrize(
    ("measured", "code", "said"), [(1.05, 0, "1 claims hold"), (9, 1, "FAILED")]
)
def test_the_command(lesson, monkeypatch, capsys, measured, code, said):
    republish(lesson, measured=measured)
    monkeypatch.setattr(sys, "argv", ["minigrad.course", "check", str(lesson)])
    with pytest.raises(SystemExit) as stopped:
        command.main()
    assert stopped.value.code == code
    assert said in capsys.readouterr().out
