"""Schedules along a half wave of the cosine, once or again and again."""

from __future__ import annotations

import math

from minigrad.errors import ArgumentError
from minigrad.optim.lr_scheduler.base import LRScheduler, check_positive
from minigrad.optim.optimizer import Optimizer


class CosineAnnealingLR(LRScheduler):
    """Down along a half wave: lr_t = eta_min + (base_lr - eta_min) (1 + cos(pi t / T_max)) / 2.

    After T_max steps it goes up again the same way; stop there, or use
    `CosineAnnealingWarmRestarts`.

    Arguments:
        optimizer, last_epoch: see `LRScheduler`.
        T_max: steps until the smallest rate.
        eta_min: the smallest rate.

    Source: Loshchilov & Hutter 2017, eq. 5, without the restarts.

    >>> import minigrad as mg
    >>> optimizer = mg.optim.SGD([mg.zeros(1, requires_grad=True)], lr=1.0)
    >>> rates = mg.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=4).preview(4)
    >>> [round(lr, 3) for [lr] in rates]
    [1.0, 0.854, 0.5, 0.146, 0.0]
    """

    def __init__(
        self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        check_positive("CosineAnnealingLR", T_max=T_max)
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def _height(self, t: int) -> float:
        return 1 + math.cos(math.pi * t / self.T_max)

    def closed_form_lr(self) -> list[float]:
        height = self._height(self.last_epoch)
        return [self.eta_min + (base - self.eta_min) * height / 2 for base in self.base_lrs]

    def get_lr(self) -> list[float]:
        if self._is_initial:
            return self._rates()
        if (self.last_epoch - 1 - self.T_max) % (2 * self.T_max) == 0:
            # The rate was eta_min: nothing there to scale, so add the first bit of the way up.
            rise = 1 - math.cos(math.pi / self.T_max)
            pairs = zip(self.base_lrs, self._rates(), strict=True)
            return [lr + (base - self.eta_min) * rise / 2 for base, lr in pairs]
        ratio = self._height(self.last_epoch) / self._height(self.last_epoch - 1)
        return [ratio * (lr - self.eta_min) + self.eta_min for lr in self._rates()]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Half waves one after the other, each T_mult times as long as the one before (SGDR).

        lr = eta_min + (base_lr - eta_min) (1 + cos(pi T_cur / T_i)) / 2

    at step T_cur of a wave of T_i steps. It sets the rate from the base rate, whatever it was.

    Arguments:
        optimizer, last_epoch: see `LRScheduler`.
        T_0: length of the first wave.
        T_mult: how many times longer each next one is.
        eta_min: the smallest rate.

    Source: Loshchilov & Hutter 2017, "SGDR", eq. 5.

    >>> import minigrad as mg
    >>> optimizer = mg.optim.SGD([mg.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = mg.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 1, T_mult=2)
    >>> [round(lr, 3) for [lr] in scheduler.preview(6)]
    [1.0, 1.0, 0.5, 1.0, 0.854, 0.5, 0.146]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,
        T_mult: int = 1,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        for name, value in (("T_0", T_0), ("T_mult", T_mult)):
            if not isinstance(value, int) or value < 1:
                raise ArgumentError(
                    f"CosineAnnealingWarmRestarts: {name} must be a whole number of at least 1, "
                    f"got {value}"
                )
        self.T_0 = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self._locate(0)
        super().__init__(optimizer, last_epoch)

    def _locate(self, epoch: float) -> None:
        """Find the wave that step `epoch` lies in, and where in it."""
        start, self.T_i = 0, self.T_0
        while epoch >= start + self.T_i:
            start, self.T_i = start + self.T_i, self.T_i * self.T_mult
        self.T_cur = epoch - start

    def step(self, epoch: float | None = None) -> None:
        """Go to the next step, or to `epoch`, which may be a fraction: epoch + batch / batches."""
        if epoch is None:
            super().step()
            return
        if not epoch >= 0:
            raise ArgumentError(
                f"CosineAnnealingWarmRestarts: epoch must not be negative, got {epoch}"
            )
        self.last_epoch = math.floor(epoch)
        self._locate(epoch)
        self._set_lr(self._wave())

    def get_lr(self) -> list[float]:
        self._locate(self.last_epoch)
        return self._wave()

    def _wave(self) -> list[float]:
        height = 1 + math.cos(math.pi * self.T_cur / self.T_i)
        return [self.eta_min + (base - self.eta_min) * height / 2 for base in self.base_lrs]
