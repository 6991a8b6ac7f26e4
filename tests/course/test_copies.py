"""`minigrad lessons`: a learner gets the notebooks, and never loses work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import minigrad
from minigrad import cli
from minigrad.course import copies, lab
from minigrad.course.copies import MEMORY, copy_lessons, lessons_folder
from minigrad.errors import ArgumentError, MinigradError


def write_notebook(path, *sources, outputs=()):
    """A notebook with one code cell per source; the outputs go to each of them."""
    cells = [
        {"cell_type": "code", "id": str(i), "metadata": {}, "source": source,
         "outputs": list(outputs), "execution_count": i}
        for i, source in enumerate(sources)
    ]  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    book = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(book), encoding="utf-8")


def sources(path):
    return ["".join(cell["source"]) for cell in json.loads(path.read_text("utf-8"))["cells"]]


PRINTED = {"output_type": "stream", "name": "stdout", "text": "0.577"}


@pytest.fixture
def shipped(tmp_path):
    """A folder of lessons with one lesson, and what lies beside its notebook."""
    folder = tmp_path / "shipped"
    write_notebook(folder / "03_x" / "lesson.ipynb", "a = 1", "b = 2", outputs=[PRINTED])
    (folder / "03_x" / "lesson.py").write_text("a = 1")
    (folder / "03_x" / "claims.json").write_text("[]")
    (folder / "notes.md").write_text("for authors")
    return folder


@pytest.fixture
def mine(tmp_path, shipped):
    """The learner's notebook, freshly copied."""
    copy_lessons(tmp_path / "deep" / "mine", shipped)
    return tmp_path / "deep" / "mine" / "03_x" / "lesson.ipynb"


def again(mine, shipped):
    return copy_lessons(mine.parent.parent, shipped)


def change_lesson(shipped, *cells):
    write_notebook(shipped / "03_x" / "lesson.ipynb", *cells, outputs=[PRINTED])


def test_the_first_copy_holds_the_cells_and_no_outputs(mine):
    assert sources(mine) == ["a = 1", "b = 2"]
    cells = json.loads(mine.read_text("utf-8"))["cells"]
    assert [(c["outputs"], c["execution_count"]) for c in cells] == [([], None)] * 2


def test_nothing_but_the_notebook_is_copied(mine):
    found = {p.name for p in mine.parent.parent.rglob("*") if p.is_file()}
    assert found == {"lesson.ipynb", MEMORY}


def test_a_second_copy_leaves_a_run_notebook_alone(mine, shipped):
    write_notebook(mine, "a = 1", "b = 2", outputs=[PRINTED])
    before = mine.read_bytes()
    assert again(mine, shipped) == ["unchanged 03_x/lesson.ipynb"]
    assert mine.read_bytes() == before


def test_a_notebook_that_was_only_run_is_updated(mine, shipped):
    write_notebook(mine, "a = 1", "b = 2", outputs=[PRINTED])
    change_lesson(shipped, "a = 1", "b = 3")
    assert again(mine, shipped) == ["updated   03_x/lesson.ipynb"]
    assert sources(mine) == ["a = 1", "b = 3"]
    assert not (mine.parent / "lesson.new.ipynb").exists()


def test_cells_saved_as_lists_of_lines_are_the_same_cells(mine, shipped):
    # Jupyter writes a cell as a list of lines, other programs as one string.
    book = json.loads(mine.read_text("utf-8"))
    for cell in book["cells"]:
        cell["source"] = [cell["source"][:2], cell["source"][2:]]
    mine.write_text(json.dumps(book), encoding="utf-8")
    assert again(mine, shipped) == ["unchanged 03_x/lesson.ipynb"]


def test_an_edited_notebook_is_kept(mine, shipped):
    write_notebook(mine, "a = 1", "b = 99")
    assert again(mine, shipped) == ["kept      03_x/lesson.ipynb: you edited it"]
    assert sources(mine) == ["a = 1", "b = 99"]
    assert not (mine.parent / "lesson.new.ipynb").exists()  # there is nothing newer


def test_a_newer_lesson_goes_beside_an_edited_notebook(mine, shipped):
    write_notebook(mine, "a = 1", "my answer")
    change_lesson(shipped, "a = 1", "b = 3")
    newer = mine.parent / "lesson.new.ipynb"
    for _ in range(2):  # the second time finds it there
        said = again(mine, shipped)
        assert said == [
            "kept      03_x/lesson.ipynb: you edited it; the newer lesson is beside it, "
            "lesson.new.ipynb"
        ]
        assert sources(mine) == ["a = 1", "my answer"]
        assert sources(newer) == ["a = 1", "b = 3"]
    change_lesson(shipped, "a = 1", "b = 4")
    again(mine, shipped)
    assert sources(newer) == ["a = 1", "b = 4"]


def test_work_in_the_notebook_beside_it_is_kept_too(mine, shipped):
    write_notebook(mine, "my answer")
    change_lesson(shipped, "b = 3")
    again(mine, shipped)
    newer = mine.parent / "lesson.new.ipynb"
    write_notebook(newer, "my second answer")
    change_lesson(shipped, "b = 4")
    (said,) = again(mine, shipped)
    assert "rename one of them" in said
    assert (sources(mine), sources(newer)) == (["my answer"], ["my second answer"])


@pytest.mark.parametrize("content", ["", "no JSON", "[]", '{"cells": 3}', '{"cells": [{}]}'])
def test_a_file_that_is_no_notebook_is_kept(mine, shipped, content):
    mine.write_text(content)
    change_lesson(shipped, "b = 3")
    again(mine, shipped)
    assert mine.read_text() == content


@pytest.mark.parametrize("content", [None, "", "[1]", "{"])
def test_with_the_memory_lost_nothing_is_overwritten(mine, shipped, content):
    memory = mine.parent.parent / MEMORY
    memory.unlink() if content is None else memory.write_text(content)
    change_lesson(shipped, "b = 3")
    again(mine, shipped)
    assert sources(mine) == ["a = 1", "b = 2"]
    assert sources(mine.parent / "lesson.new.ipynb") == ["b = 3"]


def test_a_deleted_notebook_comes_back(mine, shipped):
    mine.unlink()
    assert again(mine, shipped) == ["new       03_x/lesson.ipynb"]


def test_a_file_in_place_of_the_folder_is_refused(shipped, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ArgumentError, match=r"file', which is a file; name a folder"):
        copy_lessons(tmp_path / "file", shipped)


def test_the_lessons_are_not_copied_onto_themselves(shipped):
    with pytest.raises(ArgumentError, match="where they come from; name another folder"):
        copy_lessons(shipped, shipped)


def test_the_lessons_inside_an_installed_package_come_first(shipped, tmp_path, monkeypatch):
    package = tmp_path / "site" / "minigrad"
    write_notebook(package.parent / "lessons" / "04_y" / "lesson.ipynb", "someone else's")
    monkeypatch.setattr(minigrad, "__file__", str(package / "__init__.py"))
    assert lessons_folder() == package.parent / "lessons"
    write_notebook(package / "_lessons" / "03_x" / "lesson.ipynb", "ours")
    assert lessons_folder() == package / "_lessons"


def test_no_lessons_anywhere_is_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.setattr(minigrad, "__file__", str(tmp_path / "minigrad" / "__init__.py"))
    with pytest.raises(ArgumentError, match=r"no lessons in .*; install minigrad again"):
        lessons_folder()


# -- JupyterLab and the command ---------------------------------------------------------------


def test_the_syllabus_and_the_examples_come_along(mine, shipped):
    (shipped / "README.md").write_text("rows", "utf-8")
    (shipped / "examples").mkdir()
    (shipped / "examples" / "a.py").write_text("1 + 1", "utf-8")
    assert again(mine, shipped)[1:] == ["new       README.md", "new       examples/a.py"]
    folder = mine.parent.parent
    assert (folder / "README.md").read_text("utf-8") == "rows"
    (shipped / "README.md").write_text("more rows", "utf-8")
    (folder / "examples" / "a.py").write_text("my own", "utf-8")
    assert again(mine, shipped)[1:] == [
        "updated   README.md", "kept      examples/a.py: you edited it",
    ]  # fmt: skip
    assert (folder / "README.md").read_text("utf-8") == "more rows"
    assert (folder / "examples" / "a.py").read_text("utf-8") == "my own"


class Process:
    """Stands in for JupyterLab: interrupted once, then it ends."""

    def __init__(self, code):
        self.code, self.waits = code, 0

    def wait(self):
        self.waits += 1
        if self.waits == 1:
            raise KeyboardInterrupt
        return self.code


def test_without_jupyterlab_the_error_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(lab.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MinigradError, match=r"pip install 'minigrad\[lessons\]'"):
        lab.open_jupyterlab(tmp_path)


@pytest.mark.parametrize("code", [0, 3])
def test_ctrl_c_is_left_to_jupyterlab(tmp_path, monkeypatch, code):
    process, calls = Process(code), []

    def popen(command, cwd, env):
        calls.append((command[1:], cwd, env["OPENBLAS_NUM_THREADS"], env["OMP_NUM_THREADS"]))
        return process

    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")  # what one has set oneself is left
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    monkeypatch.setattr(lab.importlib.util, "find_spec", lambda name: "found")
    monkeypatch.setattr(lab.subprocess, "Popen", popen)
    if code:
        with pytest.raises(MinigradError, match="exit code 3"):
            lab.open_jupyterlab(tmp_path)
    else:
        lab.open_jupyterlab(tmp_path)
    assert calls == [(["-m", "jupyterlab"], tmp_path, "3", "1")] and process.waits == 2


@pytest.mark.parametrize("flags", [[], ["--no-open"]])
def test_the_command_copies_and_opens(tmp_path, monkeypatch, capsys, shipped, flags):
    opened = []
    monkeypatch.setattr("minigrad.cli.lessons.open_jupyterlab", opened.append)
    monkeypatch.setattr(copies, "lessons_folder", lambda: shipped)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["lessons", *flags]) == 0
    assert sources(tmp_path / "minigrad-lessons" / "03_x" / "lesson.ipynb") == ["a = 1", "b = 2"]
    assert opened == ([] if flags else [Path("minigrad-lessons")])
    assert capsys.readouterr().out.splitlines() == [
        "new       03_x/lesson.ipynb", f"lessons: {tmp_path / 'minigrad-lessons'}",
    ]  # fmt: skip


def test_the_command_ends_with_2_and_one_line_where_it_cannot_copy(tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    assert cli.main(["lessons", str(tmp_path / "file"), "--no-open"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("minigrad lessons: cannot copy") and error.count("\n") == 1
