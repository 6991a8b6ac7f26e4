"""Data: shipped, from files, from formulas; and how it comes in batches."""

from minigrad.data.batches import ArrayDataset, DataLoader
from minigrad.data.mnist import load_mnist
from minigrad.data.preparing import standardize, train_test_split
from minigrad.data.sequences import adding_problem, copy_problem
from minigrad.data.shipped import Dataset, load_digits, load_iris
from minigrad.data.synthetic import spirals, teacher, xor

__all__ = [
    "ArrayDataset", "DataLoader", "Dataset", "adding_problem", "copy_problem", "load_digits",
    "load_iris", "load_mnist", "spirals", "standardize", "teacher", "train_test_split", "xor",
]  # fmt: skip
