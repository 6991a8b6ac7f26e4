"""The losses as modules; formulas, shapes and errors stand with the functions.

All take `reduction`: "mean", "sum" or "none". Arguments must be named, but where PyTorch's
outdated ones do not stand between.
"""

from __future__ import annotations

from typing import Any

from minigrad.nn import functional as F
from minigrad.nn.losses import REDUCTIONS, check_reduction
from minigrad.nn.module import Module
from minigrad.ops import as_tensor
from minigrad.tensor import Tensor


class _Loss(Module):
    _reductions: tuple[str, ...] = REDUCTIONS

    def __init__(self, reduction: str) -> None:
        super().__init__()
        check_reduction(type(self).__name__, reduction, 1, self._reductions)
        self.reduction = reduction

    def _keep(self, name: str, weight: Any) -> None:
        """Weights are part of the state, but not learned."""
        self.register_buffer(name, None if weight is None else as_tensor(weight).detach())


class MSELoss(_Loss):
    """(input - target)^2; see `functional.mse_loss`.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.MSELoss()(mg.tensor([1.0, 2.0]), mg.tensor([1.0, 4.0]))
    tensor(2.)
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def forward(self, input: Tensor, target: Any) -> Tensor:
        return F.mse_loss(input, target, reduction=self.reduction)


class L1Loss(_Loss):
    """|input - target|; see `functional.l1_loss`.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.L1Loss()(mg.tensor([1.0, 2.0]), mg.tensor([1.0, 4.0]))
    tensor(1.)
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def forward(self, input: Tensor, target: Any) -> Tensor:
        return F.l1_loss(input, target, reduction=self.reduction)


class SmoothL1Loss(_Loss):
    """d^2 / (2 beta) where |d| < beta, |d| - beta / 2 beyond; see `functional.smooth_l1_loss`.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.SmoothL1Loss(reduction="none")(mg.tensor([1.0, 10.0]), mg.zeros(2))
    tensor([0.5, 9.5])
    """

    def __init__(self, *, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = beta
        F.smooth_l1_loss(0.0, 0.0, beta=beta)  # a wrong beta is refused here

    def forward(self, input: Tensor, target: Any) -> Tensor:
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class HuberLoss(_Loss):
    """d^2 / 2 where |d| < delta, delta (|d| - delta / 2) beyond; see `functional.huber_loss`.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.HuberLoss("none", delta=2.0)(mg.tensor([1.0, 10.0]), mg.zeros(2))
    tensor([ 0.5, 18. ])
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = delta
        F.huber_loss(0.0, 0.0, delta=delta)  # a wrong delta is refused here

    def forward(self, input: Tensor, target: Any) -> Tensor:
        return F.huber_loss(input, target, self.reduction, self.delta)


class HingeEmbeddingLoss(_Loss):
    """x where the target is 1, max(0, margin - x) where it is -1.

    See `functional.hinge_embedding_loss`.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.HingeEmbeddingLoss(reduction="none")(mg.tensor([0.2, 0.2]), mg.tensor([1, -1]))
    tensor([0.2, 0.8])
    """

    def __init__(self, margin: float = 1.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = margin

    def forward(self, input: Tensor, target: Any) -> Tensor:
        return F.hinge_embedding_loss(input, target, self.margin, reduction=self.reduction)


class CrossEntropyLoss(_Loss):
    """-log softmax(input)[target]; see `functional.cross_entropy`.

    Attributes:
        weight: one for each class, in the module's state; or None.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.CrossEntropyLoss(label_smoothing=0.1)(mg.tensor([[2.0, 0.0]]), mg.tensor([0]))
    tensor(0.2269)
    """

    weight: Tensor | None

    def __init__(
        self,
        weight: Any = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(reduction)
        self._keep("weight", weight)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing
        F.cross_entropy([0.0], 0, label_smoothing=label_smoothing)  # a wrong one is refused here

    def forward(self, input: Tensor, target: Any) -> Tensor:
        return F.cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(_Loss):
    """-weight[target] input[target], of log-probabilities; see `functional.nll_loss`.

    Attributes:
        weight: one for each class, in the module's state; or None.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.NLLLoss()(mg.tensor([[-0.5, -2.0]]), mg.tensor([1]))
    tensor(2.)
    """

    weight: Tensor | None

    def __init__(
        self, weight: Any = None, *, ignore_index: int = -100, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction)
        self._keep("weight", weight)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Any) -> Tensor:
        return F.nll_loss(
            input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction
        )


class MultiMarginLoss(_Loss):
    """The hinge loss of several classes; see `functional.multi_margin_loss`.

    Attributes:
        weight: one for each class, in the module's state; or None.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.MultiMarginLoss()(mg.tensor([[3.0, 2.5, 0.5, 0.0]]), mg.tensor([0]))
    tensor(0.125)
    """

    weight: Tensor | None

    def __init__(
        self, p: int = 1, margin: float = 1.0, weight: Any = None, *, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction)
        self._keep("weight", weight)
        self.p, self.margin = p, margin
        F.multi_margin_loss([0.0], 0, p)  # a wrong p is refused here

    def forward(self, input: Tensor, target: Any) -> Tensor:
        return F.multi_margin_loss(
            input, target, self.p, self.margin, self.weight, reduction=self.reduction
        )


class BCELoss(_Loss):
    """-(t log p + (1 - t) log(1 - p)); see `functional.binary_cross_entropy`.

    Attributes:
        weight: of the items, in the module's state; or None.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.BCELoss()(mg.tensor([0.5]), mg.tensor([1.0]))  # log 2
    tensor(0.6931)
    """

    weight: Tensor | None

    def __init__(self, weight: Any = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self._keep("weight", weight)

    def forward(self, input: Tensor, target: Any) -> Tensor:
        return F.binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(_Loss):
    """The cross-entropy of yes and no, from scores.

    See `functional.binary_cross_entropy_with_logits`.

    Attributes:
        weight, pos_weight: of the items and of yes, in the module's state; or None.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> nn.BCEWithLogitsLoss(pos_weight=2.0)(mg.tensor([0.0]), mg.tensor([1.0]))  # 2 log 2
    tensor(1.3863)
    """

    weight: Tensor | None
    pos_weight: Tensor | None

    def __init__(
        self, weight: Any = None, *, reduction: str = "mean", pos_weight: Any = None
    ) -> None:
        super().__init__(reduction)
        self._keep("weight", weight)
        self._keep("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Any) -> Tensor:
        return F.binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )


class KLDivLoss(_Loss):
    """t (log t - input); see `functional.kl_div`, also for reduction "batchmean".

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> q = mg.tensor([[0.5, 0.5]])
    >>> nn.KLDivLoss(reduction="batchmean")(q.log(), mg.tensor([[1.0, 0.0]]))  # log 2
    tensor(0.6931)
    """

    _reductions = (*REDUCTIONS, "batchmean")

    def __init__(self, *, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(reduction)
        self.log_target = log_target

    def forward(self, input: Tensor, target: Any) -> Tensor:
        return F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)
