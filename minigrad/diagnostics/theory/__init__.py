"""Mean-field theory: what a very wide random network does to a signal and to its gradient.

Take a network z_l = W_l phi(z_(l-1)) + b_l with independent random weights of variance
sigma_w^2 / fan_in and biases of variance sigma_b^2. As the width grows, every z_l of one input
becomes Gaussian with mean 0, and few numbers tell the rest. In the order of a lesson:

1. `signals`: the variance q of z, from layer to layer, and where it settles, q*.
2. `gradients`: chi, the factor by which the mean square of dL/dz is multiplied on each step
   towards the input. Below 1 gradients vanish, above 1 they explode.
3. `correlations`: whether two inputs become alike on their way, or lose all they have in common,
   and how deep a network can tell them apart.
4. `critical`: the weights at which neither happens, chi = 1.
5. `remedies`: what normalization layers and residual connections change.
6. `profiles`: the same layer by layer, for the sizes that a network really has.

`activation` is everywhere a name such as "tanh" (those of `models.ACTIVATIONS`), a module such as
`nn.LeakyReLU(0.2)`, or any function of Tensors that works element by element. Its derivative is
minigrad's own; the averages are exact to 1e-10 and better (see `minigrad.quadrature`).

Sources: Poole, Lahiri, Raghu, Sohl-Dickstein and Ganguli (2016), Exponential expressivity in deep
neural networks through transient chaos; Schoenholz, Gilmer, Ganguli and Sohl-Dickstein (2017),
Deep information propagation.
"""

from minigrad.diagnostics.theory.correlations import (
    correlation_fixed_point,
    correlation_map,
    xi_c,
)  # fmt: skip
from minigrad.diagnostics.theory.critical import critical_gain, critical_line, critical_sigma_w
from minigrad.diagnostics.theory.gradients import chi, chi_1, xi_gradient
from minigrad.diagnostics.theory.profiles import LayerScale, gradient_profile, variance_profile
from minigrad.diagnostics.theory.remedies import (
    batch_norm_factor,
    layer_norm_factor,
    residual_variance,
)  # fmt: skip
from minigrad.diagnostics.theory.signals import fixed_point, variance_map, xi_q

__all__ = [
    "LayerScale", "batch_norm_factor", "chi", "chi_1", "correlation_fixed_point",
    "correlation_map", "critical_gain", "critical_line", "critical_sigma_w", "fixed_point",
    "gradient_profile", "layer_norm_factor", "residual_variance", "variance_map",
    "variance_profile", "xi_c", "xi_gradient", "xi_q",
]  # fmt: skip
