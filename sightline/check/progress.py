"""How far a training came: its end beside its start, the optimum, and what its learning rate could have done.

Near the optimum gradient descent is that of a quadratic: along an eigenvector of the Hessian with eigenvalue λ the
error shrinks by |1 - lr λ| a step (with momentum β by the larger root of r² - (1 + β - lr λ) r + β; Polyak 1964), and
it grows where lr > 2 (1 + β) / λ.  What another learning rate, more steps or standardised columns would have reached
follows.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from sightline.certificate import Verdict
from sightline.check.recovering.recovered import Recovered
from sightline.check.trying import accuracy, learning_rate
from sightline.objective import Weights
from sightline.recipes.minimised import Minimised

BESIDE = 0.02  # excess over the optimum, as a share of it, that is called far
OF_NULL = 1e-4  # and of the value of the best constant: what exact data are measured by
OF_NULL_CLASSES = 0.01  # the same for losses of classes, whose optimum may be near zero
ACCURACY = 0.02  # share of rows by which the optimum is better
GROWN = 20.0  # times the first loss: more than the jumps of a rate that is too large for a while
LARGEST = 1500  # coefficients up to which the Hessian is formed
DESCENT = ("SGD", "")  # '' is by hand
ADAPTIVE = ("Adam", "AdamW", "NAdam", "RAdam", "Adamax", "Adagrad", "RMSprop", "Adadelta", "Rprop")


@dataclass(frozen=True)
class Eigen:
    """Eigenvalues (rising) of the Hessian at the optimum in the script's own loss, and the start's error in its"
    " basis."""

    values: Tensor
    error: Tensor

    def excess(self, lr: float, momentum: float, steps: float) -> float:
        """Loss above the optimum after so many steps of gradient descent; infinite where it grows."""
        rate = radius(self.values.clamp(min=0), lr, momentum)
        if bool((rate > 1).any()):
            return math.inf
        return float(0.5 * (self.values * self.error.square() * rate ** (2 * steps)).sum())

    def best(self, momentum: float, steps: float) -> tuple[float, float]:
        """(excess, lr) of the best stable learning rate for so many steps."""
        limit = 2 * (1 + momentum) / max(float(self.values[-1]), 1e-300)
        rates = [limit * share for share in (0.97, 0.9, 0.75, 0.5, 0.3, 0.1)]
        return min((self.excess(lr, momentum, steps), lr) for lr in rates)


def radius(curvature: Tensor, lr: float, momentum: float) -> Tensor:
    """Factor by which a step shrinks the error along directions of these curvatures."""
    if momentum == 0:
        return (1 - lr * curvature).abs()
    half = (1 + momentum - lr * curvature) / 2
    inside = half.square() - momentum
    real = half.abs() + inside.clamp(min=0).sqrt()
    return torch.where(inside >= 0, real, torch.full_like(real, math.sqrt(momentum)))


class Progress:
    """Where a training with a certified problem stands.

    All values are of the problem's objective; ``factor`` times that is the script's own loss.
    """

    def __init__(self, training: Recovered, problem: Minimised) -> None:
        self.training, self.problem = training, problem

    @cached_property
    def end(self) -> float:
        """Value at the training's end; infinite where weights are not finite."""
        return self._value(self.training.weights)

    @cached_property
    def start(self) -> float:
        """Value at the first backward pass."""
        return self._value(self.training.start)

    def _value(self, weights: dict[int, Tensor]) -> float:
        if not all(bool(torch.isfinite(w).all()) for w in weights.values()):
            return math.inf
        value = self.problem.objective.value(self.training.weights_in(self.problem, weights))
        return value if math.isfinite(value) else math.inf

    @cached_property
    def no_minimum(self) -> bool:
        """Whether it is proven that there is no optimum."""
        return self.problem.solution.certificate.verdict is Verdict.NO_MINIMUM

    @cached_property
    def best(self) -> float:
        """The optimum's value, or the proven lower bound where there is none."""
        if self.no_minimum:
            return max(self.problem.lower_bound, 0.0)
        return self.problem.objective.value(self.problem.optimum)

    @cached_property
    def null(self) -> float:
        """Value of the best constant (of zero weights where there is no intercept)."""
        return self.problem.objective.null_value

    @property
    def excess(self) -> float:
        """End less optimum."""
        return self.end - self.best

    @property
    def of_classes(self) -> bool:
        """Whether the loss is one of classes."""
        return self.problem.objective.loss.targets in ("binary", "classes")

    @cached_property
    def accuracies(self) -> tuple[float | None, float | None]:
        """Share of rows right at the end, and at the optimum."""
        if not math.isfinite(self.end):
            return None, accuracy(self.problem, self.problem.optimum)
        own = self.training.weights_in(self.problem, self.training.weights)
        return accuracy(self.problem, own), accuracy(self.problem, self.problem.optimum)

    def is_far(self, excess: float | None = None) -> bool:
        """Whether so much excess (the end's by default) is more than a person would call the answer."""
        excess = self.excess if excess is None else excess
        if not math.isfinite(excess):
            return True
        if self.of_classes:
            return excess > BESIDE * self.best + OF_NULL_CLASSES * self.null
        return excess > BESIDE * self.best and excess > OF_NULL * self.null

    @property
    def far(self) -> bool:
        """Whether the end is far from the optimum; where there is none, whether rows are wrong that need not be."""
        if self.no_minimum:
            here, there = self.accuracies
            return not math.isfinite(self.end) or (here is not None and there is not None and here < there)
        return self.is_far()

    @property
    def diverged(self) -> bool:
        """Whether the loss grew without end."""
        return not math.isfinite(self.end) or self.end > GROWN * self.start

    # ----------------------------------------------------------------------------------------------- the recipe

    @cached_property
    def kind(self) -> str:
        """The optimizer's class, '' where updates are by hand."""
        seen = self.training.stretch.optimizers
        return seen[0].kind if seen else ""

    @property
    def descent(self) -> bool:
        """Plain gradient descent, with or without momentum."""
        return self.kind in DESCENT

    @cached_property
    def momentum(self) -> float:
        """Of SGD, 0 elsewhere."""
        seen = self.training.stretch.optimizers
        return float(seen[0].optimizer.param_groups[0].get("momentum", 0.0) or 0.0) if seen else 0.0

    @cached_property
    def _rates(self) -> list[tuple[int, float]]:
        """(number of the backward pass, largest learning rate of a group) at the steps that were looked at closely."""
        return [
            (beat.number, max(float(options["lr"]) for options in event.options))
            for beat in self.training.stretch.beats for event in beat.events
            if event.options and all("lr" in options for options in event.options)
        ]  # fmt: skip

    @cached_property
    def highest_lr(self) -> float | None:
        """The largest learning rate that was seen: what must be stable."""
        return max(rate for _, rate in self._rates) if self._rates else learning_rate(self.training)

    @cached_property
    def lr(self) -> float | None:
        """The mean learning rate over all steps: what a schedule leaves of it is what makes progress."""
        rates = self._rates
        if not rates:
            return learning_rate(self.training)
        ends = [number for number, _ in rates[1:]] + [max(self.training.stretch.backwards, rates[-1][0] + 1)]
        lengths = [end - number for (number, _), end in zip(rates, ends)]
        total = sum(length * rate for length, (_, rate) in zip(lengths, rates))
        return total / max(sum(lengths), 1)

    @cached_property
    def steps(self) -> int:
        """Updates."""
        stretch = self.training.stretch
        return stretch.counts.get("step", 0) or stretch.backwards

    # --------------------------------------------------------------------------------------------- eigenvalues

    @cached_property
    def largest_curvature(self) -> float | None:
        """The largest eigenvalue of the Hessian of the script's own loss at start, end or optimum."""
        found = []
        for weights in (self.training.start, self.training.weights):
            if all(bool(torch.isfinite(w).all()) for w in weights.values()):
                values = self.training.curvatures(weights)
                if values is not None and bool(torch.isfinite(values).all()):
                    found.append(float(values[-1]))
        if self.eigen is not None:
            found.append(float(self.eigen.values[-1]))
        return max(found) if found else None

    @cached_property
    def worst_batch(self) -> float | None:
        """The largest eigenvalue of a single pass's loss, at the start."""
        passes = self.training.passes
        if len(passes) < 2:
            return None
        step = max(1, len(passes) // 20)
        found = [self.training.curvatures(self.training.start, inputs) for inputs in passes[::step]]
        tops = [float(v[-1]) for v in found if v is not None and bool(torch.isfinite(v).all())]
        return max(tops) if tops else None

    @cached_property
    def eigen(self) -> Eigen | None:
        """At the optimum, in the person's own columns."""
        return self._eigen(standardised=False)

    @cached_property
    def standardised(self) -> Eigen | None:
        """The same on columns of mean 0 and variance 1."""
        return self._eigen(standardised=True)

    def _eigen(self, standardised: bool) -> Eigen | None:
        objective = self.problem.objective
        k = objective.outputs or 1
        if self.no_minimum or k * (objective.p + 1) > LARGEST or not objective.loss.smooth:
            return None
        with contextlib.suppress(Exception):
            optimum = self.problem.optimum
            H = self.problem.factor * objective.hessian(objective.evaluate(optimum)).double()
            error = (self._weights(self.training.start).flat() - optimum.flat()).double()
            if not objective.intercept:
                keep = torch.arange(k * (objective.p + 1)).reshape(k, -1)[:, :-1].reshape(-1)
                H, error = H[keep][:, keep], error[keep]
            if standardised:
                J = torch.block_diag(*[self._scaling(objective.intercept)] * k)
                H, error = J.T @ H @ J, torch.linalg.solve(J, error)
            values, vectors = torch.linalg.eigh((H + H.T) / 2)
            return Eigen(values, vectors.T @ error)
        return None

    def _weights(self, weights: dict[int, Tensor]) -> Weights:
        return self.training.weights_in(self.problem, weights)

    @cached_property
    def distance_standardised(self) -> float | None:
        """The same way on standardised columns, from a start of the size that layers have, 1."""
        objective = self.problem.objective
        if self.no_minimum or objective.p > LARGEST:
            return None
        with contextlib.suppress(Exception):
            J = self._scaling(objective.intercept)
            rows = self.problem.optimum.flat().double().reshape(objective.outputs or 1, -1)[:, : len(J)]
            return float(torch.linalg.solve(J, rows.T).abs().max()) + 1.0
        return None

    def _scaling(self, intercept: bool) -> Tensor:
        """From the weights of standardised columns to those of the person's own."""
        X = self.problem.objective.data.design.to_dense().double()
        deviation = X.std(0, unbiased=False)
        scale = torch.where(deviation > 1e-12 * (1 + X.abs().amax(0)), deviation, X.abs().amax(0).clamp(min=1e-300))
        if not intercept:
            return torch.diag(1 / X.square().mean(0).sqrt().clamp(min=1e-300))
        J = torch.diag(torch.cat([1 / scale, torch.ones(1, dtype=torch.float64)]))
        J[-1, :-1] = -X.mean(0) / scale
        return J

    # ---------------------------------------------------------------------------------------- what could have been

    @property
    def limit(self) -> float | None:
        """The largest stable learning rate, 2 (1 + β) / L."""
        top = self.largest_curvature
        return None if not top or top <= 0 else 2 * (1 + self.momentum) / top

    @property
    def condition(self) -> float | None:
        """Largest over smallest positive eigenvalue of the Hessian."""
        if self.eigen is None:
            return None
        values = self.eigen.values
        positive = values[values > 1e-13 * values[-1]]
        return float(values[-1] / positive[0]) if len(positive) else None

    @cached_property
    def condition_of_columns(self) -> float | None:
        """Condition number of [X, 1]'[X, 1]: what is left to go by where there is no optimum."""
        objective = self.problem.objective
        X = objective.data.design.to_dense().double()
        if objective.intercept:
            X = torch.cat([X, torch.ones(len(X), 1, dtype=X.dtype)], 1)
        if X.shape[1] > LARGEST:
            return None
        values = torch.linalg.eigvalsh(X.T @ X)
        positive = values[values > 1e-13 * values[-1]]
        return float(values[-1] / positive[0]) if len(positive) else None

    def of(self, own: float) -> float:
        """A difference in the script's own loss, in the objective's."""
        return own / self.problem.factor

    @cached_property
    def best_rate(self) -> tuple[float, float] | None:
        """(excess in the objective, lr) of the best learning rate in as many steps."""
        if self.eigen is None:
            return None
        excess, lr = self.eigen.best(self.momentum, self.steps)
        return self.of(excess), lr

    @cached_property
    def best_standardised(self) -> tuple[float, float] | None:
        """The same on standardised columns."""
        if self.standardised is None:
            return None
        excess, lr = self.standardised.best(self.momentum, self.steps)
        return self.of(excess), lr

    @cached_property
    def steps_needed(self) -> float | None:
        """Steps of the same recipe until it is no longer far; infinite where no number of them is enough."""
        if self.eigen is None or self.lr is None:
            return None
        steps = float(max(self.steps, 1))
        for _ in range(60):
            if not self.is_far(self.of(self.eigen.excess(self.lr, self.momentum, steps))):
                return steps
            steps *= 1.5
        return math.inf

    @cached_property
    def distance(self) -> float | None:
        """The largest way that a single parameter has from the start to the optimum."""
        if self.no_minimum:
            return None
        with contextlib.suppress(Exception):
            return float((self._weights(self.training.start).flat() - self.problem.optimum.flat()).abs().max())
        return None




def progress(training: Recovered) -> Progress | None:
    """The progress of a training with a certified problem, None elsewhere; found once."""
    known = vars(training).get("_progress", "")
    if known != "":
        return known
    found: Progress | None = None
    problem = training.minimised
    if not isinstance(problem, str):
        with contextlib.suppress(Exception):
            found = Progress(training, problem)
            _ = found.far
    vars(training)["_progress"] = found
    return found
