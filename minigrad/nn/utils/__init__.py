"""What is done to gradients between `backward()` and `step()`, and to weights after it.

Every function takes one Tensor or several (`model.parameters()`, or `group["params"]` of an
optimizer), works in place, and passes over parameters without a gradient. They can be called one
after the other, with any optimizer. What is not finite is not hidden: the formula is applied, and
NaN spreads over all that shares its norm; `get_total_norm(..., error_if_nonfinite=True)` before
them stops the training instead.

`parametrizations` do more to a weight: they let a layer compute it from what is learned.
"""

from minigrad.nn.utils import parametrizations as parametrizations
from minigrad.nn.utils import parametrize as parametrize
from minigrad.nn.utils.clipping import (
    adaptive_clip_grad_,
    clip_grad_norm_,
    clip_grad_percentile_,
    clip_grad_value_,
    clip_grads_with_norm_,
    get_total_norm,
)
from minigrad.nn.utils.constraints import clip_weight_, max_norm_
from minigrad.nn.utils.normalizing_gradients import (
    centralize_grad_,
    normalize_grad_,
    scale_grad_,
    sign_grad_,
    sqrt_normalize_grad_,
)
from minigrad.nn.utils.parametrizations import (
    spectral_norm,
    weight_norm,
    weight_standardization,
)
from minigrad.nn.utils.vectors import parameters_to_vector, vector_to_parameters

__all__ = [
    "adaptive_clip_grad_",
    "centralize_grad_",
    "clip_grad_norm_",
    "clip_grad_percentile_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "clip_weight_",
    "get_total_norm",
    "max_norm_",
    "normalize_grad_",
    "parameters_to_vector",
    "parametrizations",
    "parametrize",
    "scale_grad_",
    "sign_grad_",
    "spectral_norm",
    "sqrt_normalize_grad_",
    "vector_to_parameters",
    "weight_norm",
    "weight_standardization",
]
