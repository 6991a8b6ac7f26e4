"""Building a notebook from its source, and noticing that the two differ."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import minigrad
from minigrad.course.build import build, from_source, problems, remove_chance
from minigrad.errors import ArgumentError

SOURCE = """\
# %% [markdown]
# # A lesson

# %%
import os
print("threads", os.environ["OPENBLAS_NUM_THREADS"])
print("more")

# %%
1 + 1

# %%
1 + 1
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lesson")
    (folder / "lesson.py").write_text(SOURCE)
    build(folder)
    return folder


@pytest.fixture
def lesson(built, tmp_path):
    """A copy of a built lesson that a test may spoil."""
    for name in ("lesson.py", "lesson.ipynb"):
        (tmp_path / name).write_bytes((built / name).read_bytes())
    return tmp_path


def edit(folder, change):
    path = folder / "lesson.ipynb"
    book = json.loads(path.read_text("utf-8"))
    change(book["cells"])
    path.write_text(json.dumps(book), encoding="utf-8")


def test_cells_are_executed_on_one_thread(built):
    cells = json.loads((built / "lesson.ipynb").read_text("utf-8"))["cells"]
    assert [cell["cell_type"] for cell in cells] == ["markdown", "code", "code", "code"]
    printed, *results = [cell["outputs"] for cell in cells[1:]]
    assert ["".join(output["text"]) for output in printed] == ["threads 1\nmore\n"]
    assert [output["data"]["text/plain"] for (output,) in results] == [["2"], ["2"]]
    assert problems(built) == []


def test_building_again_gives_the_same_bytes(built, lesson):
    build(lesson)
    assert (lesson / "lesson.ipynb").read_bytes() == (built / "lesson.ipynb").read_bytes()


def test_nothing_of_the_machine_stays_in_the_notebook(built):
    book = json.loads((built / "lesson.ipynb").read_text("utf-8"))
    assert book["metadata"]["kernelspec"]["name"] == "python3"
    assert book["metadata"]["language_info"] == {"name": "python"}
    assert all(cell["metadata"] == {} for cell in book["cells"])


def test_an_id_depends_on_the_text_of_its_cell_alone(built, tmp_path):
    (tmp_path / "lesson.py").write_text("# %%\nfirst = 0\n\n" + SOURCE)
    before = [cell.id for cell in from_source(built).cells]
    assert len(set(before)) == 4  # although two cells hold the same text
    assert [cell.id for cell in from_source(tmp_path).cells][1:] == before


def test_a_changed_source_is_noticed(lesson):
    (lesson / "lesson.py").write_text(SOURCE.replace("# # A lesson", "# # Another"))
    (said,) = problems(lesson)
    assert "cell 1 differs" in said and "python -m minigrad.course build" in said


def test_an_added_cell_is_noticed(lesson):
    (lesson / "lesson.py").write_text(SOURCE + "\n# %%\n3\n")
    assert "lesson.py has 5 cells, lesson.ipynb has 4" in problems(lesson)[0]


def test_a_kind_of_cell_that_changed_is_noticed(lesson):
    edit(lesson, lambda cells: cells[0].update(cell_type="raw"))
    assert "cell 1 differs" in problems(lesson)[0]


def test_a_notebook_that_was_not_executed_is_noticed(lesson):
    edit(lesson, lambda cells: cells[2].update(execution_count=None))
    assert "was not executed from top to bottom" in problems(lesson)[0]


def test_a_warning_in_the_outputs_is_noticed(lesson):
    warning = {"output_type": "stream", "name": "stderr", "text": "RuntimeWarning: overflow"}
    edit(lesson, lambda cells: cells[1]["outputs"].append(warning))
    (said,) = problems(lesson)
    assert "cell [1] wrote an error" in said and "RuntimeWarning" in said


def test_a_missing_notebook_is_noticed(lesson):
    (lesson / "lesson.ipynb").unlink()
    assert "does not exist" in problems(lesson)[0]


def test_a_cell_that_fails_stops_the_build_and_writes_nothing(tmp_path):
    from nbclient.exceptions import CellExecutionError

    (tmp_path / "lesson.py").write_text("# %%\n1 / 0\n")
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        build(tmp_path)
    assert not (tmp_path / "lesson.ipynb").exists()


def test_a_folder_without_a_source_is_one_clear_error(tmp_path):
    with pytest.raises(ArgumentError, match=r"there is no .*lesson\.py; name the folder"):
        build(tmp_path)


def test_the_command_ends_with_2_and_one_line(tmp_path):
    root = Path(minigrad.__file__).parent.parent
    run = subprocess.run(
        [sys.executable, "-m", "minigrad.course", "build", str(tmp_path)],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip
    assert run.returncode == 2 and "name the folder of a lesson" in run.stderr
    assert run.stderr.count("\n") == 1


def test_what_a_cell_prints_in_pieces_becomes_one_output():
    import nbformat

    def piece(name, text):
        return nbformat.v4.new_output("stream", name=name, text=text)

    cell = nbformat.v4.new_code_cell("...")
    cell.outputs = [piece("stdout", "a"), piece("stdout", "b"), piece("stderr", "c"),
                    nbformat.v4.new_output("display_data"), piece("stdout", "d"),
                    piece("stdout", "e")]  # fmt: skip
    remove_chance(nbformat.v4.new_notebook(cells=[cell]))
    assert [out.get("text") for out in cell.outputs] == ["ab", "c", None, "de"]
