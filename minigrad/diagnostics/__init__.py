"""Where a gradient dies, what theory says it should be, and how to see it.

Measure: Probe, Recording, compare; measure_decay, jacobian_spectrum, detect_anomaly, lr_range_test,
hessian_top_eigenvalue, sharpness. Judge: diagnose. Predict: theory, predict. Look: plots,
draw_graph, LivePlot; loss_landscape, measure_trainability.
"""

from minigrad.diagnostics import plots, theory
from minigrad.diagnostics.anomaly import detect_anomaly
from minigrad.diagnostics.anomaly_message import AnomalyError
from minigrad.diagnostics.decay import DecayConfig, DecayResult, measure_decay
from minigrad.diagnostics.graph import draw_graph, to_dot, to_mermaid
from minigrad.diagnostics.judging.diagnosis import diagnose
from minigrad.diagnostics.judging.verdicts import Diagnosis
from minigrad.diagnostics.loss_surface.curvature import (
    NotConverged,
    TopEigenvalue,
    hessian_top_eigenvalue,
    sharpness,
)
from minigrad.diagnostics.loss_surface.landscape import (
    Landscape,
    function_landscape,
    optimizer_path,
)
from minigrad.diagnostics.loss_surface.lr_range import LRRange, lr_range_test
from minigrad.diagnostics.loss_surface.model_landscape import ParameterPath, loss_landscape
from minigrad.diagnostics.loss_surface.trainability import (
    Trainability,
    TrainabilityConfig,
    measure_trainability,
)
from minigrad.diagnostics.plots.live import LivePlot
from minigrad.diagnostics.predicting.prediction import Prediction, predict
from minigrad.diagnostics.probing.comparison import Comparison, compare
from minigrad.diagnostics.probing.probe import Probe
from minigrad.diagnostics.probing.recording import Recording
from minigrad.diagnostics.report import decay_table
from minigrad.diagnostics.spectrum import JacobianSpectrum, jacobian_spectrum

__all__ = [
    "AnomalyError",
    "Comparison",
    "DecayConfig",
    "DecayResult",
    "Diagnosis",
    "JacobianSpectrum",
    "LRRange",
    "Landscape",
    "LivePlot",
    "NotConverged",
    "ParameterPath",
    "Prediction",
    "Probe",
    "Recording",
    "TopEigenvalue",
    "Trainability",
    "TrainabilityConfig",
    "compare",
    "decay_table",
    "detect_anomaly",
    "diagnose",
    "draw_graph",
    "function_landscape",
    "hessian_top_eigenvalue",
    "jacobian_spectrum",
    "loss_landscape",
    "lr_range_test",
    "measure_decay",
    "measure_trainability",
    "optimizer_path",
    "plots",
    "predict",
    "sharpness",
    "theory",
    "to_dot",
    "to_mermaid",
]
