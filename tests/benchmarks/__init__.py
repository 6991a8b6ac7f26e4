"""How long minigrad takes beside others, as ratios: `python -m tests.benchmarks`."""

import os

# BLAS and XLA read these once, when they are first loaded, which is after this line.
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
os.environ["JAX_PLATFORMS"] = "cpu"
