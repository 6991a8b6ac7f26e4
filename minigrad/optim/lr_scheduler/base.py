"""What all schedules share: the base rates, the count of steps, saving and drawing."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from minigrad.errors import ArgumentError, DtypeError
from minigrad.optim.optimizer import Optimizer

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class LRScheduler:
    """Base of the schedules; a subclass gives the rates of one step in `get_lr`.

    Making a schedule sets the rates of step 0; each `step()` goes to the next. A schedule computes
    the next rate from the present one where it can, so that several on one optimizer multiply.

    Arguments:
        optimizer: whose groups' `lr` it sets.
        last_epoch: the step to go on from, for an optimizer that was loaded; -1 starts anew.

    Attributes:
        base_lrs: the rate of each group at the start.
        last_epoch: the step it is at; "epoch" is PyTorch's name, a batch may be a step too.

    Raises:
        DtypeError: what was given is no optimizer.
        ArgumentError: a setting out of its range.

    >>> import minigrad as mg
    >>> class InverseTime(mg.optim.lr_scheduler.LRScheduler):
    ...     def get_lr(self):
    ...         return [base / (1 + self.last_epoch) for base in self.base_lrs]
    >>> optimizer = mg.optim.SGD([mg.zeros(1, requires_grad=True)], lr=0.6)
    >>> scheduler = InverseTime(optimizer)
    >>> for _ in range(2):
    ...     optimizer.step()
    ...     scheduler.step()
    >>> scheduler.get_last_lr()
    [0.19999999999999998]
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = self._checked(optimizer)
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise ArgumentError(
                    f"{self._name}: going on from last_epoch={last_epoch} needs 'initial_lr' in "
                    f"group {i}; load the optimizer's state_dict first"
                )
        self.base_lrs: list[float] = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._begin()

    def _checked(self, optimizer: Any) -> Optimizer:
        if not isinstance(optimizer, Optimizer):
            raise DtypeError(f"{self._name}: expected an Optimizer, got {type(optimizer).__name__}")
        return optimizer

    @property
    def _name(self) -> str:
        return type(self).__name__

    # -- what a subclass says ------------------------------------------------------------------

    def get_lr(self) -> list[float]:
        """The rates of all groups at step `last_epoch`, from those of the step before.

        To read the rates that are set, use `get_last_lr`.
        """
        raise NotImplementedError

    def closed_form_lr(self) -> list[float]:
        """The rates at step `last_epoch` from the base rates alone."""
        return self.get_lr()

    def steps_ahead(self) -> int:
        """How many more steps to draw if nobody says."""
        return 100

    # -- what users call -----------------------------------------------------------------------

    def step(self) -> None:
        """Go to the next step: set the rate of every group."""
        if self._step_count == 1 and self.optimizer.steps_taken == self._steps_before:
            warnings.warn(
                f"{self._name}.step() was called before optimizer.step(): the first learning rate "
                "is never used; call optimizer.step() first",
                stacklevel=2,
            )
        self._advance()

    def get_last_lr(self) -> list[float]:
        """The rates that this schedule set last, one per group."""
        return self._last_lr

    def state_dict(self) -> dict[str, Any]:
        """Its settings and where it is, as plain data, laid out as in PyTorch.

        Functions are not in it; of objects that can be called, their attributes.
        """
        return {key: _saved(vars(self)[key]) for key in self._own()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict()` of an equal schedule returned; load the optimizer's too.

        Raises:
            ArgumentError: it is that of another kind of schedule; nothing is changed then.
        """
        own = self._own()
        missing = [key for key in own if key not in state_dict and not key.startswith("_")]
        if missing:
            raise ArgumentError(
                f"{self._name}: the saved state lacks {missing}; it is that of another schedule"
            )
        for key in own:
            if key in state_dict:
                setattr(self, key, _loaded(getattr(self, key), state_dict[key]))

    def plot(self, ax: Axes | None = None, steps: int | None = None) -> Axes:
        """Draw the rates of the steps ahead; neither schedule nor optimizer moves on.

        Arguments:
            ax: where to draw; by default the current axes.
            steps: how many steps; by default 100, or as many as the schedule has.

        Returns:
            The axes, with one line per group (lines that coincide are drawn once).
        """
        return draw(self.preview(steps), self.last_epoch, ax)

    def preview(self, steps: int | None = None) -> list[list[float]]:
        """The rates of the present step and of `steps` more: per step one rate per group.

        >>> import minigrad as mg
        >>> optimizer = mg.optim.SGD([mg.zeros(1, requires_grad=True)], lr=1.0)
        >>> mg.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5).preview(3)
        [[1.0], [0.5], [0.25], [0.125]]
        """
        twin = self._twin()
        rates = [[group["lr"] for group in twin.optimizer.param_groups]]
        for _ in range(self.steps_ahead() if steps is None else steps):
            twin._advance()
            rates.append(twin.get_last_lr())
        return rates

    # -- inside --------------------------------------------------------------------------------

    def _own(self) -> list[str]:
        """What is saved: all attributes but those that belong to this optimizer."""
        return [key for key in vars(self) if key not in ("optimizer", "_steps_before")]

    def _begin(self) -> None:
        """Set the rates of the first step."""
        self._step_count = 0
        self._steps_before = self.optimizer.steps_taken
        self._is_initial = True
        self._advance()
        self._is_initial = False

    def _advance(self) -> None:
        self._check_groups()
        self._step_count += 1
        self.last_epoch += 1
        self._set_lr(self.get_lr())

    def _rewind(self) -> None:
        """Go back to before step 0; `_begin` is to follow."""
        self.last_epoch = -1

    def _restart(self) -> None:
        """Go back to step 0, when its turn comes within a SequentialLR."""
        self._check_groups()
        self.last_epoch = 0
        self._set_lr(self.closed_form_lr())

    def _check_groups(self) -> None:
        known, now = len(self.base_lrs), len(self.optimizer.param_groups)
        if known != now:
            raise ArgumentError(
                f"{self._name}: made for {known} parameter groups, the optimizer now has {now}; "
                "add groups before making the schedule"
            )

    def _set_lr(self, rates: list[float]) -> None:
        for group, lr in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = lr
        self._last_lr = self._rates()

    def _rates(self) -> list[float]:
        """The rates that are set now, by whomever."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def _twin(self) -> Any:
        """A copy that drives a stand-in with the optimizer's settings but no parameters."""
        optimizer = self.optimizer
        groups = [
            {key: value for key, value in group.items() if key != "params"}
            for group in optimizer.param_groups
        ]
        stand_in = SimpleNamespace(
            param_groups=groups, defaults=optimizer.defaults, steps_taken=optimizer.steps_taken
        )
        return copy.deepcopy(self, {id(optimizer): stand_in})


def draw(rates: list[list[float]], start: int, ax: Axes | None) -> Axes:
    """Draw rates per step and group against the step, the first at `start`."""
    import matplotlib.pyplot as plt

    ax = plt.gca() if ax is None else ax
    steps = range(start, start + len(rates))
    groups: dict[tuple[float, ...], list[str]] = {}
    for i, line in enumerate(zip(*rates, strict=True)):
        groups.setdefault(line, []).append(str(i))
    for line, numbers in groups.items():
        ax.plot(steps, line, label=f"group {', '.join(numbers)}")
    if len(groups) > 1:
        ax.legend()
    ax.set_xlabel("step")
    ax.set_ylabel("learning rate")
    return ax


def per_group(scheduler: str, name: str, value: Any, optimizer: Optimizer) -> list[Any]:
    """One value per parameter group: a list of as many, or the same for all."""
    groups = len(optimizer.param_groups)
    values = list(value) if isinstance(value, list | tuple) else [value] * groups
    if len(values) != groups:
        raise ArgumentError(
            f"{scheduler}: {name} has {len(values)} values for {groups} parameter groups; "
            "give one per group, or one for all"
        )
    return values


def check_positive(scheduler: str, **settings: Any) -> None:
    """Raise an ArgumentError for a setting that is no number above 0."""
    for name, value in settings.items():
        if not value > 0:
            raise ArgumentError(f"{scheduler}: {name} must be positive, got {value}")


def check_fraction(scheduler: str, **settings: float) -> None:
    """Raise an ArgumentError for a setting outside of [0, 1]."""
    for name, value in settings.items():
        if not 0 <= value <= 1:
            raise ArgumentError(f"{scheduler}: {name} must lie in [0, 1], got {value}")


def _saved(value: Any) -> Any:
    """Plain data for a value; for a callable object its attributes, for a function None."""
    if isinstance(value, list):
        return [_saved(v) for v in value]
    if isinstance(value, LRScheduler):
        return value.state_dict()
    if callable(value):
        return dict(getattr(value, "__dict__", {})) or None
    return value


def _loaded(own: Any, saved: Any) -> Any:
    """The value to go on with: saved data, except that functions and schedules stay."""
    if isinstance(own, list) and any(isinstance(v, LRScheduler) or callable(v) for v in own):
        return [_loaded(o, s) for o, s in zip(own, saved, strict=True)]
    if isinstance(own, LRScheduler):
        own.load_state_dict(saved)
    elif callable(own):
        for key, attribute in (saved or {}).items():
            setattr(own, key, attribute)
    else:
        return saved
    return own
