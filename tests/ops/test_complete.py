"""No operation without a line in the table, and none under a name that does not lead to it."""

from __future__ import annotations

from types import ModuleType

import pytest
from ops.cases import CASES

import minigrad as mg
from minigrad import ops
from minigrad.ops import (
    arranging,
    creation,
    elementwise,
    indexing,
    piecewise,
    reductions,
    shaping,
)

HERE = [arranging, creation, elementwise, indexing, piecewise, reductions, shaping]

# What is no operation on tensors, and has its tests in test_creation.
MAKES_TENSORS = {
    "arange", "as_tensor", "eye", "full", "full_like", "linspace", "ones", "ones_like", "rand",
    "randint", "randn", "randperm", "tensor", "zeros", "zeros_like",
}  # fmt: skip

# PyTorch's second names that learners know, and NumPy's first.
SECOND_NAMES = {
    "view": "reshape", "permute": "transpose", "unsqueeze": "expand_dims",
    "expand": "broadcast_to", "clamp": "clip", "pow": "power", "mm": "matmul", "amax": "max",
    "amin": "min",
}  # fmt: skip


def public(module: ModuleType) -> dict[str, object]:
    return {
        name: value
        for name, value in vars(module).items()
        if callable(value) and not name.startswith("_")
    }


def test_every_operation_has_a_case():
    operations = {
        name
        for name, function in public(ops).items()
        if any(vars(module).get(name) is function for module in HERE)
    }
    assert operations - {case.name for case in CASES} - MAKES_TENSORS == set()


def test_every_case_has_an_operation():
    assert {case.name for case in CASES} <= public(ops).keys()


def test_cases_can_be_told_apart():
    names = [(case.name, case.note, tuple(case.shapes)) for case in CASES]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", sorted({case.name for case in CASES}))
def test_every_operation_is_in_the_public_face(name):
    assert getattr(mg, name) is getattr(ops, name)


METHODS = sorted({case.name for case in CASES if hasattr(mg.Tensor, case.name)})


@pytest.mark.parametrize("name", METHODS)
def test_method_is_the_function(name):
    assert getattr(mg.Tensor, name) is getattr(ops, name)


@pytest.mark.parametrize("name", SECOND_NAMES)
def test_second_names_lead_to_the_same(name):
    assert getattr(mg.Tensor, name) is getattr(ops, SECOND_NAMES[name])
