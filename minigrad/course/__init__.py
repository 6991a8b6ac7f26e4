"""The course: what lessons use, how they are built, and how a learner gets them."""

from minigrad.course.claims import Claim, record
from minigrad.course.copies import copy_lessons, lessons_folder
from minigrad.course.lab import open_jupyterlab
from minigrad.course.pace import full_or_fast

__all__ = [
    "Claim", "copy_lessons", "full_or_fast", "lessons_folder", "open_jupyterlab", "record",
]  # fmt: skip
