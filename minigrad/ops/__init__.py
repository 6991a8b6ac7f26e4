"""The calculus: every operation's forward beside its derivative rule.

This module is also the namespace in which rules run on Tensors (see `table`): whatever NumPy
function a rule uses must exist here under the same name.
"""

from minigrad.ops import linalg as linalg
from minigrad.ops import methods as methods
from minigrad.ops.creation import (
    arange, as_tensor, eye, full, full_like, linspace, ones, ones_like, rand, randint, randn,
    randperm, tensor, zeros, zeros_like,
)  # fmt: skip
from minigrad.ops.einstein import einsum
from minigrad.ops.elementwise import (
    add, arccos, arccosh, arcsin, arcsinh, arctan, arctan2, arctanh, cos, cosh, divide, erf, exp,
    exp2, expm1, log, log1p, log2, log10, logaddexp, multiply, negative, positive, power,
    reciprocal, sin, sinc, sinh, sqrt, square, subtract, tan, tanh,
)  # fmt: skip
from minigrad.ops.fused import linear
from minigrad.ops.indexing import (
    argsort, gather, index_add, one_hot, scatter_add, sort, take, take_along_axis, topk,
)  # fmt: skip
from minigrad.ops.norms import norm
from minigrad.ops.piecewise import (
    abs, bitwise_and, bitwise_or, bitwise_xor, ceil, clip, equal, floor, floor_divide, greater,
    greater_equal, invert, isclose, isfinite, isinf, isnan, less, less_equal, logical_and,
    logical_not, logical_or, maximum, minimum, not_equal, remainder, round, sign, trunc, where,
)  # fmt: skip
from minigrad.ops.products import (
    diag, diagonal, dot, inner, kron, matmul, outer, tensordot, trace,
)  # fmt: skip
from minigrad.ops.reductions import (
    all, any, argmax, argmin, cumprod, cumsum, logsumexp, max, mean, median, min, prod, std, sum,
    var,
)  # fmt: skip
from minigrad.ops.shaping import (
    astype, broadcast_to, clone, concatenate, expand_dims, flatten, flip, moveaxis, pad, ravel,
    repeat, reshape, roll, rot90, split, squeeze, stack, swapaxes, tile, transpose, tril, triu,
)  # fmt: skip
