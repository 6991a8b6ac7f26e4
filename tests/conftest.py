"""What every test may rely on: one BLAS thread, fixed seeds, figures without a screen."""

from __future__ import annotations

import os

# NumPy's BLAS reads these once, when it is first imported, so they are set before that.
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")
os.environ["MPLBACKEND"] = "Agg"

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# derandomize: the same examples on every machine, so that a failure can be repeated.
# No deadline: a busy machine is no bug.
settings.register_profile(
    "minigrad",
    deadline=None,
    derandomize=True,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("minigrad")


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator that gives each test the same numbers on every run."""
    return np.random.default_rng(0)
