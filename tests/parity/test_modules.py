"""Every module that PyTorch and minigrad share, over the samples that PyTorch tests itself with."""

from __future__ import annotations

import pytest
from parity import corpus

import minigrad as mg

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

CASES = list(corpus.module_cases())


@pytest.mark.parametrize("case", [c for c in CASES if not c.reason], ids=str)
def test_module(case: corpus.Case) -> None:
    corpus.check(case)


def test_no_module_is_forgotten() -> None:
    """Each is in minigrad, or there is a reason why it is not; never both."""
    missing = {c.name for c in CASES if not hasattr(mg.nn, c.name)}
    assert missing == set(corpus.NOT_APPLICABLE)
